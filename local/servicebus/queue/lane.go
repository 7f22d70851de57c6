package queue

import (
	"container/list"
	"slices"
	"time"
)

// A lane holds messages that are delivered one after the other: those of one
// session, or all of a queue without sessions.
type lane struct {
	session   string
	messages  int                // in any state, locked or not
	ready     backlog            // those to be delivered
	leaving   bool               // one is on its way to a receiver and in neither of the two
	locked    map[Token]*message // out on a lock, deferred ones too
	receivers []*Receiver        // of a session: at most one
	turn      int                // whose turn it is among receivers

	// Of a session.
	offer       *list.Element // in its queue's list of sessions on offer
	lockedUntil time.Time
	lock        *alarm
	state       []byte // nil: none
	stateSet    time.Time
}

func (l *lane) idle() bool {
	return l.messages == 0 && len(l.receivers) == 0 && l.state == nil && !l.leaving
}

// nextReceiver is the next in turn that will take a message, or nil.
func (l *lane) nextReceiver() *Receiver {
	for range l.receivers {
		l.turn = (l.turn + 1) % len(l.receivers)
		if r := l.receivers[l.turn]; r.wants() {
			return r
		}
	}
	return nil
}

func (l *lane) drop(r *Receiver) {
	l.receivers = slices.DeleteFunc(l.receivers, func(x *Receiver) bool { return x == r })
	l.turn = 0
}

// backlog is a queue of messages in sequence order.
type backlog struct {
	messages []*message
	head     int
}

func (b *backlog) len() int        { return len(b.messages) - b.head }
func (b *backlog) front() *message { return b.messages[b.head] }

func (b *backlog) pop() {
	b.messages[b.head] = nil
	if b.head++; b.head == len(b.messages) {
		b.messages, b.head = b.messages[:0], 0
	}
}

// insert puts m where its sequence number belongs: most often at the end
// (new) or the front (given back).
func (b *backlog) insert(m *message) {
	switch n := len(b.messages); {
	case b.len() == 0 || b.messages[n-1].Sequence < m.Sequence:
		if n == cap(b.messages) && b.head > n/2 { // else it grows: moving many for a little room costs more
			b.messages, b.head = slices.Delete(b.messages, 0, b.head), 0
		}
		b.messages = append(b.messages, m)
	case b.head > 0 && m.Sequence < b.front().Sequence:
		b.head--
		b.messages[b.head] = m
	default:
		i, _ := b.search(m.Sequence)
		b.messages = slices.Insert(b.messages, i, m)
	}
}

func (b *backlog) remove(m *message) {
	if i, found := b.search(m.Sequence); found {
		b.messages = slices.Delete(b.messages, i, i+1)
	}
}

func (b *backlog) search(sequence int64) (int, bool) {
	i, found := slices.BinarySearchFunc(b.messages[b.head:], sequence, bySequence)
	return b.head + i, found
}

func bySequence(m *message, sequence int64) int {
	switch {
	case m.Sequence < sequence:
		return -1
	case m.Sequence > sequence:
		return 1
	}
	return 0
}

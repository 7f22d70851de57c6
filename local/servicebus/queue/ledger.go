package queue

import (
	"slices"
	"time"
)

// ledger lists all messages of a queue, locked or not, in sequence order.
// Messages that have gone stay listed until they are the greater part.
type ledger struct {
	messages []*message
	gone     int
}

func (l *ledger) len() int { return len(l.messages) - l.gone }

// add lists m where its sequence number belongs: most often at the end. A
// message that was sent may be placed after a later one that was moved here.
func (l *ledger) add(m *message) {
	if n := len(l.messages); n == 0 || l.messages[n-1].Sequence < m.Sequence {
		l.messages = append(l.messages, m)
		return
	}
	i, _ := slices.BinarySearchFunc(l.messages, m.Sequence, bySequence)
	l.messages = slices.Insert(l.messages, i, m)
}

func (l *ledger) remove(m *message) {
	m.gone = true
	m.Content = nil // let go now; consumers have their own reference
	if l.gone++; l.gone > 64 && l.gone > len(l.messages)/2 {
		l.messages = slices.DeleteFunc(l.messages, func(m *message) bool { return m.gone })
		l.gone = 0
	}
}

// find is the message with the given sequence number, or nil.
func (l *ledger) find(sequence int64) *message {
	i, found := slices.BinarySearchFunc(l.messages, sequence, bySequence)
	if !found || l.messages[i].gone {
		return nil
	}
	return l.messages[i]
}

// from yields the messages with at least the given sequence number.
func (l *ledger) from(sequence int64) func(yield func(*message) bool) {
	i, _ := slices.BinarySearchFunc(l.messages, sequence, bySequence)
	return func(yield func(*message) bool) {
		for _, m := range l.messages[i:] {
			if !m.gone && !yield(m) {
				return
			}
		}
	}
}

// history remembers message ids for a window of time.
type history struct {
	window time.Duration
	seen   map[string]int64 // sequence numbers by id
	order  []remembered
	pruned time.Time // when the store was last told to forget
}

type remembered struct {
	id string
	at time.Time
}

// remember notes the sequence number of a message whose id is not known.
func (h *history) remember(id string, sequence int64, now time.Time) {
	if id == "" {
		return
	}
	if h.seen == nil {
		h.seen = make(map[string]int64)
	}
	h.seen[id] = sequence
	h.order = append(h.order, remembered{id, now})
}

// knows says whether id was seen within the window, and with which sequence number.
func (h *history) knows(id string, now time.Time) (sequence int64, known bool) {
	old := 0
	for old < len(h.order) && now.Sub(h.order[old].at) >= h.window {
		delete(h.seen, h.order[old].id)
		old++
	}
	h.order = h.order[old:]
	sequence, known = h.seen[id]
	return sequence, known
}

// forget takes back the last time that id was remembered.
func (h *history) forget(id string) {
	for i, r := range slices.Backward(h.order) {
		if r.id == id {
			delete(h.seen, id)
			h.order = slices.Delete(h.order, i, i+1)
			return
		}
	}
}

// stale says, from time to time, before when nothing need be remembered any
// more: the store is not troubled with every id.
func (h *history) stale(now time.Time) (before time.Time, ok bool) {
	if now.Sub(h.pruned) < h.window/16 {
		return time.Time{}, false
	}
	h.pruned = now
	return now.Add(-h.window), true
}

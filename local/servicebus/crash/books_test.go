package crash

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
)

// The queues.
const (
	plain    = "plain"
	distinct = "distinct" // detects duplicates
	sessions = "sessions"
)

const deadLetters = "/$DeadLetterQueue"

// books are what clients know of what they have done.
type books struct {
	mu        sync.Mutex
	entries   map[string]*entry
	sequences map[string]map[int64]string // by path
	states    map[string]*state           // by session
	wrong     []string
}

// entry is what is known of a message.
type entry struct {
	queue             string
	sent              bool // acknowledged; there may be one that was not
	removing, removed bool // completing or cancelling, begun and acknowledged
	killing, killed   bool // dead-lettering
	deferring         bool
	deferred          int64 // sequence number under which it is deferred
	count             uint32
}

// state is what is known of a session's state.
type state struct{ begun, done string }

func newBooks() *books {
	return &books{
		entries:   make(map[string]*entry),
		sequences: make(map[string]map[int64]string),
		states:    make(map[string]*state),
	}
}

func (b *books) fault(format string, args ...any) {
	b.wrong = append(b.wrong, fmt.Sprintf(format, args...))
}

// change changes what is known of a message.
func (b *books) change(id string, f func(e *entry)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f(b.entries[id])
}

// begin notes messages that are about to be sent.
func (b *books) begin(queue string, ids ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, id := range ids {
		if b.entries[id] == nil {
			b.entries[id] = &entry{queue: queue}
		}
	}
}

// done notes that sends were acknowledged.
func (b *books) done(ids ...string) {
	for _, id := range ids {
		b.change(id, func(e *entry) { e.sent = true })
	}
}

// number notes that a sequence number is a message's.
func (b *books) number(path string, sequence int64, id string) {
	numbers := b.sequences[path]
	if numbers == nil {
		numbers = make(map[int64]string)
		b.sequences[path] = numbers
	}
	if other, known := numbers[sequence]; known && other != id {
		b.fault("%s: sequence number %d is of %s and of %s", path, sequence, other, id)
	}
	numbers[sequence] = id
}

// see checks a message against what is known of it, wherever it was seen.
func (b *books) see(path string, m *azservicebus.ReceivedMessage) {
	b.mu.Lock()
	defer b.mu.Unlock()
	id := string(m.Body)
	e := b.entries[id]
	if e == nil {
		b.fault("%s: %q was never sent", path, id)
		return
	}
	b.number(path, *m.SequenceNumber, id)
	dead := path != e.queue
	switch {
	case e.removed:
		b.fault("%s: %s is back, it was completed or cancelled", path, id)
	case dead && path != e.queue+deadLetters:
		b.fault("%s: %s was sent to %s", path, id, e.queue)
	case dead && (!e.killing || m.DeadLetterReason == nil || *m.DeadLetterReason != reason):
		b.fault("%s: %s was not dead-lettered, or for another reason", path, id)
	case !dead && e.killed:
		b.fault("%s: %s was dead-lettered", path, id)
	case !dead && e.deferred != 0 && (m.State != azservicebus.MessageStateDeferred || *m.SequenceNumber != e.deferred):
		b.fault("%s: %s was deferred as %d, now it is in state %d as %d", path, id, e.deferred, m.State, *m.SequenceNumber)
	case m.State == azservicebus.MessageStateDeferred && !e.deferring:
		b.fault("%s: %s was never deferred", path, id)
	case m.DeliveryCount < e.count:
		b.fault("%s: %s has been delivered %d times, it was %d", path, id, m.DeliveryCount, e.count)
	}
	if m.State == azservicebus.MessageStateDeferred {
		e.deferred = *m.SequenceNumber // known now, even if it was not acknowledged
	}
}

// some are messages that match, at most n, in random order.
func (b *books) some(r *rand.Rand, n int, match func(e *entry) bool) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var ids []string
	for id, e := range b.entries {
		if match(e) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	r.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
	return ids[:min(n, len(ids))]
}

// check compares all messages that are there with the books.
func (b *books) check(found map[string][]*azservicebus.ReceivedMessage) {
	times := make(map[string]int)
	for path, messages := range found {
		states := make(map[string]azservicebus.MessageState)
		for _, m := range messages {
			b.see(path, m)
			id := string(m.Body)
			if was, twice := states[id]; twice && was == azservicebus.MessageStateScheduled && m.State == azservicebus.MessageStateActive {
				times[id]-- // it became due while the queue was read
			}
			states[id] = m.State
			times[id]++
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for id, e := range b.entries {
		switch n := times[id]; {
		case n > 1:
			b.fault("%s: %s is there %d times", e.queue, id, n)
		case n == 0 && e.sent && !e.removing:
			b.fault("%s: %s is lost", e.queue, id)
		case n == 0 && e.removing: // an answer is all that was lost
			e.removed = true
		}
	}
}

// checkState compares a session's state with the books.
func (b *books) checkState(session, found string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.states[session]
	if s == nil {
		s = new(state)
		b.states[session] = s
	}
	if found != s.done && found != s.begun {
		b.fault("session %s: state %q, want %q or %q", session, found, s.done, s.begun)
	}
	s.done, s.begun = found, found
}

func (b *books) setState(session string, f func(s *state)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f(b.states[session])
}

package queue

import "time"

// Counts are numbers of messages in a queue, locked or not.
type Counts struct {
	Active      int // deferred ones too
	Scheduled   int
	DeadLetters int
	Bytes       int64 // of content and session state, dead letters included
}

// Counts counts the queue's messages.
func (q *Queue) Counts() Counts {
	q.broker.mu.Lock()
	defer q.broker.mu.Unlock()
	c := Counts{Active: q.ledger.len() - q.scheduled, Scheduled: q.scheduled, Bytes: q.bytes}
	if q.deadLetters != nil {
		c.DeadLetters = q.deadLetters.ledger.len()
		c.Bytes += q.deadLetters.bytes
	}
	return c
}

// Totals count what was done with a queue since the broker started.
type Totals struct {
	Sent      int // duplicates too
	Delivered int
	Expired   int
	Settled   [DeadLetter + 1]int // by Outcome
}

// Totals counts what was done.
func (q *Queue) Totals() Totals {
	q.broker.mu.Lock()
	defer q.broker.mu.Unlock()
	return q.totals
}

// Times tell when a queue was made, when its settings were changed, and when
// it was last sent to or received from, since the broker started; the zero
// time: not yet.
type Times struct{ Created, Updated, Accessed time.Time }

// Times tells the queue's times.
func (q *Queue) Times() Times {
	q.broker.mu.Lock()
	defer q.broker.mu.Unlock()
	return Times{q.created, q.updated, q.accessed}
}

// Selection says which messages Peek shows.
type Selection struct {
	FromSequence int64
	Max          int     // messages
	MaxBytes     int     // of content; one message is shown however large
	Session      *string // nil: all
}

// Peek shows messages in sequence order without locking them.
func (q *Queue) Peek(s Selection) []Delivery {
	q.broker.mu.Lock()
	defer q.broker.mu.Unlock()
	var shown []Delivery
	bytes, now := 0, time.Now()
	q.used(now)
	for m := range q.ledger.from(s.FromSequence) {
		if s.Session != nil && m.lane.session != *s.Session || m.expired(now) && m.waits() {
			continue
		}
		bytes += len(m.Content)
		if len(shown) == s.Max || len(shown) > 0 && bytes > s.MaxBytes {
			break
		}
		d := m.Delivery
		d.Token, d.LockedUntil = Token{}, time.Time{}
		shown = append(shown, d)
	}
	return shown
}

package queue

import (
	"fmt"
	"slices"
	"time"
)

// activate enqueues a scheduled message as if it had been sent now: with a new
// sequence number, so that the order of numbers stays that of delivery, and
// its time to live counting from now.
func (q *Queue) activate(m *message) {
	due := &message{Delivery: m.Delivery, id: m.id, session: m.session}
	due.State, due.Enqueued = Active, time.Now()
	q.used(due.Enqueued)
	q.remove(m)
	q.forward.add(due)
}

// CancelScheduled takes back messages that are not due yet, by the sequence
// numbers that Schedule told: all or none. ErrMessageNotFound: one was
// enqueued or cancelled already. Its id still counts as seen: within the
// duplicate window, a new message needs another one.
func (q *Queue) CancelScheduled(sequences ...int64) error {
	q.broker.mu.Lock()
	defer q.broker.mu.Unlock()
	if q.broker.closed {
		return ErrClosed
	}
	var found []*message
	for _, sequence := range slices.Compact(slices.Sorted(slices.Values(sequences))) {
		m := q.ledger.find(sequence)
		if m == nil || m.State != Scheduled {
			return fmt.Errorf("%w: %d is not a scheduled message", ErrMessageNotFound, sequence)
		}
		found = append(found, m)
	}
	for _, m := range found {
		q.remove(m)
	}
	return nil
}

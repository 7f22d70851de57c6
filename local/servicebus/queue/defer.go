package queue

import (
	"fmt"
	"slices"
	"time"
)

// ReceiveDeferred takes deferred messages out by their sequence numbers, from
// a queue without sessions: in sequence order, all or none. ErrMessageNotFound:
// one is not there, not deferred or locked. ErrTooMuch: their content is over
// maxBytes; one message is taken however large.
func (q *Queue) ReceiveDeferred(mode Mode, maxBytes int, sequences ...int64) ([]Delivery, error) {
	q.broker.mu.Lock()
	defer q.broker.mu.Unlock()
	if err := q.opens(false); err != nil {
		return nil, err
	}
	return q.receiveDeferred(q.lane(nil), mode, maxBytes, sequences)
}

// ReceiveDeferred is like Queue.ReceiveDeferred, for messages of the session
// that the receiver holds. Others count as not found.
func (r *Receiver) ReceiveDeferred(mode Mode, maxBytes int, sequences ...int64) ([]Delivery, error) {
	r.queue.broker.mu.Lock()
	defer r.queue.broker.mu.Unlock()
	l, err := r.session()
	if err != nil {
		return nil, err
	}
	return r.queue.receiveDeferred(l, mode, maxBytes, sequences)
}

func (q *Queue) receiveDeferred(l *lane, mode Mode, maxBytes int, sequences []int64) ([]Delivery, error) {
	now := time.Now()
	found, err := q.findDeferred(l, sequences, now)
	if err != nil {
		return nil, err
	}
	size := 0
	for i, m := range found {
		if size += len(m.Content); i > 0 && size > maxBytes {
			return nil, fmt.Errorf("%w: over %d bytes", ErrTooMuch, maxBytes)
		}
	}
	deliveries := make([]Delivery, len(found))
	for i, m := range found {
		if mode == PeekLock {
			q.stamp(m, now)
			q.lock(m)
		}
		deliveries[i] = m.Delivery
		if mode == ReceiveAndDelete {
			deliveries[i].Token, deliveries[i].LockedUntil = Token{}, time.Time{}
			q.remove(m)
		}
	}
	return deliveries, nil
}

// findDeferred finds all messages or fails. A deferred message does not expire
// until it is asked for ("Message deferral").
func (q *Queue) findDeferred(l *lane, sequences []int64, now time.Time) ([]*message, error) {
	var found, expired []*message
	var err error
	for _, sequence := range slices.Compact(slices.Sorted(slices.Values(sequences))) {
		m := q.ledger.find(sequence)
		switch {
		case m == nil || m.lane != l || m.State != Deferred || m.locked:
			err = fmt.Errorf("%w: %d is not a deferred message", ErrMessageNotFound, sequence)
		case m.expired(now):
			err = fmt.Errorf("%w: %d has expired", ErrMessageNotFound, sequence)
			expired = append(expired, m)
		default:
			found = append(found, m)
		}
	}
	for _, m := range expired {
		q.expire(m)
	}
	return found, err
}

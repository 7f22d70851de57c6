package queue

import (
	"fmt"
	"slices"
	"time"
)

// ReceiveDeferred takes deferred messages out by their sequence numbers, from
// a queue without sessions: in sequence order, all or none. ErrMessageNotFound:
// one is not there, not deferred or locked. ErrTooMuch: their content is over
// maxBytes; one message is taken however large. In ReceiveAndDelete mode, it
// waits until the store has forgotten them; if that fails, they stay.
func (q *Queue) ReceiveDeferred(mode Mode, maxBytes int, sequences ...int64) ([]Delivery, error) {
	return q.receiveDeferred(mode, maxBytes, sequences, func() (*lane, error) {
		if err := q.opens(false); err != nil {
			return nil, err
		}
		return q.lane(nil), nil
	})
}

// ReceiveDeferred is like Queue.ReceiveDeferred, for messages of the session
// that the receiver holds. Others count as not found.
func (r *Receiver) ReceiveDeferred(mode Mode, maxBytes int, sequences ...int64) ([]Delivery, error) {
	return r.queue.receiveDeferred(mode, maxBytes, sequences, r.session)
}

func (q *Queue) receiveDeferred(mode Mode, maxBytes int, sequences []int64, of func() (*lane, error)) ([]Delivery, error) {
	deleted := make(chan error, 1)
	deliveries, err := q.takeDeferred(mode, maxBytes, sequences, of, deleted)
	if err == nil && mode == ReceiveAndDelete {
		err = <-deleted
	}
	if err != nil {
		return nil, err
	}
	return deliveries, nil
}

// takeDeferred locks messages, or deletes them and tells deleted when the
// store has too.
func (q *Queue) takeDeferred(mode Mode, maxBytes int, sequences []int64, of func() (*lane, error), deleted chan<- error) ([]Delivery, error) {
	q.broker.mu.Lock()
	defer q.broker.mu.Unlock()
	l, err := of()
	if err != nil {
		return nil, err
	}
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
	deliveries, taken := make([]Delivery, len(found)), make([]KeptMessage, len(found))
	for i, m := range found {
		if mode == PeekLock {
			q.stamp(m, now)
			q.lock(m)
			deliveries[i] = m.Delivery
			continue
		}
		taken[i] = m.kept()
		deliveries[i] = taken[i].Delivery
		q.remove(m)
	}
	if mode == ReceiveAndDelete {
		q.onceGone(deleted, taken)
	}
	return deliveries, nil
}

// onceGone says when the store has forgotten messages; if that fails, they
// are put back.
func (q *Queue) onceGone(tell chan<- error, taken []KeptMessage) {
	if !q.broker.keeps() {
		tell <- nil
		return
	}
	j := q.broker.journal
	j.signal()
	j.waiters = append(j.waiters, func(err error) {
		for _, k := range taken {
			if err != nil {
				q.putBack(k)
			}
		}
		tell <- err
	})
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

package queue

import (
	"bytes"
	"fmt"
	"slices"
	"time"
)

// RenewSession prolongs the receiver's session lock by the queue's lock duration.
func (r *Receiver) RenewSession() (until time.Time, err error) {
	r.queue.broker.mu.Lock()
	defer r.queue.broker.mu.Unlock()
	l, err := r.session()
	if err != nil {
		return time.Time{}, err
	}
	l.lockedUntil = time.Now().Add(r.queue.settings.LockDuration)
	r.queue.broker.agenda.set(l.lock, l.lockedUntil)
	return l.lockedUntil, nil
}

// SessionState is the state stored with the receiver's session; nil if none.
func (r *Receiver) SessionState() ([]byte, error) {
	r.queue.broker.mu.Lock()
	defer r.queue.broker.mu.Unlock()
	l, err := r.session()
	if err != nil {
		return nil, err
	}
	return bytes.Clone(l.state), nil
}

// SetSessionState stores state with the receiver's session. Empty state is
// no state: clients clear it with either.
func (r *Receiver) SetSessionState(state []byte) error {
	if len(state) > MaxStateBytes {
		return ErrStateTooLarge
	}
	r.queue.broker.mu.Lock()
	defer r.queue.broker.mu.Unlock()
	l, err := r.session()
	if err != nil {
		return err
	}
	growth := int64(len(state)) - int64(len(l.state))
	if growth > 0 && r.queue.bytes+growth > r.queue.settings.MaxBytes {
		return ErrFull
	}
	r.queue.bytes += growth
	l.state, l.stateSet = nil, time.Now()
	if len(state) > 0 {
		l.state = bytes.Clone(state)
	}
	r.queue.broker.record(StateSet{Queue: r.queue.id, Session: l.session, State: l.state, At: l.stateSet})
	return nil
}

// SessionID names the receiver's session while it holds one.
func (r *Receiver) SessionID() (string, error) {
	r.queue.broker.mu.Lock()
	defer r.queue.broker.mu.Unlock()
	l, err := r.session()
	if err != nil {
		return "", err
	}
	return l.session, nil
}

// session is the session the receiver holds. Its lock ends at its time, not
// when its alarm comes round to ringing.
func (r *Receiver) session() (*lane, error) {
	switch {
	case !r.queue.settings.RequiresSession:
		return nil, ErrNotSessionQueue
	case r.lane == nil, r.queue.broker.closed, !time.Now().Before(r.lane.lockedUntil):
		return nil, ErrSessionLockLost
	}
	r.queue.used(time.Now())
	return r.lane, nil
}

// Sessions lists the ids of sessions with active messages or a stored state,
// in order, from the one at position skip on, top of them at most. Deferred
// and scheduled messages are not active here.
func (q *Queue) Sessions(skip, top int) ([]string, error) {
	return q.sessions(skip, top, func(l *lane) bool {
		active := l.ready.len() > 0
		for _, m := range l.locked {
			active = active || m.State == Active && !q.settings.LockedMessagesAreInactive
		}
		return active || l.state != nil
	})
}

// SessionsUpdatedSince lists the ids of sessions whose state was set later than t.
func (q *Queue) SessionsUpdatedSince(t time.Time, skip, top int) ([]string, error) {
	return q.sessions(skip, top, func(l *lane) bool {
		return l.state != nil && l.stateSet.After(t)
	})
}

func (q *Queue) matching(match func(*lane) bool) ([]string, error) {
	q.broker.mu.Lock()
	defer q.broker.mu.Unlock()
	switch {
	case q.gone:
		return nil, fmt.Errorf("%w: %s", ErrNotFound, q.path)
	case !q.settings.RequiresSession:
		return nil, ErrNotSessionQueue
	}
	var ids []string
	for id, l := range q.lanes {
		if match(l) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

func (q *Queue) sessions(skip, top int, match func(*lane) bool) ([]string, error) {
	ids, err := q.matching(match)
	if err != nil {
		return nil, err
	}
	slices.Sort(ids)
	ids = ids[min(max(skip, 0), len(ids)):]
	return ids[:min(max(top, 0), len(ids))], nil
}

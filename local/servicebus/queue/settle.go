package queue

import (
	"fmt"
	"time"
)

// Outcome is what a receiver decides about a locked message.
type Outcome int

// Outcomes.
const (
	Complete   Outcome = iota // done: delete it
	Abandon                   // give it back and charge a delivery
	Release                   // give it back as if it had not been delivered
	Defer                     // keep it until it is asked for by its sequence number
	DeadLetter                // set it aside
)

// Names of the properties that explain a dead letter, and reasons the broker gives.
const (
	PropertyReason      = "DeadLetterReason"
	PropertyDescription = "DeadLetterErrorDescription"

	ReasonMaxDeliveryCount = "MaxDeliveryCountExceeded"
	ReasonExpired          = "TTLExpiredException"
)

// Settlement is an outcome with what goes with it.
type Settlement struct {
	Outcome    Outcome
	Properties map[string]any // to set on the message, if it stays or is dead-lettered
}

// Settle ends the lock that token proves. ErrLockLost: nothing was done.
func (q *Queue) Settle(token Token, s Settlement) error {
	q.broker.mu.Lock()
	defer q.broker.mu.Unlock()
	m, err := q.held(token)
	if err != nil {
		return err
	}
	q.totals.Settled[s.Outcome]++
	m.setProperties(s.Properties)
	switch s.Outcome {
	case Complete:
		q.unlock(m)
		q.remove(m)
	case Abandon, Release:
		q.giveBack(m, s.Outcome == Abandon)
		if s.Outcome == Release && len(s.Properties) > 0 && !m.gone {
			q.recordChange(m)
		}
		q.dispatch(m.lane)
	case Defer:
		q.unlock(m)
		m.State = Deferred
		q.recordChange(m)
	case DeadLetter:
		q.unlock(m)
		q.kill(m)
	}
	return nil
}

// RenewLock prolongs the lock that token proves by the queue's lock duration.
func (q *Queue) RenewLock(token Token) (until time.Time, err error) {
	q.broker.mu.Lock()
	defer q.broker.mu.Unlock()
	if q.settings.RequiresSession {
		return time.Time{}, fmt.Errorf("%w: renew the session's lock instead", ErrSessionQueue)
	}
	m, err := q.held(token)
	if err != nil {
		return time.Time{}, err
	}
	m.LockedUntil = time.Now().Add(q.settings.LockDuration)
	q.broker.agenda.set(m.lock, m.LockedUntil)
	return m.LockedUntil, nil
}

// held finds the message under a lock that is still good. A lock ends at its
// time, not when its alarm comes round to ringing.
func (q *Queue) held(token Token) (*message, error) {
	m := q.locks[token]
	if m == nil || q.broker.closed {
		return nil, ErrLockLost
	}
	until := m.LockedUntil
	if q.settings.RequiresSession {
		until = m.lane.lockedUntil
	}
	now := time.Now()
	if !now.Before(until) {
		return nil, ErrLockLost
	}
	q.used(now)
	return m, nil
}

func (q *Queue) unlock(m *message) {
	q.broker.agenda.unset(m.lock)
	delete(q.locks, m.Token)
	delete(m.lane.locked, m.Token)
	m.locked, m.lock = false, nil
}

// stamp gives m the token and the time of a new lock.
func (q *Queue) stamp(m *message, now time.Time) {
	m.Token, m.LockedUntil = newToken(), m.lane.lockedUntil
	if !q.settings.RequiresSession {
		m.LockedUntil = now.Add(q.settings.LockDuration)
	}
}

// lock keeps m, which has a new token, from other receivers until it is settled.
func (q *Queue) lock(m *message) {
	m.locked = true
	m.lane.locked[m.Token] = m
	q.locks[m.Token] = m
	if !q.settings.RequiresSession {
		m.lock = &alarm{ring: func() { q.giveBack(m, true); q.dispatch(m.lane) }}
		q.broker.agenda.set(m.lock, m.LockedUntil)
	}
}

// giveBack returns a locked message to its place, or sets it aside after one
// charged delivery too many. The caller dispatches the lane.
func (q *Queue) giveBack(m *message, charge bool) {
	q.unlock(m)
	if charge {
		m.FailedAttempts++
	}
	switch {
	case m.State == Active && m.expired(time.Now()):
		q.expire(m)
	case charge && m.FailedAttempts >= q.settings.MaxDeliveryCount && q.deadLetters != nil:
		m.setProperties(map[string]any{
			PropertyReason:      ReasonMaxDeliveryCount,
			PropertyDescription: "Message could not be consumed after " + fmt.Sprint(m.FailedAttempts) + " delivery attempts.",
		})
		q.kill(m)
	default:
		if charge {
			q.recordChange(m)
		}
		if m.State == Active {
			m.lane.ready.insert(m)
		}
	}
}

func (q *Queue) recordChange(m *message) {
	if q.broker.keeps() {
		q.broker.record(MessageChanged{
			Queue: q.id, Sequence: m.Sequence,
			State: m.State, FailedAttempts: m.FailedAttempts, Properties: m.Properties,
		})
	}
}

// expire drops m, which is neither ready nor locked, or makes it a dead letter.
func (q *Queue) expire(m *message) {
	q.totals.Expired++
	if !q.settings.DeadLetterOnExpiry {
		q.remove(m)
		return
	}
	m.setProperties(map[string]any{
		PropertyReason:      ReasonExpired,
		PropertyDescription: "The message expired and was dead lettered.",
	})
	q.kill(m)
}

// kill moves m, which is neither ready nor locked, to where dead letters go.
// A dead letter that dies again in a dead-letter queue returns to its end.
func (q *Queue) kill(m *message) {
	dead := &message{Delivery: m.Delivery, id: m.id, session: m.session}
	dead.Enqueued, dead.TTL, dead.State = time.Now(), 0, Active
	dead.Token, dead.LockedUntil = Token{}, time.Time{}
	target := q.deadLetters
	switch {
	case target == nil:
		target = q
	case q.forwardDead != nil && q.forwardDead.check(&Message{ID: m.id, SessionID: m.session}) == nil:
		target = q.forwardDead.forward
		dead.DeadLetterSource, dead.SourceSequence = q.path, m.Sequence
		dead.FailedAttempts = 0
	}
	q.remove(m)
	target.add(dead)
}

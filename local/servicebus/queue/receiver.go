package queue

import (
	"fmt"
	"maps"
	"slices"
	"time"
	"unicode/utf8"
)

// Mode says when a delivered message leaves the queue.
type Mode int

// Modes.
const (
	PeekLock         Mode = iota // when it is settled
	ReceiveAndDelete             // when it is delivered
)

// Grant tells which session a receiver got, and until when.
type Grant struct {
	Session     string
	LockedUntil time.Time
}

// A Consumer is the other side of a Receiver. Its methods are called with
// the broker's lock held.
type Consumer interface {
	// Opened is called once. With an error there is no receiver, and the
	// other methods are never called.
	Opened(grant Grant, err error)

	// Deliver takes a message, or returns false: no room now, until Resume.
	Deliver(d Delivery) bool

	// Closed says that the receiver has ended by itself, its session lock lost.
	Closed(err error)
}

// A Receiver takes messages from a queue, as many as Allow allows. Its
// methods may be called from any goroutine.
type Receiver struct {
	queue    *Queue
	consumer Consumer
	mode     Mode

	lane             *lane // nil: waiting for one, or closed
	patience         *alarm
	delivered, limit uint32 // counts of messages, modulo 2³²
	drains           int    // how often the allowance was taken back
	stalled          bool
}

// Receive opens a receiver on a queue without sessions.
func (q *Queue) Receive(c Consumer, mode Mode) *Receiver {
	q.broker.mu.Lock()
	defer q.broker.mu.Unlock()
	r := q.newReceiver(c, mode)
	if err := q.opens(false); err != nil {
		c.Opened(Grant{}, err)
		return r
	}
	r.lane = q.lane(nil)
	r.lane.receivers = append(r.lane.receivers, r)
	c.Opened(Grant{}, nil)
	return r
}

// AcceptSession opens a receiver on the named session, whether it has
// messages or not, or is refused at once with ErrSessionLocked.
func (q *Queue) AcceptSession(c Consumer, mode Mode, session string) *Receiver {
	q.broker.mu.Lock()
	defer q.broker.mu.Unlock()
	r := q.newReceiver(c, mode)
	err := q.opens(true)
	if err == nil && utf8.RuneCountInString(session) > MaxIDLength {
		err = ErrIDTooLong
	}
	if err != nil {
		c.Opened(Grant{}, err)
		return r
	}
	l := q.lane(&session)
	if len(l.receivers) > 0 {
		c.Opened(Grant{}, fmt.Errorf("%w: %s", ErrSessionLocked, session))
		return r
	}
	q.grant(l, r)
	return r
}

// AcceptNextSession opens a receiver on any session with messages that has
// none, waiting as long as patience. After that it is refused with ErrNoSession.
func (q *Queue) AcceptNextSession(c Consumer, mode Mode, patience time.Duration) *Receiver {
	q.broker.mu.Lock()
	defer q.broker.mu.Unlock()
	r := q.newReceiver(c, mode)
	if err := q.opens(true); err != nil {
		c.Opened(Grant{}, err)
		return r
	}
	if first := q.onOffer.Front(); first != nil {
		q.grant(first.Value.(*lane), r)
		return r
	}
	r.patience = &alarm{ring: func() {
		q.unwait(r)
		c.Opened(Grant{}, ErrNoSession)
	}}
	q.waiting = append(q.waiting, r)
	q.broker.agenda.set(r.patience, time.Now().Add(patience))
	return r
}

func (q *Queue) newReceiver(c Consumer, mode Mode) *Receiver {
	q.used(time.Now())
	return &Receiver{queue: q, consumer: c, mode: mode}
}

// grant locks session l for r.
func (q *Queue) grant(l *lane, r *Receiver) {
	q.withdraw(l)
	r.lane = l
	l.receivers = append(l.receivers, r)
	l.lockedUntil = time.Now().Add(q.settings.LockDuration)
	l.lock = &alarm{ring: func() { r.lose(fmt.Errorf("%w: %s", ErrSessionLockLost, l.session)) }}
	q.broker.agenda.set(l.lock, l.lockedUntil)
	r.consumer.Opened(Grant{Session: l.session, LockedUntil: l.lockedUntil}, nil)
	q.dispatch(l)
}

func (r *Receiver) wants() bool { return !r.stalled && int32(r.limit-r.delivered) > 0 }

// Allow lets the receiver get messages until it has got limit in all.
// Counts are modulo 2³².
func (r *Receiver) Allow(limit uint32) {
	r.queue.broker.mu.Lock()
	defer r.queue.broker.mu.Unlock()
	r.limit = limit
	r.dispatch()
}

// Drain takes back what is left of the allowance, and says how many messages
// were allowed in all.
func (r *Receiver) Drain() (limit uint32) {
	r.queue.broker.mu.Lock()
	defer r.queue.broker.mu.Unlock()
	r.drains++
	if int32(r.limit-r.delivered) > 0 {
		r.delivered = r.limit
	}
	return r.delivered
}

// Resume ends the pause after a refused delivery.
func (r *Receiver) Resume() {
	r.queue.broker.mu.Lock()
	defer r.queue.broker.mu.Unlock()
	r.stalled = false
	r.dispatch()
}

func (r *Receiver) dispatch() {
	if r.lane != nil && !r.queue.broker.closed {
		r.queue.dispatch(r.lane)
	}
}

// Close gives a session back, and its messages as if they had not been
// delivered. Without a session, messages stay locked until their locks expire.
func (r *Receiver) Close() { r.close(false) }

// Abort is like Close, but charges a session's messages a delivery: the
// consumer is gone without having said what became of them.
func (r *Receiver) Abort() { r.close(true) }

func (r *Receiver) close(charge bool) {
	r.queue.broker.mu.Lock()
	defer r.queue.broker.mu.Unlock()
	if r.queue.broker.closed {
		return
	}
	r.queue.unwait(r)
	r.end(charge)
}

// lose ends the receiver for a reason that its consumer is told.
func (r *Receiver) lose(reason error) {
	r.end(true)
	r.consumer.Closed(reason)
}

// Lose is like Abort, and tells the consumer why. One that waits for a session
// waits no more.
func (r *Receiver) Lose(reason error) {
	r.queue.broker.mu.Lock()
	defer r.queue.broker.mu.Unlock()
	switch q := r.queue; {
	case q.broker.closed:
	case r.lane != nil:
		r.lose(reason)
	case slices.Contains(q.waiting, r):
		q.unwait(r)
		r.consumer.Opened(Grant{}, reason)
	}
}

// endReceivers ends all receivers, those that wait for a session too.
func (q *Queue) endReceivers(reason error) {
	for _, r := range slices.Clone(q.waiting) {
		q.unwait(r)
		r.consumer.Opened(Grant{}, reason)
	}
	for _, l := range q.lanes {
		for _, r := range slices.Clone(l.receivers) {
			r.lose(reason)
		}
	}
}

// LoseSessions takes the locks on sessions away from who holds them, as if
// their time had come: of one session, or of all if id is empty. It says how
// many were lost.
func (q *Queue) LoseSessions(id string) int {
	q.broker.mu.Lock()
	defer q.broker.mu.Unlock()
	lost := 0
	if !q.settings.RequiresSession {
		return lost
	}
	for _, l := range slices.Collect(maps.Values(q.lanes)) { // a lost session is granted to who waits
		if len(l.receivers) > 0 && (id == "" || l.session == id) {
			l.lock.ring()
			lost++
		}
	}
	return lost
}

// LoseLocks ends the locks on messages of a queue without sessions, as if
// their time had come, and says how many.
func (q *Queue) LoseLocks() int {
	q.broker.mu.Lock()
	defer q.broker.mu.Unlock()
	lost := 0
	for _, m := range slices.Collect(maps.Values(q.locks)) { // a lost message is delivered again
		if m.lock != nil {
			m.lock.ring()
			lost++
		}
	}
	return lost
}

// end takes the receiver out of its lane. A session others may have then.
func (r *Receiver) end(charge bool) {
	l, q := r.lane, r.queue
	if l == nil {
		return
	}
	r.lane = nil
	l.drop(r)
	if q.settings.RequiresSession {
		q.free(l, charge)
	}
	q.tidy(l)
}

// free ends the lock on session l and on its messages.
func (q *Queue) free(l *lane, charge bool) {
	q.broker.agenda.unset(l.lock)
	held := slices.SortedFunc(maps.Values(l.locked), func(a, b *message) int { return bySequence(b, a.Sequence) })
	for _, m := range held { // latest first, so that each goes to the front
		q.giveBack(m, charge)
	}
	q.dispatch(l)
}

// Progress says how many messages were delivered in all, and how many more
// are allowed.
func (r *Receiver) Progress() (delivered, allowed uint32) {
	r.queue.broker.mu.Lock()
	defer r.queue.broker.mu.Unlock()
	return r.delivered, uint32(max(int32(r.limit-r.delivered), 0))
}

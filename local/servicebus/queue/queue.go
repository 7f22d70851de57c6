package queue

import (
	"container/list"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"
)

// A Queue holds messages until they are settled.
type Queue struct {
	broker      *Broker
	path        string
	settings    Settings
	deadLetters *Queue // nil: this is a dead-letter queue
	forward     *Queue // where messages sent here go: this queue, if not elsewhere
	forwardDead *Queue // where dead letters go; nil: to deadLetters
	created     time.Time

	sequence  int64 // the last one given
	bytes     int64
	scheduled int // messages
	ledger    ledger
	history   history
	lanes     map[string]*lane
	locks     map[Token]*message

	// Of a queue that requires sessions.
	onOffer list.List   // of *lane: with messages, without a receiver
	waiting []*Receiver // for any session, longest first
}

func newQueue(b *Broker, path string, s Settings) *Queue {
	return &Queue{
		broker:   b,
		path:     path,
		settings: s,
		created:  time.Now(),
		history:  history{window: s.DuplicateWindow},
		lanes:    make(map[string]*lane),
		locks:    make(map[Token]*message),
	}
}

// Path is the queue's name; a dead-letter queue's ends in DeadLetterSuffix.
func (q *Queue) Path() string { return q.path }

// Settings are the queue's settings with defaults filled in.
func (q *Queue) Settings() Settings { return q.settings }

// Created is when the broker was made.
func (q *Queue) Created() time.Time { return q.created }

// Send accepts all messages or none. Duplicates are accepted and dropped.
func (q *Queue) Send(messages ...Message) error {
	_, err := q.Schedule(messages...)
	return err
}

// Schedule is like Send, and tells the sequence numbers by which messages
// that are not due yet can be cancelled. A duplicate's is that of the message
// it repeats.
func (q *Queue) Schedule(messages ...Message) ([]int64, error) {
	q.broker.mu.Lock()
	defer q.broker.mu.Unlock()
	now := time.Now()
	if err := q.admits(messages, now); err != nil {
		return nil, err
	}
	sequences := make([]int64, len(messages))
	for i := range messages {
		m := &messages[i]
		var known bool
		if sequences[i], known = q.history.knows(m.ID, now); known {
			continue
		}
		accepted := &message{
			Delivery: Delivery{Content: m.Content, Enqueued: now, TTL: m.TTL},
			id:       m.ID,
			session:  m.SessionID,
		}
		if m.EnqueueAt.After(now) {
			q.hold(accepted, m.EnqueueAt)
		} else {
			q.forward.add(accepted)
		}
		sequences[i] = accepted.Sequence
		q.history.remember(m.ID, accepted.Sequence, now)
	}
	return sequences, nil
}

// admits says whether messages can be accepted, all of them. Those sent
// before need no room: who retries what was taken is not told that there is none.
func (q *Queue) admits(messages []Message, now time.Time) error {
	switch {
	case q.broker.closed:
		return ErrClosed
	case q.deadLetters == nil:
		return ErrDeadLetterOnly
	}
	var held, size int64 // of content that waits here, and of content due now
	for i := range messages {
		m := &messages[i]
		if err := q.forward.check(m); err != nil {
			return err
		}
		_, known := q.history.knows(m.ID, now)
		switch {
		case known:
		case m.EnqueueAt.After(now):
			held += int64(len(m.Content))
		default:
			size += int64(len(m.Content))
		}
	}
	if q.forward == q {
		return q.fits(held + size)
	}
	if err := q.fits(held); err != nil {
		return err
	}
	return q.forward.fits(size)
}

// fits says whether there is room for so much content.
func (q *Queue) fits(size int64) error {
	if size > max(q.settings.MaxBytes-q.bytes, 0) { // what is forwarded here may overfill it
		return fmt.Errorf("%w: %d bytes", ErrFull, q.settings.MaxBytes)
	}
	return nil
}

// opens says whether a receiver, of a session or not, can be opened.
func (q *Queue) opens(session bool) error {
	switch {
	case q.broker.closed:
		return ErrClosed
	case session && !q.settings.RequiresSession:
		return ErrNotSessionQueue
	case !session && q.settings.RequiresSession:
		return ErrSessionQueue
	}
	return nil
}

func (q *Queue) check(m *Message) error {
	if q.settings.RequiresSession && m.SessionID == nil {
		return ErrSessionID
	}
	if utf8.RuneCountInString(m.ID) > MaxIDLength {
		return ErrIDTooLong
	}
	if m.SessionID != nil && utf8.RuneCountInString(*m.SessionID) > MaxIDLength {
		return ErrIDTooLong
	}
	return nil
}

// enlist gives a new message a sequence number and a lane.
func (q *Queue) enlist(m *message) {
	q.sequence++
	m.Sequence = q.sequence
	q.bytes += int64(len(m.Content))
	q.ledger.add(m)
	m.lane = q.lane(m.session)
	m.lane.messages++
}

// add puts a new message at the end of its lane.
func (q *Queue) add(m *message) {
	q.enlist(m)
	if m.TTL = q.timeToLive(m.TTL); m.TTL > 0 {
		m.expires = m.Enqueued.Add(m.TTL)
		m.clock = &alarm{ring: func() {
			if m.waits() {
				m.lane.ready.remove(m)
				q.expire(m)
			}
		}}
		q.broker.agenda.set(m.clock, m.expires)
	}
	m.lane.ready.insert(m)
	q.dispatch(m.lane)
}

// timeToLive is a message's own, but never more than the queue's default. In
// a dead-letter queue nothing expires.
func (q *Queue) timeToLive(own time.Duration) time.Duration {
	switch {
	case q.deadLetters == nil:
		return 0
	case own == 0:
		return q.settings.DefaultTTL
	case q.settings.DefaultTTL == 0:
		return own
	}
	return min(own, q.settings.DefaultTTL)
}

func (q *Queue) lane(session *string) *lane {
	id := ""
	if q.settings.RequiresSession && session != nil {
		id = *session
	}
	l := q.lanes[id]
	if l == nil {
		l = &lane{session: id, locked: make(map[Token]*message)}
		q.lanes[id] = l
	}
	return l
}

// remove takes m, which is neither ready nor locked, out of the queue.
func (q *Queue) remove(m *message) {
	q.broker.agenda.unset(m.clock)
	q.bytes -= int64(len(m.Content))
	if m.State == Scheduled {
		q.scheduled--
	}
	q.ledger.remove(m)
	m.lane.messages--
	q.tidy(m.lane)
}

// tidy takes an empty lane off the offer, and forgets it if nothing else
// keeps it.
func (q *Queue) tidy(l *lane) {
	if l.ready.len() == 0 {
		q.withdraw(l)
	}
	if l.idle() && q.lanes[l.session] == l {
		delete(q.lanes, l.session)
	}
}

// dispatch delivers what is ready in l to who will take it.
func (q *Queue) dispatch(l *lane) {
	if q.settings.RequiresSession && len(l.receivers) == 0 {
		q.offer(l)
		return
	}
	now := time.Now()
	for l.ready.len() > 0 {
		m := l.ready.front()
		if m.expired(now) {
			l.ready.pop()
			q.expire(m)
			continue
		}
		r := l.nextReceiver()
		if r == nil {
			return
		}
		q.deliver(m, r, now)
	}
}

// deliver hands m, the front of its lane, to r.
func (q *Queue) deliver(m *message, r *Receiver, now time.Time) {
	if r.mode == PeekLock {
		q.stamp(m, now)
	}
	if !r.consumer.Deliver(m.Delivery) {
		r.stalled = true
		return
	}
	r.delivered++
	m.lane.ready.pop()
	if r.mode == ReceiveAndDelete {
		q.remove(m)
		return
	}
	q.lock(m)
}

// offer gives l to who waits for a session, or puts it on offer.
func (q *Queue) offer(l *lane) {
	if l.ready.len() == 0 || l.offer != nil {
		return
	}
	if len(q.waiting) > 0 {
		r := q.waiting[0]
		q.unwait(r)
		q.grant(l, r)
		return
	}
	l.offer = q.onOffer.PushBack(l)
}

func (q *Queue) withdraw(l *lane) {
	if l.offer != nil {
		q.onOffer.Remove(l.offer)
		l.offer = nil
	}
}

func (q *Queue) unwait(r *Receiver) {
	q.broker.agenda.unset(r.patience)
	q.waiting = slices.DeleteFunc(q.waiting, func(x *Receiver) bool { return x == r })
}

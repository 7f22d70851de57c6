package queue

import (
	"container/list"
	"fmt"
	"slices"
	"time"
)

// A Queue holds messages until they are settled.
type Queue struct {
	broker      *Broker
	id          uint64 // in the store; of another queue of the same name it differs
	path        string
	settings    Settings
	deadLetters *Queue // nil: this is a dead-letter queue
	forward     *Queue // where messages sent here go: this queue, if not elsewhere
	forwardDead *Queue // where dead letters go; nil: to deadLetters
	created     time.Time
	updated     time.Time
	accessed    time.Time
	idle        *alarm // at which the queue goes, unless it was used
	gone        bool   // deleted

	sequence  int64      // the last one given
	arrivals  []*message // numbered, and not on disk yet or behind such
	bytes     int64
	scheduled int // messages
	totals    Totals
	ledger    ledger
	history   history
	lanes     map[string]*lane
	locks     map[Token]*message

	// Of a queue that requires sessions.
	onOffer list.List   // of *lane: with messages, without a receiver
	waiting []*Receiver // for any session, longest first
}

func newQueue(b *Broker, set QueueSet) *Queue {
	return &Queue{
		broker:   b,
		id:       set.ID,
		path:     set.Path,
		settings: set.Settings,
		created:  set.Created,
		updated:  set.Updated,
		history:  history{window: set.Settings.DuplicateWindow},
		lanes:    make(map[string]*lane),
		locks:    make(map[Token]*message),
	}
}

// Path is the queue's name; a dead-letter queue's ends in DeadLetterSuffix.
func (q *Queue) Path() string { return q.path }

// Settings are the queue's settings with defaults filled in.
func (q *Queue) Settings() Settings {
	q.broker.mu.Lock()
	defer q.broker.mu.Unlock()
	return q.settings
}

// opens says whether a receiver, of a session or not, can be opened.
func (q *Queue) opens(session bool) error {
	switch {
	case q.broker.closed:
		return ErrClosed
	case q.gone:
		return fmt.Errorf("%w: %s", ErrNotFound, q.path)
	case q.settings.Status == StatusDisabled || q.settings.Status == StatusReceiveDisabled:
		return fmt.Errorf("%w for receiving: %s is %s", ErrDisabled, q.path, q.settings.Status)
	case session && !q.settings.RequiresSession:
		return ErrNotSessionQueue
	case !session && q.settings.RequiresSession:
		return ErrSessionQueue
	}
	return nil
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
	if q.broker.keeps() {
		q.broker.record(MessageGone{Queue: q.id, Sequence: m.Sequence})
	}
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
	if q.broker.closed {
		return
	}
	if q.settings.RequiresSession && len(l.receivers) == 0 {
		q.offer(l)
		return
	}
	now := time.Now()
	for l.ready.len() > 0 && !l.leaving {
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
	q.used(now)
	if r.mode == PeekLock {
		q.stamp(m, now)
	} else if q.broker.keeps() {
		q.deliverOnceGone(m, r)
		return
	}
	if !r.consumer.Deliver(m.Delivery) {
		r.stalled = true
		return
	}
	r.delivered++
	q.totals.Delivered++
	m.lane.ready.pop()
	if r.mode == ReceiveAndDelete {
		q.remove(m)
		return
	}
	q.lock(m)
}

// deliverOnceGone hands m, the front of its lane, to r when the store has
// forgotten it: were it delivered before, a crash would bring it back. One
// message of a lane at a time is on its way like this, and holds the others up:
// so none overtakes it if it has to be put back, and one at most is lost if the
// broker is killed in between.
func (q *Queue) deliverOnceGone(m *message, r *Receiver) {
	l, drains, j := m.lane, r.drains, q.broker.journal
	r.delivered++
	l.ready.pop()
	l.leaving = true
	k := m.kept() // m lets go of its content
	q.remove(m)
	j.waiters = append(j.waiters, func(err error) {
		l.leaving = false
		if err != nil { // or it would be taken again at once
			r.stalled = true
			j.paused = append(j.paused, r)
		}
		takes := err == nil && r.lane != nil && r.drains == drains && !q.broker.closed
		if takes && r.consumer.Deliver(k.Delivery) {
			q.totals.Delivered++
		} else {
			r.stalled = r.stalled || takes
			if r.drains == drains { // else the allowance was taken back
				r.delivered--
			}
			q.putBack(k)
		}
		q.tidy(l)
		q.dispatch(l)
	})
}

// putBack makes a message part of the queue again that was taken out of it.
func (q *Queue) putBack(k KeptMessage) {
	if q.gone {
		return
	}
	q.bytes += int64(len(k.Content))
	q.broker.record(MessageAdded{Queue: q.id, Message: k})
	m := &message{Delivery: k.Delivery, id: k.ID, session: k.Session}
	q.enlist(m)
	if m.State == Active {
		m.lane.ready.insert(m)
		q.dispatch(m.lane)
	}
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

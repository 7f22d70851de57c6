package queue

import (
	"fmt"
	"time"
	"unicode/utf8"
)

// Send accepts all messages or none. Duplicates are accepted and dropped.
func (q *Queue) Send(messages ...Message) error {
	_, err := q.Schedule(messages...)
	return err
}

// Schedule is like Send, and tells the sequence numbers by which messages
// that are not due yet can be cancelled. A duplicate's is that of the message
// it repeats.
func (q *Queue) Schedule(messages ...Message) ([]int64, error) {
	type outcome struct {
		sequences []int64
		err       error
	}
	told := make(chan outcome, 1)
	q.SubmitScheduled(func(sequences []int64, err error) { told <- outcome{sequences, err} }, messages...)
	o := <-told
	return o.sequences, o.err
}

// Submit is like Send, but returns at once and tells the outcome when the
// messages are on disk, or cannot be. done is called with the broker's lock
// held: it must return quickly and not call back.
func (q *Queue) Submit(done func(error), messages ...Message) {
	q.submit(&submission{queue: q, done: done}, messages)
}

// SubmitScheduled is to Schedule what Submit is to Send.
func (q *Queue) SubmitScheduled(done func(sequences []int64, err error), messages ...Message) {
	s := &submission{queue: q}
	s.done = func(err error) {
		if err != nil {
			done(nil, err)
			return
		}
		sequences := make([]int64, len(s.entries))
		for i, e := range s.entries {
			sequences[i] = e.sequence
		}
		done(sequences, nil)
	}
	q.submit(s, messages)
}

// A submission is messages that were sent together. They have their sequence
// numbers and count towards their queues' sizes, but are in no queue yet.
type submission struct {
	queue     *Queue // they were sent to
	remembers bool   // it detects duplicates
	waits     bool   // not all are duplicates
	entries   []entry
	single    [1]entry // room for the entries of most submissions
	done      func(error)
}

// entry is one message of a submission.
type entry struct {
	message  *message // nil: a duplicate
	target   *Queue   // where it goes
	sequence int64
}

func (q *Queue) submit(s *submission, messages []Message) {
	b := q.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if err := q.admits(messages, now); err != nil {
		s.done(err)
		return
	}
	q.used(now)
	s.remembers = q.settings.DetectDuplicates
	s.entries = s.single[:0]
	if len(messages) > 1 {
		s.entries = make([]entry, 0, len(messages))
	}
	for i := range messages {
		e := q.enter(&messages[i], now)
		s.entries = append(s.entries, e)
		s.waits = s.waits || e.message != nil
	}
	if before, ok := q.history.stale(now); ok && s.remembers {
		b.record(Forgotten{Queue: q.id, Before: before})
	}
	switch j := b.journal; {
	case j == nil, j.idle() && !s.waits: // nothing to wait for
		s.settle(nil)
	default:
		j.sends = append(j.sends, s)
		j.signal()
	}
}

// enter gives a message that is admitted its number, unless it is a duplicate.
func (q *Queue) enter(m *Message, now time.Time) entry {
	if sequence, known := q.history.knows(m.ID, now); known {
		return entry{sequence: sequence}
	}
	accepted := &message{
		Delivery: Delivery{Content: m.Content, Enqueued: now, TTL: m.TTL},
		id:       m.ID,
		session:  m.SessionID,
	}
	target := q.forward
	if m.EnqueueAt.After(now) {
		target, accepted.State, accepted.due = q, Scheduled, m.EnqueueAt
	}
	target.number(accepted)
	if q.settings.DetectDuplicates {
		q.history.remember(m.ID, accepted.Sequence, now)
	}
	return entry{message: accepted, target: target, sequence: accepted.Sequence}
}

// appendChanges adds what a store needs to know of it.
func (s *submission) appendChanges(changes []Change) []Change {
	for _, e := range s.entries {
		if e.message == nil {
			continue
		}
		changes = append(changes, MessageAdded{Queue: e.target.id, Message: e.message.kept()})
		if s.remembers && e.message.id != "" {
			changes = append(changes, Remembered{Queue: s.queue.id, ID: e.message.id, Sequence: e.sequence, At: e.message.Enqueued})
		}
	}
	return changes
}

// settle puts the messages into their queues or, if they could not be written
// or a queue is gone, undoes what was done for them; then it tells the sender.
func (s *submission) settle(err error) {
	written := err == nil
	for _, e := range s.entries {
		if e.message != nil && e.target.gone && err == nil {
			err = fmt.Errorf("%w: %s", ErrNotFound, e.target.path)
		}
	}
	for _, e := range s.entries {
		if e.message == nil {
			continue
		}
		if err == nil {
			e.target.enlist(e.message)
		} else {
			s.undo(e.message, e.target, written)
		}
		e.target.arrived(e.message)
	}
	if err == nil {
		s.queue.totals.Sent += len(s.entries)
	}
	s.done(err)
}

// undo takes back what was done for m.
func (s *submission) undo(m *message, target *Queue, written bool) {
	target.bytes -= int64(len(m.Content))
	m.gone, m.Content = true, nil
	if written {
		target.broker.record(MessageGone{Queue: target.id, Sequence: m.Sequence})
	}
	if !s.remembers || m.id == "" {
		return
	}
	s.queue.history.forget(m.id)
	if written {
		target.broker.record(Unremembered{Queue: s.queue.id, ID: m.id, At: m.Enqueued})
	}
}

// admits says whether messages can be accepted, all of them. Those sent
// before need no room: who retries what was taken is not told that there is none.
func (q *Queue) admits(messages []Message, now time.Time) error {
	switch {
	case q.broker.closed:
		return ErrClosed
	case q.gone:
		return fmt.Errorf("%w: %s", ErrNotFound, q.path)
	case q.deadLetters == nil:
		return ErrDeadLetterOnly
	case q.settings.Status == StatusDisabled || q.settings.Status == StatusSendDisabled:
		return fmt.Errorf("%w for sending: %s is %s", ErrDisabled, q.path, q.settings.Status)
	}
	var held, size int64 // of content that waits here, and of content due now
	for i := range messages {
		m := &messages[i]
		if err := q.forward.check(m); err != nil {
			return err
		}
		if len(m.Content) > q.settings.MaxMessageBytes {
			return fmt.Errorf("%w: %d bytes, at most %d are allowed", ErrTooLarge, len(m.Content), q.settings.MaxMessageBytes)
		}
		if q.settings.Partitioned && text(m.SessionID) != text(messages[0].SessionID) {
			return ErrMixedSessions
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

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// fits says whether there is room for so much content.
func (q *Queue) fits(size int64) error {
	if size > max(q.settings.MaxBytes-q.bytes, 0) { // what is forwarded here may overfill it
		return fmt.Errorf("%w: %d bytes", ErrFull, q.settings.MaxBytes)
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

// number gives a new message its sequence number, room, and a place among
// those that arrive. A message's time to live is its own, but never more than
// the queue's default; in a dead-letter queue nothing expires, and while
// scheduled nothing does yet.
func (q *Queue) number(m *message) {
	q.sequence++
	m.Sequence = q.sequence
	q.bytes += int64(len(m.Content))
	m.arriving = true
	q.arrivals = append(q.arrivals, m)
	switch {
	case m.State == Scheduled:
	case q.deadLetters == nil:
		m.TTL = 0
	case m.TTL == 0:
		m.TTL = q.settings.DefaultTTL
	case q.settings.DefaultTTL > 0:
		m.TTL = min(m.TTL, q.settings.DefaultTTL)
	}
}

// add puts a message that is moved here at the end of its lane. It can be seen
// at once, but is not delivered before it is on disk: after a crash, another
// message may get its number.
func (q *Queue) add(m *message) {
	q.number(m)
	q.enlist(m)
	if q.broker.keeps() {
		q.broker.record(MessageAdded{Queue: q.id, Message: m.kept()})
		q.broker.journal.once(func() { q.arrived(m) })
		return
	}
	q.arrived(m)
}

// arrived notes that m is on disk.
func (q *Queue) arrived(m *message) {
	m.arriving = false
	q.arrive()
}

// arrive makes messages ready to be delivered that are on disk, in sequence
// order: none overtakes one that is still to be written.
func (q *Queue) arrive() {
	for len(q.arrivals) > 0 && !q.arrivals[0].arriving {
		m := q.arrivals[0]
		q.arrivals[0] = nil
		if q.arrivals = q.arrivals[1:]; len(q.arrivals) == 0 {
			q.arrivals = nil // let go of what a burst took
		}
		if !m.gone && m.State == Active {
			m.lane.ready.insert(m)
			q.dispatch(m.lane)
		}
	}
}

// enlist makes a numbered message part of the queue, with the alarm it needs.
func (q *Queue) enlist(m *message) {
	q.ledger.add(m)
	m.lane = q.lane(m.session)
	m.lane.messages++
	if m.State == Scheduled {
		q.scheduled++
		m.clock = &alarm{ring: func() { q.activate(m) }}
		q.broker.agenda.set(m.clock, m.due)
		return
	}
	if m.TTL > 0 {
		m.expires = m.Enqueued.Add(m.TTL)
		m.clock = &alarm{ring: func() {
			if m.waits() {
				m.lane.ready.remove(m)
				q.expire(m)
			}
		}}
		q.broker.agenda.set(m.clock, m.expires)
	}
}

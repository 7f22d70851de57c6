package queue

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

// A journal takes changes to the store in groups: all that come up while one
// group is written make the next. It is guarded by the broker's lock.
//
// Messages that are sent become part of the broker once they are on disk, or
// are refused. All else changes memory at once; who wants to tell others of it
// waits for the disk with Broker.Commit. Changes that cannot be written are
// tried again and again.
type journal struct {
	broker *Broker
	store  Store

	changes []Change      // made in memory already
	sends   []*submission // to be made once written
	waiters []func(error) // for changes
	flying  []func(error) // for the changes that are being written
	paused  []*Receiver   // in ReceiveAndDelete mode, until the store takes changes again

	writing  bool
	ended    bool // nothing is written any more
	written  Writes
	wake     chan struct{} // has room for one
	closing  chan struct{}
	finished sync.WaitGroup
}

// retryPause is the time between attempts to write what must be written.
const retryPause = 100 * time.Millisecond

// Writes counts what a journal has done.
type Writes struct {
	Groups, Changes, Failures int
	Took                      time.Duration // together, failures too
	Err                       error         // of the last write; nil: it went well
	FailedAt                  time.Time     // when a write last failed
	Waiting                   int           // changes that are to be written still
}

func startJournal(b *Broker, s Store) *journal {
	j := &journal{broker: b, store: s, wake: make(chan struct{}, 1), closing: make(chan struct{})}
	j.finished.Go(j.run)
	return j
}

func (j *journal) signal() {
	select {
	case j.wake <- struct{}{}:
	default:
	}
}

// idle says that all that was done is on disk.
func (j *journal) idle() bool {
	return !j.writing && len(j.changes) == 0 && len(j.sends) == 0
}

func (j *journal) run() {
	for {
		select {
		case <-j.wake:
		case <-j.closing:
			j.finish()
			return
		}
		for !j.flush() {
			select {
			case <-time.After(retryPause):
			case <-j.wake:
			case <-j.closing:
				j.finish()
				return
			}
		}
	}
}

// finish writes what is left when the broker closes, and what comes of that:
// a message that could not be delivered goes back to the disk.
func (j *journal) finish() {
	for {
		written := j.flush()
		j.broker.mu.Lock()
		if !written || j.idle() && len(j.waiters) == 0 {
			j.ended = true
			waiters := j.waiters
			j.waiters = nil
			for _, done := range waiters {
				done(j.left())
			}
			j.broker.mu.Unlock()
			return
		}
		j.broker.mu.Unlock()
	}
}

// left says what became of all that was done, once nothing is written any more.
func (j *journal) left() error {
	if j.idle() {
		return nil
	}
	return fmt.Errorf("%w before all was on disk", ErrClosed)
}

// flush writes one group. It returns false if changes are left that could not
// be written.
func (j *journal) flush() bool {
	b := j.broker
	b.mu.Lock()
	changes, sends := j.changes, j.sends
	j.flying = j.waiters
	j.changes, j.sends, j.waiters = nil, nil, nil
	j.writing = true
	b.mu.Unlock()

	all := slices.Clip(changes)
	for _, s := range sends {
		all = s.appendChanges(all)
	}
	sent := j.write(all)
	var left []Change
	if sent != nil {
		left = j.writeApart(changes, len(sends) == 0)
	}

	b.mu.Lock()
	defer b.mu.Unlock()
	j.writing = false
	if len(all) > 0 {
		j.written.Err = sent
	}
	if sent != nil {
		// Those that came meanwhile are refused too: one of them may repeat
		// one of these, and would be told that it is kept.
		sends = append(sends, j.sends...)
		j.sends = nil
	}
	for _, s := range sends {
		s.settle(sent)
	}
	var kept error
	if len(left) > 0 {
		j.changes = append(left, j.changes...)
		kept = sent
	}
	told := j.flying
	j.flying = nil
	for _, done := range told {
		done(kept)
	}
	if kept == nil {
		paused := j.paused
		j.paused = nil
		for _, r := range paused {
			r.stalled = false
			r.dispatch()
		}
	}
	return kept == nil
}

// writeApart writes changes without what was sent with them, then in smaller
// and smaller groups: what makes room may fit where all at once does not. It
// returns those that are left.
func (j *journal) writeApart(changes []Change, tried bool) (left []Change) {
	for size := len(changes); len(changes) > 0; tried = false {
		n := unit(changes, size)
		if !tried && j.write(changes[:n]) == nil {
			changes, size = changes[n:], 2*n
			continue
		}
		if n == unit(changes, 1) {
			return changes
		}
		size = n / 8
	}
	return nil
}

// unit is the length of the first group of size changes, or of some more:
// moving a message is one step, as is making or deleting a queue.
func unit(changes []Change, size int) int {
	for n := max(min(size, len(changes)), 1); n < len(changes); n++ {
		switch changes[n].(type) {
		case MessageAdded, QueueSet, QueueGone: // the second half of a step
		default:
			return n
		}
	}
	return len(changes)
}

func (j *journal) write(changes []Change) error {
	if len(changes) == 0 {
		return nil
	}
	began := time.Now()
	err := j.store.Write(changes)
	j.broker.mu.Lock()
	defer j.broker.mu.Unlock()
	j.written.Took += time.Since(began)
	if err != nil {
		j.written.Failures++
		j.written.FailedAt = time.Now()
		return err
	}
	j.written.Groups++
	j.written.Changes += len(changes)
	return nil
}

// once calls f when the store has all that was done so far, however long that
// takes.
func (j *journal) once(f func()) {
	j.waiters = append(j.waiters, func(err error) {
		if err != nil {
			j.once(f)
			return
		}
		f()
	})
}

// record takes a change to the store with the next group. Without a store it
// does nothing; callers that would have to work for a change ask keeps first.
func (b *Broker) record(c Change) {
	if b.journal != nil {
		b.journal.changes = append(b.journal.changes, c)
		b.journal.signal()
	}
}

func (b *Broker) keeps() bool { return b.journal != nil }

// Commit calls done when all that was done so far is on disk, at once if it
// is. An error says that it could not be written yet, and may be lost if the
// broker ends now. done is called with the broker's lock held: it must
// return quickly and not call back.
func (b *Broker) Commit(done func(error)) {
	if b.journal == nil {
		done(nil)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch j := b.journal; {
	case j.ended:
		done(j.left())
	case len(j.changes) > 0:
		j.waiters = append(j.waiters, done)
		j.signal()
	case j.writing: // what was done last is being written
		j.flying = append(j.flying, done)
	default:
		done(nil)
	}
}

// Sync waits until all that was done so far is on disk. An error says that it
// is not, and is tried again.
func (b *Broker) Sync() error {
	told := make(chan error, 1)
	b.Commit(func(err error) { told <- err })
	return <-told
}

// Writes counts what was written to the store.
func (b *Broker) Writes() Writes {
	if b.journal == nil {
		return Writes{}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	w := b.journal.written
	w.Waiting = len(b.journal.changes)
	return w
}

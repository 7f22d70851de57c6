package queue

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/contoso/orders/local/servicebus/sas"
)

// A Broker holds queues.
type Broker struct {
	mu      sync.Mutex
	closed  bool
	agenda  agenda
	queues  []*Queue          // in the order they were made, without dead-letter queues
	byPath  map[string]*Queue // by lower-case path, with dead-letter queues
	lastID  uint64
	journal *journal // nil: memory only
}

// New makes a broker that holds the given queues in memory.
func New(settings ...Settings) (*Broker, error) { return Open(nil, settings...) }

// Open makes a broker with what the store keeps, then makes or changes the
// queues that settings name. Nothing is kept beyond the broker without a store.
func Open(store Store, settings ...Settings) (*Broker, error) {
	b := &Broker{byPath: make(map[string]*Queue)}
	b.agenda.wake = func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if !b.closed {
			b.agenda.ringDue()
		}
	}
	if store != nil {
		b.journal = startJournal(b, store)
	}
	err := b.open(store, settings)
	if err == nil {
		err = b.Sync()
	}
	if err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}

func (b *Broker) open(store Store, settings []Settings) (err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer func() {
		if err != nil {
			b.agenda.close()
			if b.keeps() {
				b.journal.changes = nil // of what is refused nothing is kept
			}
		}
	}()
	if store != nil {
		kept, err := store.Load()
		if err != nil {
			return err
		}
		b.recover(kept)
	}
	seen := make(map[string]bool)
	for _, s := range settings {
		if seen[key(s.Name)] {
			return fmt.Errorf("%w: queue %q: Name: used twice", ErrInvalid, s.Name)
		}
		seen[key(s.Name)] = true
		if err := b.ensure(s.withDefaults()); err != nil {
			return err
		}
	}
	return b.connect()
}

// ensure makes the queue that s describes, or changes it. Forwards are not
// connected yet.
func (b *Broker) ensure(s Settings) error {
	if err := s.validate(); err != nil {
		return err
	}
	if q := b.byPath[key(s.Name)]; q != nil {
		if err := q.settings.changeable(s); err != nil {
			return err
		}
		s.Name = q.settings.Name // as it was first spelt
		if s.Rules == nil {
			s.Rules = q.settings.Rules
		}
		if !reflect.DeepEqual(q.settings, s) {
			q.apply(s)
		}
		return nil
	}
	b.make(s)
	return nil
}

// key is how a path is looked up: entity names ignore case.
func key(path string) string { return strings.ToLower(strings.Trim(path, "/")) }

// make adds a queue and its dead-letter queue.
func (b *Broker) make(s Settings) *Queue {
	now := time.Now()
	q := b.add(QueueSet{ID: b.lastID + 1, Path: s.Name, Settings: s, Created: now, Updated: now})
	dead := b.add(QueueSet{ID: b.lastID + 1, Path: s.Name + DeadLetterSuffix, Settings: s.forDeadLetters(), Created: now, Updated: now})
	q.deadLetters = dead
	b.queues = append(b.queues, q)
	b.record(q.set())
	b.record(dead.set())
	q.watch(now)
	return q
}

func (b *Broker) add(set QueueSet) *Queue {
	q := newQueue(b, set)
	b.byPath[key(q.path)] = q
	b.lastID = max(b.lastID, q.id)
	return q
}

// forDeadLetters are the settings of the dead-letter queue. A dead letter
// stays until someone takes it: no expiry, no limit on deliveries, no
// sessions, nothing to forward.
func (s Settings) forDeadLetters() Settings {
	s.RequiresSession, s.DefaultTTL, s.DetectDuplicates, s.AutoDelete = false, 0, false, 0
	s.ForwardTo, s.ForwardDeadLetters = "", ""
	return s
}

// set is how a store has the queue.
func (q *Queue) set() QueueSet {
	return QueueSet{ID: q.id, Path: q.path, Settings: q.settings, Created: q.created, Updated: q.updated}
}

// apply gives q and its dead-letter queue other settings, and ends the
// receivers of a queue that is not for receiving any more.
func (q *Queue) apply(s Settings) {
	now := time.Now()
	q.settings, q.updated = s, now
	q.history.window = s.DuplicateWindow
	q.deadLetters.settings, q.deadLetters.updated = s.forDeadLetters(), now
	q.broker.record(q.set())
	q.broker.record(q.deadLetters.set())
	q.watch(now)
	for _, x := range []*Queue{q, q.deadLetters} {
		if err := x.opens(x.settings.RequiresSession); err != nil {
			x.endReceivers(err)
		}
	}
}

// Create makes a queue. ErrExists: there is one of that name. ErrInvalid: the
// settings cannot be had.
func (b *Broker) Create(s Settings) (*Queue, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s = s.withDefaults()
	if b.closed {
		return nil, ErrClosed
	}
	if err := s.validate(); err != nil {
		return nil, err
	}
	if b.byPath[key(s.Name)] != nil {
		return nil, fmt.Errorf("%w: %s", ErrExists, s.Name)
	}
	if err := b.connectable(append(b.allSettings(""), s)); err != nil {
		return nil, err
	}
	q := b.make(s)
	return q, b.connect()
}

// Update changes a queue's settings. ErrNotFound: there is no such queue.
// ErrInvalid: the settings cannot be had, or not any more. Without Rules, the
// queue keeps those it has.
func (b *Broker) Update(s Settings) (*Queue, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s = s.withDefaults()
	q := b.byPath[key(s.Name)]
	switch {
	case b.closed:
		return nil, ErrClosed
	case q == nil || q.deadLetters == nil:
		return nil, fmt.Errorf("%w: %s", ErrNotFound, s.Name)
	}
	if err := b.connectable(append(b.allSettings(s.Name), s)); err != nil {
		return nil, err
	}
	if err := b.ensure(s); err != nil {
		return nil, err
	}
	return q, b.connect()
}

// Delete takes a queue away with all it holds, and ends its receivers.
// ErrInvalid: another queue forwards to it.
func (b *Broker) Delete(name string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	q := b.byPath[key(name)]
	switch {
	case b.closed:
		return ErrClosed
	case q == nil || q.deadLetters == nil:
		return fmt.Errorf("%w: %s", ErrNotFound, name)
	}
	return b.delete(q)
}

func (b *Broker) delete(q *Queue) error {
	if err := b.connectable(b.allSettings(q.path)); err != nil {
		return err
	}
	b.queues = slices.DeleteFunc(b.queues, func(x *Queue) bool { return x == q })
	b.agenda.unset(q.idle)
	b.record(QueueGone{Queue: q.id})
	b.record(QueueGone{Queue: q.deadLetters.id})
	for _, x := range []*Queue{q, q.deadLetters} {
		if b.byPath[key(x.path)] == x {
			delete(b.byPath, key(x.path))
		}
		x.gone = true
		x.endReceivers(fmt.Errorf("%w: %s was deleted", ErrNotFound, x.path))
		for m := range x.ledger.from(0) {
			b.agenda.unset(m.clock)
			b.agenda.unset(m.lock)
		}
		// Links may hold on to the queue; its messages go.
		x.ledger, x.locks, x.lanes = ledger{}, make(map[Token]*message), make(map[string]*lane)
		x.arrivals = nil
	}
	return nil
}

// allSettings are those of all queues but one.
func (b *Broker) allSettings(but string) []Settings {
	var all []Settings
	for _, q := range b.queues {
		if key(q.path) != key(but) {
			all = append(all, q.settings)
		}
	}
	return all
}

// used notes that the queue is in use.
func (q *Queue) used(now time.Time) {
	q.accessed = now
	q.watch(now)
}

// watch sees to the queue's end once it is not used for long enough.
func (q *Queue) watch(now time.Time) {
	if q.settings.AutoDelete == 0 || q.gone {
		q.broker.agenda.unset(q.idle)
		return
	}
	if q.idle == nil {
		q.idle = &alarm{ring: q.leaveUnused}
	}
	q.broker.agenda.set(q.idle, now.Add(q.settings.AutoDelete))
}

// leaveUnused deletes the queue, unless it has messages to send yet, or others
// forward to it: then it is looked at again.
func (q *Queue) leaveUnused() {
	if q.scheduled > 0 || q.broker.delete(q) != nil {
		q.watch(time.Now())
	}
}

// Queue finds a queue by its path: a name, or a name and DeadLetterSuffix.
func (b *Broker) Queue(path string) (*Queue, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	q := b.byPath[key(path)]
	if q == nil {
		return nil, fmt.Errorf("%w: %s", ErrNotFound, path)
	}
	return q, nil
}

// Queues are all queues, in the order they were made.
func (b *Broker) Queues() []*Queue {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.queues)
}

// Rules are the authorization rules of the queue that path is of or within.
func (b *Broker) Rules(path string) []sas.Rule {
	b.mu.Lock()
	defer b.mu.Unlock()
	for name := key(path); name != ""; {
		if q := b.byPath[name]; q != nil {
			return q.settings.Rules
		}
		name = name[:max(strings.LastIndexByte(name, '/'), 0)]
	}
	return nil
}

// Close writes what is not on disk yet and stops all timers. What is called
// afterwards returns ErrClosed or does nothing.
func (b *Broker) Close() {
	b.mu.Lock()
	already := b.closed
	b.closed = true
	b.agenda.close()
	b.mu.Unlock()
	if b.journal != nil {
		if !already {
			close(b.journal.closing)
		}
		b.journal.finished.Wait()
	}
}

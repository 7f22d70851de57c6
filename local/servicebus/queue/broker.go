package queue

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// A Broker holds queues. Queues cannot be added after New.
type Broker struct {
	mu     sync.Mutex
	closed bool
	agenda agenda
	queues []*Queue          // in configured order, without dead-letter queues
	byPath map[string]*Queue // by lower-case path, with dead-letter queues
}

// New makes a broker with the given queues, all empty.
func New(settings ...Settings) (*Broker, error) {
	b := &Broker{byPath: make(map[string]*Queue)}
	b.agenda.wake = func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if !b.closed {
			b.agenda.ringDue()
		}
	}
	for _, s := range settings {
		if err := s.validate(); err != nil {
			return nil, err
		}
		if b.byPath[key(s.Name)] != nil {
			return nil, fmt.Errorf("queue %q: Name: used twice", s.Name)
		}
		b.add(s.withDefaults())
	}
	for _, q := range b.queues {
		if err := b.connect(q); err != nil {
			return nil, err
		}
	}
	for _, q := range b.queues {
		if err := b.checkDeadLetters(q); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// key is how a path is looked up: entity names ignore case.
func key(path string) string { return strings.ToLower(strings.Trim(path, "/")) }

func (b *Broker) add(s Settings) {
	q := newQueue(b, s.Name, s)
	dead := s
	// A dead letter stays until someone takes it: no expiry, no limit on
	// deliveries, no sessions, nothing to forward.
	dead.RequiresSession, dead.DefaultTTL, dead.DuplicateWindow = false, 0, 0
	dead.ForwardTo, dead.ForwardDeadLetters = "", ""
	q.deadLetters = newQueue(b, s.Name+DeadLetterSuffix, dead)
	b.queues = append(b.queues, q)
	b.byPath[key(q.path)] = q
	b.byPath[key(q.deadLetters.path)] = q.deadLetters
}

// connect resolves the names of q's forward targets.
func (b *Broker) connect(q *Queue) error {
	if name := q.settings.ForwardDeadLetters; name != "" {
		if q.forwardDead = b.target(name); q.forwardDead == nil || q.forwardDead == q {
			return fmt.Errorf("queue %q: ForwardDeadLetteredMessagesTo: no other queue is named %q", q.path, name)
		}
	}
	end := q
	for hops := 0; end.settings.ForwardTo != ""; hops++ {
		next := b.target(end.settings.ForwardTo)
		if next == nil {
			return fmt.Errorf("queue %q: ForwardTo: no queue is named %q", end.path, end.settings.ForwardTo)
		}
		if hops == maxForwardHops {
			return fmt.Errorf("queue %q: ForwardTo: more than %d hops", q.path, maxForwardHops)
		}
		end = next
	}
	q.forward = end
	return nil
}

// target is the queue a forward names, or nil: dead-letter queues take none.
func (b *Broker) target(name string) *Queue {
	if q := b.byPath[key(name)]; q != nil && q.deadLetters != nil {
		return q
	}
	return nil
}

// checkDeadLetters refuses forwards that lead q's dead letters back to q, even
// if only by way of dying again: a poison message would go round for ever,
// because each move counts deliveries anew. A loop that q leads to but is not
// part of is found from its own queues; here it only has to end.
func (b *Broker) checkDeadLetters(q *Queue) error {
	path := fmt.Sprintf("%q", q.path)
	next := q.forwardDead
	for hops := 0; next != nil && hops < len(b.queues); hops++ {
		path += fmt.Sprintf(" to %q", next.path)
		if next == q {
			return fmt.Errorf("queue %q: ForwardDeadLetteredMessagesTo: dead letters would go in a loop, %s", q.path, path)
		}
		if next.settings.ForwardTo != "" {
			next = b.target(next.settings.ForwardTo)
		} else {
			next = next.forwardDead
		}
	}
	return nil
}

// Queue finds a queue by its path: a name, or a name and DeadLetterSuffix.
func (b *Broker) Queue(path string) (*Queue, error) {
	q := b.byPath[key(path)]
	if q == nil {
		return nil, fmt.Errorf("%w: %s", ErrNotFound, path)
	}
	return q, nil
}

// Queues are all queues, in the order they were given to New.
func (b *Broker) Queues() []*Queue { return slices.Clone(b.queues) }

// Close stops all timers. What is called afterwards returns ErrClosed or does nothing.
func (b *Broker) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.agenda.close()
}

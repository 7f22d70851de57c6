package queue

import "fmt"

// connect resolves the names of all queues' forward targets.
func (b *Broker) connect() error {
	if err := b.connectable(b.allSettings("")); err != nil {
		return err
	}
	for _, q := range b.queues {
		q.deadLetters.forward = q.deadLetters
		q.forwardDead = b.byPath[key(q.settings.ForwardDeadLetters)]
		q.forward = q
		for q.forward.settings.ForwardTo != "" {
			q.forward = b.byPath[key(q.forward.settings.ForwardTo)]
		}
	}
	return nil
}

// connectable says whether queues with such settings can forward to each
// other: to one that exists, over few hops, and never in a ring.
func (b *Broker) connectable(all []Settings) error {
	named := make(map[string]Settings, len(all))
	for _, s := range all {
		named[key(s.Name)] = s
	}
	for _, s := range all {
		if err := forwards(s, named); err != nil {
			return err
		}
	}
	for _, s := range all {
		if err := deadLettersEnd(s, named); err != nil {
			return err
		}
	}
	return nil
}

func forwards(s Settings, named map[string]Settings) error {
	if name := s.ForwardDeadLetters; name != "" {
		if _, ok := named[key(name)]; !ok || key(name) == key(s.Name) {
			return fmt.Errorf("%w: queue %q: ForwardDeadLetteredMessagesTo: no other queue is named %q", ErrInvalid, s.Name, name)
		}
	}
	end := s
	for hops := 0; end.ForwardTo != ""; hops++ {
		next, ok := named[key(end.ForwardTo)]
		if !ok {
			return fmt.Errorf("%w: queue %q: ForwardTo: no queue is named %q", ErrInvalid, end.Name, end.ForwardTo)
		}
		if hops == maxForwardHops {
			return fmt.Errorf("%w: queue %q: ForwardTo: more than %d hops", ErrInvalid, s.Name, maxForwardHops)
		}
		end = next
	}
	return nil
}

// deadLettersEnd refuses forwards that lead a queue's dead letters back to it,
// even if only by way of dying again: a poison message would go round for
// ever, because each move counts deliveries anew. A loop that the queue leads
// to but is not part of is found from its own queues; here it only has to end.
func deadLettersEnd(s Settings, named map[string]Settings) error {
	path := fmt.Sprintf("%q", s.Name)
	name := s.ForwardDeadLetters
	for hops := 0; name != "" && hops < len(named); hops++ {
		next := named[key(name)]
		path += fmt.Sprintf(" to %q", next.Name)
		if key(next.Name) == key(s.Name) {
			return fmt.Errorf("%w: queue %q: ForwardDeadLetteredMessagesTo: dead letters would go in a loop, %s", ErrInvalid, s.Name, path)
		}
		if name = next.ForwardTo; name == "" {
			name = next.ForwardDeadLetters
		}
	}
	return nil
}

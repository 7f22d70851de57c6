package main

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
)

// A part that dies is started again after a wait that doubles while it keeps dying.
const (
	firstRestart = 200 * time.Millisecond
	maxRestart   = 5 * time.Second
	steadyAfter  = 10 * time.Second
)

// service keeps one part running, on the ports it had first.
type service struct {
	name string
	args []string
	env  []string
	pins map[string]string // listener → variable or -flag that sets its address, "" when it is fixed
	bin  string
	logs *logs
	log  *slog.Logger

	holds    chan hold
	stopping chan struct{} // closed by stop
	ended    chan struct{} // closed when keep has returned

	mu        sync.Mutex
	current   *process
	addresses map[string]string // by listener
	pinned    []string          // variables
	flags     []string
}

// hold is a request to keep the part stopped for a while.
type hold struct{ taken, released chan struct{} }

// launch starts the part, waits until all its listeners are known, and keeps it
// running from then on.
func (s *service) launch(ctx context.Context) error {
	s.holds, s.stopping, s.ended = make(chan hold), make(chan struct{}), make(chan struct{})
	p, err := s.start()
	if err != nil {
		close(s.ended)
		return err
	}
	go s.keep(p)
	for listener, variable := range s.pins {
		addr, err := p.address(ctx, listener)
		if err != nil {
			return err
		}
		s.pin(listener, variable, addr)
	}
	return nil
}

// pin makes the part listen at addr when it is started again.
func (s *service) pin(listener, variable, addr string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.addresses == nil {
		s.addresses = map[string]string{}
	}
	s.addresses[listener] = addr
	switch {
	case strings.HasPrefix(variable, "-"):
		s.flags = append(s.flags, variable, addr) // of two values for a flag, the last one counts
	case variable != "":
		s.pinned = append(s.pinned, variable+"="+addr)
	}
}

func (s *service) start() (*process, error) {
	s.mu.Lock()
	args := slices.Concat(s.args, s.flags)
	s.mu.Unlock()
	p, err := start(s.logs, s.bin, s.name, environ(s.environment()), args...)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.current = p
	s.mu.Unlock()
	return p, nil
}

// environment is what the part runs with, the ports it has included.
func (s *service) environment() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Concat(s.env, s.pinned)
}

// process returns the part's running process; it may have ended just now.
func (s *service) process() *process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current
}

// keep starts the part again when it ends, steps aside while a developer holds
// it, and returns at stop.
func (s *service) keep(p *process) {
	defer close(s.ended)
	wait, began := firstRestart, time.Now()
	for {
		select {
		case <-s.stopping:
			p.end()
			return
		case h := <-s.holds:
			p.end()
			close(h.taken)
			select {
			case <-s.stopping:
				return
			case <-h.released:
			}
		case <-p.done:
			if time.Since(began) > steadyAfter {
				wait = firstRestart
			}
			s.log.Warn("part ended, starting it again", "part", s.name, "wait", wait.String(), "error", fmt.Sprint(p.Err()))
			select {
			case <-s.stopping:
				return
			case <-time.After(wait):
			}
			wait = min(2*wait, maxRestart)
		}
		began = time.Now()
		next, err := s.start()
		if err != nil { // the ended process stays, and is found ended again
			s.log.Error("part cannot be started", "part", s.name, "error", err.Error())
			continue
		}
		p = next
	}
}

// hold ends the part and keeps it so until release is called.
func (s *service) hold(ctx context.Context) (release func(), err error) {
	h := hold{taken: make(chan struct{}), released: make(chan struct{})}
	select {
	case s.holds <- h:
		<-h.taken
		return sync.OnceFunc(func() { close(h.released) }), nil
	case <-s.ended:
		return nil, fmt.Errorf("%s is not running", s.name)
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for %s to end: %w", s.name, ctx.Err())
	}
}

// stop ends the part and waits for it.
func (s *service) stop() {
	if s.stopping == nil {
		return // never launched
	}
	close(s.stopping)
	<-s.ended
}

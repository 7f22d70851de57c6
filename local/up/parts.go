package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/contoso/orders/local/scale"
)

// launch starts a part with the common environment under its own, and keeps it in
// the stack.
func (s *stack) launch(ctx context.Context, part *service) (*service, error) {
	part.bin, part.logs, part.log = s.bin, s.logs, s.log
	s.mu.Lock()
	part.env = slices.Concat(s.env, part.env)
	s.services[part.name] = part
	s.mu.Unlock()
	return part, part.launch(ctx)
}

// addr returns where a launched part listens, as found at its first start.
func (s *stack) addr(part *service, listener string) string {
	part.mu.Lock()
	defer part.mu.Unlock()
	return part.addresses[listener]
}

// set puts a variable into the environment of what is started from now on. One
// that the developer has set stays as it is.
func (s *stack) set(name, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if given := os.Getenv(name); given != "" {
		value = given
	}
	s.env = append(s.env, name+"="+value)
}

// value returns a variable of the functions' environment.
func (s *stack) value(name string) string {
	var value string
	for _, pair := range environ(s.env) { // the last one counts
		if v, ok := strings.CutPrefix(pair, name+"="); ok {
			value = v
		}
	}
	return value
}

// workers starts processes for the scaler.
type workers struct {
	stack   *stack
	mu      sync.Mutex
	running map[*process]bool
}

// Start implements scale.Launcher.
func (w *workers) Start(function string, env []string) (scale.Process, error) {
	p, err := start(w.stack.logs, w.stack.bin, function, environ(env, w.stack.env))
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	w.running[p] = true
	w.mu.Unlock()
	go func() {
		<-p.done
		w.mu.Lock()
		delete(w.running, p)
		w.mu.Unlock()
	}()
	return p, nil
}

// hold makes the scaler end its processes of a function and start none, and waits
// until they have ended.
func (w *workers) hold(ctx context.Context, scaler *scale.Scaler, function string) (release func(), err error) {
	scaler.Hold(function)
	for _, p := range w.processes() {
		if p.name != function {
			continue
		}
		select {
		case <-p.done:
		case <-ctx.Done():
			scaler.Release(function)
			return nil, fmt.Errorf("waiting for %s to end: %w", function, ctx.Err())
		}
	}
	return func() { scaler.Release(function) }, nil
}

// processes returns what runs now.
func (w *workers) processes() []*process {
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []*process
	for p := range w.running {
		list = append(list, p)
	}
	return list
}

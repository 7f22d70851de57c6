package main

import (
	"context"
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

// addr returns where a launched part listens.
func (s *stack) addr(part *service, listener string) string {
	addr, _ := part.process().address(context.Background(), listener) // launch has waited for it
	return addr
}

// set puts a variable into the environment of what is started from now on. One
// that the developer has set stays as it is.
func (s *stack) set(name, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if given, ok := os.LookupEnv(name); ok {
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

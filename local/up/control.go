package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// state is what a running stack says of itself.
type state struct {
	Origin    string `json:"origin"`   // what the browser opens
	Internal  string `json:"internal"` // where any token is made: POST /token
	Processes []part `json:"processes"`
}

// part is one process of a stack.
type part struct {
	Function string `json:"function"`
	PID      int    `json:"pid"`
}

// takeover is the answer to a hold.
type takeover struct {
	Env []string `json:"env"` // NAME=value, for the process that takes the part's place
}

// runFile stands in the data directory while a stack runs.
type runFile struct {
	Socket string `json:"socket"`
}

const runFileName = "up.json"

// control answers those who ask a running stack.
type control struct {
	stack  *stack
	dir    string // of the socket: a path in the data directory may be too long for one
	server *http.Server
	cancel context.CancelFunc
	done   chan struct{}
}

func serveControl(s *stack) (_ *control, err error) {
	dir, err := os.MkdirTemp("", "orders-up") // mode 0700: for this user alone
	if err != nil {
		return nil, fmt.Errorf("making control socket: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(dir)
		}
	}()
	socket := filepath.Join(dir, "control.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return nil, fmt.Errorf("making control socket: %w", err)
	}
	raw, err := json.Marshal(runFile{Socket: socket})
	if err == nil {
		err = os.WriteFile(s.dir.runtime(runFileName), raw, 0o600)
	}
	if err != nil {
		_ = listener.Close()
		return nil, fmt.Errorf("saying where the stack is: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	c := &control{stack: s, dir: dir, cancel: cancel, done: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /state", c.state)
	mux.HandleFunc("POST /hold/{function}", c.hold)
	c.server = &http.Server{Handler: mux, ReadHeaderTimeout: time.Second, BaseContext: func(net.Listener) context.Context { return ctx }}
	go func() {
		defer close(c.done)
		if err := c.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("control socket ended", "error", err.Error())
		}
	}()
	return c, nil
}

// close ends every hold and forgets the socket.
func (c *control) close() {
	c.cancel()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_ = c.server.Shutdown(ctx) // what does not end in time ends with the process
	<-c.done
	_ = os.Remove(c.stack.dir.runtime(runFileName))
	_ = os.RemoveAll(c.dir)
}

func (c *control) state(w http.ResponseWriter, _ *http.Request) {
	s := state{Origin: c.stack.origin, Internal: c.stack.internal, Processes: c.stack.processes()}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(s)
}

// hold lasts as long as the request: whoever asked for it keeps it open.
func (c *control) hold(w http.ResponseWriter, r *http.Request) {
	env, release, err := c.stack.hold(r.Context(), r.PathValue("function"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	defer release()
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(takeover{Env: env})
	if err := http.NewResponseController(w).Flush(); err != nil {
		return
	}
	<-r.Context().Done()
}

// serving are the functions that are always there; the others come and go.
var serving = []string{"accept", "status", "ws-hub"}

// hold ends the stack's own processes of a function and keeps it so until release.
// The environment is what another needs to take their place.
func (s *stack) hold(ctx context.Context, function string) (env []string, release func(), err error) {
	s.mu.Lock()
	service, env, taken := s.services[function], slices.Clone(s.env), s.held[function]
	s.held[function] = true
	s.mu.Unlock()
	if taken {
		return nil, nil, fmt.Errorf("%s already runs in a foreground", function)
	}
	forget := func() {
		s.mu.Lock()
		delete(s.held, function)
		s.mu.Unlock()
	}
	giveBack := func() {}
	switch {
	case slices.Contains(serving, function):
		env = service.environment()
		giveBack, err = service.hold(ctx)
	case slices.Contains(s.scaler.Functions(), function):
		giveBack, err = s.workers.hold(ctx, s.scaler, function)
	case function != "migrate":
		err = fmt.Errorf("there is no function named %q", function)
	}
	if err != nil {
		forget()
		return nil, nil, err
	}
	return env, func() { giveBack(); forget() }, nil
}

// processes lists what runs now.
func (s *stack) processes() []part {
	var list []part
	s.mu.Lock()
	for name, service := range s.services {
		if p := service.process(); p != nil {
			list = append(list, part{Function: name, PID: p.cmd.Process.Pid})
		}
	}
	s.mu.Unlock()
	for _, p := range s.workers.processes() {
		list = append(list, part{Function: p.name, PID: p.cmd.Process.Pid})
	}
	return list
}

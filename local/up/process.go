package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// killAfter is how long a process may take to end on SIGTERM before it is killed.
const killAfter = 12 * time.Second

// process is a running part. It is in the guard's process group, so that a Ctrl-C
// in the terminal reaches only us, and we end the parts in good order.
type process struct {
	name string
	cmd  *exec.Cmd
	done chan struct{}

	mu        sync.Mutex
	addresses map[string]string // listener → host:port
	found     chan struct{}     // closed and replaced when an address comes in
	err       error             // how it ended; read it after done
}

// start runs a binary of bin.
func start(l *logs, bin, name string, env []string, args ...string) (*process, error) {
	p := &process{name: name, done: make(chan struct{}), addresses: map[string]string{}, found: make(chan struct{})}
	p.cmd = exec.Command(filepath.Join(bin, name), args...)
	p.cmd.Env = env
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pgid: int(group.Load())}
	out := l.writer(name, p.note)
	p.cmd.Stdout, p.cmd.Stderr = out, out
	p.cmd.WaitDelay = time.Second
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	go func() {
		err := p.cmd.Wait()
		p.mu.Lock()
		p.err = err
		p.mu.Unlock()
		close(p.done)
	}()
	return p, nil
}

// note keeps the address that a part logs once it listens.
func (p *process) note(r record) {
	if r.msg != "listening" {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.addresses[r.attr("listener")] = r.attr("addr")
	close(p.found)
	p.found = make(chan struct{})
}

// address waits until the part listens under a name, and returns where.
func (p *process) address(ctx context.Context, listener string) (string, error) {
	for {
		p.mu.Lock()
		addr, next := p.addresses[listener], p.found
		p.mu.Unlock()
		if addr != "" {
			return addr, nil
		}
		select {
		case <-next:
		case <-p.done:
			return "", fmt.Errorf("%s ended before it was ready (its log above says why)", p.name)
		case <-ctx.Done():
			return "", fmt.Errorf("waiting for %s to listen: %w", p.name, context.Cause(ctx))
		}
	}
}

// Done is closed when the process has ended.
func (p *process) Done() <-chan struct{} { return p.done }

// Stop asks the process to end, and kills it if it does not in time. It does not
// wait.
func (p *process) Stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended already
	kill := time.AfterFunc(killAfter, func() { _ = p.cmd.Process.Kill() })
	go func() {
		<-p.done
		kill.Stop()
	}()
}

// end stops the process and waits for it.
func (p *process) end() {
	p.Stop()
	<-p.done
}

// Err says how an ended process ended: nil when in good order.
func (p *process) Err() error {
	<-p.done
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// environ is the environment of this process with extra on top.
func environ(extra ...[]string) []string {
	env := os.Environ()
	for _, e := range extra {
		env = append(env, e...) // of two values for a name, exec uses the last
	}
	return env
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// foregroundIdle keeps a worker that a developer runs from ending when idle.
const foregroundIdle = "IDLE_EXIT=24h"

// stateTimeout is how long a running stack may take to say what it is.
const stateTimeout = 5 * time.Second

// runFunction runs one function in the foreground, in place of the running
// stack's own; without a running stack, it starts one around it.
func runFunction(ctx context.Context, set settings, l *logs, name, in string) error {
	give, known := inputs[name]
	if !known {
		return fmt.Errorf("there is no function named %q; there are %s", name, strings.Join(slices.Sorted(maps.Keys(inputs)), ", "))
	}
	if in != "" && give == nil {
		return fmt.Errorf("%s takes no input", name)
	}
	running, err := findStack(ctx, set.data)
	if err != nil {
		return err
	}
	if running == nil {
		l.printf("No stack is running: starting the rest of one around %s.", name)
		set.port = 0 // the page is not what this is for, and its port may be taken
		s, err := startStack(ctx, set, l)
		if err != nil {
			return err
		}
		defer s.stop()
		c, err := serveControl(s)
		if err != nil {
			return err
		}
		defer c.close()
		if running, err = findStack(ctx, set.data); err != nil {
			return err
		}
	}
	return running.foreground(ctx, set, l, name, in)
}

// remote is a running stack, seen from another process.
type remote struct {
	http *http.Client
	state
}

// findStack returns the stack that runs on a data directory, nil when none does.
func findStack(ctx context.Context, data string) (*remote, error) {
	raw, err := os.ReadFile(filepath.Join(data, "run", runFileName))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("finding the running stack: %w", err)
	}
	var file runFile
	if err := json.Unmarshal(raw, &file); err != nil {
		return nil, fmt.Errorf("finding the running stack: %w", err)
	}
	r := &remote{http: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", file.Socket)
		},
	}}}
	ctx, cancel := context.WithTimeout(ctx, stateTimeout)
	defer cancel()
	res, err := r.do(ctx, http.MethodGet, "/state")
	if err != nil {
		return nil, nil // killed before it could remove the file; a suspended one still has the data directory's lock
	}
	defer func() { _ = res.Body.Close() }()
	if err := json.NewDecoder(res.Body).Decode(&r.state); err != nil {
		return nil, fmt.Errorf("asking the running stack: %w", err)
	}
	return r, nil
}

func (r *remote) do(ctx context.Context, method, path string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://up"+path, nil)
	if err != nil {
		return nil, err
	}
	return r.http.Do(req)
}

// foreground takes a function over and runs it until it or ctx ends.
func (r *remote) foreground(ctx context.Context, set settings, l *logs, name, in string) error {
	// The hold must outlive ctx: it ends when our process has.
	holdCtx, release := context.WithCancel(context.WithoutCancel(ctx))
	defer release()
	giveUp := context.AfterFunc(ctx, release) // until it is ours
	res, err := r.do(holdCtx, http.MethodPost, "/hold/"+name)
	giveUp()
	if err != nil {
		return fmt.Errorf("taking over %s: %w", name, err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(res.Body, 1<<10))
		return fmt.Errorf("taking over %s: %s", name, strings.TrimSpace(string(text)))
	}
	var given takeover
	if err := json.NewDecoder(res.Body).Decode(&given); err != nil {
		return fmt.Errorf("taking over %s: %w", name, err)
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_, _ = io.Copy(io.Discard, res.Body) // nothing more is said; it ends with the stack, or with the hold
	}()
	defer func() { release(); <-gone }()
	l.printf("Running %s in the foreground, in place of the stack's own (page: %s). Ctrl-C gives it back.", name, r.Origin)
	p, err := start(l, set.bin, name, environ([]string{foregroundIdle}, given.Env))
	if err != nil {
		return err
	}
	defer p.end()
	if in != "" {
		if err := inputs[name](ctx, call{stack: r, process: p, env: given.Env, logs: l, file: in}); err != nil {
			return fmt.Errorf("giving %s its input: %w", name, err)
		}
	}
	select {
	case <-ctx.Done():
		return nil
	case <-gone:
		l.printf("The stack has stopped, and %s with it.", name)
		return nil
	case <-p.done:
		if err := p.Err(); err != nil {
			return fmt.Errorf("%s ended: %w", name, err)
		}
		return nil
	}
}

package main

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// fakeCounter answers after a while, and counts how often it is asked.
type fakeCounter struct {
	mu    sync.Mutex
	asked int
	takes time.Duration
	err   error
}

func (f *fakeCounter) count(ctx context.Context, _ string, _ int) (int, error) {
	f.mu.Lock()
	f.asked++
	n, err := f.asked, f.err
	f.mu.Unlock()
	select {
	case <-time.After(f.takes):
		return n, err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

var orders = metadata{queue: "orders", sessionsPerReplica: 1, maxSessions: 100}

func TestConcurrentCallersShareOnePoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeCounter{takes: 50 * time.Millisecond}
		p := newPoller(f, slog.New(slog.DiscardHandler))
		var callers sync.WaitGroup
		for range 50 {
			callers.Go(func() {
				if n, err := p.sessions(t.Context(), orders); n != 1 || err != nil {
					t.Errorf("%d sessions, %v, want the first reading", n, err)
				}
			})
		}
		callers.Wait()
		if n, _ := p.sessions(t.Context(), orders); n != 1 {
			t.Errorf("shortly after there is reading %d, want the first", n)
		}
		time.Sleep(freshFor) // of the bubble's time
		if n, _ := p.sessions(t.Context(), orders); n != 2 {
			t.Errorf("after %v there is reading %d, want a second", freshFor, n)
		}
		other := orders
		other.queue = "returns"
		if n, _ := p.sessions(t.Context(), other); n != 3 {
			t.Errorf("another queue has reading %d, want its own", n)
		}
	})
}

func TestACallerWhoLeavesDoesNotEndTheOthersPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPoller(&fakeCounter{takes: 50 * time.Millisecond}, slog.New(slog.DiscardHandler))
		gone, leave := context.WithCancel(t.Context())
		var callers sync.WaitGroup
		callers.Go(func() { _, _ = p.sessions(gone, orders) })
		synctest.Wait()
		callers.Go(func() {
			if n, err := p.sessions(t.Context(), orders); n != 1 || err != nil {
				t.Errorf("%d sessions, %v, want the reading that was under way", n, err)
			}
		})
		leave()
		callers.Wait()
	})
}

func TestAPollThatHangsEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPoller(&fakeCounter{takes: time.Hour}, slog.New(slog.DiscardHandler))
		began := time.Now()
		if _, err := p.sessions(t.Context(), orders); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error = %v, want the deadline's", err)
		}
		if took := time.Since(began); took != pollTimeout {
			t.Errorf("it took %v, want %v", took, pollTimeout)
		}
	})
}

func TestAnErrorIsNotKeptAndAnOutageIsLoggedTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		f := &fakeCounter{err: errors.New("connection refused")}
		p := newPoller(f, slog.New(slog.NewTextHandler(&log, nil)))
		for range 5 {
			if _, err := p.sessions(t.Context(), orders); err == nil {
				t.Error("an outage yielded a number")
			}
		}
		f.err = nil
		if n, err := p.sessions(t.Context(), orders); n != 6 || err != nil {
			t.Errorf("at once after the outage: reading %d, %v, want a new one", n, err)
		}
		time.Sleep(freshFor)
		_, _ = p.sessions(t.Context(), orders)
		if away, back := strings.Count(log.String(), "cannot be counted"), strings.Count(log.String(), "counted again"); away != 1 || back != 1 {
			t.Errorf("the outage began %d times and ended %d times:\n%s", away, back, &log)
		}
	})
}

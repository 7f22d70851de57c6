package bus

import (
	"sync"
	"time"
)

// idle ends a worker when all its slots have been idle together for a while.
type idle struct {
	after time.Duration
	mu    sync.Mutex
	busy  int
	ended bool
	timer *time.Timer
}

// newIdle starts the clock: a worker that never gets a session ends too.
func newIdle(after time.Duration, end func()) *idle {
	i := &idle{after: after}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.timer = time.AfterFunc(after, func() {
		i.mu.Lock()
		defer i.mu.Unlock()
		if i.busy == 0 {
			i.ended = true
			end()
		}
	})
	return i
}

// begin marks a slot busy; false means that the worker is already ending.
func (i *idle) begin() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.ended {
		return false
	}
	i.busy++
	i.timer.Stop()
	return true
}

// end marks a slot idle again.
func (i *idle) end() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.busy--; i.busy == 0 && !i.ended {
		i.timer.Reset(i.after)
	}
}

func (i *idle) stop() { i.timer.Stop() }

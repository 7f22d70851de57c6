package main

import (
	"sync"
	"time"

	"github.com/contoso/orders/shared/fault"
	"golang.org/x/time/rate"
)

// maxCallers is how many callers have a bucket of their own. Those that come when
// all are taken share one: a flood of new callers slows new callers only.
const maxCallers = 10_000

// limiter gives each caller a token bucket.
type limiter struct {
	limit rate.Limit
	burst int
	idle  time.Duration // in which an empty bucket fills up again

	mu      sync.Mutex
	callers map[string]*bucket
	rest    *rate.Limiter // of the callers without a bucket
	swept   time.Time
}

type bucket struct {
	*rate.Limiter
	used time.Time
}

func newLimiter(perSecond float64, burst int) *limiter {
	return &limiter{
		limit: rate.Limit(perSecond), burst: burst,
		idle:    time.Duration(float64(burst) / perSecond * float64(time.Second)),
		callers: map[string]*bucket{},
		rest:    rate.NewLimiter(rate.Limit(perSecond), burst),
	}
}

// take takes one request from the caller's bucket, or returns RateLimited with
// how long to wait.
func (l *limiter) take(caller string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	r := l.of(caller, now).ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if wait == 0 {
		return nil
	}
	r.CancelAt(now)
	return &fault.Error{Kind: fault.RateLimited, Detail: "too many requests from this caller; wait before the next", RetryAfter: wait}
}

// of returns the caller's bucket. l.mu is held.
func (l *limiter) of(caller string, now time.Time) *rate.Limiter {
	b := l.callers[caller]
	if b == nil {
		if len(l.callers) >= maxCallers {
			l.sweep(now)
		}
		if len(l.callers) >= maxCallers {
			return l.rest
		}
		b = &bucket{Limiter: rate.NewLimiter(l.limit, l.burst)}
		l.callers[caller] = b
	}
	b.used = now
	return b.Limiter
}

// sweep drops buckets that are full again, which a new one is no different from.
// At most once per idle: before that there is nothing new to find.
func (l *limiter) sweep(now time.Time) {
	if now.Sub(l.swept) < l.idle {
		return
	}
	l.swept = now
	for caller, b := range l.callers {
		if now.Sub(b.used) >= l.idle {
			delete(l.callers, caller)
		}
	}
}

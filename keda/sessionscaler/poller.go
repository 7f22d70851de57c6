package main

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

const (
	// freshFor is how long a reading is shared. KEDA asks for the metric and for
	// activity one after the other, for each ScaledJob and ScaledObject. It is a
	// little less than streamInterval, so that each look of a stream is a new one.
	freshFor = 800 * time.Millisecond
	// pollTimeout bounds one reading, connecting and signing in included.
	pollTimeout = 5 * time.Second
)

// counter counts the sessions of queue that have a backlog, up to most.
type counter interface {
	count(ctx context.Context, queue string, most int) (int, error)
}

// poller reads each queue once for all who ask within freshFor. Errors are shared
// by those who wait for the same reading, and not kept.
type poller struct {
	counter counter
	log     *slog.Logger
	flight  singleflight.Group

	mu       sync.Mutex // guards what follows
	readings map[question]reading
	away     map[string]bool // queues whose last reading failed
}

type question struct {
	queue string
	most  int
}

type reading struct {
	sessions int
	at       time.Time // when it was asked for
}

func newPoller(c counter, log *slog.Logger) *poller {
	return &poller{counter: c, log: log, readings: map[question]reading{}, away: map[string]bool{}}
}

// sessions returns the number of sessions that m asks for.
func (p *poller) sessions(ctx context.Context, m metadata) (int, error) {
	q := question{m.queue, m.maxSessions}
	n, err, _ := p.flight.Do(fmt.Sprintf("%d %s", q.most, q.queue), func() (any, error) {
		if n, ok := p.fresh(q); ok {
			return n, nil
		}
		// Others may wait for this reading: it does not end with the caller it began with.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pollTimeout)
		defer cancel()
		at := time.Now()
		n, err := p.counter.count(ctx, q.queue, q.most)
		p.keep(ctx, q, reading{n, at}, err)
		return n, err
	})
	return n.(int), err
}

func (p *poller) fresh(q question) (int, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r, ok := p.readings[q]
	return r.sessions, ok && time.Since(r.at) < freshFor
}

// keep stores a reading, drops the old ones, and logs where an outage begins and
// ends: callers get each error, a log with a line per poll helps nobody.
func (p *poller) keep(ctx context.Context, q question, r reading, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case err != nil && !p.away[q.queue]:
		p.away[q.queue] = true
		p.log.WarnContext(ctx, "sessions cannot be counted", "queue", q.queue, "error", err)
	case err == nil && p.away[q.queue]:
		delete(p.away, q.queue)
		p.log.InfoContext(ctx, "sessions are counted again", "queue", q.queue)
	}
	maps.DeleteFunc(p.readings, func(_ question, old reading) bool { return time.Since(old.at) >= freshFor })
	if err == nil {
		p.readings[q] = r
	}
}

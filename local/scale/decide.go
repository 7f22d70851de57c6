package scale

import (
	"math"
	"slices"
	"time"
)

// poll is what the triggers of a manifest have answered.
type poll struct {
	readings []reading // of the triggers that did answer
	failed   int       // how many did not
}

// wanted returns the most replicas that any active trigger calls for, and the
// reading that does; 0 when none is active.
func (p poll) wanted() (n int, by reading) {
	for _, r := range p.readings {
		if w := max(1, int(math.Ceil(r.value/r.target))); r.active && w > n {
			n, by = w, r
		}
	}
	return n, by
}

// jobsToStart decides for a ScaledJob: wanted minus running, never below zero. A
// trigger that did not answer wants nothing, and no job is ever ended, so an outage
// neither starts nor ends anything.
func jobsToStart(m manifest, running int, p poll) int {
	wanted, _ := p.wanted()
	return max(0, min(m.max, m.min+wanted)-running)
}

// replicasCalledFor decides for a ScaledObject that has previous replicas. While a
// trigger does not answer, the others may add replicas but not take any away.
func replicasCalledFor(m manifest, previous int, p poll) int {
	n, _ := p.wanted()
	if p.failed > 0 {
		n = max(n, previous)
	}
	return min(max(n, m.min), m.max)
}

// window remembers how many replicas were called for within the last period.
type window struct {
	period time.Duration
	calls  []call
}

type call struct {
	at       time.Time
	replicas int
}

// highest takes in a call and returns the highest one of the last period.
func (w *window) highest(now time.Time, replicas int) int {
	w.calls = slices.DeleteFunc(w.calls, func(c call) bool { return now.Sub(c.at) >= w.period })
	w.calls = append(w.calls, call{now, replicas})
	return slices.MaxFunc(w.calls, func(a, b call) int { return a.replicas - b.replicas }).replicas
}

const (
	// A process that ends by itself within atOnce of its start has crashed, rather
	// than run into something.
	atOnce = 5 * time.Second
	// The pause after a first crash, and the longest. Kubernetes waits 10 s to 5 min;
	// a developer who has mended the cause should not.
	minCrashPause = 2 * time.Second
	maxCrashPause = time.Minute
)

// crashes counts processes that died at once, one after the other.
type crashes struct {
	count int
	until time.Time // nothing is started before
}

// add takes in a crash and returns the pause that follows.
func (c *crashes) add(now time.Time) time.Duration {
	pause := min(maxCrashPause, minCrashPause<<min(c.count, 10))
	c.count++
	c.until = now.Add(pause)
	return pause
}

package scale

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// workload scales the processes of one manifest. All fields below "the loop's own"
// belong to the goroutine of run.
type workload struct {
	manifest manifest
	triggers []trigger
	launcher Launcher
	log      *slog.Logger
	held     atomic.Bool   // a developer runs the function in the foreground
	changed  chan struct{} // held has changed; one is enough
	pushed   chan struct{} // a trigger says that it is active; one is enough
	ended    chan *process

	// The loop's own.
	processes []*process // running, oldest first
	replicas  int        // of a ScaledObject: how many there should be
	calls     window
	crashes   crashes
	away      map[string]bool // triggers that did not answer last time
}

// process is a Process of ours.
type process struct {
	Process
	started time.Time
	stopped bool // we have asked it to end
}

func newWorkload(m manifest, triggers []trigger, l Launcher, log *slog.Logger) *workload {
	return &workload{
		manifest: m, triggers: triggers, launcher: l, log: log,
		changed: make(chan struct{}, 1), pushed: make(chan struct{}, 1), ended: make(chan *process),
		calls: window{period: m.cooldown}, away: map[string]bool{},
	}
}

// run scales until ctx ends and every process it started has ended.
func (w *workload) run(ctx context.Context) {
	var watching sync.WaitGroup
	defer watching.Wait()
	for _, t := range w.triggers {
		if t, ok := t.(watcher); ok {
			watching.Go(func() { t.watch(ctx, func() { notify(w.pushed) }) })
		}
	}
	ticker := time.NewTicker(w.manifest.polling)
	defer ticker.Stop()
	w.poll(ctx)
	for {
		select {
		case <-ctx.Done():
			w.stop(len(w.processes))
			for len(w.processes) > 0 {
				w.forget(<-w.ended)
			}
			return
		case p := <-w.ended:
			w.forget(p)
		case <-w.pushed:
			w.activate()
		case <-w.changed:
			if w.held.Load() {
				w.replicas = 0
				w.calls = window{period: w.manifest.cooldown} // a release starts from zero
				w.stop(len(w.processes))
			} else {
				w.poll(ctx)
			}
		case <-ticker.C:
			w.poll(ctx)
		}
	}
}

// wake makes the loop look at held.
func (w *workload) wake() { notify(w.changed) }

func notify(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// poll asks the triggers and does what follows from their answers.
func (w *workload) poll(ctx context.Context) {
	if w.held.Load() {
		return
	}
	p := w.ask(ctx)
	if ctx.Err() != nil || w.held.Load() {
		return
	}
	_, by := p.wanted()
	if w.manifest.job {
		w.start(jobsToStart(w.manifest, w.live(), p), by.reason)
		return
	}
	previous := w.replicas
	w.replicas = w.calls.highest(time.Now(), replicasCalledFor(w.manifest, previous, p))
	if w.replicas <= previous {
		by.reason = "one has ended by itself"
	}
	w.start(w.replicas-w.live(), by.reason)
	w.stop(w.live() - w.replicas)
}

// ask reads all triggers, within one polling interval. It logs where a trigger's
// outage begins and ends.
func (w *workload) ask(ctx context.Context) poll {
	limited, cancel := context.WithTimeout(ctx, w.manifest.polling)
	defer cancel()
	readings, errs := make([]reading, len(w.triggers)), make([]error, len(w.triggers))
	var asking sync.WaitGroup
	for i, t := range w.triggers {
		asking.Go(func() { readings[i], errs[i] = t.read(limited) })
	}
	asking.Wait()
	var p poll
	if ctx.Err() != nil {
		return p // what did not answer was not asked in earnest
	}
	for i, t := range w.triggers {
		was := w.away[t.name()]
		w.away[t.name()] = errs[i] != nil
		if errs[i] == nil {
			p.readings = append(p.readings, readings[i])
		} else {
			p.failed++
		}
		switch {
		case errs[i] == nil && was:
			w.log.InfoContext(ctx, "trigger answers again", "trigger", t.name())
		case errs[i] != nil && !was:
			w.log.WarnContext(ctx, "trigger does not answer", "trigger", t.name(), "error", errs[i])
		}
	}
	return p
}

// activate starts the first replicas of a ScaledObject when a trigger has said that
// it is active; how many more there should be is for the next poll.
func (w *workload) activate() {
	if w.held.Load() || w.replicas > 0 {
		return
	}
	w.replicas = w.calls.highest(time.Now(), max(1, w.manifest.min))
	w.start(w.replicas-w.live(), "a trigger has become active")
}

// live is the number of processes that we have not asked to end.
func (w *workload) live() int {
	n := 0
	for _, p := range w.processes {
		if !p.stopped {
			n++
		}
	}
	return n
}

// start starts n processes, unless the last ones have crashed.
func (w *workload) start(n int, reason string) {
	for range n {
		now := time.Now()
		if now.Before(w.crashes.until) {
			return
		}
		started, err := w.launcher.Start(w.manifest.function, slices.Clone(w.manifest.env))
		if err != nil {
			w.log.Error("worker not started", "next", w.crashes.add(now).String(), "error", err)
			return
		}
		p := &process{Process: started, started: now}
		w.processes = append(w.processes, p)
		w.log.Info("worker started", "running", len(w.processes), "reason", reason)
		go func() {
			<-p.Done()
			w.ended <- p // the loop takes it: it returns only when all have ended
		}()
	}
}

// stop asks the n newest processes to end.
func (w *workload) stop(n int) {
	for _, p := range slices.Backward(w.processes) {
		if n <= 0 {
			return
		}
		if !p.stopped {
			p.stopped = true
			p.Stop()
			n--
		}
	}
}

// forget takes in that a process has ended.
func (w *workload) forget(p *process) {
	w.processes = slices.DeleteFunc(w.processes, func(other *process) bool { return other == p })
	now := time.Now()
	ran := now.Sub(p.started)
	var err error
	if p, ok := p.Process.(interface{ Err() error }); ok {
		err = p.Err()
	}
	ending := []any{"running", len(w.processes), "ran", ran.Round(100 * time.Millisecond).String()}
	if err != nil {
		w.log.Warn("worker failed", append(ending, "error", err)...)
	} else {
		w.log.Info("worker ended", ending...)
	}
	switch {
	case !p.stopped && ran < atOnce && (err != nil || !w.manifest.job):
		// A job may be done that soon; a replica of a ScaledObject has no reason to end.
		w.log.Warn("worker ends at once", "times", w.crashes.count+1, "next", w.crashes.add(now).String())
	case !p.stopped:
		w.crashes = crashes{}
	}
	if len(w.processes) == 0 && w.replicas == 0 {
		w.log.Info("scaled to zero")
	}
}

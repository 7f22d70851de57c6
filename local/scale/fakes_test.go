package scale

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

// fakeLauncher starts processes that do nothing until they are told to.
type fakeLauncher struct {
	mu        sync.Mutex
	processes []*fakeProcess
	started   int
	env       []string // of the last start
	fail      error    // of Start
	dieAfter  time.Duration
}

type fakeProcess struct {
	function string
	number   int // in the order of starting, from 1
	once     sync.Once
	done     chan struct{}
	err      error
}

func (l *fakeLauncher) Start(function string, env []string) (Process, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.started++
	if l.fail != nil {
		return nil, l.fail
	}
	p := &fakeProcess{function: function, number: l.started, done: make(chan struct{})}
	l.processes, l.env = append(l.processes, p), env
	if l.dieAfter > 0 {
		time.AfterFunc(l.dieAfter, func() { p.end(errors.New("exit status 1")) })
	}
	return p, nil
}

func (p *fakeProcess) Done() <-chan struct{} { return p.done }
func (p *fakeProcess) Err() error            { return p.err }
func (p *fakeProcess) Stop()                 { p.end(nil) }

// end ends the process; again is harmless.
func (p *fakeProcess) end(err error) {
	p.once.Do(func() {
		p.err = err
		close(p.done)
	})
}

func (p *fakeProcess) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// misbehave makes Start fail, or the processes that it starts die after a while;
// zero values make it behave again.
func (l *fakeLauncher) misbehave(fail error, dieAfter time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fail, l.dieAfter = fail, dieAfter
}

// running are the numbers of the processes of function that run; "" is any.
func (l *fakeLauncher) running(function string) []int {
	l.mu.Lock()
	defer l.mu.Unlock()
	var numbers []int
	for _, p := range l.processes {
		if !p.ended() && (function == "" || p.function == function) {
			numbers = append(numbers, p.number)
		}
	}
	return numbers
}

func (l *fakeLauncher) starts() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.started
}

// kill ends the running process with a number.
func (l *fakeLauncher) kill(number int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range l.processes {
		if p.number == number {
			p.end(err)
		}
	}
}

// fakeTrigger answers what the test sets.
type fakeTrigger struct {
	mu     sync.Mutex
	answer reading
	err    error
	push   chan struct{}
}

func (t *fakeTrigger) name() string { return "sessions" }

func (t *fakeTrigger) read(context.Context) (reading, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.answer, t.err
}

func (t *fakeTrigger) watch(ctx context.Context, active func()) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.push:
			active()
		}
	}
}

// set makes the trigger count n sessions, or fail.
func (t *fakeTrigger) set(n float64, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.answer, t.err = sessions(n), err
	t.answer.reason = plural(int64(n), "session") + " with backlog"
}

// rig is a scaler of one function with one trigger, in a bubble of synctest.
type rig struct {
	*fakeLauncher
	*fakeTrigger
	scaler *Scaler
	log    *logs
	stop   func() // ends Run and waits for it
}

const polling = 2 * time.Second

// inBubble runs test with a rig whose first poll has found nothing to do.
func inBubble(t *testing.T, m manifest, test func(t *testing.T, r *rig)) {
	synctest.Test(t, func(t *testing.T) {
		m.function, m.polling, m.max = "worker", polling, max(m.max, 10)
		r := &rig{fakeLauncher: &fakeLauncher{}, fakeTrigger: &fakeTrigger{push: make(chan struct{})}, log: &logs{}}
		r.set(0, nil)
		w := newWorkload(m, []trigger{r.fakeTrigger}, r.fakeLauncher, slog.New(slog.NewTextHandler(r.log, nil)))
		r.scaler = &Scaler{functions: []string{"worker"}, workloads: map[string]*workload{"worker": w}}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- r.scaler.Run(ctx) }()
		r.stop = sync.OnceFunc(func() {
			cancel()
			if err := <-done; err != nil {
				t.Errorf("Run ended with %v", err)
			}
		})
		defer r.stop()
		synctest.Wait()
		test(t, r)
	})
}

// after lets the bubble's time pass, a little beyond d, and things settle.
func after(d time.Duration) {
	time.Sleep(d + time.Millisecond)
	synctest.Wait()
}

// logs is a log that may be read while it is written.
type logs struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logs) count(part string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), part)
}

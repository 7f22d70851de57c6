package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/contoso/orders/shared/fault"
	"golang.org/x/sync/errgroup"
)

// WorkerConfig shapes a session worker.
type WorkerConfig struct {
	Slots        int           `env:"SESSIONS_PER_WORKER, default=4" help:"sessions held at a time; the scaler divides by the same number"`
	BatchSize    int           `env:"BATCH_SIZE, default=100" help:"messages handled together, 1 to 100"`
	IdleExit     time.Duration `env:"IDLE_EXIT, default=10s" help:"end when all slots have been idle together for so long"`
	MaxHold      time.Duration `env:"SESSION_MAX_HOLD, default=1m" help:"hand a session back after so long, so that others get a turn"`
	BatchTimeout time.Duration `env:"BATCH_TIMEOUT, default=1m" help:"how long handling one batch may take"`
	DrainTimeout time.Duration `env:"DRAIN_TIMEOUT, default=20s" help:"how long the batch in hand may take after SIGTERM"`
}

// Validate checks the limits.
func (c WorkerConfig) Validate() error {
	switch {
	case c.Slots < 1 || c.Slots > 100:
		return fmt.Errorf("SESSIONS_PER_WORKER must be 1 to 100, got %d", c.Slots)
	case c.BatchSize < 1 || c.BatchSize > 100:
		return fmt.Errorf("BATCH_SIZE must be 1 to 100, got %d", c.BatchSize)
	case c.IdleExit <= 0 || c.MaxHold <= 0 || c.BatchTimeout <= 0 || c.DrainTimeout <= 0:
		return errors.New("IDLE_EXIT, SESSION_MAX_HOLD, BATCH_TIMEOUT and DRAIN_TIMEOUT must be positive")
	}
	return nil
}

const (
	// acceptTimeout is one wait for a session; the wait is then offered again.
	acceptTimeout = 20 * time.Second
	// firstMessageTimeout is how long a session may take to yield its first message.
	firstMessageTimeout = 5 * time.Second
	// nextMessageTimeout is how long a session that had more than a batch may take
	// to yield what follows: it is there, or it will make a session of its own.
	nextMessageTimeout = 100 * time.Millisecond
	maxBackoff         = 5 * time.Second
)

// WorkSessions takes sessions of queue, one per slot, handles their messages in
// order, and returns nil when all slots have been idle together, or when ctx has
// ended and the batches in hand are settled. The error is one that waiting does
// not mend: missing rights, or no such queue.
func (c *Client) WorkSessions(ctx context.Context, queue string, cfg WorkerConfig, handler Handler) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	w := &worker{client: c.sdk, queue: queue, cfg: cfg, handler: handler}
	offer, close := context.WithCancel(ctx)
	defer close()
	w.idle = newIdle(cfg.IdleExit, close)
	defer w.idle.stop()

	group, offer := errgroup.WithContext(offer)
	for range cfg.Slots {
		group.Go(func() error { return w.slot(ctx, offer) })
	}
	return group.Wait()
}

type worker struct {
	client  *azservicebus.Client
	queue   string
	cfg     WorkerConfig
	handler Handler
	idle    *idle
}

// slot takes one session after the other while offer lasts.
func (w *worker) slot(ctx, offer context.Context) error {
	failures := 0
	for offer.Err() == nil {
		session, err := w.accept(offer)
		if err == nil && session != nil {
			err = w.work(ctx, session)
		}
		if err == nil {
			failures = 0
			continue
		}
		if fatal(err) && offer.Err() == nil {
			return err
		}
		failures++
		wait := backoff(failures)
		slog.WarnContext(ctx, "session given back", "queue", w.queue, "wait", wait, "error", err)
		pause(offer, wait)
	}
	return nil
}

// accept waits for a session; nil without an error means that none came.
func (w *worker) accept(offer context.Context) (*azservicebus.SessionReceiver, error) {
	ctx, cancel := context.WithTimeout(offer, acceptTimeout)
	defer cancel()
	session, err := w.client.AcceptNextSessionForQueue(ctx, w.queue, nil)
	switch {
	case err == nil:
		return session, nil
	case noSession(err) || offer.Err() != nil:
		return nil, nil
	}
	return nil, classify(err, "accepting session of "+w.queue)
}

// work drains one session and gives it back.
func (w *worker) work(ctx context.Context, session *azservicebus.SessionReceiver) (err error) {
	defer func() {
		closeCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		if closeErr := session.Close(closeCtx); closeErr != nil && err == nil {
			err = classify(closeErr, "closing session")
		}
	}()
	if !w.idle.begin() {
		return nil // the worker is ending: a clean close costs the session nothing
	}
	defer w.idle.end()

	held := time.Now()
	// SIGTERM ends the taking of work, not the work: the batch in hand has its own time.
	lockCtx, lost, stop := keepLocked(context.WithoutCancel(ctx), session)
	defer stop()
	wait := firstMessageTimeout
	var ahead []*azservicebus.ReceivedMessage // received, and not of a batch yet: one at most
	for ctx.Err() == nil {
		batch, err := receive(ctx, session, w.cfg.BatchSize+1, ahead, wait)
		if len(batch) == 0 || err != nil {
			return err
		}
		batch, ahead = batch[:min(len(batch), w.cfg.BatchSize)], batch[min(len(batch), w.cfg.BatchSize):]
		if err := w.batch(ctx, lockCtx, session, batch); err != nil {
			if lost() != nil {
				return lost()
			}
			return err
		}
		// Less than was asked for ends the session: see "Order" in the package comment.
		if len(ahead) == 0 || time.Since(held) > w.cfg.MaxHold {
			return nil
		}
		wait = nextMessageTimeout
	}
	return nil
}

// receive returns what is ahead and what else comes, n messages at most. None and
// no error: none came in time.
func receive(ctx context.Context, session *azservicebus.SessionReceiver, n int, ahead []*azservicebus.ReceivedMessage, wait time.Duration) ([]*azservicebus.ReceivedMessage, error) {
	receiveCtx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	more, err := session.ReceiveMessages(receiveCtx, n-len(ahead), nil)
	if err != nil && len(more) == 0 && !errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return nil, classify(err, "receiving from session")
	}
	return append(ahead[:len(ahead):len(ahead)], more...), nil
}

// batch handles one batch under the session's lock, and within the drain time
// once ctx has ended.
func (w *worker) batch(ctx, lockCtx context.Context, session *azservicebus.SessionReceiver, batch []*azservicebus.ReceivedMessage) error {
	began := time.Now()
	batchCtx, cancel := context.WithTimeout(lockCtx, w.cfg.BatchTimeout)
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(w.cfg.DrainTimeout, cancel)
		context.AfterFunc(batchCtx, func() { timer.Stop() })
	})()
	if err := handle(batchCtx, session, batch, w.handler); err != nil {
		return err
	}
	slog.InfoContext(ctx, "batch settled", "queue", w.queue, "session", session.SessionID(),
		"messages", len(batch), "delivery", batch[0].DeliveryCount, "duration", time.Since(began))
	return nil
}

// keepLocked renews the session's lock until stop is called. When the lock is
// lost its context ends, and lost tells why. LockedUntil is read once, before
// anything else uses the session: the SDK does not synchronise it.
func keepLocked(ctx context.Context, session *azservicebus.SessionReceiver) (locked context.Context, lost func() error, stop func()) {
	locked, cancel := context.WithCancelCause(ctx)
	until := session.LockedUntil()
	duration := max(time.Until(until), time.Second)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for wait := duration / 2; ; {
			pause(locked, wait)
			if locked.Err() != nil {
				return
			}
			renewCtx, end := context.WithTimeout(locked, settleTimeout)
			err := classify(session.RenewSessionLock(renewCtx, nil), "renewing lock of session "+session.SessionID())
			end()
			switch {
			case err == nil:
				until, wait = time.Now().Add(duration), duration/2
			case fault.KindOf(err) == fault.LockLost || time.Now().After(until):
				cancel(fault.Wrap(fault.LockLost, err, "the session's lock is lost"))
				return
			default:
				wait = duration / 8 // while it lasts
			}
		}
	}()
	lost = func() error {
		if err := context.Cause(locked); fault.KindOf(err) == fault.LockLost {
			return err
		}
		return nil
	}
	return locked, lost, func() {
		cancel(nil)
		<-done
	}
}

// backoff returns a random wait below an exponential ceiling ("full jitter").
func backoff(failures int) time.Duration {
	ceiling := min(maxBackoff, 100*time.Millisecond<<min(failures, 10))
	return rand.N(ceiling) + time.Millisecond
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/contoso/orders/shared/fault"
)

// ConsumerConfig shapes a consumer of a queue without sessions.
type ConsumerConfig struct {
	BatchSize    int           `env:"BATCH_SIZE, default=100" help:"messages handled together, 1 to 100"`
	DrainTimeout time.Duration `env:"DRAIN_TIMEOUT, default=20s" help:"how long the batch in hand may take after SIGTERM"`
}

// Validate checks the limits.
func (c ConsumerConfig) Validate() error {
	if c.BatchSize < 1 || c.BatchSize > 100 || c.DrainTimeout <= 0 {
		return errors.New("BATCH_SIZE must be 1 to 100 and DRAIN_TIMEOUT positive")
	}
	return nil
}

// lockMargin is the part of a message's lock that is kept for settling.
const lockMargin = settleTimeout

// Consume handles the messages of a queue without sessions until ctx ends and the
// batch in hand is settled. A handler's context ends when the locks of its batch
// are about to: there is no renewal, so a batch has about a lock's duration. The
// error is one that waiting does not mend.
func (c *Client) Consume(ctx context.Context, queue string, cfg ConsumerConfig, handler Handler) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	failures := 0
	for ctx.Err() == nil {
		settled, err := c.consume(ctx, queue, cfg, handler)
		if settled {
			failures = 0
		}
		if err == nil {
			continue
		}
		if fatal(err) && ctx.Err() == nil {
			return err
		}
		failures++
		wait := backoff(failures)
		slog.WarnContext(ctx, "receiver closed", "queue", queue, "wait", wait, "error", err)
		pause(ctx, wait)
	}
	return nil
}

// consume receives on one link until ctx ends or something goes wrong. What is not
// settled stays locked until its lock ends: only a session is given back by closing.
func (c *Client) consume(ctx context.Context, queue string, cfg ConsumerConfig, handler Handler) (settled bool, err error) {
	receiver, err := c.sdk.NewReceiverForQueue(queue, nil)
	if err != nil {
		return false, classify(err, "opening receiver for "+queue)
	}
	defer func() {
		closeCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		_ = receiver.Close(closeCtx) // a broken link needs no good-bye
	}()
	for ctx.Err() == nil {
		batch, err := receiver.ReceiveMessages(ctx, cfg.BatchSize, nil)
		if len(batch) == 0 {
			if err == nil || ctx.Err() != nil {
				continue // after a broken link the SDK returns nothing once, then recovers
			}
			return settled, classify(err, "receiving from "+queue)
		}
		if err := consumeBatch(ctx, receiver, cfg, batch, handler); err != nil {
			return settled, err
		}
		settled = true
	}
	return settled, nil
}

func consumeBatch(ctx context.Context, receiver *azservicebus.Receiver, cfg ConsumerConfig, batch []*azservicebus.ReceivedMessage, handler Handler) error {
	began := time.Now()
	batchCtx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	if until := batch[0].LockedUntil; until != nil {
		timer := time.AfterFunc(time.Until(*until)-lockMargin, func() {
			cancel(fault.New(fault.LockLost, "the locks of the batch are about to end"))
		})
		defer timer.Stop()
	}
	defer context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(cfg.DrainTimeout, func() { cancel(errors.New("the drain time is over")) })
		context.AfterFunc(batchCtx, func() { timer.Stop() })
	})()
	if err := handle(batchCtx, receiver, batch, handler); err != nil {
		if cause := context.Cause(batchCtx); cause != nil {
			return fmt.Errorf("%w: %w", cause, err)
		}
		return err
	}
	slog.InfoContext(ctx, "batch settled", "messages", len(batch), "delivery", batch[0].DeliveryCount, "duration", time.Since(began))
	return nil
}

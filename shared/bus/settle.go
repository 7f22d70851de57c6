package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/contoso/orders/shared/fault"
	"golang.org/x/sync/errgroup"
)

// Handler handles a batch of messages in the queue's order. It returns a verdict
// for each message, or an error for the batch as a whole; see the package comment.
type Handler func(ctx context.Context, batch []Message) (verdicts []error, err error)

const (
	// settleTimeout bounds one settlement: after a lost session lock the SDK would
	// go on trying for more than half a minute.
	settleTimeout = 5 * time.Second
	// settleParallel is how many settlements of one batch are in flight.
	settleParallel = 32
	// maxDescription is Service Bus's limit for a dead-letter description.
	maxDescription = 4096
)

// settler is the part of a receiver that settles; both kinds of receiver have it.
type settler interface {
	CompleteMessage(context.Context, *azservicebus.ReceivedMessage, *azservicebus.CompleteMessageOptions) error
	AbandonMessage(context.Context, *azservicebus.ReceivedMessage, *azservicebus.AbandonMessageOptions) error
	DeadLetterMessage(context.Context, *azservicebus.ReceivedMessage, *azservicebus.DeadLetterOptions) error
}

// transient reports whether the batch's messages are not to blame for err.
func transient(err error) bool {
	switch fault.KindOf(err) {
	case fault.Unavailable, fault.RateLimited, fault.LockLost:
		return true
	}
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// handle runs the handler over a batch and settles what it decided. The error
// says that the rest of the batch is unsettled and must be given back.
func handle(ctx context.Context, s settler, batch []*azservicebus.ReceivedMessage, handler Handler) error {
	verdicts, err := call(ctx, handler, batch)
	switch {
	case err == nil:
		return settle(ctx, s, batch, verdicts)
	case transient(err):
		return err
	case len(batch) == 1:
		return settle(ctx, s, batch, []error{err})
	}
	slog.WarnContext(ctx, "batch refused, handling one at a time", "messages", len(batch), "error", err)
	for i := range batch {
		if err := handle(ctx, s, batch[i:i+1], handler); err != nil {
			return err
		}
	}
	return nil
}

// call runs the handler; a panic of it becomes an error, so that one message
// cannot end the process and with it the sessions of others.
func call(ctx context.Context, handler Handler, batch []*azservicebus.ReceivedMessage) (verdicts []error, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("handler panicked: %v", p)
		}
	}()
	in := make([]Message, len(batch))
	for i, m := range batch {
		in[i] = incoming(m)
	}
	verdicts, err = handler(ctx, in)
	if err == nil && len(verdicts) != len(batch) {
		err = fmt.Errorf("handler gave %d verdicts for %d messages", len(verdicts), len(batch))
	}
	return verdicts, err
}

// settle settles the batch up to the first message that cannot be settled now:
// all before it in parallel, since order among handled messages is not seen by
// anyone. Its verdict is returned.
func settle(ctx context.Context, s settler, batch []*azservicebus.ReceivedMessage, verdicts []error) error {
	end := len(batch)
	var stop error
	for i, v := range verdicts {
		if v != nil && !settles(v) {
			end, stop = i, v
			break
		}
	}
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(settleParallel)
	for i := range end {
		group.Go(func() error { return settleOne(groupCtx, s, batch[i], verdicts[i]) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if stop == nil || transient(stop) {
		return stop
	}
	slog.ErrorContext(ctx, "message abandoned", "message", batch[end].MessageID, "delivery", batch[end].DeliveryCount, "error", stop)
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	return errors.Join(stop, classify(s.AbandonMessage(ctx, batch[end], nil), "abandoning message"))
}

// settles reports whether a verdict takes its message off the queue.
func settles(verdict error) bool {
	switch fault.KindOf(verdict) {
	case fault.Conflict, fault.Malformed, fault.Invalid, fault.NotFound, fault.TooLarge:
		return true
	}
	return false
}

func settleOne(ctx context.Context, s settler, m *azservicebus.ReceivedMessage, verdict error) error {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	if verdict == nil {
		return classify(s.CompleteMessage(ctx, m, nil), "completing message")
	}
	kind := fault.KindOf(verdict)
	if kind == fault.Conflict {
		slog.WarnContext(ctx, "message dropped: its identity holds another payload", "message", m.MessageID, "error", verdict)
		return classify(s.CompleteMessage(ctx, m, nil), "completing message")
	}
	reason, description := kind.String(), verdict.Error()
	slog.ErrorContext(ctx, "message dead-lettered", "message", m.MessageID, "delivery", m.DeliveryCount, "reason", reason, "error", verdict)
	// AMQP strings are UTF-8, and an error may quote bytes that are not; cutting may split a rune.
	description = strings.ToValidUTF8(description[:min(len(description), maxDescription)], "")
	return classify(s.DeadLetterMessage(ctx, m, &azservicebus.DeadLetterOptions{Reason: &reason, ErrorDescription: &description}), "dead-lettering message")
}

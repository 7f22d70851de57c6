package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/contoso/orders/shared/bus"
	"github.com/contoso/orders/shared/envelope"
	"github.com/contoso/orders/shared/fault"
	"github.com/contoso/orders/shared/order"
	"github.com/contoso/orders/shared/store"
)

// source is how this function signs its events.
const source = "/orders/process-session"

// saver is the part of the store that this function uses.
type saver interface {
	Save(ctx context.Context, batch []store.Submission) ([]store.Stored, error)
}

// publisher sends completion events.
type publisher interface {
	Send(ctx context.Context, messages ...bus.Message) error
}

type handler struct {
	rules  rules
	store  saver
	events publisher
}

func newHandler(cfg config, client *bus.Client, db saver) (*handler, error) {
	events, err := client.Sender(cfg.CompletionsQueue)
	if err != nil {
		return nil, err
	}
	return &handler{rules: valueLimit{max: cfg.MaxOrderValue}, store: db, events: events}, nil
}

// process stores one batch of a session and publishes what is stored. It returns
// before any message is settled, so a crash anywhere repeats the whole of it: the
// store changes nothing the second time, and the events carry the same IDs.
func (h *handler) process(ctx context.Context, batch []bus.Message) ([]error, error) {
	verdicts := make([]error, len(batch))
	var submissions []store.Submission
	var positions []int // of each submission in the batch
	for i, m := range batch {
		s, err := h.submission(ctx, m)
		switch {
		case fault.KindOf(err) == fault.Unavailable:
			return nil, err // of none of the messages' making
		case err != nil:
			verdicts[i] = err
			continue
		}
		submissions, positions = append(submissions, s), append(positions, i)
	}
	if len(submissions) == 0 {
		return verdicts, nil
	}
	stored, err := h.store.Save(ctx, submissions)
	if err != nil {
		return nil, fmt.Errorf("storing %d orders: %w", len(submissions), err)
	}
	var events []bus.Message
	for i, s := range stored {
		if s.IsPurged { // its outcome was announced when there was one
			slog.InfoContext(ctx, "order was purged already", "correlation", s.CorrelationID, "session", s.Customer)
			continue
		}
		if !s.SamePayload {
			verdicts[positions[i]] = fault.New(fault.Conflict, "order %s is stored with another payload", s.CorrelationID)
			continue
		}
		event, err := completion(s)
		if err != nil {
			return nil, err
		}
		events = append(events, event)
		slog.InfoContext(ctx, "order stored", "correlation", s.CorrelationID, "order", s.OrderID, "session", s.Customer,
			"status", s.Status, "new", s.IsNew, "delivery", batch[positions[i]].DeliveryCount)
	}
	if len(events) > 0 {
		if err := h.events.Send(ctx, events...); err != nil {
			// Whatever is wrong with the queue of events, the orders are not to blame.
			return nil, fault.Wrap(fault.Unavailable, err, "%d completions cannot be published", len(events))
		}
	}
	return verdicts, nil
}

// submission reads one message and decides about its order. The session must be
// the customer's own: it is what keeps the customer's orders in sequence.
func (h *handler) submission(ctx context.Context, m bus.Message) (store.Submission, error) {
	a, err := envelope.DecodeAccepted(m.Body)
	if err != nil {
		return store.Submission{}, err
	}
	if a.Customer != m.SessionID {
		return store.Submission{}, fault.New(fault.Invalid, "the order is another customer's than its session")
	}
	s := store.Submission{
		CorrelationID: a.CorrelationID, Customer: a.Customer, Order: a.Order,
		Status: order.Completed, AcceptedAt: a.AcceptedAt, Replay: a.Replay > 0,
	}
	if s.Reason, err = h.rules.decide(ctx, a); err != nil {
		return store.Submission{}, fmt.Errorf("deciding about order %s: %w", a.CorrelationID, err)
	}
	if s.Reason != "" {
		s.Status = order.Rejected
	}
	return s, nil
}

// completion builds the event of a stored order from the stored facts alone.
func completion(s store.Stored) (bus.Message, error) {
	o := envelope.Outcome{
		CorrelationID: s.CorrelationID, Customer: s.Customer, Revision: s.Revision, Status: s.Status,
		OrderID: s.OrderID, Reason: s.Reason, Currency: s.Currency, Total: s.Total,
		AcceptedAt: s.AcceptedAt, CompletedAt: s.CompletedAt,
	}
	body, err := envelope.EncodeOutcome(source, o)
	if err != nil {
		return bus.Message{}, err
	}
	return bus.Message{
		ID: o.MessageID(), CorrelationID: s.CorrelationID.String(), ContentType: envelope.ContentType, Body: body,
	}, nil
}

package main

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/contoso/orders/shared/bus"
	"github.com/contoso/orders/shared/envelope"
	"github.com/contoso/orders/shared/fault"
	"github.com/contoso/orders/shared/registry"
	"golang.org/x/sync/errgroup"
)

const (
	// forgetTimeout bounds what tidying may take of a batch's time.
	forgetTimeout = 2 * time.Second
	// maxParallelRecords is what shared/registry has connections for.
	maxParallelRecords = 16
)

type handler struct {
	registry *registry.Registry
	hub      *hub
}

func newHandler(cfg config, reg *registry.Registry) *handler {
	return &handler{registry: reg, hub: &hub{cfg: cfg.Hub, http: &http.Client{Timeout: cfg.Hub.PushTimeout}}}
}

// news is what one batch holds for one customer, in the queue's order.
type news struct {
	customer string
	events   []registry.Event
}

// complete records and pushes one batch. Recorded is done: a tab that is not
// reached now gets the event when it resumes, so a push that goes wrong does not
// bring the message back.
func (h *handler) complete(ctx context.Context, batch []bus.Message) ([]error, error) {
	verdicts := make([]error, len(batch))
	byCustomer := map[string]*news{}
	var order []*news
	for i, m := range batch {
		outcome, err := envelope.DecodeOutcome(m.Body)
		if err != nil {
			verdicts[i] = err
			continue
		}
		n := byCustomer[outcome.Customer]
		if n == nil {
			n = &news{customer: outcome.Customer}
			byCustomer[outcome.Customer] = n
			order = append(order, n)
		}
		n.events = append(n.events, registry.Event{ID: outcome.MessageID(), CorrelationID: outcome.CorrelationID, Body: m.Body})
	}
	to, err := h.record(ctx, order)
	if err != nil {
		return nil, err
	}
	h.push(ctx, to)
	for _, n := range order {
		for _, e := range n.events {
			slog.InfoContext(ctx, "outcome handled", "correlation", e.CorrelationID, "session", n.customer)
		}
	}
	return verdicts, nil
}

// record puts each customer's events into the registry, and returns whom to push
// them to. Customers do not wait for each other: while the registry is silent each
// costs a timeout, and one after the other those of a batch would outlast its locks.
func (h *handler) record(ctx context.Context, order []*news) (deliveries, error) {
	recorded, errs := make([]registry.Recorded, len(order)), make([]error, len(order))
	var group errgroup.Group
	group.SetLimit(maxParallelRecords)
	for i, n := range order {
		group.Go(func() error {
			recorded[i], errs[i] = h.registry.Record(ctx, n.customer, n.events)
			return nil
		})
	}
	_ = group.Wait() // the errors are in errs

	var to deliveries
	for i, n := range order {
		switch err := errs[i]; {
		case err == nil:
			to.add(n, recorded[i])
		case fault.KindOf(err) == fault.Unavailable && ctx.Err() == nil: // and not out of time
			slog.WarnContext(ctx, "event not recorded, pushing to every replica", "session", n.customer, "error", err)
			to.addForAll(n)
		default:
			return deliveries{}, err
		}
	}
	return to, nil
}

// push posts what there is to whom it concerns, and forgets connections that
// their replica says are gone.
func (h *handler) push(ctx context.Context, to deliveries) {
	if len(to.byReplica) > 0 {
		urls, err := h.registry.PushURLs(ctx, to.replicas())
		if err != nil {
			slog.WarnContext(ctx, "replicas not known, pushing to every one", "error", err)
			for _, list := range to.byReplica {
				to.all = append(to.all, list...)
			}
			urls = nil
		}
		h.forget(ctx, h.hub.pushTo(ctx, urls, to.byReplica))
	}
	if len(to.all) > 0 {
		h.hub.pushToAll(ctx, to.all)
	}
}

// forget removes connections that are gone, as far as it gets in forgetTimeout:
// those left over are answered gone again at the next push.
func (h *handler) forget(ctx context.Context, gone []goneConnection) {
	ctx, cancel := context.WithTimeout(ctx, forgetTimeout)
	defer cancel()
	for _, g := range gone {
		if err := h.registry.Unregister(ctx, g.customer, g.connection); err != nil {
			slog.WarnContext(ctx, "gone connections not removed", "session", g.customer, "error", err)
			return
		}
	}
}

// deliveries are the pushes of one batch, by replica.
type deliveries struct {
	byReplica map[string][]envelope.Delivery
	all       []envelope.Delivery // for whom no connection is known because Redis is away
}

func (d *deliveries) add(n *news, r registry.Recorded) {
	numbered := make([]envelope.Numbered, len(n.events))
	for i, e := range n.events {
		numbered[i] = envelope.Numbered{Number: r.Numbers[i], Event: e.Body}
	}
	connections := map[string][]string{}
	for _, c := range r.Connections {
		connections[c.Replica] = append(connections[c.Replica], c.ID)
	}
	if d.byReplica == nil {
		d.byReplica = map[string][]envelope.Delivery{}
	}
	for replica, ids := range connections {
		d.byReplica[replica] = append(d.byReplica[replica],
			envelope.Delivery{Customer: n.customer, Connections: ids, Epoch: r.Epoch, Events: numbered})
	}
}

func (d *deliveries) addForAll(n *news) {
	events := make([]envelope.Numbered, len(n.events))
	for i, e := range n.events {
		events[i] = envelope.Numbered{Event: e.Body}
	}
	d.all = append(d.all, envelope.Delivery{Customer: n.customer, Events: events})
}

func (d *deliveries) replicas() []string {
	list := make([]string, 0, len(d.byReplica))
	for replica := range d.byReplica {
		list = append(list, replica)
	}
	return list
}

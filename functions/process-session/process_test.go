package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/contoso/orders/shared/bus"
	"github.com/contoso/orders/shared/bustest"
	"github.com/contoso/orders/shared/envelope"
	"github.com/contoso/orders/shared/fault"
	"github.com/contoso/orders/shared/order"
	"github.com/contoso/orders/shared/store"
	"github.com/contoso/orders/shared/store/sqlite"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/shopspring/decimal"
)

func TestMain(m *testing.M) { bustest.Main(m) }

var settings = bus.WorkerConfig{Slots: 2, BatchSize: 100, IdleExit: 1500 * time.Millisecond, MaxHold: time.Minute, BatchTimeout: time.Minute, DrainTimeout: 5 * time.Second}

// platform is process-session with a real broker and a real store.
type platform struct {
	client *bus.Client
	store  store.Store
	events *bus.Sender
}

func start(t *testing.T) *platform {
	t.Helper()
	p := &platform{client: bustest.Start(t, bustest.Orders("PT30S")...).Connect(t)}
	url := "sqlite://" + filepath.Join(t.TempDir(), "orders.db")
	if _, err := sqlite.Migrate(t.Context(), url, func(int64, string, time.Duration) {}); err != nil {
		t.Fatal(err)
	}
	db, err := sqlite.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	p.store = db
	if p.events, err = p.client.Sender("order-completions"); err != nil {
		t.Fatal(err)
	}
	return p
}

var customers = map[string]string{"a": strings.Repeat("a", 22), "b": strings.Repeat("b", 22)}

// accepted makes the nth order of a customer, as accept sends it.
func accepted(t *testing.T, customer string, n int) (envelope.Accepted, bus.Message) {
	t.Helper()
	a := envelope.Accepted{
		CorrelationID: uuid.UUID{0: customer[0], 7: byte(n), 6: 0x80, 8: 0x80}, Customer: customer,
		AcceptedAt: time.Date(2026, 11, 23, 12, 0, n, 0, time.UTC),
		Order:      order.Order{Currency: "EUR", Lines: []order.Line{{SKU: fmt.Sprint("A-", n), Quantity: n + 1, UnitPrice: decimal.RequireFromString("9.99")}}},
	}
	return a, message(t, a)
}

func message(t *testing.T, a envelope.Accepted) bus.Message {
	t.Helper()
	body, err := envelope.EncodeAccepted(a)
	if err != nil {
		t.Fatal(err)
	}
	return bus.Message{ID: uuid.NewString(), SessionID: a.Customer, CorrelationID: a.CorrelationID.String(), Body: body}
}

func (p *platform) send(t *testing.T, messages ...bus.Message) {
	t.Helper()
	s, err := p.client.Sender("orders")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Send(t.Context(), messages...); err != nil {
		t.Fatal(err)
	}
}

func (p *platform) work(t *testing.T, h *handler) {
	t.Helper()
	if err := p.client.WorkSessions(t.Context(), "orders", settings, h.process); err != nil {
		t.Fatal(err)
	}
}

// outcomes takes n events off the completions queue.
func (p *platform) outcomes(t *testing.T, n int) []envelope.Outcome {
	t.Helper()
	var list []envelope.Outcome
	for _, m := range p.take(t, "order-completions", n) {
		o, err := envelope.DecodeOutcome(m.Body)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, o)
	}
	return list
}

// take consumes n messages of a queue, and waits a little for one too many.
func (p *platform) take(t *testing.T, queue string, n int) []bus.Message {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
	defer stop()
	var mu sync.Mutex
	var list []bus.Message
	err := p.client.Consume(ctx, queue, bus.ConsumerConfig{BatchSize: 100, DrainTimeout: time.Second}, func(_ context.Context, batch []bus.Message) ([]error, error) {
		mu.Lock()
		defer mu.Unlock()
		list = append(list, batch...)
		if len(list) >= n {
			time.AfterFunc(200*time.Millisecond, stop)
		}
		return make([]error, len(batch)), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != n {
		t.Fatalf("%d messages on %s, want %d", len(list), queue, n)
	}
	return list
}

func TestOrdersAreStoredInSequenceAndAnnounced(t *testing.T) {
	t.Parallel()
	p := start(t)
	want := map[string][]uuid.UUID{}
	for n := range 30 {
		for _, c := range customers {
			a, m := accepted(t, c, n)
			p.send(t, m)
			want[c] = append(want[c], a.CorrelationID)
		}
	}
	p.work(t, &handler{rules: valueLimit{}, store: p.store, events: p.events})
	announced := map[uuid.UUID]envelope.Outcome{}
	for _, o := range p.outcomes(t, 60) {
		announced[o.CorrelationID] = o
	}
	for _, c := range customers {
		records, err := p.store.List(t.Context(), c, 0, 100)
		if err != nil {
			t.Fatal(err)
		}
		var got []uuid.UUID
		for i := len(records) - 1; i >= 0; i-- { // newest first: the OrderIDs rise the other way
			r := records[i]
			got = append(got, r.CorrelationID)
			o := announced[r.CorrelationID]
			if o.OrderID != r.OrderID || o.Status != order.Completed || o.Revision != 1 || !o.Total.Equal(r.Total) || !o.CompletedAt.Equal(r.CompletedAt) {
				t.Errorf("announced %+v, stored %+v", o, r)
			}
		}
		if diff := cmp.Diff(want[c], got); diff != "" {
			t.Errorf("customer %s, by OrderID (-want +got):\n%s", c, diff)
		}
	}
}

func TestRedeliveredOrderIsOneRowAndTheSameEvent(t *testing.T) {
	t.Parallel()
	p := start(t)
	a, _ := accepted(t, customers["a"], 1)
	p.send(t, message(t, a), message(t, a), message(t, a)) // other message ids: the broker's window has passed
	p.work(t, &handler{rules: valueLimit{}, store: p.store, events: p.events})
	p.outcomes(t, 1) // one event id, so the broker keeps one
	records, err := p.store.List(t.Context(), a.Customer, 0, 10)
	if err != nil || len(records) != 1 {
		t.Errorf("%d rows, %v; want 1", len(records), err)
	}
}

func TestOtherPayloadUnderTheSameIdentityPublishesNothing(t *testing.T) {
	t.Parallel()
	p := start(t)
	a, first := accepted(t, customers["a"], 1)
	other := a
	other.Order.Lines = []order.Line{{SKU: "B", Quantity: 1, UnitPrice: decimal.NewFromInt(1)}}
	p.send(t, first, message(t, other))
	p.work(t, &handler{rules: valueLimit{}, store: p.store, events: p.events})
	if o := p.outcomes(t, 1)[0]; !o.Total.Equal(a.Order.Total()) {
		t.Errorf("announced %+v, want the first order", o)
	}
}

func TestPoisonGoesToTheDeadAndTheOthersAreStored(t *testing.T) {
	t.Parallel()
	p := start(t)
	_, before := accepted(t, customers["a"], 1)
	_, after := accepted(t, customers["a"], 2)
	_, foreign := accepted(t, customers["b"], 3)
	foreign.SessionID = customers["a"]
	garbage := bus.Message{ID: "garbage", SessionID: customers["a"], Body: []byte("\x00\xff")}
	p.send(t, before, garbage, foreign, after)
	p.work(t, &handler{rules: valueLimit{}, store: p.store, events: p.events})
	p.outcomes(t, 2)
	dead := map[string]bool{}
	for _, m := range p.take(t, "orders-dead", 2) {
		dead[m.ID] = true
	}
	if !dead["garbage"] || !dead[foreign.ID] {
		t.Errorf("dead letters = %v", dead)
	}
	if records, err := p.store.List(t.Context(), customers["b"], 0, 10); err != nil || len(records) != 0 {
		t.Errorf("an order on another customer's session was stored: %v, %v", records, err)
	}
}

// flaky fails the first calls of the store or the publisher.
type flaky struct {
	store.Store
	*bus.Sender
	saves, sends int // how many of each fail still
	err          error
}

func (f *flaky) Save(ctx context.Context, batch []store.Submission) ([]store.Stored, error) {
	if f.saves > 0 {
		f.saves--
		return nil, f.err
	}
	return f.Store.Save(ctx, batch)
}

func (f *flaky) Send(ctx context.Context, messages ...bus.Message) error {
	if f.sends > 0 {
		f.sends--
		return f.err
	}
	return f.Sender.Send(ctx, messages...)
}

func (f *flaky) Close() error { return nil }

func TestStoreOrQueueAwayLosesNothingAndKeepsTheSequence(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]*flaky{
		"store away":      {saves: 3, err: fault.New(fault.Unavailable, "the store is away")},
		"queue away":      {sends: 3, err: fault.New(fault.Unavailable, "Service Bus is away")},
		"unknown defects": {saves: 2, sends: 2, err: errors.New("a defect")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t)
			f.Store, f.Sender = p.store, p.events
			var want []uuid.UUID
			for n := range 5 {
				a, m := accepted(t, customers["a"], n)
				p.send(t, m)
				want = append(want, a.CorrelationID)
			}
			p.work(t, &handler{rules: valueLimit{}, store: f, events: f})
			p.outcomes(t, 5)
			records, err := p.store.List(t.Context(), customers["a"], 0, 10)
			if err != nil {
				t.Fatal(err)
			}
			var got []uuid.UUID
			for i := len(records) - 1; i >= 0; i-- {
				got = append(got, records[i].CorrelationID)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("by OrderID (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMissingEventQueueKillsNoOrder(t *testing.T) {
	t.Parallel()
	p := start(t)
	a, m := accepted(t, customers["a"], 1)
	p.send(t, m)
	nowhere, err := p.client.Sender("no-such-queue")
	if err != nil {
		t.Fatal(err)
	}
	p.work(t, &handler{rules: valueLimit{}, store: p.store, events: nowhere})
	p.work(t, &handler{rules: valueLimit{}, store: p.store, events: p.events}) // the queue has been made
	if o := p.outcomes(t, 1)[0]; o.CorrelationID != a.CorrelationID {
		t.Errorf("announced %+v", o)
	}
}

func TestPurgedOrderThatComesAgainIsSettledAndNotAnnounced(t *testing.T) {
	t.Parallel()
	p := start(t)
	_, m := accepted(t, customers["a"], 1)
	first := &handler{rules: valueLimit{}, store: p.store, events: p.events}
	if verdicts, err := first.process(t.Context(), []bus.Message{m}); err != nil || verdicts[0] != nil {
		t.Fatal(verdicts, err)
	}
	if n, err := p.store.Purge(t.Context(), time.Now().Add(time.Hour), 1); n != 1 || err != nil {
		t.Fatalf("%d purged, error %v", n, err)
	}
	again := &handler{rules: valueLimit{}, store: p.store, events: &flaky{sends: 1, err: errors.New("there is nothing to announce")}}
	if verdicts, err := again.process(t.Context(), []bus.Message{m}); err != nil || verdicts[0] != nil {
		t.Errorf("verdicts %v, error %v; want it completed in silence", verdicts, err)
	}
}

func TestOrderOverTheLimitIsRejectedWithAReason(t *testing.T) {
	t.Parallel()
	p := start(t)
	small, first := accepted(t, customers["a"], 1) // 19.98
	large, second := accepted(t, customers["a"], 5)
	p.send(t, first, second)
	p.work(t, &handler{rules: valueLimit{max: decimal.NewFromInt(20)}, store: p.store, events: p.events})
	for _, o := range p.outcomes(t, 2) {
		switch {
		case o.CorrelationID == small.CorrelationID && o.Status == order.Completed && o.Reason == "":
		case o.CorrelationID == large.CorrelationID && o.Status == order.Rejected && o.OrderID > 0 &&
			o.Reason == "The total of 59.94 EUR is over the limit of 20 EUR for one order.":
		default:
			t.Errorf("announced %+v", o)
		}
	}
	record, err := p.store.Get(t.Context(), large.Customer, order.NonceOf(large.CorrelationID))
	if err != nil || record.Status != order.Rejected || record.Reason == "" {
		t.Errorf("stored %+v, error %v", record, err)
	}
}

// ruling decides as it is told, once.
type ruling struct {
	reason string
	err    error
}

func (r *ruling) decide(context.Context, envelope.Accepted) (string, error) {
	err := r.err
	r.err = nil
	return r.reason, err
}

func TestRulesThatAreAwayLoseNothing(t *testing.T) {
	t.Parallel()
	p := start(t)
	a, m := accepted(t, customers["a"], 1)
	p.send(t, m)
	p.work(t, &handler{rules: &ruling{err: fault.New(fault.Unavailable, "the rules are away")}, store: p.store, events: p.events})
	if o := p.outcomes(t, 1)[0]; o.CorrelationID != a.CorrelationID || o.Status != order.Completed {
		t.Errorf("announced %+v", o)
	}
}

func TestLimitIsInclusiveAndZeroIsNone(t *testing.T) {
	total := envelope.Accepted{Order: order.Order{Currency: "EUR", Lines: []order.Line{{SKU: "A", Quantity: 3, UnitPrice: decimal.RequireFromString("0.3333")}}}}
	for limit, rejected := range map[string]bool{"0": false, "0.9998": true, "0.9999": false, "1": false} {
		reason, err := valueLimit{max: decimal.RequireFromString(limit)}.decide(t.Context(), total)
		if err != nil || (reason != "") != rejected {
			t.Errorf("limit %s: reason %q, error %v", limit, reason, err)
		}
	}
}

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/contoso/orders/shared/bus"
	"github.com/contoso/orders/shared/envelope"
	"github.com/contoso/orders/shared/fault"
	"github.com/contoso/orders/shared/order"
	"github.com/contoso/orders/shared/registry"
	"github.com/contoso/orders/shared/registry/registrytest"
	"github.com/google/uuid"
	"github.com/shopspring/decimal"
)

// replica is a hub that keeps what is posted to it.
type replica struct {
	*httptest.Server
	mu     sync.Mutex
	pushes []envelope.Push
	tokens []string
	state  envelope.ReceiptState
	status int
}

func newReplica(t *testing.T) *replica {
	t.Helper()
	r := &replica{state: envelope.Acked, status: http.StatusOK}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		var push envelope.Push
		if err := json.NewDecoder(req.Body).Decode(&push); err != nil {
			t.Error(err)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.pushes = append(r.pushes, push)
		r.tokens = append(r.tokens, req.Header.Get("Authorization"))
		var reply envelope.PushReply
		for _, d := range push.Deliveries {
			for _, c := range d.Connections {
				reply.Receipts = append(reply.Receipts, envelope.Receipt{Customer: d.Customer, Connection: c, State: r.state})
			}
		}
		w.WriteHeader(r.status)
		_ = json.NewEncoder(w).Encode(reply)
	}))
	t.Cleanup(r.Close)
	return r
}

// deliveries returns everything posted so far.
func (r *replica) deliveries() []envelope.Delivery {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []envelope.Delivery
	for _, p := range r.pushes {
		list = append(list, p.Deliveries...)
	}
	return list
}

type platform struct {
	*handler
	redis *registrytest.Server
	hubs  map[string]*replica
}

// start runs complete's handler over an embedded Redis and two hub replicas; the
// fallback reaches the first.
func start(t *testing.T) *platform {
	t.Helper()
	p := &platform{redis: registrytest.Mini(t), hubs: map[string]*replica{"hub-1#x": newReplica(t), "hub-2#y": newReplica(t)}}
	reg, err := registry.New(registry.Config{URL: p.redis.URL, Timeout: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = reg.Close() })
	for name, h := range p.hubs {
		if _, err := reg.Heartbeat(t.Context(), name, h.URL); err != nil {
			t.Fatal(err)
		}
	}
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("service-token\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.handler = newHandler(config{Hub: hubConfig{TokenFile: token, FallbackURL: p.hubs["hub-1#x"].URL, PushTimeout: time.Second}}, reg)
	return p
}

var alice, bob = strings.Repeat("a", 22), strings.Repeat("b", 22)

func outcome(t *testing.T, customer string, n int) (envelope.Outcome, bus.Message) {
	t.Helper()
	o := envelope.Outcome{
		CorrelationID: uuid.New(), Customer: customer, Revision: 1, Status: order.Completed, OrderID: int64(n),
		Currency: "EUR", Total: decimal.NewFromInt(1), AcceptedAt: time.Now(), CompletedAt: time.Now(),
	}
	body, err := envelope.EncodeOutcome("/orders/process-session", o)
	if err != nil {
		t.Fatal(err)
	}
	return o, bus.Message{ID: o.MessageID(), Body: body, DeliveryCount: 1}
}

func (p *platform) connect(t *testing.T, customer, replica, id string, from registry.Position) registry.Registered {
	t.Helper()
	r, err := p.registry.Register(t.Context(), customer, registry.Connection{Replica: replica, ID: id}, time.Now().Add(time.Hour), from, 10)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (p *platform) handle(t *testing.T, batch ...bus.Message) []error {
	t.Helper()
	verdicts, err := p.complete(t.Context(), batch)
	if err != nil {
		t.Fatal(err)
	}
	return verdicts
}

func TestOutcomeReachesEveryTabOfItsCustomerOnly(t *testing.T) {
	t.Parallel()
	p := start(t)
	p.connect(t, alice, "hub-1#x", "a1", registry.Position{})
	p.connect(t, alice, "hub-2#y", "a2", registry.Position{})
	p.connect(t, bob, "hub-2#y", "b1", registry.Position{})
	_, m1 := outcome(t, alice, 1)
	_, m2 := outcome(t, alice, 2)
	for _, v := range p.handle(t, m1, m2) {
		if v != nil {
			t.Errorf("verdict = %v", v)
		}
	}
	for name, connection := range map[string]string{"hub-1#x": "a1", "hub-2#y": "a2"} {
		got := p.hubs[name].deliveries()
		if len(got) != 1 || got[0].Customer != alice || len(got[0].Connections) != 1 || got[0].Connections[0] != connection {
			t.Fatalf("%s got %+v", name, got)
		}
		events := got[0].Events
		if got[0].Epoch == "" || len(events) != 2 || events[0].Number != 1 || events[1].Number != 2 || string(events[0].Event) != string(m1.Body) {
			t.Errorf("%s got events %+v in epoch %q", name, events, got[0].Epoch)
		}
		if token := p.hubs[name].tokens[0]; token != "Bearer service-token" {
			t.Errorf("%s got token %q", name, token)
		}
	}
}

func TestTabThatWasAwayCatchesUp(t *testing.T) {
	t.Parallel()
	p := start(t)
	head := p.connect(t, alice, "hub-1#x", "a1", registry.Position{}).Position
	if err := p.registry.Unregister(t.Context(), alice, registry.Connection{Replica: "hub-1#x", ID: "a1"}); err != nil {
		t.Fatal(err)
	}
	_, m := outcome(t, alice, 1)
	p.handle(t, m)
	if got := p.hubs["hub-1#x"].deliveries(); len(got) != 0 {
		t.Errorf("pushed %+v to nobody", got)
	}
	if missed := p.connect(t, alice, "hub-1#x", "a2", head).Missed; len(missed) != 1 || string(missed[0].Event) != string(m.Body) {
		t.Errorf("missed = %v", missed)
	}
}

func TestRedeliveredOutcomeKeepsItsNumber(t *testing.T) {
	t.Parallel()
	p := start(t)
	p.connect(t, alice, "hub-1#x", "a1", registry.Position{})
	_, m := outcome(t, alice, 1)
	p.handle(t, m)
	p.handle(t, m)
	got := p.hubs["hub-1#x"].deliveries()
	if len(got) != 2 || got[0].Events[0].Number != 1 || got[1].Events[0].Number != 1 {
		t.Errorf("deliveries = %+v", got)
	}
}

func TestGoneConnectionIsForgottenAndAnUnreachableReplicaIsNot(t *testing.T) {
	t.Parallel()
	p := start(t)
	p.hubs["hub-1#x"].state = envelope.Gone
	p.connect(t, alice, "hub-1#x", "gone", registry.Position{})
	p.connect(t, alice, "hub-2#y", "deaf", registry.Position{})
	p.hubs["hub-2#y"].status = http.StatusInternalServerError
	_, m1 := outcome(t, alice, 1)
	_, m2 := outcome(t, alice, 2)
	p.handle(t, m1)
	p.handle(t, m2)
	if got := len(p.hubs["hub-1#x"].deliveries()); got != 1 {
		t.Errorf("the gone connection was posted to %d times, want 1", got)
	}
	if got := len(p.hubs["hub-2#y"].deliveries()); got != 2 {
		t.Errorf("the failing replica was posted to %d times, want 2", got)
	}
}

func TestWithoutRedisEveryReplicaIsAsked(t *testing.T) {
	t.Parallel()
	p := start(t)
	p.redis.Stop(t)
	_, m := outcome(t, alice, 1)
	if v := p.handle(t, m); v[0] != nil {
		t.Errorf("verdict = %v", v[0])
	}
	got := p.hubs["hub-1#x"].deliveries()
	if len(got) != 1 || got[0].Customer != alice || len(got[0].Connections) != 0 || got[0].Epoch != "" || got[0].Events[0].Number != 0 {
		t.Errorf("deliveries = %+v", got)
	}
}

func TestHubGoneLosesNothing(t *testing.T) {
	t.Parallel()
	p := start(t)
	head := p.connect(t, alice, "hub-1#x", "a1", registry.Position{}).Position
	p.hubs["hub-1#x"].Close()
	_, m := outcome(t, alice, 1)
	if v := p.handle(t, m); v[0] != nil {
		t.Errorf("verdict = %v", v[0])
	}
	if missed := p.connect(t, alice, "hub-2#y", "a2", head).Missed; len(missed) != 1 {
		t.Errorf("the reconnected tab missed %v", missed)
	}
}

func TestEventThatCannotBeReadIsNamedAndTheOthersGoOn(t *testing.T) {
	t.Parallel()
	p := start(t)
	p.connect(t, alice, "hub-1#x", "a1", registry.Position{})
	_, good := outcome(t, alice, 1)
	v := p.handle(t, bus.Message{ID: "bad", Body: []byte("{")}, good)
	if fault.KindOf(v[0]) != fault.Malformed || v[1] != nil {
		t.Errorf("verdicts = %v", v)
	}
	if got := p.hubs["hub-1#x"].deliveries(); len(got) != 1 {
		t.Errorf("deliveries = %+v", got)
	}
}

// TestEventThatAHubWouldRefuseIsNamed has events that encoding/json takes and
// ws-hub and browsers do not: among a push, one would spoil it for all.
func TestEventThatAHubWouldRefuseIsNamed(t *testing.T) {
	t.Parallel()
	p := start(t)
	p.connect(t, alice, "hub-1#x", "a1", registry.Position{})
	for name, c := range map[string]struct{ old, new string }{
		"not UTF-8":        {"/orders/process-session", "\xff"},
		"a name two times": {`"specversion":`, `"specversion":"1.0","specversion":`},
	} {
		_, m := outcome(t, alice, 1)
		m.Body = bytes.Replace(m.Body, []byte(c.old), []byte(c.new), 1)
		if v := p.handle(t, m); fault.KindOf(v[0]) != fault.Malformed {
			t.Errorf("%s: verdict = %v, want kind malformed", name, v[0])
		}
	}
	if got := p.hubs["hub-1#x"].deliveries(); len(got) != 0 {
		t.Errorf("deliveries = %+v", got)
	}
}

func TestEndedContextGivesTheBatchBack(t *testing.T) {
	t.Parallel()
	p := start(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, m := outcome(t, alice, 1)
	if verdicts, err := p.complete(ctx, []bus.Message{m}); err == nil {
		t.Errorf("verdicts %v for an event that was neither recorded nor pushed", verdicts)
	}
}

func TestSilentRedisHoldsABatchUpBriefly(t *testing.T) {
	t.Parallel()
	p := start(t)
	silent, err := net.Listen("tcp", "127.0.0.1:0") // nobody accepts, the kernel does
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	const timeout, customers = 500 * time.Millisecond, 64
	if p.registry, err = registry.New(registry.Config{URL: "redis://" + silent.Addr().String(), Timeout: timeout}); err != nil {
		t.Fatal(err)
	}
	defer p.registry.Close()
	var batch []bus.Message
	for n := range customers {
		_, m := outcome(t, fmt.Sprintf("%022d", n), n)
		batch = append(batch, m)
	}
	began := time.Now()
	p.handle(t, batch...)
	if took := time.Since(began); took > customers*timeout/2 {
		t.Errorf("%d customers took %s", customers, took)
	}
	if got := len(p.hubs["hub-1#x"].deliveries()); got != customers {
		t.Errorf("%d deliveries, want %d", got, customers)
	}
}

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/contoso/orders/shared/envelope"
	"github.com/contoso/orders/shared/fault"
	"github.com/contoso/orders/shared/registry"
	"github.com/contoso/orders/shared/registry/registrytest"
	"github.com/gorilla/websocket"
)

func TestWithoutTheRegistryTabsConnectAndHear(t *testing.T) {
	registrytest.Each(t, func(t *testing.T, s *registrytest.Server) {
		r := newRig(t, options{redis: func(testing.TB) *registrytest.Server { return s }})
		alice := customerOf("alice")
		before := r.open(t, "alice")

		s.Stop(t)
		ticket := r.ticket(t, token(t, apiAudience, "alice"))
		var tabs []*tab
		for range 2 { // a ticket cannot be spent just now
			ws, _, err := r.dial(ticket, websocket.Dialer{})
			if err != nil {
				t.Fatal(err)
			}
			defer ws.Close()
			tabs = append(tabs, &tab{t: t, ws: ws})
		}
		for _, tb := range tabs {
			tb.send(hello)
			tb.expect(`{}`)
			if at, _ := tb.resume(fresh); at != (position{}) {
				t.Errorf("a tab stands at %+v, want nowhere", at)
			}
		}
		tabs = append(tabs, before)
		reply := r.push(t, pushBody(alice, registry.Recorded{}, event(1)))
		for _, tb := range tabs {
			o := tb.outcome()
			if o.Epoch != "" || o.Number != 0 || o.Event != event(1) {
				t.Errorf("outcome %+v, want event 1 without a place", o)
			}
			tb.acknowledge(o)
		}
		for id, state := range states(<-reply) {
			if state != envelope.Acked {
				t.Errorf("connection %s: %s", id, state)
			}
		}

		eventually(t, "noticing", func() bool { return strings.Contains(r.logs.String(), "registry away") })
		s.Start(t) // and knows nothing
		for _, tb := range tabs {
			tb.expect(`{"type":1,"target":"resync","arguments":[]}`)
		}
		recorded := r.record(t, alice, event(2))
		if len(recorded.Connections) != len(tabs) {
			t.Errorf("%d connections are registered anew, want %d", len(recorded.Connections), len(tabs))
		}
		if n := strings.Count(r.logs.String(), "registry away"); n != 1 {
			t.Errorf("the log says %d times that the registry is away, want once", n)
		}
	})
}

func TestMetricsSayWhatIsOpen(t *testing.T) {
	r := newRig(t, options{})
	r.open(t, "alice")
	r.open(t, "bob")
	<-r.push(t, envelope.Push{Deliveries: []envelope.Delivery{{
		Customer: customerOf("alice"), Connections: []string{"unknown"}, Events: []envelope.Numbered{{Event: []byte(event(1))}},
	}}})
	_, metrics := ask(t, http.MethodGet, r.private+"/metrics", "", "")
	for _, want := range []string{"\nhub_connections 2\n", `hub_pushes_total{state="gone"}`, `hub_resumes_total{kind="fresh"}`, "hub_slow_consumers_total"} {
		if !strings.Contains(metrics, want) {
			t.Errorf("no %q among the metrics", want)
		}
	}
}

// forget makes the registry lose the customer's connections, and nothing else.
func (r *rig) forget(t *testing.T, customer string) {
	t.Helper()
	if err := r.redis.Client(t).Del(t.Context(), "{u:"+customer+"}:conns").Err(); err != nil {
		t.Fatal(err)
	}
}

func TestLostLeaseRegistersAnewAndCatchesUp(t *testing.T) {
	r := newRig(t, options{})
	alice := customerOf("alice")
	tb := r.open(t, "alice")
	r.forget(t, alice)
	missed := r.record(t, alice, event(1))
	if len(missed.Connections) != 0 {
		t.Fatal("the registry still knows the connection")
	}
	if err := r.redis.Client(t).Del(t.Context(), "hub:"+r.replica).Err(); err != nil {
		t.Fatal(err)
	}
	tb.expect(fmt.Sprintf(`{"type":1,"target":"outcome","arguments":[{"epoch":"%s","number":1,"event":{"id":"1/1"}}]}`, missed.Epoch))
	if n := len(r.record(t, alice, event(2)).Connections); n != 1 {
		t.Errorf("%d connections are registered, want 1", n)
	}
}

// deaf loses the answer of a heartbeat.
type deaf struct {
	connectionRegistry
	once atomic.Bool
}

func (d *deaf) Heartbeat(ctx context.Context, replica, pushURL string) (bool, error) {
	existed, err := d.connectionRegistry.Heartbeat(ctx, replica, pushURL)
	if d.once.Swap(false) {
		return false, errors.New("no answer")
	}
	return existed, err
}

func TestHeartbeatAfterAnErrorIsNotBelieved(t *testing.T) {
	d := &deaf{}
	r := newRig(t, options{wrap: func(reg connectionRegistry) connectionRegistry { d.connectionRegistry = reg; return d }})
	alice := customerOf("alice")
	r.open(t, "alice")
	r.forget(t, alice)
	d.once.Store(true) // the failed call may have begun the lease that the next one finds
	eventually(t, "registering anew", func() bool { return len(r.record(t, alice, event(1)).Connections) == 1 })
}

// sick answers for one customer what no version of the hub has asked for.
type sick struct {
	connectionRegistry
	customer string
}

func (s *sick) Register(ctx context.Context, customer string, c registry.Connection, expires time.Time, from registry.Position, limit int) (registry.Registered, error) {
	if customer == s.customer {
		return registry.Registered{}, fault.New(fault.Internal, "the registry's answer is not understood")
	}
	return s.connectionRegistry.Register(ctx, customer, c, expires, from, limit)
}

func TestCustomerWhoCannotBeRegisteredKeepsNobodyElseAdrift(t *testing.T) {
	r := newRig(t, options{wrap: func(reg connectionRegistry) connectionRegistry {
		return &sick{connectionRegistry: reg, customer: customerOf("alice")}
	}})
	r.open(t, "alice")
	const others = 15 // enough for some to come after alice, whatever the order
	for n := range others {
		r.open(t, fmt.Sprint("other", n))
	}
	r.redis.Flush(t)
	for n := range others {
		customer := customerOf(fmt.Sprint("other", n))
		eventually(t, "registering anew", func() bool { return len(r.record(t, customer, event(1)).Connections) == 1 })
	}
}

func TestForgottenWhileRegisteringIsRegisteredAnew(t *testing.T) {
	g := &gate{}
	r := newRig(t, options{wrap: gated(g)})
	alice := customerOf("alice")
	entered := g.shut()
	tb := r.connect(t, "alice")
	tb.send(`{"type":1,"invocationId":"r","target":"resume","arguments":[` + fresh + `]}`)
	<-entered                        // registered, and the answer is under way
	r.forget(t, alice)               // while the registry loses everything,
	r.index.of(alice)[0].forgotten() // as the heartbeat finds out
	g.open()
	eventually(t, "registering anew", func() bool { return len(r.record(t, alice, event(1)).Connections) == 1 })
}

func TestOutcomesPushedPastATabAreCaughtUpOn(t *testing.T) {
	r := newRig(t, options{})
	alice := customerOf("alice")
	tb := r.open(t, "alice")
	first := r.record(t, alice, event(1)) // its push never comes: the lease had lapsed, or the call failed
	second := r.record(t, alice, event(2))
	reply := r.push(t, pushBody(alice, second, event(2)))
	pushed := tb.outcome()
	if pushed.Number != 2 {
		t.Fatalf("outcome %+v, want the second", pushed)
	}
	tb.acknowledge(pushed)
	<-reply
	if got, want := tb.outcome(), (outcomeCall{"", first.Epoch, 1, event(1)}); got != want {
		t.Errorf("caught up on %+v, want %+v", got, want)
	}
}

func TestOutcomesOutOfOrderAreNotMissed(t *testing.T) {
	r := newRig(t, options{env: map[string]string{"HEARTBEAT_INTERVAL": "5s"}}) // none catches up in between
	alice := customerOf("alice")
	tb := r.open(t, "alice")
	events := []string{event(1), event(2), event(3)}
	recorded := r.record(t, alice, events...)
	s := r.index.of(alice)[0]
	for _, n := range []int{3, 2, 1} {
		one := recorded
		one.Numbers = []int64{int64(n)}
		reply := r.push(t, pushBody(alice, one, events[n-1]))
		tb.acknowledge(tb.outcome())
		<-reply
		if got, want := s.adrift(), n > 1; got != want {
			t.Errorf("after number %d: adrift %v, want %v", n, got, want)
		}
	}
}

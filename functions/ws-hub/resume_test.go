package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/contoso/orders/shared/envelope"
	"github.com/contoso/orders/shared/registry"
	"github.com/contoso/orders/shared/registry/registrytest"
	"github.com/google/go-cmp/cmp"
)

// event returns the n-th event of a test.
func event(n int) string { return fmt.Sprintf(`{"id":"%d/1"}`, n) }

func TestReconnectedTabGetsWhatItMissed(t *testing.T) {
	registrytest.Each(t, func(t *testing.T, s *registrytest.Server) {
		r := newRig(t, options{redis: func(testing.TB) *registrytest.Server { return s }})
		alice := customerOf("alice")
		r.record(t, alice, event(1))

		first := r.connect(t, "alice")
		at, before := first.resume(fresh)
		if at.Epoch == "" || at.Number != 1 || len(before) != 0 {
			t.Fatalf("a fresh tab stands at %+v after %q, want number 1 after nothing", at, before)
		}
		first.ws.Close()
		r.record(t, alice, event(2), event(3))

		second := r.connect(t, "alice")
		head, before := second.resume(fmt.Sprintf(`{"epoch":"%s","after":1}`, at.Epoch))
		want := []string{
			fmt.Sprintf(`{"type":1,"target":"outcome","arguments":[{"epoch":"%s","number":2,"event":{"id":"2/1"}}]}`, at.Epoch),
			fmt.Sprintf(`{"type":1,"target":"outcome","arguments":[{"epoch":"%s","number":3,"event":{"id":"3/1"}}]}`, at.Epoch),
		}
		if diff := cmp.Diff(want, before); diff != "" {
			t.Errorf("caught up by (-want +got):\n%s", diff)
		}
		if head != (position{Epoch: at.Epoch, Number: 3}) {
			t.Errorf("the tab stands at %+v, want number 3", head)
		}
	})
}

func TestTabWithAnUnknownPositionIsToldToAsk(t *testing.T) {
	r := newRig(t, options{})
	r.record(t, customerOf("alice"), event(1))
	for _, from := range []string{`{"epoch":"other","after":1}`, `{"epoch":"other","after":9223372036854775807}`} {
		at, before := r.connect(t, "alice").resume(from)
		if diff := cmp.Diff([]string{`{"type":1,"target":"resync","arguments":[]}`}, before); diff != "" {
			t.Errorf("from %s (-want +got):\n%s", from, diff)
		}
		if at.Number != 1 {
			t.Errorf("from %s: the tab stands at %+v", from, at)
		}
	}
}

func TestCatchUpLargerThanTheQueueArrives(t *testing.T) {
	r := newRig(t, options{})
	alice := customerOf("alice")
	var events []string
	for n := range registry.MaxEvents { // far more frames' worth than queueFrames, were each its own
		events = append(events, fmt.Sprintf(`{"id":"%d/1","data":"%s"}`, n, strings.Repeat("x", 15<<10)))
	}
	recorded := r.record(t, alice, events...)
	_, before := r.connect(t, "alice").resume(fmt.Sprintf(`{"epoch":"%s","after":0}`, recorded.Epoch))
	if len(before) != len(events) {
		t.Errorf("%d outcomes, want %d", len(before), len(events))
	}
	if slow := strings.Contains(r.logs.String(), "slow"); slow {
		t.Error("catching up cut the connection")
	}
}

// gate stops Register between the script and its answer.
type gate struct {
	connectionRegistry
	mu      sync.Mutex
	entered chan struct{} // nil lets everything pass
	release chan struct{}
}

func (g *gate) Register(ctx context.Context, customer string, c registry.Connection, expires time.Time, from registry.Position, limit int) (registry.Registered, error) {
	registered, err := g.connectionRegistry.Register(ctx, customer, c, expires, from, limit)
	g.mu.Lock()
	entered, release := g.entered, g.release
	g.mu.Unlock()
	if entered != nil {
		entered <- struct{}{}
		<-release
	}
	return registered, err
}

// shut stops what comes from now on, and returns a channel that tells of each.
func (g *gate) shut() (entered <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.entered, g.release = make(chan struct{}), make(chan struct{})
	return g.entered
}

// open lets everything go on.
func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.release)
	g.entered = nil
}

func gated(g *gate) func(connectionRegistry) connectionRegistry {
	return func(reg connectionRegistry) connectionRegistry {
		g.connectionRegistry = reg
		return g
	}
}

func TestPushDuringResumeIsHeldBackAndNotDoubled(t *testing.T) {
	g := &gate{}
	r := newRig(t, options{wrap: gated(g)})
	alice := customerOf("alice")
	first := r.record(t, alice, event(1))

	entered := g.shut()
	tb := r.connect(t, "alice")
	tb.send(fmt.Sprintf(`{"type":1,"invocationId":"r","target":"resume","arguments":[{"epoch":"%s","after":0}]}`, first.Epoch))
	<-entered                              // registered, and event 1 is caught up on
	second := r.record(t, alice, event(2)) // so this one finds the connection
	news := r.push(t, pushBody(alice, second, event(2)))
	late := r.push(t, pushBody(alice, registry.Recorded{Epoch: first.Epoch, Numbers: first.Numbers}, event(1))) // to all
	held := func() int {
		s := r.index.of(alice)[0]
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.held)
	}
	eventually(t, "two pushes held back", func() bool { return held() == 2 })
	g.open()

	if got, want := tb.outcome(), (outcomeCall{"", first.Epoch, 1, event(1)}); got != want {
		t.Errorf("first %+v, want %+v", got, want)
	}
	o := tb.outcome()
	if want := (outcomeCall{"1", first.Epoch, 2, event(2)}); o != want {
		t.Errorf("then %+v, want %+v", o, want)
	}
	tb.expect(fmt.Sprintf(`{"type":3,"invocationId":"r","result":{"epoch":"%s","number":2}}`, first.Epoch))
	tb.acknowledge(o)
	tb.quiet()
	id := second.Connections[0].ID
	if got := states(<-news)[id]; got != envelope.Acked {
		t.Errorf("the news are %s, want acked", got)
	}
	if got := states(<-late)[id]; got != envelope.Sent {
		t.Errorf("what was caught up on is %s, want sent", got)
	}
}

func TestTooManyPushesDuringResumeCutTheConnection(t *testing.T) {
	g := &gate{}
	r := newRig(t, options{wrap: gated(g)})
	alice := customerOf("alice")
	entered := g.shut()
	tb := r.connect(t, "alice")
	tb.send(`{"type":1,"invocationId":"r","target":"resume","arguments":[` + fresh + `]}`)
	<-entered
	d := envelope.Delivery{Customer: alice}
	for range registry.MaxBatch {
		d.Events = append(d.Events, envelope.Numbered{Event: json.RawMessage(event(1))})
	}
	var replies []<-chan envelope.PushReply
	for range 1 + maxHeld/registry.MaxBatch {
		replies = append(replies, r.push(t, envelope.Push{Deliveries: []envelope.Delivery{d}}))
	}
	tb.expectEnd(0)
	g.open()
	for _, reply := range replies { // at once, although nobody will acknowledge
		for id, state := range states(<-reply) {
			if state != envelope.Gone {
				t.Errorf("connection %s: %s, want gone", id, state)
			}
		}
	}
}

func TestPanicEndsOneConnectionOnly(t *testing.T) {
	bomb := &bomb{}
	r := newRig(t, options{wrap: func(reg connectionRegistry) connectionRegistry {
		bomb.connectionRegistry = reg
		return bomb
	}})
	other := r.open(t, "bob")
	tb := r.connect(t, "alice")
	tb.send(`{"type":1,"invocationId":"r","target":"resume","arguments":[` + fresh + `]}`)
	tb.expectEnd(0)
	eventually(t, "forgetting the connection", func() bool { return r.index.of(customerOf("alice")) == nil })
	other.quiet()
	if !strings.Contains(r.logs.String(), "connection handler panicked") {
		t.Error("the panic is not logged")
	}
}

// bomb panics when alice registers.
type bomb struct{ connectionRegistry }

func (b *bomb) Register(ctx context.Context, customer string, c registry.Connection, expires time.Time, from registry.Position, limit int) (registry.Registered, error) {
	if customer == customerOf("alice") {
		panic("boom")
	}
	return b.connectionRegistry.Register(ctx, customer, c, expires, from, limit)
}

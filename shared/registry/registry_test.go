package registry_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/contoso/orders/shared/fault"
	"github.com/contoso/orders/shared/registry"
	"github.com/contoso/orders/shared/registry/registrytest"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
)

const (
	alice = "alice-22-characters-xx"
	bob   = "bob-has-22-characters-"

	// plenty is more connections than a test opens.
	plenty = 100
	// patience is how long something that must happen may take.
	patience = 10 * time.Second
)

var (
	tab1 = registry.Connection{Replica: "hub-0#boot", ID: "tab-1"}
	tab2 = registry.Connection{Replica: "hub-1#boot", ID: "tab-2"}
)

func open(tb testing.TB, s *registrytest.Server) *registry.Registry {
	tb.Helper()
	return openWithin(tb, s, 5*time.Second)
}

func openWithin(tb testing.TB, s *registrytest.Server, timeout time.Duration) *registry.Registry {
	tb.Helper()
	r, err := registry.New(registry.Config{URL: s.URL, Timeout: timeout})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { r.Close() })
	return r
}

// each runs test with a registry on every kind of server.
func each(t *testing.T, test func(t *testing.T, s *registrytest.Server, r *registry.Registry)) {
	t.Helper()
	registrytest.Each(t, func(t *testing.T, s *registrytest.Server) { test(t, s, open(t, s)) })
}

func register(tb testing.TB, r *registry.Registry, customer string, c registry.Connection, from registry.Position) registry.Registered {
	tb.Helper()
	got, err := r.Register(tb.Context(), customer, c, time.Now().Add(time.Hour), from, plenty)
	if err != nil {
		tb.Fatal(err)
	}
	return got
}

func record(tb testing.TB, r *registry.Registry, customer string, events ...registry.Event) registry.Recorded {
	tb.Helper()
	got, err := r.Record(tb.Context(), customer, events)
	if err != nil {
		tb.Fatal(err)
	}
	return got
}

// outcomes returns n events of orders never seen before.
func outcomes(n int) []registry.Event {
	events := make([]registry.Event, n)
	for i := range events {
		id := uuid.New()
		events[i] = registry.Event{
			ID: id.String() + "/1", CorrelationID: id,
			Body: fmt.Appendf(nil, `{ "id":"%s/1", "text":"a | b\r\n\u0000 ü" }`, id),
		}
	}
	return events
}

// numbered is what a tab is given for events whose numbers begin after offset.
func numbered(offset int64, events []registry.Event) []registry.Numbered {
	var all []registry.Numbered
	for i, e := range events {
		all = append(all, registry.Numbered{Number: offset + int64(i) + 1, Event: e.Body})
	}
	return all
}

func wantKind(tb testing.TB, err error, want fault.Kind) {
	tb.Helper()
	if err == nil || fault.KindOf(err) != want {
		tb.Errorf("error %v has kind %v, want %v", err, fault.KindOf(err), want)
	}
}

func wantDiff(tb testing.TB, what string, want, got any, options ...cmp.Option) {
	tb.Helper()
	if diff := cmp.Diff(want, got, options...); diff != "" {
		tb.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

var anyOrder = cmpopts.SortSlices(func(a, b registry.Connection) bool { return a.ID < b.ID })

func TestTabCatchesUpInOrder(t *testing.T) {
	each(t, func(t *testing.T, _ *registrytest.Server, r *registry.Registry) {
		start := register(t, r, alice, tab1, registry.Position{})
		if start.Position.Epoch == "" || start.Position.Number != 0 {
			t.Fatalf("the first head is %+v, want number 0 of some epoch", start.Position)
		}
		events := outcomes(5)
		first := record(t, r, alice, events[:3]...)
		wantDiff(t, "first three", registry.Recorded{
			Epoch: start.Position.Epoch, Numbers: []int64{1, 2, 3}, Connections: []registry.Connection{tab1},
		}, first)
		record(t, r, alice, events[3:]...)

		head := registry.Position{Epoch: start.Position.Epoch, Number: 5}
		wantDiff(t, "from the start", registry.Registered{Position: head, Missed: numbered(0, events)},
			register(t, r, alice, tab2, start.Position))
		wantDiff(t, "from number 3", registry.Registered{Position: head, Missed: numbered(3, events[3:])},
			register(t, r, alice, tab2, registry.Position{Epoch: head.Epoch, Number: 3}))
		wantDiff(t, "from the head", registry.Registered{Position: head},
			register(t, r, alice, tab2, head))
	})
}

func TestFreshTabGetsNoEvents(t *testing.T) {
	each(t, func(t *testing.T, _ *registrytest.Server, r *registry.Registry) {
		recorded := record(t, r, alice, outcomes(3)...)
		wantDiff(t, "fresh tab", registry.Registered{Position: registry.Position{Epoch: recorded.Epoch, Number: 3}},
			register(t, r, alice, tab1, registry.Position{}))
	})
}

func TestCustomersAreApart(t *testing.T) {
	each(t, func(t *testing.T, _ *registrytest.Server, r *registry.Registry) {
		mine := register(t, r, alice, tab1, registry.Position{})
		theirs := record(t, r, bob, outcomes(2)...)
		if len(theirs.Connections) != 0 || theirs.Epoch == mine.Position.Epoch {
			t.Errorf("bob's outcomes go to %v in epoch %q, which is alice's", theirs.Connections, theirs.Epoch)
		}
		stolen := register(t, r, alice, tab1, registry.Position{Epoch: theirs.Epoch, Number: 0})
		if !stolen.Resync || len(stolen.Missed) != 0 {
			t.Errorf("a tab that names another customer's epoch gets %+v, want resync and nothing else", stolen)
		}
	})
}

func TestPositionThatCannotBeCaughtUpFromResyncs(t *testing.T) {
	each(t, func(t *testing.T, s *registrytest.Server, r *registry.Registry) {
		start := register(t, r, alice, tab1, registry.Position{}).Position
		events := outcomes(registry.MaxEvents + 1)
		record(t, r, alice, events[:1]...)
		record(t, r, alice, events[1:]...)
		at := func(n int64) registry.Position { return registry.Position{Epoch: start.Epoch, Number: n} }
		head := at(registry.MaxEvents + 1)

		oldest := register(t, r, alice, tab1, at(1))
		wantDiff(t, "as old as the list", registry.Registered{Position: head, Missed: numbered(1, events[1:])}, oldest)

		resync := registry.Registered{Position: head, Resync: true}
		for name, from := range map[string]registry.Position{
			"older than the list": at(0),
			"another epoch":       {Epoch: "another", Number: head.Number},
			"of the future":       at(head.Number + 1),
			"negative":            at(-1),
			"largest":             at(1<<63 - 1),
			"smallest":            at(-1 << 63),
		} {
			wantDiff(t, name, resync, register(t, r, alice, tab1, from))
		}

		// The list alone is lost, as an eviction for want of memory would do it.
		if err := s.Client(t).Del(t.Context(), "{u:"+alice+"}:events").Err(); err != nil {
			t.Fatal(err)
		}
		wantDiff(t, "the list is gone", resync, register(t, r, alice, tab1, at(50)))
	})
}

func TestLostNumbersBeginAnotherEpoch(t *testing.T) {
	losses := map[string]func(t *testing.T, s *registrytest.Server){
		"flushed": func(t *testing.T, s *registrytest.Server) { s.Flush(t) },
		"expired": func(t *testing.T, s *registrytest.Server) { s.FastForward(t, 24*time.Hour) },
		"evicted": func(t *testing.T, s *registrytest.Server) {
			if err := s.Client(t).Del(t.Context(), "{u:"+alice+"}:seq").Err(); err != nil {
				t.Fatal(err)
			}
		},
	}
	for name, lose := range losses {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, s *registrytest.Server, r *registry.Registry) {
				events := outcomes(4)
				before := record(t, r, alice, events[:2]...)
				lose(t, s)
				after := record(t, r, alice, events[2:]...)
				if after.Epoch == before.Epoch {
					t.Error("the epoch is still the old one")
				}
				wantDiff(t, "numbers", []int64{1, 2}, after.Numbers)

				head := registry.Position{Epoch: after.Epoch, Number: 2}
				wantDiff(t, "tab of the old epoch", registry.Registered{Position: head, Resync: true},
					register(t, r, alice, tab1, registry.Position{Epoch: before.Epoch, Number: 2}))
				wantDiff(t, "tab of the new epoch", registry.Registered{Position: head, Missed: numbered(0, events[2:])},
					register(t, r, alice, tab1, registry.Position{Epoch: after.Epoch}))
				wantDiff(t, "an event of the old epoch again", []int64{3}, record(t, r, alice, events[0]).Numbers)
			})
		})
	}
}

func TestRedeliveredEventKeepsItsNumber(t *testing.T) {
	each(t, func(t *testing.T, _ *registrytest.Server, r *registry.Registry) {
		events := outcomes(registry.MaxEvents)
		record(t, r, alice, events...)
		replayed := events[0]
		replayed.ID = replayed.CorrelationID.String() + "/2"

		again := record(t, r, alice, events[0], events[99], replayed, replayed)
		wantDiff(t, "numbers", []int64{1, 100, 101, 101}, again.Numbers)

		caughtUp := register(t, r, alice, tab1, registry.Position{Epoch: again.Epoch, Number: 98})
		wantDiff(t, "events", numbered(98, []registry.Event{events[98], events[99], replayed}), caughtUp.Missed)

		// The first event has left the list by now, and with it its number.
		wantDiff(t, "numbers", []int64{102}, record(t, r, alice, events[0]).Numbers)
	})
}

func TestRecordKeepsToItsLimits(t *testing.T) {
	each(t, func(t *testing.T, _ *registrytest.Server, r *registry.Registry) {
		_, err := r.Record(t.Context(), alice, outcomes(registry.MaxBatch+1))
		wantKind(t, err, fault.Invalid)
		wantDiff(t, "no events", registry.Recorded{}, record(t, r, alice))
		wantDiff(t, "a full batch", int64(registry.MaxBatch), slices.Max(record(t, r, alice, outcomes(registry.MaxBatch)...).Numbers))
	})
}

func TestAnswerOfUnexpectedShapeIsInternal(t *testing.T) {
	each(t, func(t *testing.T, s *registrytest.Server, r *registry.Registry) {
		epoch := record(t, r, alice, outcomes(1)...).Epoch
		ctx, c := t.Context(), s.Client(t)

		c.RPush(ctx, "{u:"+alice+"}:events", "no number in front")
		c.HSet(ctx, "{u:"+alice+"}:seq", "number", 2)
		_, err := r.Register(ctx, alice, tab1, time.Now().Add(time.Hour), registry.Position{Epoch: epoch, Number: 1}, plenty)
		wantKind(t, err, fault.Internal)

		c.Set(ctx, "{u:"+bob+"}:conns", "not a hash", 0)
		_, err = r.Register(ctx, bob, tab1, time.Now().Add(time.Hour), registry.Position{}, plenty)
		wantKind(t, err, fault.Internal)

		c.ZAdd(ctx, "{u:"+bob+"}:pending", zMember("not a uuid"))
		_, err = r.Pending(ctx, bob)
		wantKind(t, err, fault.Internal)
	})
}

// TestEveryCallStaysInOneSlot runs each call on a node that refuses anything else.
func TestEveryCallStaysInOneSlot(t *testing.T) {
	s := registrytest.Cluster(t)
	r, ctx := open(t, s), t.Context()
	id := uuid.New()
	calls := map[string]func() error{
		"Register": func() error {
			_, err := r.Register(ctx, alice, tab1, time.Now().Add(time.Hour), registry.Position{}, 1)
			return err
		},
		"Unregister": func() error { return r.Unregister(ctx, alice, tab2) },
		"Record":     func() error { _, err := r.Record(ctx, alice, outcomes(2)); return err },
		"Heartbeat":  func() error { _, err := r.Heartbeat(ctx, tab1.Replica, "http://a"); return err },
		"PushURLs":   func() error { _, err := r.PushURLs(ctx, []string{"a", "b", tab1.Replica}); return err },
		"EndLease":   func() error { return r.EndLease(ctx, tab1.Replica) },
		"AddPending": func() error { return r.AddPending(ctx, alice, id, time.Now()) },
		"Pending":    func() error { _, err := r.Pending(ctx, alice); return err },
		"Claim":      func() error { return r.Claim(ctx, id, [32]byte{}) },
		"SpendTicket": func() error {
			_, err := r.SpendTicket(ctx, "ticket", time.Minute)
			return err
		},
		"Ping": func() error { return r.Ping(ctx) },
	}
	for name, call := range calls {
		if err := call(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEveryKeyExpires(t *testing.T) {
	each(t, func(t *testing.T, s *registrytest.Server, r *registry.Registry) {
		ctx, id := t.Context(), uuid.New()
		register(t, r, alice, tab1, registry.Position{}) // for an hour
		if _, err := r.Register(ctx, alice, tab2, time.Now().Add(time.Minute), registry.Position{}, plenty); err != nil {
			t.Fatal(err)
		}
		record(t, r, alice, outcomes(1)...)
		for _, err := range []error{
			r.AddPending(ctx, alice, id, time.Now()),
			r.Claim(ctx, id, [32]byte{}),
			second(r.Heartbeat(ctx, tab1.Replica, "http://a")),
			second(r.SpendTicket(ctx, "t", 30*time.Second)),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		want := map[string]time.Duration{
			"{u:" + alice + "}:conns":    time.Hour + time.Minute,
			"{u:" + alice + "}:seq":      24 * time.Hour,
			"{u:" + alice + "}:events":   24 * time.Hour,
			"{u:" + alice + "}:ids":      24 * time.Hour,
			"{u:" + alice + "}:pending":  24 * time.Hour,
			"corr:{" + id.String() + "}": 24 * time.Hour,
			"hub:" + tab1.Replica:        15 * time.Second,
			"ticket:t":                   30 * time.Second,
		}
		got := map[string]time.Duration{}
		c := s.Client(t)
		keys := c.Scan(ctx, 0, "*", 0).Iterator()
		for keys.Next(ctx) {
			got[keys.Val()] = c.PTTL(ctx, keys.Val()).Val()
		}
		wantDiff(t, "times to live", want, got, cmp.Comparer(func(a, b time.Duration) bool {
			return (a - b).Abs() < 5*time.Second
		}))
	})
}

func second[T any](_ T, err error) error { return err }

// eventually waits for something that must happen.
func eventually(tb testing.TB, what string, happened func() bool) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !happened() {
		select {
		case <-ctx.Done():
			tb.Fatalf("%s: not within %v", what, patience)
		case <-tick.C:
		}
	}
}

// names are the connections' ids, in their order.
func names(connections []registry.Connection) string {
	var ids []string
	for _, c := range connections {
		ids = append(ids, c.ID)
	}
	return strings.Join(ids, " ")
}

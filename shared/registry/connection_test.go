package registry_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/contoso/orders/shared/fault"
	"github.com/contoso/orders/shared/registry"
	"github.com/contoso/orders/shared/registry/registrytest"
)

func TestCapEvictsTheOldest(t *testing.T) {
	each(t, func(t *testing.T, _ *registrytest.Server, r *registry.Registry) {
		connect := func(name string, life time.Duration, most int) string {
			t.Helper()
			c := registry.Connection{Replica: "hub#boot", ID: name}
			got, err := r.Register(t.Context(), alice, c, time.Now().Add(life), registry.Position{}, most)
			if err != nil {
				t.Fatal(err)
			}
			return names(got.Evicted)
		}
		// The oldest has the longest life and the last name: neither must matter.
		for i, name := range []string{"z", "a", "y", "b"} {
			if evicted := connect(name, time.Hour-time.Duration(i)*time.Minute, 4); evicted != "" {
				t.Errorf("connection %d of 4 evicts %q", i+1, evicted)
			}
		}
		steps := []struct{ name, connection, want string }{
			{"one over", "c", "z"},
			{"the oldest comes again", "a", ""},
			{"which makes it no younger", "d", "a"},
		}
		for _, step := range steps {
			if got := connect(step.connection, time.Minute, 4); got != step.want {
				t.Errorf("%s: evicts %q, want %q", step.name, got, step.want)
			}
		}
		if got := connect("y", time.Hour, 2); got != "b c" {
			t.Errorf("a lower cap evicts %q, want the oldest others, b and c", got)
		}
		wantDiff(t, "live", "d y", names(sorted(record(t, r, alice, outcomes(1)...).Connections)))
	})
}

func TestExpiredConnectionsAreNotReturned(t *testing.T) {
	each(t, func(t *testing.T, s *registrytest.Server, r *registry.Registry) {
		expiring := func(c registry.Connection, life time.Duration) {
			t.Helper()
			if _, err := r.Register(t.Context(), alice, c, time.Now().Add(life), registry.Position{}, plenty); err != nil {
				t.Fatal(err)
			}
		}
		expiring(tab1, time.Hour)
		expiring(tab2, 50*time.Millisecond)
		eventually(t, "the second tab expires", func() bool {
			return names(record(t, r, alice, outcomes(1)...).Connections) == "tab-1"
		})

		// The next registration forgets it, and does not count it as evicted.
		tab3 := registry.Connection{Replica: "hub#boot", ID: "tab-3"}
		got, err := r.Register(t.Context(), alice, tab3, time.Now().Add(time.Hour), registry.Position{}, 2)
		if err != nil || len(got.Evicted) != 0 {
			t.Errorf("evicted %v, %v, want none", got.Evicted, err)
		}
		if n := s.Client(t).HLen(t.Context(), "{u:"+alice+"}:conns").Val(); n != 2 {
			t.Errorf("%d connections are kept, want 2", n)
		}

		s.FastForward(t, time.Hour+61*time.Second)
		if n := s.Client(t).Exists(t.Context(), "{u:"+alice+"}:conns").Val(); n != 0 {
			t.Error("the connections outlive the last of them by more than a minute")
		}
	})
}

func TestUnregisteredConnectionIsNotReturned(t *testing.T) {
	each(t, func(t *testing.T, _ *registrytest.Server, r *registry.Registry) {
		register(t, r, alice, tab1, registry.Position{})
		register(t, r, alice, tab2, registry.Position{})
		for range 2 { // the second time it is gone already
			if err := r.Unregister(t.Context(), alice, tab1); err != nil {
				t.Fatal(err)
			}
		}
		wantDiff(t, "live", []registry.Connection{tab2}, record(t, r, alice, outcomes(1)...).Connections)
	})
}

func TestConnectionsAreReturnedAsRegistered(t *testing.T) {
	each(t, func(t *testing.T, _ *registrytest.Server, r *registry.Registry) {
		odd := registry.Connection{Replica: "hub-0#3 f", ID: "a|b c|"}
		register(t, r, alice, odd, registry.Position{})
		register(t, r, alice, tab1, registry.Position{})
		wantDiff(t, "live", []registry.Connection{odd, tab1}, record(t, r, alice, outcomes(1)...).Connections, anyOrder)
	})
}

func TestRegisterRefusesWhatItCannotKeep(t *testing.T) {
	s := registrytest.Mini(t)
	r := open(t, s)
	for name, c := range map[string]registry.Connection{
		"no replica":          {ID: "1"},
		"no id":               {Replica: "hub"},
		"separator in a name": {Replica: "hub|0", ID: "1"},
	} {
		if _, err := r.Register(t.Context(), alice, c, time.Now().Add(time.Hour), registry.Position{}, 1); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v, want kind invalid", name, err)
		}
	}
	_, err := r.Register(t.Context(), alice, tab1, time.Now().Add(time.Hour), registry.Position{}, 0)
	wantKind(t, err, fault.Invalid)
}

func TestHeartbeatTellsWhetherTheLeaseHeld(t *testing.T) {
	each(t, func(t *testing.T, s *registrytest.Server, r *registry.Registry) {
		beat := func(want bool) {
			t.Helper()
			if existed, err := r.Heartbeat(t.Context(), tab1.Replica, "http://10.0.0.1:8081"); err != nil || existed != want {
				t.Errorf("heartbeat: %v, %v, want %v", existed, err, want)
			}
		}
		beat(false)
		beat(true)
		s.FastForward(t, registry.LeaseTTL-time.Second)
		beat(true) // and so for another 15 s
		s.FastForward(t, registry.LeaseTTL-time.Second)
		beat(true)
		s.FastForward(t, registry.LeaseTTL)
		beat(false)
		for range 2 {
			if err := r.EndLease(t.Context(), tab1.Replica); err != nil {
				t.Fatal(err)
			}
		}
		beat(false)
	})
}

func TestPushURLsAreThoseWithALease(t *testing.T) {
	each(t, func(t *testing.T, s *registrytest.Server, r *registry.Registry) {
		lookUp := func(replicas ...string) map[string]string {
			t.Helper()
			urls, err := r.PushURLs(t.Context(), replicas)
			if err != nil {
				t.Fatal(err)
			}
			return urls
		}
		for i := range 3 {
			if _, err := r.Heartbeat(t.Context(), fmt.Sprintf("hub-%d", i), fmt.Sprintf("http://10.0.0.%d", i)); err != nil {
				t.Fatal(err)
			}
		}
		wantDiff(t, "all alive", map[string]string{"hub-0": "http://10.0.0.0", "hub-2": "http://10.0.0.2"},
			lookUp("hub-0", "never-seen", "hub-2", "hub-0"))
		wantDiff(t, "nobody asked for", map[string]string{}, lookUp())

		s.FastForward(t, registry.LeaseTTL-time.Second)
		if _, err := r.Heartbeat(t.Context(), "hub-1", "http://10.0.1.1"); err != nil {
			t.Fatal(err)
		}
		s.FastForward(t, 2*time.Second)
		wantDiff(t, "one renewed, and moved", map[string]string{"hub-1": "http://10.0.1.1"}, lookUp("hub-0", "hub-1", "hub-2"))
	})
}

func TestRegisterBeginsAnEpochWithoutOldEvents(t *testing.T) {
	each(t, func(t *testing.T, s *registrytest.Server, r *registry.Registry) {
		events := outcomes(2)
		record(t, r, alice, events...)
		if err := s.Client(t).Del(t.Context(), "{u:"+alice+"}:seq").Err(); err != nil {
			t.Fatal(err)
		}
		start := register(t, r, alice, tab1, registry.Position{}).Position
		wantDiff(t, "numbers", []int64{1}, record(t, r, alice, events[1]).Numbers)
		wantDiff(t, "events", numbered(0, events[1:]), register(t, r, alice, tab1, start).Missed)
	})
}

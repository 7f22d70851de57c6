package registry_test

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/contoso/orders/shared/fault"
	"github.com/contoso/orders/shared/registry"
	"github.com/contoso/orders/shared/registry/registrytest"
	"github.com/google/uuid"
)

// everyCall is each call once, by name.
func everyCall(ctx context.Context, r *registry.Registry) map[string]error {
	_, register := r.Register(ctx, alice, tab1, time.Now().Add(time.Hour), registry.Position{}, 1)
	_, record := r.Record(ctx, alice, outcomes(1))
	_, heartbeat := r.Heartbeat(ctx, "hub", "http://a")
	_, pushURLs := r.PushURLs(ctx, []string{"hub"})
	_, pending := r.Pending(ctx, alice)
	_, spend := r.SpendTicket(ctx, "ticket", time.Minute)
	return map[string]error{
		"Ping": r.Ping(ctx), "Register": register, "Unregister": r.Unregister(ctx, alice, tab1),
		"Record": record, "Heartbeat": heartbeat, "EndLease": r.EndLease(ctx, "hub"),
		"PushURLs": pushURLs, "AddPending": r.AddPending(ctx, alice, uuid.New(), time.Now()),
		"Pending": pending, "Claim": r.Claim(ctx, uuid.New(), [32]byte{}), "SpendTicket": spend,
	}
}

func TestStoppedRedisIsUnavailableAndComesBack(t *testing.T) {
	registrytest.Each(t, func(t *testing.T, s *registrytest.Server) {
		r := openWithin(t, s, 500*time.Millisecond)
		epoch := record(t, r, alice, outcomes(1)...).Epoch
		s.Stop(t)
		for name, err := range everyCall(t.Context(), r) {
			if err == nil || fault.KindOf(err) != fault.Unavailable {
				t.Errorf("%s: %v, want kind unavailable", name, err)
			}
		}
		s.Start(t)
		eventually(t, "Redis is back", func() bool { return r.Ping(t.Context()) == nil })
		for name, err := range everyCall(t.Context(), r) {
			if err != nil {
				t.Errorf("after the restart, %s: %v", name, err)
			}
		}
		if !register(t, r, alice, tab1, registry.Position{Epoch: epoch, Number: 1}).Resync {
			t.Error("a restart without the keys must resync")
		}
	})
}

func TestRedisMayComeLater(t *testing.T) {
	s := registrytest.Real(t)
	s.Stop(t)
	r := open(t, s)
	wantKind(t, r.Ping(t.Context()), fault.Unavailable)
	s.Start(t)
	eventually(t, "Redis comes", func() bool { return r.Ping(t.Context()) == nil })
}

// TestSilentRedisIsUnavailableInTime asks a server that accepts and says nothing.
func TestSilentRedisIsUnavailableInTime(t *testing.T) {
	r, err := registry.New(registry.Config{URL: "redis://" + silence(t), Timeout: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	begin := time.Now()
	calls := everyCall(t.Context(), r)
	for name, err := range calls {
		if err == nil || fault.KindOf(err) != fault.Unavailable {
			t.Errorf("%s: %v, want kind unavailable", name, err)
		}
	}
	// A quarter of a second each is ample for 50 ms, on a busy machine too.
	if took := time.Since(begin); took > time.Duration(len(calls))*250*time.Millisecond {
		t.Errorf("%d calls took %v", len(calls), took)
	}
}

func TestCallersDeadlineCounts(t *testing.T) {
	r, err := registry.New(registry.Config{URL: "redis://" + silence(t), Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	begin := time.Now()
	_, err = r.Record(ctx, alice, outcomes(1))
	wantKind(t, err, fault.Unavailable)
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("the call took %v", took)
	}
}

func TestRedisThatCannotServeNowIsUnavailable(t *testing.T) {
	s := registrytest.Real(t)
	r := open(t, s)
	if err := r.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	// One byte of memory: scripts that write are refused with OOM.
	if err := s.Client(t).ConfigSet(t.Context(), "maxmemory", "1").Err(); err != nil {
		t.Fatal(err)
	}
	_, err := r.Record(t.Context(), alice, outcomes(1))
	wantKind(t, err, fault.Unavailable)
	_, err = r.Heartbeat(t.Context(), "hub", "http://a") // a transaction, which is refused as a whole
	wantKind(t, err, fault.Unavailable)
}

// silence returns the address of a listener that never answers.
func silence(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var accepting sync.WaitGroup
	accepting.Go(func() {
		var held []net.Conn
		for {
			c, err := l.Accept()
			if err != nil {
				break
			}
			held = append(held, c)
		}
		for _, c := range held {
			c.Close()
		}
	})
	t.Cleanup(func() {
		l.Close()
		accepting.Wait()
	})
	return l.Addr().String()
}

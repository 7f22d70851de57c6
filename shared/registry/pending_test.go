package registry_test

import (
	"crypto/sha256"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/contoso/orders/shared/fault"
	"github.com/contoso/orders/shared/registry"
	"github.com/contoso/orders/shared/registry/registrytest"
	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
)

func zMember(member string) redis.Z {
	return redis.Z{Score: float64(time.Now().UnixMilli()), Member: member}
}

func sorted(connections []registry.Connection) []registry.Connection {
	return slices.SortedFunc(slices.Values(connections), func(a, b registry.Connection) int {
		return strings.Compare(a.ID, b.ID)
	})
}

func pending(tb testing.TB, r *registry.Registry, customer string) []registry.Pending {
	tb.Helper()
	got, err := r.Pending(tb.Context(), customer)
	if err != nil {
		tb.Fatal(err)
	}
	return got
}

func addPending(tb testing.TB, r *registry.Registry, id uuid.UUID, at time.Time) {
	tb.Helper()
	if err := r.AddPending(tb.Context(), alice, id, at); err != nil {
		tb.Fatal(err)
	}
}

func TestOrderIsPendingUntilItsOutcome(t *testing.T) {
	each(t, func(t *testing.T, _ *registrytest.Server, r *registry.Registry) {
		now := time.Now().UTC().Truncate(time.Millisecond)
		events := outcomes(3)
		for i, e := range events {
			addPending(t, r, e.CorrelationID, now.Add(time.Duration(i)*time.Millisecond))
		}
		addPending(t, r, events[0].CorrelationID, now.Add(time.Second)) // a retried POST
		wantDiff(t, "newest first", []registry.Pending{
			{CorrelationID: events[2].CorrelationID, AcceptedAt: now.Add(2 * time.Millisecond)},
			{CorrelationID: events[1].CorrelationID, AcceptedAt: now.Add(time.Millisecond)},
			{CorrelationID: events[0].CorrelationID, AcceptedAt: now},
		}, pending(t, r, alice))

		record(t, r, alice, events[0], events[2])
		wantDiff(t, "after two outcomes", []registry.Pending{
			{CorrelationID: events[1].CorrelationID, AcceptedAt: now.Add(time.Millisecond)},
		}, pending(t, r, alice))
		if got := pending(t, r, bob); len(got) != 0 {
			t.Errorf("another customer sees %v", got)
		}
	})
}

func TestLatePendingEntryDoesNotReviveADecidedOrder(t *testing.T) {
	each(t, func(t *testing.T, _ *registrytest.Server, r *registry.Registry) {
		events := outcomes(2)
		replayed := events[1] // only a later revision was seen here
		replayed.ID = replayed.CorrelationID.String() + "/2"
		record(t, r, alice, events[0], replayed)
		for _, e := range events {
			addPending(t, r, e.CorrelationID, time.Now())
		}
		if got := pending(t, r, alice); len(got) != 0 {
			t.Errorf("pending: %v, want none", got)
		}
	})
}

func TestPendingOrdersAreBounded(t *testing.T) {
	each(t, func(t *testing.T, s *registrytest.Server, r *registry.Registry) {
		now := time.Now().UTC().Truncate(time.Millisecond)
		addPending(t, r, uuid.New(), now.Add(-24*time.Hour-time.Minute)) // trimmed by age at once
		addPending(t, r, uuid.New(), now)
		if got := pending(t, r, alice); len(got) != 1 {
			t.Errorf("%d orders are pending, want the one of today", len(got))
		}
		crowd := make([]redis.Z, registry.MaxPending-1)
		for i := range crowd {
			crowd[i] = redis.Z{Score: float64(now.UnixMilli() + int64(i) + 1), Member: uuid.NewString()}
		}
		if err := s.Client(t).ZAdd(t.Context(), "{u:"+alice+"}:pending", crowd...).Err(); err != nil {
			t.Fatal(err)
		}
		addPending(t, r, uuid.New(), now.Add(time.Minute))
		got := pending(t, r, alice)
		if len(got) != registry.MaxPending {
			t.Fatalf("%d orders are pending, want %d", len(got), registry.MaxPending)
		}
		if oldest := got[len(got)-1].AcceptedAt; !oldest.Equal(now.Add(time.Millisecond)) {
			t.Errorf("the oldest is of %v, want the one before it dropped", oldest)
		}
	})
}

func TestClaimHoldsForTheFirstPayload(t *testing.T) {
	each(t, func(t *testing.T, s *registrytest.Server, r *registry.Registry) {
		id, this, other := uuid.New(), sha256.Sum256([]byte("this")), sha256.Sum256([]byte("other"))
		for range 2 {
			if err := r.Claim(t.Context(), id, this); err != nil {
				t.Fatal(err)
			}
		}
		wantKind(t, r.Claim(t.Context(), id, other), fault.Conflict)
		if err := r.Claim(t.Context(), uuid.New(), other); err != nil {
			t.Errorf("another identity: %v", err)
		}
		s.FastForward(t, 24*time.Hour)
		if err := r.Claim(t.Context(), id, other); err != nil {
			t.Errorf("a day later: %v", err)
		}
	})
}

func TestTicketIsSpentOnce(t *testing.T) {
	each(t, func(t *testing.T, s *registrytest.Server, r *registry.Registry) {
		var firsts atomic.Int32
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				first, err := r.SpendTicket(t.Context(), "ticket", 30*time.Second)
				if err != nil {
					t.Error(err)
				}
				if first {
					firsts.Add(1)
				}
			})
		}
		all.Wait()
		if n := firsts.Load(); n != 1 {
			t.Errorf("the ticket was spent %d times", n)
		}
		for life, want := range map[time.Duration]bool{time.Nanosecond: true, 0: false, -time.Second: false} {
			if first, err := r.SpendTicket(t.Context(), "ticket with "+life.String()+" left", life); err != nil || first != want {
				t.Errorf("ticket with %v left: %v, %v, want %v", life, first, err, want)
			}
		}
		s.FastForward(t, 30*time.Second)
		if n := s.Client(t).DBSize(t.Context()).Val(); n != 0 {
			t.Errorf("%d spent tickets outlive their tickets", n)
		}
	})
}

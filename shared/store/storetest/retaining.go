package storetest

import (
	"errors"
	"math"
	"sync/atomic"
	"testing"
	"time"

	"github.com/contoso/orders/shared/fault"
	"github.com/contoso/orders/shared/order"
	"github.com/contoso/orders/shared/store"
	"golang.org/x/sync/errgroup"
)

var retaining = map[string]func(*testing.T, store.Store){
	"PurgedOrderIsGoneButNotForgotten":       purgeLeavesTombstones,
	"PurgedOrderIsNeverMadeAgain":            purgedIsKnown,
	"PurgeSparesWhatIsYoungEnough":           purgeByTime,
	"PurgeTakesTheOldestUpToItsLimit":        purgeLimited,
	"PurgeOverItsLimitsIsInvalid":            purgeLimits,
	"PurgeBesideRedeliveryLosesNothing":      purgeBesideSave,
	"ReaderOfAPurgedOrderSeesAllOrNothing":   purgeBesideGet,
	"ErasedCustomerLeavesNothing":            erase,
	"EraseRemovesTombstonesToo":              eraseTombstones,
	"EraseOfAnUnknownCustomerChangesNothing": eraseUnknown,
}

// after is a time at which everything stored so far is old enough to purge.
func after(stored ...store.Stored) (latest time.Time) {
	for _, s := range stored {
		if s.CompletedAt.After(latest) {
			latest = s.CompletedAt
		}
	}
	return latest.Add(time.Millisecond)
}

func purge(t *testing.T, s store.Store, before time.Time, limit int) int {
	t.Helper()
	n, err := s.Purge(t.Context(), before, limit)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// emptied removes what earlier tests left, so that a purge can be counted.
func emptied(t *testing.T, s store.Store) {
	t.Helper()
	stored := save(t, s, Submission(Customer()))
	for purge(t, s, after(stored...), store.MaxPurge) == store.MaxPurge {
	}
}

func purged(t *testing.T, s store.Store, sub store.Submission) {
	t.Helper()
	_, err := s.Get(t.Context(), sub.Customer, sub.Nonce())
	if fault.KindOf(err) != fault.NotFound || !errors.Is(err, store.ErrPurged) {
		t.Errorf("Get of a purged order: %v, want not found as it was purged", err)
	}
}

func purgeLeavesTombstones(t *testing.T, s store.Store) {
	emptied(t, s)
	batch := Batch(Customer(), 3)
	batch[1].Status, batch[1].Reason = order.Failed, "gave up"
	batch[2].Status, batch[2].Reason = order.Rejected, "over the limit"
	stored := save(t, s, batch...)
	if n := purge(t, s, after(stored...), 100); n != 3 {
		t.Errorf("%d purged, want 3", n)
	}
	for _, sub := range batch {
		purged(t, s, sub)
	}
	if got := list(t, s, batch[0].Customer, 0, 10); len(got) != 0 {
		t.Errorf("%d orders are still listed", len(got))
	}
	another := batch[0]
	another.Customer = Customer()
	if _, err := s.Get(t.Context(), another.Customer, another.Nonce()); errors.Is(err, store.ErrPurged) {
		t.Error("the tombstone speaks for another customer")
	}
}

func purgedIsKnown(t *testing.T, s store.Store) {
	first, replay := failed()
	stored := save(t, s, first)
	purge(t, s, after(stored...), store.MaxPurge)

	rekeyed, other, fresh := first, first, Submission(first.Customer)
	rekeyed.CorrelationID = rotated(first.CorrelationID)
	other.Order = Order("B-2", 1, "1")
	for _, again := range []store.Submission{first, replay, rekeyed, other} {
		want := store.Stored{CorrelationID: again.CorrelationID, Customer: again.Customer, IsPurged: true}
		same(t, "answer to a redelivery", want, save(t, s, again)[0])
	}
	got := save(t, s, fresh, first, fresh, replay)
	for i, isPurged := range []bool{false, true, false, true} {
		if got[i].IsPurged != isPurged || got[i].IsNew != (i == 0) {
			t.Errorf("answer %d of a mixed batch = %+v", i, got[i])
		}
	}
	purged(t, s, first)
	if got := list(t, s, first.Customer, 0, 10); len(got) != 1 || got[0].CorrelationID != fresh.CorrelationID {
		t.Errorf("list = %+v, want the fresh order alone", got)
	}
}

func purgeByTime(t *testing.T, s store.Store) {
	emptied(t, s)
	customer := Customer()
	old := save(t, s, Submission(customer))[0]
	young := old
	for !young.CompletedAt.After(old.CompletedAt) { // until the store's clock has moved
		young = save(t, s, Submission(customer))[0]
	}
	before := young.CompletedAt
	for purge(t, s, before, store.MaxPurge) > 0 {
	}
	if got := list(t, s, customer, 0, 10); len(got) != 1 || got[0].OrderID != young.OrderID {
		t.Errorf("left are %+v, want the one completed at %v", got, before)
	}
}

func purgeLimited(t *testing.T, s store.Store) {
	emptied(t, s)
	customer := Customer()
	var stored []store.Stored
	for range 3 {
		stored = append(stored, save(t, s, Batch(customer, store.MaxBatch)...)...)
	}
	const limit = 125
	before := after(stored...)
	for _, want := range []int{limit, limit, 3*store.MaxBatch - 2*limit, 0} {
		if n := purge(t, s, before, limit); n != want {
			t.Errorf("%d purged, want %d", n, want)
		}
		stored = stored[want:]
		got := list(t, s, customer, 0, store.MaxList)
		if len(got) != len(stored) || len(got) > 0 && got[len(got)-1].OrderID != stored[0].OrderID {
			t.Errorf("%d are left, want %d: all but the oldest", len(got), len(stored))
		}
	}
}

func purgeLimits(t *testing.T, s store.Store) {
	for _, limit := range []int{math.MinInt, -1, 0, store.MaxPurge + 1} {
		n, err := s.Purge(t.Context(), time.Now().Add(time.Hour), limit)
		invalid(t, "limit", err)
		if n != 0 {
			t.Errorf("limit %d: %d purged", limit, n)
		}
	}
}

// purgeBesideSave has orders redelivered while they are purged: each is written
// once, and from then on is stored or purged.
func purgeBesideSave(t *testing.T, s store.Store) {
	customer := Customer()
	batch := Batch(customer, 20)
	var written atomic.Int64
	g, ctx := errgroup.WithContext(t.Context())
	for range writers {
		g.Go(func() error {
			for range 5 {
				stored, err := s.Save(ctx, batch)
				if err != nil {
					return err
				}
				for _, one := range stored {
					if one.IsNew {
						written.Add(1)
					}
					if one.IsPurged == one.SamePayload {
						t.Errorf("answer = %+v, want stored or purged", one)
					}
				}
			}
			return nil
		})
	}
	g.Go(func() error {
		for range 10 {
			if _, err := s.Purge(ctx, time.Now().Add(24*time.Hour), 7); err != nil {
				return err
			}
		}
		return nil
	})
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	if got := written.Load(); got != int64(len(batch)) {
		t.Errorf("%d orders were written, want %d", got, len(batch))
	}
}

func purgeBesideGet(t *testing.T, s store.Store) {
	for range 20 {
		sub := Submission(Customer())
		sub.Order.Lines = append(sub.Order.Lines, sub.Order.Lines...)
		save(t, s, sub)
		var g errgroup.Group
		g.Go(func() error {
			_, err := s.Purge(t.Context(), time.Now().Add(24*time.Hour), store.MaxPurge)
			return err
		})
		for {
			got, err := s.Get(t.Context(), sub.Customer, sub.Nonce())
			if errors.Is(err, store.ErrPurged) {
				break
			}
			if err != nil || len(got.Lines) != 2 {
				t.Fatalf("Get = %+v, %v; want the whole order or that it was purged", got, err)
			}
		}
		if err := g.Wait(); err != nil {
			t.Fatal(err)
		}
	}
}

func erase(t *testing.T, s store.Store) {
	mine, theirs := Customer(), Submission(Customer())
	save(t, s, theirs)
	var last []store.Submission
	for range 3 {
		last = Batch(mine, store.MaxBatch)
		save(t, s, last...)
	}
	if err := s.Erase(t.Context(), mine); err != nil {
		t.Fatal(err)
	}
	if got := list(t, s, mine, 0, store.MaxList); len(got) != 0 {
		t.Errorf("%d orders are left", len(got))
	}
	get(t, s, theirs)
	same(t, "answer to an erased order that comes again", want(last[0]), save(t, s, last[0])[0], chosenByStore)
}

func eraseTombstones(t *testing.T, s store.Store) {
	mine, theirs := Submission(Customer()), Submission(Customer())
	purge(t, s, after(save(t, s, mine, theirs)...), store.MaxPurge)
	if err := s.Erase(t.Context(), mine.Customer); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), mine.Customer, mine.Nonce()); fault.KindOf(err) != fault.NotFound || errors.Is(err, store.ErrPurged) {
		t.Errorf("Get = %v, want not found, and nothing known of a purge", err)
	}
	purged(t, s, theirs)
}

func eraseUnknown(t *testing.T, s store.Store) {
	sub := Submission(Customer())
	save(t, s, sub)
	if err := s.Erase(t.Context(), Customer()); err != nil {
		t.Fatal(err)
	}
	get(t, s, sub)
}

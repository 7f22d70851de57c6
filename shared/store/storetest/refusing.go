package storetest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/contoso/orders/shared/fault"
	"github.com/contoso/orders/shared/order"
	"github.com/contoso/orders/shared/store"
)

var refusing = map[string]func(*testing.T, store.Store){
	"BatchIsAllOrNone":                allOrNone,
	"EmptyBatchIsInvalid":             emptyBatch,
	"BatchOverTheLimitIsInvalid":      oversizedBatch,
	"ValueThatDoesNotFitIsInvalid":    badValues,
	"CancelledCallReturnsItsOwnError": cancelled,
	"ClosedStoreRefusesEverything":    closed,
}

func invalid(t *testing.T, what string, err error) {
	t.Helper()
	if fault.KindOf(err) != fault.Invalid {
		t.Errorf("%s: error = %v of kind %v, want invalid", what, err, fault.KindOf(err))
	}
}

func allOrNone(t *testing.T, s store.Store) {
	customer := Customer()
	batch := Batch(customer, 5)
	batch[3].Reason = strings.Repeat("x", store.MaxReason+1)
	_, err := s.Save(t.Context(), batch)
	invalid(t, "one bad order", err)
	if got := list(t, s, customer, 0, 10); len(got) != 0 {
		t.Errorf("%d orders of the batch are stored", len(got))
	}
}

func emptyBatch(t *testing.T, s store.Store) {
	_, err := s.Save(t.Context(), nil)
	invalid(t, "nil", err)
}

func oversizedBatch(t *testing.T, s store.Store) {
	_, err := s.Save(t.Context(), Batch(Customer(), store.MaxBatch+1))
	invalid(t, "one over", err)
}

func badValues(t *testing.T, s store.Store) {
	for name, spoil := range map[string]func(*store.Submission){
		"long reason":            func(s *store.Submission) { s.Reason = strings.Repeat("x", store.MaxReason+1) },
		"long reason of emoji":   func(s *store.Submission) { s.Reason = strings.Repeat("🛒", store.MaxReason/2+1) },
		"short customer":         func(s *store.Submission) { s.Customer = "c" },
		"long customer":          func(s *store.Submission) { s.Customer += "c" },
		"not a decided status":   func(s *store.Submission) { s.Status = order.Accepted },
		"no status":              func(s *store.Submission) { s.Status = "" },
		"no currency":            func(s *store.Submission) { s.Order.Currency = "" },
		"long currency":          func(s *store.Submission) { s.Order.Currency = "EURO" },
		"long sku":               func(s *store.Submission) { s.Order.Lines[0].SKU = strings.Repeat("x", order.MaxSKULength+1) },
		"no sku":                 func(s *store.Submission) { s.Order.Lines[0].SKU = "" },
		"no quantity":            func(s *store.Submission) { s.Order.Lines[0].Quantity = 0 },
		"five decimals":          func(s *store.Submission) { s.Order = Order("A", 1, "0.00001") },
		"negative price":         func(s *store.Submission) { s.Order = Order("A", 1, "-1") },
		"price above the column": func(s *store.Submission) { s.Order = Order("A", 1, "1000000000000000") },
		"total above the column": func(s *store.Submission) { s.Order = Order("A", 2, "999999999999999.9999") },
		"too many lines": func(s *store.Submission) {
			for range order.MaxLines {
				s.Order.Lines = append(s.Order.Lines, s.Order.Lines[0])
			}
		},
	} {
		sub := Submission(Customer())
		spoil(&sub)
		_, err := s.Save(t.Context(), []store.Submission{sub})
		invalid(t, name, err)
		if _, err := s.Get(t.Context(), sub.Customer, sub.Nonce()); fault.KindOf(err) != fault.NotFound {
			t.Errorf("%s: it is stored nevertheless, or Get fails: %v", name, err)
		}
	}
}

func cancelled(t *testing.T, s store.Store) {
	sub := Submission(Customer())
	save(t, s, sub)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	late, stop := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer stop()

	next := Submission(sub.Customer)
	for want, ctx := range map[error]context.Context{context.Canceled: over, context.DeadlineExceeded: late} {
		_, saveErr := s.Save(ctx, []store.Submission{next})
		_, getErr := s.Get(ctx, sub.Customer, sub.Nonce())
		_, listErr := s.List(ctx, sub.Customer, 0, 1)
		_, purgeErr := s.Purge(ctx, time.Now().Add(time.Hour), 1)
		eraseErr := s.Erase(ctx, sub.Customer)
		for call, err := range map[string]error{
			"Save": saveErr, "Get": getErr, "List": listErr, "Ping": s.Ping(ctx), "Purge": purgeErr, "Erase": eraseErr,
		} {
			if !errors.Is(err, want) {
				t.Errorf("%s: error = %v, want %v", call, err, want)
			}
		}
	}
	if got := list(t, s, sub.Customer, 0, 10); len(got) != 1 {
		t.Errorf("%d rows, want 1: a cancelled Save wrote", len(got))
	}
	save(t, s, next) // and the store still works
}

func closed(t *testing.T, s store.Store) {
	sub := Submission(Customer())
	save(t, s, sub)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	_, saveErr := s.Save(t.Context(), []store.Submission{sub})
	_, getErr := s.Get(t.Context(), sub.Customer, sub.Nonce())
	_, listErr := s.List(t.Context(), sub.Customer, 0, 1)
	_, purgeErr := s.Purge(t.Context(), time.Now(), 1)
	eraseErr := s.Erase(t.Context(), sub.Customer)
	for call, err := range map[string]error{
		"Save": saveErr, "Get": getErr, "List": listErr, "Ping": s.Ping(t.Context()), "Purge": purgeErr, "Erase": eraseErr,
	} {
		if err == nil {
			t.Errorf("%s works on a closed store", call)
		}
	}
}

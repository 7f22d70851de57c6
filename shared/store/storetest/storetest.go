// Package storetest is what every [store.Store] must do, as a test suite.
//
// It is written against the contract alone. Each test makes customers that nobody
// else has, so all can run in one database, one after another, and again. Nobody
// else's orders may be in it: a purge takes whatever is old enough.
package storetest

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"testing"
	"time"

	"github.com/contoso/orders/shared/order"
	"github.com/contoso/orders/shared/store"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
	"github.com/shopspring/decimal"
)

// Run checks a store. Open returns one that is ready for use; it is called once
// for each test, and closes the store in a cleanup of its own.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	for _, group := range []map[string]func(*testing.T, store.Store){saving, replaying, refusing, reading, racing, retaining} {
		for name, test := range group {
			t.Run(name, func(t *testing.T) { test(t, open(t)) })
		}
	}
}

// Customer returns a customer that no other test has.
func Customer() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// Submission returns a completed order of the customer, with an identity that no
// other test has and a time of acceptance that needs no rounding.
func Submission(customer string) store.Submission {
	id := uuid.New()
	id[6] = id[6]&0x0f | 0x80 // version 8, as CorrelationIds are
	return store.Submission{
		CorrelationID: id,
		Customer:      customer,
		Order:         Order("A-1", 2, "9.99"),
		Status:        order.Completed,
		AcceptedAt:    time.Date(2026, 11, 23, 12, 0, 0, 123e6, time.UTC),
	}
}

// Order returns an order in euros with one line.
func Order(sku string, quantity int, unitPrice string) order.Order {
	return order.Order{Currency: "EUR", Lines: []order.Line{
		{SKU: sku, Quantity: quantity, UnitPrice: decimal.RequireFromString(unitPrice)},
	}}
}

// Batch returns n submissions of the customer.
func Batch(customer string, n int) []store.Submission {
	batch := make([]store.Submission, n)
	for i := range batch {
		batch[i] = Submission(customer)
		batch[i].Order = Order(fmt.Sprintf("S-%d", i), 1, "1.50")
	}
	return batch
}

// save saves and fails the test on an error or an answer of another length.
func save(t *testing.T, s store.Store, batch ...store.Submission) []store.Stored {
	t.Helper()
	stored, err := s.Save(t.Context(), batch)
	if err != nil {
		t.Fatal(err)
	}
	if len(stored) != len(batch) {
		t.Fatalf("%d answers for %d orders", len(stored), len(batch))
	}
	return stored
}

func get(t *testing.T, s store.Store, of store.Submission) store.Record {
	t.Helper()
	record, err := s.Get(t.Context(), of.Customer, of.Nonce())
	if err != nil {
		t.Fatal(err)
	}
	return record
}

func list(t *testing.T, s store.Store, customer string, before int64, limit int) []store.Record {
	t.Helper()
	records, err := s.List(t.Context(), customer, before, limit)
	if err != nil {
		t.Fatal(err)
	}
	return records
}

// want is what the store must answer for a submission that it had not seen, but
// for OrderID and CompletedAt, which are the store's to choose.
func want(s store.Submission) store.Stored {
	return store.Stored{
		CorrelationID: s.CorrelationID, Customer: s.Customer,
		Status: s.Status, Reason: s.Reason, Revision: 1,
		Currency: s.Order.Currency, Total: s.Order.Total(), AcceptedAt: s.AcceptedAt,
		IsNew: true, SamePayload: true,
	}
}

// record is what Get must answer once stored is what Save did.
func record(s store.Submission, stored store.Stored) store.Record {
	stored.IsNew, stored.SamePayload = false, false
	return store.Record{Stored: stored, RequestHash: s.Order.Hash(), Lines: s.Order.Lines}
}

var chosenByStore = cmpopts.IgnoreFields(store.Stored{}, "OrderID", "CompletedAt")

// same fails the test when got is not want. Decimals and times are compared by
// value.
func same(t *testing.T, what string, want, got any, opts ...cmp.Option) {
	t.Helper()
	if diff := cmp.Diff(want, got, opts...); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

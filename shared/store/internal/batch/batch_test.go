package batch_test

import (
	"testing"
	"time"

	"github.com/contoso/orders/shared/order"
	"github.com/contoso/orders/shared/store"
	"github.com/contoso/orders/shared/store/internal/batch"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/shopspring/decimal"
)

// submission returns an order of the customer with nonce 0x123456789abcdef.
func submission(customer, reason string) store.Submission {
	return store.Submission{
		CorrelationID: uuid.MustParse("12345678-9abc-8def-bfff-ffffffffffff"),
		Customer:      customer,
		Order: order.Order{Currency: "EUR", Lines: []order.Line{
			{SKU: "A-1", Quantity: 2, UnitPrice: decimal.RequireFromString("9.990")},
			{SKU: "B", Quantity: 1, UnitPrice: decimal.RequireFromString("0.0001")},
		}},
		Status:     order.Rejected,
		Reason:     reason,
		AcceptedAt: time.Date(2026, 11, 23, 13, 0, 0, 123_999_999, time.FixedZone("", 3600)),
	}
}

const (
	alice = "aaaaaaaaaaaaaaaaaaaaaa"
	bob   = "bbbbbbbbbbbbbbbbbbbbbb"
)

func newBatch(t *testing.T, submissions ...store.Submission) *batch.Batch {
	t.Helper()
	b, err := batch.New(submissions)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestJSONIsAsDocumented(t *testing.T) {
	got, err := newBatch(t, submission(alice, "no stock")).JSON()
	if err != nil {
		t.Fatal(err)
	}
	const want = `[{"seq":0,"customer":"aaaaaaaaaaaaaaaaaaaaaa","nonce":81985529216486895,` +
		`"correlationId":"12345678-9abc-8def-bfff-ffffffffffff","status":"rejected","reason":"no stock",` +
		`"currency":"EUR","total":"19.9801","hash":"64844b08610ac2d74bcd673bd9a3d2fa469ee758e39da5df0449dd2b4e48f38e","acceptedAt":"2026-11-23T12:00:00.123Z","replay":false,` +
		`"lines":[{"no":1,"sku":"A-1","quantity":2,"unitPrice":"9.99"},{"no":2,"sku":"B","quantity":1,"unitPrice":"0.0001"}]}]`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestEachIdentityIsWrittenOnceAndAnsweredEverywhere(t *testing.T) {
	replay := submission(alice, "")
	replay.Replay = true
	b := newBatch(t, submission(alice, "first"), submission(bob, ""), replay, submission(alice, "last"))

	rows := []store.Record{
		{Stored: store.Stored{OrderID: 1, IsNew: true}, RequestHash: replay.Order.Hash()},
		{Stored: store.Stored{OrderID: 2, IsNew: false}},
	}
	got, err := b.Spread(rows)
	if err != nil {
		t.Fatal(err)
	}
	want := []store.Stored{
		{OrderID: 1, SamePayload: true},
		{OrderID: 2},
		{OrderID: 1, SamePayload: true, IsNew: true}, // a replay goes before others
		{OrderID: 1, SamePayload: true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := b.Spread(rows[:1]); err == nil {
		t.Error("a missing row is no error")
	}
}

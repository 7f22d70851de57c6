package storetest

import (
	"math"
	"slices"
	"testing"

	"github.com/contoso/orders/shared/fault"
	"github.com/contoso/orders/shared/order"
	"github.com/contoso/orders/shared/store"
	"github.com/shopspring/decimal"
)

var reading = map[string]func(*testing.T, store.Store){
	"PingAnswers":                     ping,
	"GetOfAnUnknownOrderIsNotFound":   getUnknown,
	"GetOfAnothersOrderIsNotFound":    getAnothers,
	"LinesComeBackInOrder":            lineOrder,
	"ListIsNewestFirst":               listNewestFirst,
	"ListPagesMeetAndDoNotOverlap":    listPages,
	"ListShowsOnlyTheCustomersOrders": listOwn,
	"ListOverItsLimitsIsInvalid":      listLimits,
	"LargestNonceIsKept":              largestNonce,
}

func ping(t *testing.T, s store.Store) {
	if err := s.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

func notFound(t *testing.T, s store.Store, customer string, nonce int64) {
	t.Helper()
	if record, err := s.Get(t.Context(), customer, nonce); fault.KindOf(err) != fault.NotFound {
		t.Errorf("Get = %+v, %v; want not found", record, err)
	}
}

func getUnknown(t *testing.T, s store.Store) { notFound(t, s, Customer(), 1) }

func getAnothers(t *testing.T, s store.Store) {
	sub := Submission(Customer())
	save(t, s, sub)
	notFound(t, s, Customer(), sub.Nonce())
	notFound(t, s, sub.Customer, sub.Nonce()^1)
}

func lineOrder(t *testing.T, s store.Store) {
	sub := Submission(Customer())
	sub.Order.Lines = nil
	for i := range order.MaxLines {
		sub.Order.Lines = append(sub.Order.Lines, order.Line{
			SKU:       string(rune('z' - i%26)), // not in the order of the alphabet, and repeated
			Quantity:  i + 1,
			UnitPrice: decimal.New(int64(i), -4),
		})
	}
	save(t, s, sub)
	same(t, "lines", sub.Order.Lines, get(t, s, sub).Lines)
}

func listNewestFirst(t *testing.T, s store.Store) {
	batch := Batch(Customer(), 5)
	batch[2].Status, batch[2].Reason = order.Rejected, "over the limit"
	var expect []store.Record
	for i, stored := range save(t, s, batch...) {
		r := record(batch[i], stored)
		r.Lines = nil
		expect = append(expect, r)
	}
	slices.Reverse(expect)
	same(t, "list", expect, list(t, s, batch[0].Customer, 0, 10))
}

func listPages(t *testing.T, s store.Store) {
	customer := Customer()
	var expect, got []int64
	for _, stored := range save(t, s, Batch(customer, 23)...) {
		expect = append(expect, stored.OrderID)
	}
	slices.Reverse(expect)
	var sizes []int
	var before int64
	for range 4 {
		page := list(t, s, customer, before, 10)
		sizes = append(sizes, len(page))
		for _, r := range page {
			got = append(got, r.OrderID)
		}
		if len(got) == 10 { // one that comes in meanwhile shifts no page
			save(t, s, Submission(customer))
		}
		before = got[len(got)-1]
	}
	same(t, "page sizes", []int{10, 10, 3, 0}, sizes)
	same(t, "OrderIDs", expect, got)
}

func listOwn(t *testing.T, s store.Store) {
	mine, theirs := Submission(Customer()), Submission(Customer())
	save(t, s, theirs, mine, Submission(theirs.Customer))
	got := list(t, s, mine.Customer, 0, 10)
	if len(got) != 1 || got[0].CorrelationID != mine.CorrelationID {
		t.Errorf("list = %+v, want my one order", got)
	}
	if got := list(t, s, Customer(), 0, 10); len(got) != 0 {
		t.Errorf("a new customer has %d orders", len(got))
	}
}

func listLimits(t *testing.T, s store.Store) {
	customer := Customer()
	save(t, s, Batch(customer, 3)...)
	for _, limit := range []int{-1, 0, store.MaxList + 1, math.MaxInt} {
		_, err := s.List(t.Context(), customer, 0, limit)
		invalid(t, "limit", err)
	}
	for limit, want := range map[int]int{1: 1, 3: 3, store.MaxList: 3} {
		if got := list(t, s, customer, 0, limit); len(got) != want {
			t.Errorf("limit %d: %d orders, want %d", limit, len(got), want)
		}
	}
}

func largestNonce(t *testing.T, s store.Store) {
	for _, bits := range []byte{0x00, 0xff} {
		sub := Submission(Customer())
		for i := range 6 {
			sub.CorrelationID[i] = bits
		}
		sub.CorrelationID[6] = 0x80 | bits&0x0f
		sub.CorrelationID[7] = bits
		save(t, s, sub)
		if got := get(t, s, sub); got.CorrelationID != sub.CorrelationID {
			t.Errorf("CorrelationID = %s, want %s", got.CorrelationID, sub.CorrelationID)
		}
	}
}

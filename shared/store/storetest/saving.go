package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/contoso/orders/shared/order"
	"github.com/contoso/orders/shared/store"
	"github.com/google/uuid"
	"github.com/shopspring/decimal"
)

var saving = map[string]func(*testing.T, store.Store){
	"FirstSaveStoresTheOrder":            firstSave,
	"SecondDeliveryChangesNothing":       secondDelivery,
	"DuplicateInABatchIsASecondDelivery": duplicateInBatch,
	"OtherPayloadChangesNothing":         otherPayload,
	"RotatedKeyNamesTheFirstOrder":       rotatedKey,
	"SameNonceOfAnotherCustomerIsNew":    otherCustomer,
	"OrderIDsRiseWithTheBatch":           risingIDs,
	"OldAndNewMixInOneBatch":             mixedBatch,
	"RejectedAndFailedKeepTheirReason":   reasons,
	"LargestBatchOfLargestOrdersIsSaved": largestBatch,
	"MoneyIsExact":                       exactMoney,
	"TimeIsCutToTheMillisecondInUTC":     times,
}

// rotated returns a CorrelationId of the same nonce under another key's tag.
func rotated(id uuid.UUID) uuid.UUID {
	id[8] ^= 0x15
	id[15] ^= 0xff
	return id
}

func firstSave(t *testing.T, s store.Store) {
	sub := Submission(Customer())
	stored := save(t, s, sub)[0]
	same(t, "stored", want(sub), stored, chosenByStore)
	if stored.OrderID <= 0 {
		t.Errorf("OrderID = %d", stored.OrderID)
	}
	same(t, "read back", record(sub, stored), get(t, s, sub))
}

func secondDelivery(t *testing.T, s store.Store) {
	sub := Submission(Customer())
	first := save(t, s, sub)[0]

	again := sub
	again.Status, again.Reason = order.Rejected, "decided otherwise this time"
	again.AcceptedAt = sub.AcceptedAt.Add(time.Hour)
	first.IsNew = false
	same(t, "second answer", first, save(t, s, again)[0])
	same(t, "row", record(sub, first), get(t, s, sub))
}

func duplicateInBatch(t *testing.T, s store.Store) {
	customer := Customer()
	a, b := Submission(customer), Submission(customer)
	other := a
	other.Order = Order("B-2", 1, "1")
	stored := save(t, s, a, b, a, other)

	second, third := stored[0], stored[0]
	second.IsNew = false
	third.IsNew, third.SamePayload = false, false
	same(t, "answers", []store.Stored{stored[0], stored[1], second, third}, stored)
	if !stored[0].IsNew || !stored[1].IsNew || stored[0].OrderID >= stored[1].OrderID {
		t.Errorf("first two answers = %+v", stored[:2])
	}
	if got := list(t, s, customer, 0, 10); len(got) != 2 {
		t.Errorf("%d rows, want 2", len(got))
	}
}

func otherPayload(t *testing.T, s store.Store) {
	sub := Submission(Customer())
	first := save(t, s, sub)[0]

	other := sub
	other.Order = Order("B-2", 1, "5")
	first.IsNew, first.SamePayload = false, false
	same(t, "answer", first, save(t, s, other)[0])
	same(t, "row", record(sub, first), get(t, s, sub))

	reworded := sub
	reworded.Order = Order("A-1", 2, "9.990")
	first.SamePayload = true
	same(t, "answer to the same order in other words", first, save(t, s, reworded)[0])
}

func rotatedKey(t *testing.T, s store.Store) {
	sub := Submission(Customer())
	first := save(t, s, sub)[0]
	again := sub
	again.CorrelationID = rotated(sub.CorrelationID)
	first.IsNew = false
	same(t, "answer", first, save(t, s, again)[0])
}

func otherCustomer(t *testing.T, s store.Store) {
	mine, theirs := Submission(Customer()), Submission(Customer())
	theirs.CorrelationID = rotated(mine.CorrelationID)
	stored := save(t, s, mine, theirs)
	same(t, "mine", want(mine), stored[0], chosenByStore)
	same(t, "theirs", want(theirs), stored[1], chosenByStore)
}

func risingIDs(t *testing.T, s store.Store) {
	customer := Customer()
	var last int64
	for range 3 {
		for i, stored := range save(t, s, Batch(customer, 20)...) {
			if stored.OrderID <= last {
				t.Fatalf("OrderID %d at %d, after %d", stored.OrderID, i, last)
			}
			last = stored.OrderID
		}
	}
}

func mixedBatch(t *testing.T, s store.Store) {
	batch := Batch(Customer(), 6)
	old := save(t, s, batch[4], batch[1])
	stored := save(t, s, batch...)
	for i, got := range stored {
		expect := want(batch[i])
		expect.IsNew = i != 1 && i != 4
		same(t, fmt.Sprintf("answer %d", i), expect, got, chosenByStore)
		same(t, fmt.Sprintf("row %d", i), record(batch[i], got), get(t, s, batch[i]))
	}
	if stored[4].OrderID != old[0].OrderID || stored[1].OrderID != old[1].OrderID {
		t.Error("an order got another OrderID at its second delivery")
	}
}

func reasons(t *testing.T, s store.Store) {
	for _, reason := range []string{
		"over the credit limit",
		`quotes ' " and \ and <html> & --`,
		"Bestellung abgelehnt: zu groß, 注文は拒否されました, رفض, 🛒👩🏽‍💻, line\nfeed, tab\t",
		strings.Repeat("ü", store.MaxReason),
		strings.Repeat("🛒", store.MaxReason/2), // two UTF-16 code units each
	} {
		for _, status := range []order.Status{order.Rejected, order.Failed} {
			sub := Submission(Customer())
			sub.Status, sub.Reason = status, reason
			stored := save(t, s, sub)[0]
			same(t, "stored", want(sub), stored, chosenByStore)
			same(t, "read back", record(sub, stored), get(t, s, sub))
		}
	}
}

func largestBatch(t *testing.T, s store.Store) {
	customer := Customer()
	batch := make([]store.Submission, store.MaxBatch)
	for i := range batch {
		batch[i] = Submission(customer)
		lines := make([]order.Line, order.MaxLines)
		for n := range lines {
			lines[n] = order.Line{
				SKU:       fmt.Sprintf("%0*d", order.MaxSKULength, n),
				Quantity:  order.MaxQuantity,
				UnitPrice: decimal.New(int64(1_0000+i), -4),
			}
		}
		batch[i].Order.Lines = lines
	}
	stored := save(t, s, batch...)
	for i, sub := range batch {
		same(t, "stored", want(sub), stored[i], chosenByStore)
	}
	for _, i := range []int{0, len(batch) - 1} {
		same(t, "read back", record(batch[i], stored[i]), get(t, s, batch[i]))
	}
}

func exactMoney(t *testing.T, s store.Store) {
	for _, price := range []string{"0", "0.0001", "9.90", "0.1", "1.2345", "123456789012345.6789", "999999999999999.9999"} {
		sub := Submission(Customer())
		sub.Order = Order("A-1", 1, price)
		stored := save(t, s, sub)[0]
		same(t, price, want(sub), stored, chosenByStore)
		same(t, price+" read back", record(sub, stored), get(t, s, sub))
	}
}

func times(t *testing.T, s store.Store) {
	sub := Submission(Customer())
	sub.AcceptedAt = time.Date(2026, 11, 23, 23, 59, 59, 999_999_999, time.FixedZone("", -5*3600))
	stored := save(t, s, sub)[0]
	record := get(t, s, sub)
	for name, got := range map[string]time.Time{"answer": stored.AcceptedAt, "row": record.AcceptedAt} {
		if want := sub.AcceptedAt.Truncate(time.Millisecond); !got.Equal(want) || got.Location() != time.UTC {
			t.Errorf("AcceptedAt of the %s = %v, want %v in UTC", name, got, want.UTC())
		}
	}
	// The store's clock is not ours, but not a day away either.
	if age := time.Since(stored.CompletedAt).Abs(); age > 24*time.Hour || stored.CompletedAt.Location() != time.UTC {
		t.Errorf("CompletedAt = %v", stored.CompletedAt)
	}
	if !stored.CompletedAt.Equal(record.CompletedAt) {
		t.Errorf("CompletedAt = %v, and %v when read back", stored.CompletedAt, record.CompletedAt)
	}
}

package storetest

import (
	"testing"

	"github.com/contoso/orders/shared/order"
	"github.com/contoso/orders/shared/store"
)

var replaying = map[string]func(*testing.T, store.Store){
	"ReplayOfAFailedOrderRaisesTheRevision":        replayFailed,
	"ReplayWithAnotherPayloadChangesNothing":       replayOtherPayload,
	"ReplayOfACompletedOrderChangesNothing":        replayCompleted,
	"ReplayOfAnUnknownOrderStoresIt":               replayUnknown,
	"SecondDeliveryOfAFailedOrderChangesNothing":   redeliverFailed,
	"ReplayBesideItsFirstDeliveryInABatchIsHeeded": replayBesideDelivery,
}

// failed returns a submission that processing gave up, and its replay, which went
// well.
func failed() (first, replay store.Submission) {
	first = Submission(Customer())
	replay = first
	first.Status, first.Reason = order.Failed, "gave up"
	replay.Replay = true
	return first, replay
}

func replayFailed(t *testing.T, s store.Store) {
	first, replay := failed()
	before := save(t, s, first)[0]
	now := before.CompletedAt
	for !now.After(before.CompletedAt) { // until the store's clock has moved
		now = save(t, s, Submission(first.Customer))[0].CompletedAt
	}

	expect := want(replay)
	expect.OrderID, expect.Revision = before.OrderID, 2
	after := save(t, s, replay)[0]
	same(t, "answer", expect, after, chosenByStore)
	if after.OrderID != before.OrderID {
		t.Errorf("OrderID = %d, was %d", after.OrderID, before.OrderID)
	}
	if after.CompletedAt.Before(now) {
		t.Errorf("CompletedAt = %v, want that of the replay, %v or later", after.CompletedAt, now)
	}
	same(t, "row", record(replay, after), get(t, s, replay))

	after.IsNew = false
	same(t, "second delivery of the replay", after, save(t, s, replay)[0])
}

func replayOtherPayload(t *testing.T, s store.Store) {
	first, replay := failed()
	replay.Order = Order("B-2", 1, "1")
	before := save(t, s, first)[0]
	before.IsNew, before.SamePayload = false, false
	same(t, "answer", before, save(t, s, replay)[0])
	same(t, "row", record(first, before), get(t, s, first))
}

func replayCompleted(t *testing.T, s store.Store) {
	for _, status := range []order.Status{order.Completed, order.Rejected} {
		first, replay := failed()
		first.Status = status
		replay.Status, replay.Reason = order.Failed, "gave up later"
		before := save(t, s, first)[0]
		before.IsNew = false
		same(t, "answer", before, save(t, s, replay)[0])
		same(t, "row", record(first, before), get(t, s, first))
	}
}

func replayUnknown(t *testing.T, s store.Store) {
	_, replay := failed()
	same(t, "answer", want(replay), save(t, s, replay)[0], chosenByStore)
}

func redeliverFailed(t *testing.T, s store.Store) {
	first, again := failed()
	again.Replay = false
	before := save(t, s, first)[0]
	before.IsNew = false
	same(t, "answer", before, save(t, s, again)[0])
}

func replayBesideDelivery(t *testing.T, s store.Store) {
	first, replay := failed()
	save(t, s, first)
	late := first
	late.Status, late.Reason = order.Completed, ""
	stored := save(t, s, late, replay, replay)
	for i, isNew := range []bool{false, true, false} {
		if got := stored[i]; got.Revision != 2 || got.Status != order.Completed || got.IsNew != isNew {
			t.Errorf("answer %d = %+v, want completed at revision 2 with IsNew %v", i, got, isNew)
		}
	}
}

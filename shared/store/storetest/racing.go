package storetest

import (
	"sync"
	"testing"

	"github.com/contoso/orders/shared/order"
	"github.com/contoso/orders/shared/store"
	"golang.org/x/sync/errgroup"
)

var racing = map[string]func(*testing.T, store.Store){
	"OneOfManyWritersOfABatchIsFirst":    sameBatchAtOnce,
	"ManyCustomersAtOnceGetTheirOrders":  manyCustomersAtOnce,
	"OneOfManyReplaysRaisesTheRevision":  sameReplayAtOnce,
	"ReadersSeeWholeOrdersWhileTheyGrow": readWhileWriting,
}

const writers = 8

// atOnce calls save with each of the batches at the same time.
func atOnce(t *testing.T, s store.Store, batches [][]store.Submission) [][]store.Stored {
	t.Helper()
	answers := make([][]store.Stored, len(batches))
	start := make(chan struct{})
	g, ctx := errgroup.WithContext(t.Context())
	for i, batch := range batches {
		g.Go(func() (err error) {
			<-start
			answers[i], err = s.Save(ctx, batch)
			return err
		})
	}
	close(start)
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	return answers
}

func sameBatchAtOnce(t *testing.T, s store.Store) {
	customer := Customer()
	batch := Batch(customer, 20)
	batches := make([][]store.Submission, writers)
	for i := range batches {
		batches[i] = batch
	}
	answers := atOnce(t, s, batches)
	for i := range batch {
		var isNew int
		for _, answer := range answers {
			if answer[i].IsNew {
				isNew++
			}
			if answer[i].OrderID != answers[0][i].OrderID || !answer[i].SamePayload || answer[i].Revision != 1 {
				t.Errorf("order %d: answers %+v and %+v differ", i, answer[i], answers[0][i])
			}
		}
		if isNew != 1 {
			t.Errorf("order %d: new to %d writers, want 1", i, isNew)
		}
	}
	if got := list(t, s, customer, 0, 100); len(got) != len(batch) {
		t.Errorf("%d rows, want %d", len(got), len(batch))
	}
}

func manyCustomersAtOnce(t *testing.T, s store.Store) {
	batches := make([][]store.Submission, writers)
	for i := range batches {
		batches[i] = Batch(Customer(), 10)
	}
	for i, answer := range atOnce(t, s, batches) {
		var last int64
		for n, stored := range answer {
			same(t, "stored", want(batches[i][n]), stored, chosenByStore)
			if stored.OrderID <= last {
				t.Errorf("OrderID %d after %d", stored.OrderID, last)
			}
			last = stored.OrderID
		}
	}
}

func sameReplayAtOnce(t *testing.T, s store.Store) {
	first, replay := failed()
	save(t, s, first)
	batches := make([][]store.Submission, writers)
	for i := range batches {
		batches[i] = []store.Submission{replay}
	}
	var isNew int
	for _, answer := range atOnce(t, s, batches) {
		if answer[0].IsNew {
			isNew++
		}
		if answer[0].Revision != 2 || answer[0].Status != order.Completed {
			t.Errorf("answer = %+v, want completed at revision 2", answer[0])
		}
	}
	if isNew != 1 {
		t.Errorf("new to %d writers, want 1", isNew)
	}
}

func readWhileWriting(t *testing.T, s store.Store) {
	batch := Batch(Customer(), 20)
	for i := range batch {
		batch[i].Order.Lines = append(batch[i].Order.Lines, batch[i].Order.Lines...)
	}
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for seen := 0; seen < len(batch); {
				select {
				case <-done:
					return
				default:
				}
				records, err := s.List(t.Context(), batch[0].Customer, 0, 100)
				if err != nil || len(records) < seen {
					t.Errorf("list of %d after one of %d, error %v", len(records), seen, err)
					return
				}
				if seen = len(records); seen == 0 {
					continue
				}
				newest, err := s.Get(t.Context(), records[0].Customer, order.NonceOf(records[0].CorrelationID))
				if err != nil || len(newest.Lines) != 2 {
					t.Errorf("%d lines of a listed order, want 2; error %v", len(newest.Lines), err)
					return
				}
			}
		})
	}
	for _, sub := range batch {
		if _, err := s.Save(t.Context(), []store.Submission{sub}); err != nil {
			t.Error(err)
			break
		}
	}
	close(done)
	readers.Wait()
}

package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

func TestOrdersStayInSequenceWhenAWorkerIsKilled(t *testing.T) {
	const customers, each = 20, 10
	const pace = 400 * time.Millisecond // so that the load outlasts the worker's life
	s := run(t, t.TempDir())
	tokens := make([]string, customers)
	for c := range tokens {
		tokens[c] = s.token(t, fmt.Sprint("load-", c))
	}

	// Every customer sends one order after the other; the sequence of the 202s is
	// the one that the OrderIds must have.
	accepted := make([][]string, customers)
	var admitted atomic.Int32
	var senders sync.WaitGroup
	for c := range customers {
		senders.Go(func() {
			for n := range each {
				var a order
				body := fmt.Sprintf(`{"currency":"EUR","lines":[{"sku":"A-%d","quantity":%d,"unitPrice":"1.25"}]}`, n, n+1)
				status, err := s.call(t.Context(), http.MethodPost, "/v1/orders", tokens[c], body, &a)
				if err != nil || status != http.StatusAccepted {
					t.Errorf("customer %d, order %d: %d, %v", c, n, status, err)
					return
				}
				accepted[c] = append(accepted[c], a.CorrelationID)
				admitted.Add(1)
				time.Sleep(pace) // a customer's own
			}
		})
	}
	killWorker(t, s)
	atKill := admitted.Load()
	senders.Wait()
	if t.Failed() {
		return
	}
	if atKill >= customers*each {
		t.Errorf("the worker was killed after all %d orders were admitted: the test has shown nothing", atKill)
	}
	t.Logf("worker killed when %d of %d orders were admitted", atKill, customers*each)

	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	seen := map[int64]string{}
	for c := range customers {
		var last int64
		stored := storedOrders(ctx, t, s, tokens[c], each)
		if len(stored) != each {
			t.Errorf("customer %d has %d orders, want %d", c, len(stored), each)
		}
		for _, id := range accepted[c] {
			o, ok := stored[id]
			switch {
			case !ok:
				t.Errorf("customer %d: order %s is lost", c, id)
			case o.OrderID <= last:
				t.Errorf("customer %d: order %s has OrderId %d after %d", c, id, o.OrderID, last)
			case seen[o.OrderID] != "":
				t.Errorf("OrderId %d is of %s and of %s", o.OrderID, seen[o.OrderID], id)
			}
			last, seen[o.OrderID] = o.OrderID, id
		}
	}
}

// killWorker waits for a worker and kills it at work.
func killWorker(t *testing.T, s *stack) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for time.Now().Before(deadline) {
		if pids := s.pids(t, "process-session"); len(pids) > 0 {
			s.await(t, time.Minute, "process-session", "order stored")
			if err := syscall.Kill(pids[0], syscall.SIGKILL); err != nil {
				t.Fatalf("killing worker: %v", err)
			}
			return
		}
		time.Sleep(20 * time.Millisecond) // between two looks at the processes
	}
	t.Fatal("no worker was started")
}

// storedOrders waits until a customer's orders are all completed.
func storedOrders(ctx context.Context, t *testing.T, s *stack, token string, want int) map[string]order {
	t.Helper()
	for {
		var page struct{ Orders []order }
		status, err := s.call(ctx, http.MethodGet, "/v1/orders?limit=100", token, "", &page)
		if err == nil && status == http.StatusOK && len(page.Orders) >= want &&
			!slices.ContainsFunc(page.Orders, func(o order) bool { return o.Status != "completed" }) {
			byID := map[string]order{}
			for _, o := range page.Orders {
				byID[o.CorrelationID] = o
			}
			return byID
		}
		select {
		case <-ctx.Done():
			t.Fatalf("orders not completed in time: %d %+v, %v", status, page, err)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

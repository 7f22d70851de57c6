package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"syscall"
	"testing"
	"time"
)

// place posts so many orders of a customer, one after the other, and returns
// their CorrelationIds.
func place(t *testing.T, s *stack, token string, n int) []string {
	t.Helper()
	var ids []string
	for i := range n {
		var a order
		body := fmt.Sprintf(`{"currency":"EUR","lines":[{"sku":"D-%d","quantity":1,"unitPrice":"2.50"}]}`, i)
		status, err := s.call(t.Context(), http.MethodPost, "/v1/orders", token, body, &a)
		if err != nil || status != http.StatusAccepted {
			t.Fatalf("order %d: %d, %v", i, status, err)
		}
		ids = append(ids, a.CorrelationID)
	}
	return ids
}

// completed checks that a customer's orders are all completed in the end, in
// the sequence in which they were accepted, and that there are no others.
func completed(t *testing.T, s *stack, token string, accepted []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	stored := storedOrders(ctx, t, s, token, len(accepted))
	inSequence := slices.SortedFunc(slices.Values(accepted), func(a, b string) int {
		return int(stored[a].OrderID - stored[b].OrderID)
	})
	if len(stored) != len(accepted) || !slices.Equal(inSequence, accepted) {
		t.Errorf("stored %v, accepted %v", stored, accepted)
	}
}

func TestAcceptedOrdersOutliveTheStack(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	s := run(t, data)
	token := s.token(t, "patient")
	accepted := place(t, s, token, 5) // no worker is up yet
	if err := s.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = s.cmd.Wait() // it was killed; the guard ends the parts

	again := run(t, data)
	completed(t, again, again.token(t, "patient"), accepted)
}

func TestAcceptedOrdersOutliveTheBroker(t *testing.T) {
	t.Parallel()
	s := run(t, t.TempDir())
	token := s.token(t, "patient")
	accepted := place(t, s, token, 5)
	if err := syscall.Kill(s.pids(t, "servicebus")[0], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	completed(t, s, token, accepted)
}

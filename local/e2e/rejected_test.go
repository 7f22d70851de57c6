package e2e_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestOrderThatARuleRefusesIsRejectedWithItsReason(t *testing.T) {
	t.Parallel()
	s := run(t, t.TempDir())
	token := s.token(t, "spender")
	var a order
	status, err := s.call(t.Context(), http.MethodPost, "/v1/orders", token,
		`{"currency":"EUR","lines":[{"sku":"YACHT","quantity":1,"unitPrice":"2000000"}]}`, &a)
	if err != nil || status != http.StatusAccepted {
		t.Fatalf("%d, %v", status, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		var o struct {
			order
			Reason string `json:"reason"`
		}
		status, err := s.call(ctx, http.MethodGet, "/v1/orders/"+a.CorrelationID, token, "", &o)
		if err != nil || status != http.StatusOK {
			t.Fatalf("%d, %v", status, err)
		}
		switch {
		case o.Status == "rejected" && o.OrderID > 0 && strings.Contains(o.Reason, "over the limit"):
			return
		case o.Status != "accepted":
			t.Fatalf("order %+v", o)
		}
		time.Sleep(100 * time.Millisecond) // between two looks
	}
}

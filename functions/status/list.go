package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/contoso/orders/shared/fault"
	"github.com/contoso/orders/shared/order"
	"github.com/contoso/orders/shared/registry"
	"github.com/contoso/orders/shared/store"
)

const (
	defaultLimit = 20
	maxLimit     = 100
	// maxPending is how many waiting orders page 1 shows: each is looked up in the
	// store, since the registry may not have heard yet that it is decided.
	maxPending = 50
)

// page is one page of a customer's orders, newest first.
type page struct {
	Orders  []answer `json:"orders"`
	Next    string   `json:"next,omitempty"`    // cursor of the next page; absent on the last
	Partial bool     `json:"partial,omitempty"` // waiting orders may be missing: the registry could not be asked
}

func (h *handler) list(w http.ResponseWriter, r *http.Request) error {
	caller, err := h.caller(r)
	if err != nil {
		return err
	}
	limit, before, err := paging(r.URL.Query())
	if err != nil {
		return err
	}
	// The registry is asked first: an order that is decided meanwhile is then in
	// the store, and never in neither.
	var p page
	var waiting []registry.Pending
	if before == 0 {
		if waiting, err = h.registry.Pending(r.Context(), caller.Customer); err != nil {
			slog.WarnContext(r.Context(), "waiting orders not listed", "session", caller.Customer, "error", err)
			p.Partial = true
		}
	}
	records, err := h.store.List(r.Context(), caller.Customer, before, limit+1)
	if err != nil {
		return err
	}
	if len(records) > limit {
		records = records[:limit]
		p.Next = cursor(records[limit-1].OrderID)
	}
	if p.Orders, err = h.undecided(r.Context(), caller.Customer, waiting, records); err != nil {
		return err
	}
	for _, record := range records {
		p.Orders = append(p.Orders, fromRecord(record))
	}
	if p.Orders == nil {
		p.Orders = []answer{}
	}
	return write(w, r, p)
}

// undecided returns those waiting orders that the store does not have: neither on
// the page at hand nor, since the registry may not have heard yet, elsewhere.
func (h *handler) undecided(ctx context.Context, customer string, waiting []registry.Pending, records []store.Record) ([]answer, error) {
	onPage := make(map[int64]bool, len(records))
	for _, record := range records {
		onPage[order.NonceOf(record.CorrelationID)] = true
	}
	var list []answer
	for _, p := range waiting[:min(len(waiting), maxPending)] {
		nonce := order.NonceOf(p.CorrelationID)
		if onPage[nonce] {
			continue
		}
		switch _, err := h.store.Get(ctx, customer, nonce); {
		case errors.Is(err, store.ErrPurged): // the registry has not heard
		case fault.KindOf(err) == fault.NotFound:
			list = append(list, fromPending(p))
		case err != nil:
			return nil, err
		}
	}
	return list, nil
}

// cursorPrefix lets the form of a cursor change without being misread.
const cursorPrefix = "v1:"

func cursor(orderID int64) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%s%d", cursorPrefix, orderID))
}

func paging(query url.Values) (limit int, before int64, err error) {
	limit = defaultLimit
	if text := query.Get("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > maxLimit {
			return 0, 0, fault.New(fault.Malformed, "limit must be a whole number, 1 to %d", maxLimit)
		}
	}
	if text := query.Get("cursor"); text != "" {
		raw, err := base64.RawURLEncoding.DecodeString(text)
		number, found := strings.CutPrefix(string(raw), cursorPrefix)
		before, parseErr := strconv.ParseInt(number, 10, 64)
		if err != nil || !found || parseErr != nil || before < 1 {
			return 0, 0, fault.New(fault.Malformed, "cursor must be the next of another page")
		}
		return limit, before, nil
	}
	return limit, 0, nil
}

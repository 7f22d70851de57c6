package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/contoso/orders/shared/fault"
	"github.com/contoso/orders/shared/identity"
	"github.com/contoso/orders/shared/order"
	"github.com/contoso/orders/shared/problem"
	"github.com/contoso/orders/shared/registry"
	"github.com/contoso/orders/shared/store"
	"github.com/google/uuid"
	"github.com/julienschmidt/httprouter"
	"github.com/shopspring/decimal"
)

type handler struct {
	verifier *identity.Verifier
	keys     *identity.Keys
	store    store.Store
	registry *registry.Registry
}

func newHandler(ctx context.Context, cfg config, db store.Store, reg *registry.Registry) (*handler, error) {
	keys, err := identity.NewKeys(cfg.Keys)
	if err != nil {
		return nil, err
	}
	verifier, err := identity.NewVerifier(ctx, cfg.Token)
	if err != nil {
		return nil, err
	}
	return &handler{verifier: verifier, keys: keys, store: db, registry: reg}, nil
}

func (h *handler) routes() http.Handler {
	r := httprouter.New()
	r.NotFound, r.MethodNotAllowed = problem.NotFound, problem.MethodNotAllowed
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		r.Handler(method, "/v1/orders/:correlationId", problem.Handler(h.one))
		r.Handler(method, "/v1/orders", problem.Handler(h.list))
	}
	return r
}

// answer is an order as the customer sees it. What is not known yet is left out.
type answer struct {
	CorrelationID uuid.UUID        `json:"correlationId"`
	Status        order.Status     `json:"status"`
	OrderID       int64            `json:"orderId,omitempty"`
	Reason        string           `json:"reason,omitempty"`
	Revision      int              `json:"revision,omitempty"`
	Currency      string           `json:"currency,omitempty"`
	Lines         []order.Line     `json:"lines,omitempty"`
	Total         *decimal.Decimal `json:"total,omitempty"`
	AcceptedAt    *time.Time       `json:"acceptedAt,omitempty"`
	CompletedAt   *time.Time       `json:"completedAt,omitempty"`
	StatusURL     string           `json:"statusUrl"`
}

func fromRecord(r store.Record) answer {
	return answer{
		CorrelationID: r.CorrelationID, Status: r.Status, OrderID: r.OrderID, Reason: r.Reason, Revision: r.Revision,
		Currency: r.Currency, Lines: r.Lines, Total: &r.Total, AcceptedAt: &r.AcceptedAt, CompletedAt: &r.CompletedAt,
		StatusURL: statusURL(r.CorrelationID),
	}
}

func fromPending(p registry.Pending) answer {
	return answer{CorrelationID: p.CorrelationID, Status: order.Accepted, AcceptedAt: &p.AcceptedAt, StatusURL: statusURL(p.CorrelationID)}
}

func statusURL(id uuid.UUID) string { return "/v1/orders/" + id.String() }

// caller verifies who asks and that they may read.
func (h *handler) caller(r *http.Request) (identity.Caller, error) {
	c, err := h.verifier.Caller(r)
	if err != nil {
		return identity.Caller{}, err
	}
	return c, c.Require(identity.ScopeRead)
}

// one answers for a single order. The store is asked by (customer, nonce), so
// nobody can ask for another's. Only where it has no row does the CorrelationId's
// own tag decide: made for this customer, it is accepted and not processed yet;
// anything else is not found, whoever asks. Nor is an order that was purged.
func (h *handler) one(w http.ResponseWriter, r *http.Request) error {
	caller, err := h.caller(r)
	if err != nil {
		return err
	}
	id, err := uuid.Parse(httprouter.ParamsFromContext(r.Context()).ByName("correlationId"))
	if err != nil {
		return notFound()
	}
	record, err := h.store.Get(r.Context(), caller.Customer, order.NonceOf(id))
	switch {
	case err == nil:
		return write(w, r, fromRecord(record))
	case fault.KindOf(err) != fault.NotFound, errors.Is(err, store.ErrPurged): // purged is not waiting
		return err
	case !h.keys.Verify(id, caller.Customer):
		return notFound()
	}
	w.Header().Set("Retry-After", "1")
	return write(w, r, answer{CorrelationID: id, Status: order.Accepted, StatusURL: statusURL(id)})
}

func notFound() error {
	return fault.New(fault.NotFound, "you have no order of this CorrelationId")
}

// write answers with a strong ETag, the hash of the body, so that asking again
// costs a 304 (RFC 9110 §13.1.2).
func write(w http.ResponseWriter, r *http.Request, body any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("encoding answer: %w", err)
	}
	sum := sha256.Sum256(raw)
	tag := `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
	header := w.Header()
	header.Set("ETag", tag)
	header.Set("Cache-Control", "private, no-cache")
	header.Set("Vary", "Authorization")
	if matches(r.Header.Get("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	header.Set("Content-Type", "application/json")
	_, _ = w.Write(raw) // an error means that the caller has gone
	return nil
}

// matches compares as If-None-Match does: weakly, any of a list, or *.
func matches(header, tag string) bool {
	for one := range strings.SplitSeq(header, ",") {
		one = strings.TrimSpace(one)
		if one == "*" || strings.TrimPrefix(one, "W/") == tag {
			return true
		}
	}
	return false
}

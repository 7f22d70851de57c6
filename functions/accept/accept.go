package main

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/contoso/orders/shared/bus"
	"github.com/contoso/orders/shared/envelope"
	"github.com/contoso/orders/shared/fault"
	"github.com/contoso/orders/shared/identity"
	"github.com/contoso/orders/shared/order"
	"github.com/contoso/orders/shared/problem"
	"github.com/contoso/orders/shared/registry"
	"github.com/dunglas/httpsfv"
	"github.com/google/uuid"
	"github.com/julienschmidt/httprouter"
)

const (
	maxBodyBytes   = 64 << 10
	maxKeyLength   = 64
	pendingTimeout = time.Second
	retryAfter     = 2 * time.Second // after a send that did not go through
)

// queue takes admitted orders; Send returns when they are safe.
type queue interface {
	Send(ctx context.Context, m bus.Message) error
	Close() error
}

type handler struct {
	verifier    *identity.Verifier
	keys        *identity.Keys
	queue       queue
	inflight    *inflight
	registry    *registry.Registry
	sendTimeout time.Duration
}

func newHandler(ctx context.Context, cfg config, client *bus.Client, reg *registry.Registry) (*handler, error) {
	keys, err := identity.NewKeys(cfg.Keys)
	if err != nil {
		return nil, err
	}
	verifier, err := identity.NewVerifier(ctx, cfg.Token)
	if err != nil {
		return nil, err
	}
	queue, err := client.Gatherer(cfg.Queue, cfg.Gather)
	if err != nil {
		return nil, err
	}
	return &handler{
		verifier: verifier, keys: keys, queue: queue, inflight: newInflight(cfg.MaxPerCustomer),
		registry: reg, sendTimeout: cfg.SendTimeout,
	}, nil
}

// Close finishes what is being sent.
func (h *handler) Close() error { return h.queue.Close() }

func (h *handler) routes() http.Handler {
	r := httprouter.New()
	r.NotFound, r.MethodNotAllowed = problem.NotFound, problem.MethodNotAllowed
	r.Handler(http.MethodPost, "/v1/orders", problem.Handler(h.accept))
	return r
}

// answer is the body of a 202.
type answer struct {
	CorrelationID uuid.UUID    `json:"correlationId"`
	Status        order.Status `json:"status"`
	StatusURL     string       `json:"statusUrl"`
}

func (h *handler) accept(w http.ResponseWriter, r *http.Request) error {
	began := time.Now()
	caller, err := h.verifier.Caller(r)
	if err != nil {
		return err
	}
	if err := caller.Require(identity.ScopeWrite); err != nil {
		return err
	}
	o, err := readOrder(w, r)
	if err != nil {
		return err
	}
	key, err := idempotencyKey(r.Header)
	if err != nil {
		return err
	}
	leave, err := h.inflight.enter(caller.Customer)
	if err != nil {
		return err
	}
	defer leave()
	id, err := h.admit(r.Context(), caller.Customer, key, o)
	if err != nil {
		return err
	}
	slog.InfoContext(r.Context(), "order accepted", "correlation", id, "session", caller.Customer, "lines", len(o.Lines), "duration", time.Since(began))

	location := "/v1/orders/" + id.String()
	header := w.Header()
	header.Set("Location", location)
	header.Set("Retry-After", "1")
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusAccepted)
	_ = json.NewEncoder(w).Encode(answer{CorrelationID: id, Status: order.Accepted, StatusURL: location}) // the order stands, whether or not anyone reads this
	return nil
}

// admit sends the order and returns its CorrelationId. The order of steps is the
// guarantee: the fingerprint before the send, so that a second payload under the
// same key is seen; the pending entry after it, so that none stands for an order
// that was never sent.
func (h *handler) admit(ctx context.Context, customer, key string, o order.Order) (uuid.UUID, error) {
	nonce := identity.RandomNonce()
	if key != "" {
		nonce = identity.KeyNonce(key)
	}
	id := h.keys.Issue(customer, nonce)
	if key != "" {
		if err := h.registry.Claim(ctx, id, o.Hash()); fault.KindOf(err) == fault.Conflict {
			return uuid.Nil, fault.Wrap(fault.Conflict, err, "the Idempotency-Key was used for another order")
		} else if err != nil {
			slog.WarnContext(ctx, "fingerprint not checked", "correlation", id, "error", err)
		}
	}
	acceptedAt := time.Now().UTC().Truncate(time.Millisecond)
	body, err := envelope.EncodeAccepted(envelope.Accepted{CorrelationID: id, Customer: customer, AcceptedAt: acceptedAt, Order: o})
	if err != nil {
		return uuid.Nil, err
	}
	sendCtx, cancel := context.WithTimeout(ctx, h.sendTimeout)
	defer cancel()
	err = h.queue.Send(sendCtx, bus.Message{
		ID: messageID(customer, nonce), SessionID: customer, CorrelationID: id.String(),
		ContentType: envelope.ContentType, Body: body,
	})
	if err != nil {
		return uuid.Nil, sendFault(err)
	}
	pendingCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pendingTimeout)
	defer cancel()
	if err := h.registry.AddPending(pendingCtx, customer, id, acceptedAt); err != nil {
		slog.WarnContext(ctx, "pending order not listed", "correlation", id, "error", err)
	}
	return id, nil
}

// sendFault says to the caller what a failed send means.
func sendFault(err error) error {
	if fault.KindOf(err) == fault.TooLarge {
		return err
	}
	return &fault.Error{
		Kind: fault.Unavailable, RetryAfter: retryAfter, Err: err,
		Detail: "orders cannot be taken just now; this one may have been: try again with the same Idempotency-Key",
	}
}

// messageID is the order's identity as Service Bus compares it. It does not hold
// the CorrelationId, which changes when the signing key is rotated.
func messageID(customer string, nonce int64) string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(nonce))
	return customer + "/" + base64.RawURLEncoding.EncodeToString(b[:])
}

func readOrder(w http.ResponseWriter, r *http.Request) (order.Order, error) {
	media, parameters, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	charset, given := parameters["charset"]
	if err != nil || media != "application/json" || (given && !strings.EqualFold(charset, "utf-8")) {
		return order.Order{}, fault.New(fault.UnsupportedMedia, "send the order as application/json")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBodyBytes))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return order.Order{}, fault.New(fault.TooLarge, "an order must not exceed %d bytes", maxBodyBytes)
	}
	if err != nil {
		return order.Order{}, fault.Wrap(fault.Malformed, err, "the body ended early")
	}
	return order.Parse(body)
}

// idempotencyKey reads the header as a structured-field string (RFC 9651 §3.3.3),
// as the IETF draft for Idempotency-Key asks: "8e03978e-…", in double quotes.
func idempotencyKey(h http.Header) (string, error) {
	lines := h.Values("Idempotency-Key")
	if len(lines) == 0 {
		return "", nil
	}
	item, err := httpsfv.UnmarshalItem(lines)
	if err != nil {
		return "", fault.Wrap(fault.Malformed, err, `Idempotency-Key must be one string in double quotes, for example "8e03978e-40d5"`)
	}
	key, ok := item.Value.(string)
	if !ok || len(key) < 1 || len(key) > maxKeyLength {
		return "", fault.New(fault.Malformed, "Idempotency-Key must be a string of 1 to %d characters, in double quotes", maxKeyLength)
	}
	return key, nil
}

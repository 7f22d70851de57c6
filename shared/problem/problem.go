// Package problem answers HTTP calls whose handler returned an error, as
// RFC 9457 problem details. It is the one table from fault kind to HTTP status.
//
// A body is application/problem+json:
//
//	{"type":"urn:contoso:orders:problem:invalid","title":"...","status":422,
//	 "detail":"...","errors":[{"pointer":"/lines/0/sku","detail":"..."}]}
//
// type is a URN (RFC 9457 §3.1.1 asks only for a stable URI); errors is an
// extension member (§3.2) that names every bad field by JSON Pointer. An
// internal error's detail is hidden: the log has it.
package problem

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"runtime/debug"
	"strconv"

	"github.com/contoso/orders/shared/fault"
)

// ContentType is what a problem is served as (RFC 9457 §6.1).
const ContentType = "application/problem+json"

// Details is the body of a problem.
type Details struct {
	Type   string        `json:"type"`
	Title  string        `json:"title"`
	Status int           `json:"status"`
	Detail string        `json:"detail,omitempty"`
	Errors []fault.Field `json:"errors,omitempty"`
}

type row struct {
	status int
	title  string
}

var table = map[fault.Kind]row{
	fault.Internal:         {http.StatusInternalServerError, "Something went wrong on our side"},
	fault.Malformed:        {http.StatusBadRequest, "The request cannot be read"},
	fault.Invalid:          {http.StatusUnprocessableEntity, "The request has values that are not allowed"},
	fault.NotFound:         {http.StatusNotFound, "Not found"},
	fault.Conflict:         {http.StatusUnprocessableEntity, "The key was used for another request"},
	fault.Unauthenticated:  {http.StatusUnauthorized, "Sign in first"},
	fault.Forbidden:        {http.StatusForbidden, "Not allowed"},
	fault.TooLarge:         {http.StatusRequestEntityTooLarge, "The request is too large"},
	fault.UnsupportedMedia: {http.StatusUnsupportedMediaType, "Content type not supported"},
	fault.RateLimited:      {http.StatusTooManyRequests, "Too many requests"},
	fault.Unavailable:      {http.StatusServiceUnavailable, "Temporarily unavailable"},
	fault.LockLost:         {http.StatusInternalServerError, "Something went wrong on our side"},
}

// Handler is an HTTP handler that returns what went wrong instead of writing it.
// It must not return an error after it has written anything.
type Handler func(w http.ResponseWriter, r *http.Request) error

// ServeHTTP implements [http.Handler]. A panic of the handler is answered as an
// internal error, if nothing has been written yet.
func (h Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler:
			panic(p) // the server ends the connection, as was asked
		default:
			Write(w, r, fmt.Errorf("handler panicked: %v\n%s", p, debug.Stack()))
		}
	}()
	if err := h(w, r); err != nil {
		Write(w, r, err)
	}
}

// NotFound answers a path that is not served.
var NotFound http.Handler = Handler(func(http.ResponseWriter, *http.Request) error {
	return fault.New(fault.NotFound, "there is nothing at this path")
})

// MethodNotAllowed answers a method that a path does not have. The router has
// set Allow (RFC 9110 §15.5.6).
var MethodNotAllowed http.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
	send(w, Details{Type: "urn:contoso:orders:problem:method-not-allowed", Title: "Method not allowed", Status: http.StatusMethodNotAllowed})
})

// Write answers with err as a problem, and logs it when it is ours to mend.
func Write(w http.ResponseWriter, r *http.Request, err error) {
	d := Of(err)
	if d.Status >= http.StatusInternalServerError && r.Context().Err() == nil {
		slog.ErrorContext(r.Context(), "request failed", "method", r.Method, "path", r.URL.Path, "status", d.Status, "error", err)
	}
	h := w.Header()
	var e *fault.Error
	if errors.As(err, &e) && e.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(e.RetryAfter.Seconds()))))
	}
	if d.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", "Bearer") // RFC 9110 §11.6.1 requires a challenge
	}
	send(w, d)
}

func send(w http.ResponseWriter, d Details) {
	w.Header().Set("Content-Type", ContentType)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(d.Status)
	_ = json.NewEncoder(w).Encode(d) // an error means that the caller has gone
}

// Of returns err as problem details.
func Of(err error) Details {
	kind := fault.KindOf(err)
	t := table[kind]
	d := Details{Type: "urn:contoso:orders:problem:" + kind.String(), Title: t.title, Status: t.status}
	if t.status == http.StatusInternalServerError {
		d.Type = "urn:contoso:orders:problem:" + fault.Internal.String()
		return d
	}
	var e *fault.Error
	if errors.As(err, &e) {
		d.Detail, d.Errors = e.Detail, e.Fields
	}
	return d
}

package main

import (
	"maps"
	"net"
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/contoso/orders/shared/fault"
	"github.com/contoso/orders/shared/identity"
	"github.com/contoso/orders/shared/problem"
)

// verifier checks the bearer token of a request; see [identity.Verifier].
type verifier interface {
	Caller(*http.Request) (identity.Caller, error)
}

type edge struct {
	tokens verifier
	rates  *limiter
}

// newEdge returns the routes of the platform. What is not listed here is not
// reached, however a path is spelled: an upstream's private port and its internal
// paths have no route.
func newEdge(cfg *config, tokens verifier) http.Handler {
	e := &edge{tokens: tokens, rates: newLimiter(cfg.RateLimit, cfg.RateBurst)}
	transport := newTransport()
	accept, status := newProxy(cfg.Accept, transport), newProxy(cfg.Status, transport)
	hub, idp := newProxy(cfg.Hub, transport), newProxy(cfg.IDP, transport)

	mux := http.NewServeMux()
	mux.Handle("/v1/orders", methods{"POST": e.withToken(accept), "GET": e.withToken(status)})
	mux.Handle("/v1/orders/{id}", methods{"GET": e.withToken(status)})
	// A preflight carries no token (Fetch standard, CORS-preflight fetch).
	mux.Handle("/hub/negotiate", methods{"POST": e.withToken(hub), "OPTIONS": e.withoutToken(hub)})
	// Under a ticket, which is the hub's own to check.
	mux.Handle("/hub/t/negotiate", methods{"POST": e.withoutToken(hub), "OPTIONS": e.withoutToken(hub)})
	mux.Handle("/hub/t", methods{"GET": e.withoutToken(hub)})
	mux.Handle("/idp/", e.withoutToken(http.StripPrefix("/idp", idp)))
	for _, rest := range []string{"/v1", "/v1/", "/hub", "/hub/", "/idp"} {
		mux.Handle(rest, handler(func(http.ResponseWriter, *http.Request) error {
			return fault.New(fault.NotFound, "there is nothing at this path")
		}))
	}
	app := spa{dir: cfg.SPADir}
	mux.Handle("/config.json", methods{"GET": handler(app.config)})
	mux.Handle("/", methods{"GET": handler(app.file)})
	return plainPaths(mux)
}

// handler answers with what a function returns, under the edge's own headers.
type handler func(http.ResponseWriter, *http.Request) error

// ServeHTTP implements [http.Handler].
func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := h(w, r); err != nil {
		refuse(w, r, err)
	}
}

// refuse answers with a problem of the edge's own.
func refuse(w http.ResponseWriter, r *http.Request, err error) {
	harden(w.Header())
	problem.Write(w, r, err)
}

// plainPaths refuses a path in any but its plain form, so that edge and upstream
// cannot read two different paths out of the same bytes.
func plainPaths(next http.Handler) http.Handler {
	return handler(func(w http.ResponseWriter, r *http.Request) error {
		p := r.URL.Path
		clean := path.Clean(p)
		if clean != "/" && strings.HasSuffix(p, "/") {
			clean += "/"
		}
		// RawPath is set when an encoding was used that the path did not need.
		if !strings.HasPrefix(p, "/") || p != clean || r.URL.RawPath != "" || strings.ContainsAny(p, "\\\x00") {
			return fault.New(fault.Malformed, "the path is not in its plain form: no dot segments, empty segments, or needless encoding")
		}
		next.ServeHTTP(w, r)
		return nil
	})
}

// methods routes one path by method. HEAD is GET without the body.
type methods map[string]http.Handler

// ServeHTTP implements [http.Handler].
func (m methods) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	if h, ok := m[method]; ok {
		h.ServeHTTP(w, r)
		return
	}
	allowed := slices.Sorted(maps.Keys(m))
	if _, ok := m[http.MethodGet]; ok {
		allowed = append(allowed, http.MethodHead)
	}
	harden(w.Header())
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	problem.MethodNotAllowed.ServeHTTP(w, r)
}

// withToken lets a caller with a good token through at the caller's rate. Bad ones
// use up the rate of the address they come from.
func (e *edge) withToken(next http.Handler) http.Handler {
	return handler(func(w http.ResponseWriter, r *http.Request) error {
		caller, err := e.tokens.Caller(r)
		key := caller.Customer
		if err != nil {
			key = remoteIP(r)
		}
		if err := e.rates.take(key); err != nil {
			return err
		}
		if err != nil {
			return err
		}
		next.ServeHTTP(w, r)
		return nil
	})
}

// withoutToken lets anybody through at the rate of the address they come from.
func (e *edge) withoutToken(next http.Handler) http.Handler {
	return handler(func(w http.ResponseWriter, r *http.Request) error {
		if err := e.rates.take(remoteIP(r)); err != nil {
			return err
		}
		next.ServeHTTP(w, r)
		return nil
	})
}

// remoteIP returns the address of the connection: nothing stands before the edge
// whose X-Forwarded-For could be believed.
func remoteIP(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

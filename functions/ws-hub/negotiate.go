package main

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/contoso/orders/shared/fault"
	"github.com/contoso/orders/shared/identity"
	"github.com/contoso/orders/shared/problem"
	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
	"github.com/julienschmidt/httprouter"
)

// The paths that the client makes out of the hub's URL, /hub, and the one it is
// redirected to, /hub/t.
const (
	negotiatePath       = "/hub/negotiate"
	socketPath          = "/hub/t"
	socketNegotiatePath = "/hub/t/negotiate"
)

// publicRoutes are those of the public port. ctx is what the sockets live by.
func (h *hub) publicRoutes(ctx context.Context) http.Handler {
	r := httprouter.New()
	for path, handler := range map[string]problem.Handler{negotiatePath: h.negotiate, socketNegotiatePath: h.negotiateSocket} {
		r.Handler(http.MethodPost, path, h.fromAllowedOrigin(handler))
		r.Handler(http.MethodOptions, path, h.fromAllowedOrigin(preflight))
	}
	r.Handler(http.MethodGet, socketPath, h.fromAllowedOrigin(h.connect(ctx, h.newMelody(ctx))))
	return r
}

// fromAllowedOrigin lets in pages of the allowed origins and callers that are not
// pages. Browsers check CORS for fetches only; for a WebSocket this is all there is.
func (h *hub) fromAllowedOrigin(next problem.Handler) problem.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		w.Header().Set("Vary", "Origin")
		if origin := r.Header.Get("Origin"); origin != "" {
			if !slices.Contains(h.cfg.AllowedOrigins, origin) {
				return fault.New(fault.Forbidden, "pages of this origin may not connect")
			}
			w.Header().Set("Access-Control-Allow-Origin", origin)
			w.Header().Set("Access-Control-Allow-Credentials", "true")
		}
		return next(w, r)
	}
}

// preflight answers for the headers that the client sets.
func preflight(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Access-Control-Allow-Methods", http.MethodPost)
	w.Header().Set("Access-Control-Allow-Headers", "authorization, content-type, x-requested-with, x-signalr-user-agent")
	w.Header().Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// negotiate swaps the access token for a ticket.
func (h *hub) negotiate(w http.ResponseWriter, r *http.Request) error {
	caller, err := h.customers.Caller(r)
	if err != nil {
		return err
	}
	if err := caller.Require(identity.ScopeRead); err != nil {
		return err
	}
	ticket, err := h.tickets.Issue(caller)
	if err != nil {
		return err
	}
	return writeJSON(w, struct {
		URL         string `json:"url"`
		AccessToken string `json:"accessToken"`
	}{h.publicURL(r) + socketPath, ticket})
}

// publicURL is what the client sees of this hub. The request's own Host is good
// enough without a proxy; forwarded headers are anybody's to set, and not read.
func (h *hub) publicURL(r *http.Request) string {
	switch {
	case h.cfg.PublicURL != "":
		return strings.TrimSuffix(h.cfg.PublicURL, "/")
	case r.TLS != nil:
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

type transport struct {
	Transport       string   `json:"transport"`
	TransferFormats []string `json:"transferFormats"`
}

// negotiateSocket offers the only transport there is. The id means nothing: the
// socket may be opened at another replica.
func (h *hub) negotiateSocket(w http.ResponseWriter, r *http.Request) error {
	text, err := identity.Bearer(r)
	if err != nil {
		return err
	}
	if _, err := h.tickets.Verify(text); err != nil {
		return err
	}
	id := uuid.NewString()
	return writeJSON(w, struct {
		NegotiateVersion    int         `json:"negotiateVersion"`
		ConnectionID        string      `json:"connectionId"`
		ConnectionToken     string      `json:"connectionToken"`
		AvailableTransports []transport `json:"availableTransports"`
	}{1, id, id, []transport{{"WebSockets", []string{"Text"}}}})
}

// spend returns the request's ticket, which nobody can use again.
func (h *hub) spend(r *http.Request) (identity.Ticket, error) {
	text := r.URL.Query().Get("access_token")
	if text == "" {
		var err error
		if text, err = identity.Bearer(r); err != nil {
			return identity.Ticket{}, err
		}
	}
	ticket, err := h.tickets.Verify(text)
	if err != nil {
		return identity.Ticket{}, err
	}
	if !ticket.Expires.After(time.Now()) {
		return identity.Ticket{}, fault.New(fault.Unauthenticated, "the access token behind the ticket has ended")
	}
	first, err := h.registry.SpendTicket(r.Context(), ticket.ID, identity.TicketLife)
	switch {
	case fault.KindOf(err) == fault.Unavailable:
		// Better a ticket that is good for seconds than no outcomes for anybody.
		slog.DebugContext(r.Context(), "ticket not spent", "error", err)
	case err != nil:
		return identity.Ticket{}, err
	case !first:
		return identity.Ticket{}, fault.New(fault.Unauthenticated, "the ticket was used before")
	}
	return ticket, nil
}

func writeJSON(w http.ResponseWriter, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(body) // the caller has gone: nothing to do
	return nil
}

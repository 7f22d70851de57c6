package main

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/contoso/orders/shared/identity"
	"github.com/golang-jwt/jwt/v5"
	"github.com/gorilla/websocket"
)

func TestNegotiateRedirectsWithATicket(t *testing.T) {
	r := newRig(t, options{})
	res, body := ask(t, http.MethodPost, r.public+negotiatePath+"?negotiateVersion=1", token(t, apiAudience, "alice"), "", "Origin", page)
	if res.StatusCode != http.StatusOK || !strings.HasPrefix(body, `{"url":"`+r.public+`/hub/t","accessToken":"`) {
		t.Errorf("negotiate: %d %s", res.StatusCode, body)
	}
	if got := res.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control = %q: a ticket must not be stored", got)
	}
}

func TestPublicURLIsWhereTheClientIsSent(t *testing.T) {
	r := newRig(t, options{env: map[string]string{"PUBLIC_URL": "https://api.shop.example/"}})
	_, body := ask(t, http.MethodPost, r.public+negotiatePath, token(t, apiAudience, "alice"), "", "X-Forwarded-Host", "evil.example")
	if !strings.HasPrefix(body, `{"url":"https://api.shop.example/hub/t",`) {
		t.Errorf("negotiate: %s", body)
	}
}

func TestNegotiateUnderTheTicketOffersWebSocketsOnly(t *testing.T) {
	r := newRig(t, options{})
	ticket := r.ticket(t, token(t, apiAudience, "alice"))
	for range 2 { // it does not spend the ticket
		res, body := ask(t, http.MethodPost, r.public+socketNegotiatePath, ticket, "", "Origin", page)
		if res.StatusCode != http.StatusOK || !strings.HasPrefix(body, `{"negotiateVersion":1,"connectionId":"`) ||
			!strings.HasSuffix(body, `","availableTransports":[{"transport":"WebSockets","transferFormats":["Text"]}]}`) {
			t.Errorf("negotiate: %d %s", res.StatusCode, body)
		}
	}
	if ws, _, err := r.dial(ticket, websocket.Dialer{}); err != nil {
		t.Error(err)
	} else {
		ws.Close()
	}
}

func TestNegotiateRefusesBadTokens(t *testing.T) {
	r := newRig(t, options{})
	without := func(scope string) func(jwt.MapClaims) { return func(c jwt.MapClaims) { c["scope"] = scope } }
	for name, c := range map[string]struct {
		bearer string
		want   int
	}{
		"no token":       {"", http.StatusUnauthorized},
		"other audience": {token(t, pushAudience, "alice"), http.StatusUnauthorized},
		"expired":        {token(t, apiAudience, "alice", func(c jwt.MapClaims) { c["exp"] = time.Now().Add(-time.Hour).Unix() }), http.StatusUnauthorized},
		"write only":     {token(t, apiAudience, "alice", without(identity.ScopeWrite)), http.StatusForbidden},
		"a ticket":       {r.ticket(t, token(t, apiAudience, "alice")), http.StatusUnauthorized},
	} {
		if res, body := ask(t, http.MethodPost, r.public+negotiatePath, c.bearer, ""); res.StatusCode != c.want {
			t.Errorf("%s: %d %s, want %d", name, res.StatusCode, body, c.want)
		}
	}
}

// issue makes a ticket outside of the hub.
func issue(t *testing.T, key string, c identity.Caller) string {
	t.Helper()
	keys, err := identity.NewKeys(identity.KeysConfig{Keys: []string{key}})
	if err != nil {
		t.Fatal(err)
	}
	tickets, err := identity.NewTickets(keys)
	if err != nil {
		t.Fatal(err)
	}
	text, err := tickets.Issue(c)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestSocketNeedsAGoodTicket(t *testing.T) {
	r := newRig(t, options{})
	alice := identity.Caller{Customer: customerOf("alice"), Expires: time.Now().Add(time.Hour)}
	var expired string
	synctest.Test(t, func(t *testing.T) { expired = issue(t, correlationKey, alice) }) // the bubble's clock shows the year 2000
	ended := alice
	ended.Expires = time.Now().Add(-time.Second)

	for name, ticket := range map[string]string{
		"none":                   "",
		"garbage":                "x.y.z",
		"an access token":        token(t, apiAudience, "alice"),
		"expired":                expired,
		"of another key":         issue(t, strings.Repeat("A", 43)+"=", alice),
		"outlived by its source": issue(t, correlationKey, ended),
	} {
		t.Run(name, func(t *testing.T) {
			ws, res, err := r.dial(ticket, websocket.Dialer{})
			if err == nil {
				ws.Close()
				t.Fatal("the socket opens")
			}
			if res == nil || res.StatusCode != http.StatusUnauthorized {
				t.Errorf("answer %v (%v), want 401", res, err)
			}
		})
		if name == "outlived by its source" { // negotiate does not look at the source
			continue
		}
		if res, _ := ask(t, http.MethodPost, r.public+socketNegotiatePath, ticket, ""); res.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: negotiate answers %d, want 401", name, res.StatusCode)
		}
	}
}

func TestTicketIsGoodForOneSocket(t *testing.T) {
	r := newRig(t, options{})
	ticket := r.ticket(t, token(t, apiAudience, "alice"))
	ws, _, err := r.dial(ticket, websocket.Dialer{})
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	again, res, err := r.dial(ticket, websocket.Dialer{})
	if err == nil {
		again.Close()
		t.Fatal("the ticket opens a second socket")
	}
	if res.StatusCode != http.StatusUnauthorized {
		t.Errorf("answer %d, want 401", res.StatusCode)
	}
	if logged := r.logs.String(); strings.Contains(logged, ticket) || strings.Contains(logged, "access_token") {
		t.Error("the log has a ticket in it")
	}
}

func TestForeignPagesAreRefused(t *testing.T) {
	r := newRig(t, options{})
	for _, origin := range []string{"https://evil.example", "http://shop.example", "https://shop.example:444", "null"} {
		for _, method := range []string{http.MethodOptions, http.MethodPost} {
			res, _ := ask(t, method, r.public+negotiatePath, token(t, apiAudience, "alice"), "", "Origin", origin)
			if res.StatusCode != http.StatusForbidden || res.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s from %s: %d, headers %v", method, origin, res.StatusCode, res.Header)
			}
		}
		ws, res, err := r.dial(r.ticket(t, token(t, apiAudience, "alice")), websocket.Dialer{}, "Origin", origin)
		if err == nil {
			ws.Close()
			t.Fatalf("a page of %s opens a socket", origin)
		}
		if res == nil || res.StatusCode != http.StatusForbidden {
			t.Errorf("socket from %s: %v, want 403", origin, err)
		}
	}
}

func TestAllowedPageMayReadTheAnswer(t *testing.T) {
	r := newRig(t, options{})
	for _, path := range []string{negotiatePath, socketNegotiatePath} {
		res, _ := ask(t, http.MethodOptions, r.public+path, "", "", "Origin", page, "Access-Control-Request-Method", "POST")
		if res.StatusCode != http.StatusNoContent {
			t.Errorf("preflight of %s: %d", path, res.StatusCode)
		}
		for name, want := range map[string]string{
			"Access-Control-Allow-Origin": page, "Access-Control-Allow-Credentials": "true",
			"Access-Control-Allow-Methods": "POST", "Vary": "Origin",
			"Access-Control-Allow-Headers": "authorization, content-type, x-requested-with, x-signalr-user-agent",
		} {
			if got := res.Header.Get(name); got != want {
				t.Errorf("preflight of %s: %s = %q, want %q", path, name, got, want)
			}
		}
	}
	// Without a token too: the page has to see that it was refused.
	res, _ := ask(t, http.MethodPost, r.public+negotiatePath, "", "", "Origin", page)
	if res.StatusCode != http.StatusUnauthorized || res.Header.Get("Access-Control-Allow-Origin") != page {
		t.Errorf("refusal: %d, headers %v", res.StatusCode, res.Header)
	}
}

func TestRequestThatIsNoUpgradeIsAnswered(t *testing.T) {
	r := newRig(t, options{})
	res, _ := ask(t, http.MethodGet, r.public+socketPath, r.ticket(t, token(t, apiAudience, "alice")), "")
	if res.StatusCode != http.StatusBadRequest {
		t.Errorf("answer %d, want 400", res.StatusCode)
	}
}

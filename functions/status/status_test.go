package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/contoso/orders/shared/contract/contracttest"
	"github.com/contoso/orders/shared/identity"
	"github.com/contoso/orders/shared/identity/identitytest"
	"github.com/contoso/orders/shared/order"
	"github.com/contoso/orders/shared/problem"
	"github.com/contoso/orders/shared/registry"
	"github.com/contoso/orders/shared/registry/registrytest"
	"github.com/contoso/orders/shared/store"
	"github.com/contoso/orders/shared/store/sqlite"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/shopspring/decimal"
)

// api is status with everything real around it.
type api struct {
	url      string
	provider *identitytest.Provider
	keys     *identity.Keys
	store    store.Store
	redis    *registrytest.Server
	registry *registry.Registry
}

func start(t *testing.T) *api {
	t.Helper()
	a := &api{provider: identitytest.New(t), redis: registrytest.Mini(t)}
	url := "sqlite://" + filepath.Join(t.TempDir(), "orders.db")
	if _, err := sqlite.Migrate(t.Context(), url, func(int64, string, time.Duration) {}); err != nil {
		t.Fatal(err)
	}
	db, err := sqlite.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	a.store = db
	if a.registry, err = registry.New(registry.Config{URL: a.redis.URL, Timeout: 500 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.registry.Close() })
	keys := identity.KeysConfig{Keys: []string{base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("k"), 32))}}
	if a.keys, err = identity.NewKeys(keys); err != nil {
		t.Fatal(err)
	}
	h, err := newHandler(t.Context(), config{Token: a.provider.Config(), Keys: keys}, db, a.registry)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h.routes())
	t.Cleanup(server.Close)
	a.url = server.URL
	return a
}

func (a *api) get(t *testing.T, subject, path string, headers ...string) (*http.Response, []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+a.provider.Token(t, identitytest.Claims(subject)))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	contracttest.Check(t, r.Method, r.URL.Path, res, raw)
	return res, raw
}

func customerOf(subject string) string { return identity.CustomerOf(identitytest.Issuer, subject) }

// issue makes a CorrelationId as accept does.
func (a *api) issue(subject string) uuid.UUID {
	return a.keys.Issue(customerOf(subject), identity.RandomNonce())
}

var acceptedAt = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// save stores an order as process-session does.
func (a *api) save(t *testing.T, subject string, id uuid.UUID, status order.Status, reason string) store.Stored {
	t.Helper()
	stored, err := a.store.Save(t.Context(), []store.Submission{{
		CorrelationID: id, Customer: customerOf(subject), Status: status, Reason: reason, AcceptedAt: acceptedAt,
		Order: order.Order{Currency: "EUR", Lines: []order.Line{{SKU: "A-1", Quantity: 2, UnitPrice: decimal.RequireFromString("9.99")}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return stored[0]
}

func TestStoredOrderIsShownWhole(t *testing.T) {
	t.Parallel()
	a := start(t)
	id := a.issue("alice")
	stored := a.save(t, "alice", id, order.Completed, "")
	res, body := a.get(t, "alice", "/v1/orders/"+id.String())
	want := fmt.Sprintf(`{"correlationId":%q,"status":"completed","orderId":%d,"revision":1,"currency":"EUR",`+
		`"lines":[{"sku":"A-1","quantity":2,"unitPrice":"9.99"}],"total":"19.98","acceptedAt":"2026-11-23T12:00:00Z","completedAt":%q,"statusUrl":"/v1/orders/%s"}`,
		id, stored.OrderID, stored.CompletedAt.Format(time.RFC3339Nano), id)
	if diff := cmp.Diff(want, string(body)); res.StatusCode != http.StatusOK || diff != "" {
		t.Errorf("status %d, body (-want +got):\n%s", res.StatusCode, diff)
	}
	if res.Header.Get("Retry-After") != "" {
		t.Error("a decided order asks to come again")
	}
}

func TestRejectedOrderGivesItsReason(t *testing.T) {
	t.Parallel()
	a := start(t)
	id := a.issue("alice")
	a.save(t, "alice", id, order.Rejected, "the total is over your limit")
	_, body := a.get(t, "alice", "/v1/orders/"+id.String())
	if !strings.Contains(string(body), `"status":"rejected"`) || !strings.Contains(string(body), "over your limit") {
		t.Errorf("body = %s", body)
	}
}

func TestAcceptedOrderIsKnownByItsOwnTag(t *testing.T) {
	t.Parallel()
	a := start(t)
	a.redis.Stop(t) // nothing but the CorrelationId speaks for it
	id := a.issue("alice")
	res, body := a.get(t, "alice", "/v1/orders/"+id.String())
	if res.StatusCode != http.StatusOK || !strings.Contains(string(body), `"status":"accepted"`) || res.Header.Get("Retry-After") != "1" {
		t.Errorf("answer = %d %s, Retry-After %q", res.StatusCode, body, res.Header.Get("Retry-After"))
	}
}

func TestPurgedOrderIsNotFoundAndDoesNotWait(t *testing.T) {
	t.Parallel()
	a := start(t)
	id := a.issue("alice")
	stored := a.save(t, "alice", id, order.Completed, "")
	if err := a.registry.AddPending(t.Context(), customerOf("alice"), id, time.Now()); err != nil {
		t.Fatal(err)
	}
	if n, err := a.store.Purge(t.Context(), stored.CompletedAt.Add(time.Millisecond), 1); n != 1 || err != nil {
		t.Fatalf("%d purged, error %v", n, err)
	}
	res, body := a.get(t, "alice", "/v1/orders/"+id.String())
	if res.StatusCode != http.StatusNotFound || !strings.Contains(string(body), "older than what is kept") {
		t.Errorf("answer = %d %s, want a 404 that says why", res.StatusCode, body)
	}
	if p := a.list(t, "alice", ""); len(p.Orders) != 0 {
		t.Errorf("list = %+v, want none", p.Orders)
	}
}

func TestOthersOrdersAndMadeUpOnesAreNotFound(t *testing.T) {
	t.Parallel()
	a := start(t)
	stored, waiting := a.issue("alice"), a.issue("alice")
	a.save(t, "alice", stored, order.Completed, "")
	altered := waiting
	altered[15] ^= 1
	for name, path := range map[string]string{
		"stored, another's":  stored.String(),
		"waiting, another's": waiting.String(),
		"made up":            uuid.New().String(),
		"altered":            altered.String(),
		"nil":                uuid.Nil.String(),
		"no UUID":            "42",
		"injection":          "'%20OR%201=1--",
	} {
		res, body := a.get(t, "bob", "/v1/orders/"+path)
		var d problem.Details
		if err := json.Unmarshal(body, &d); err != nil || res.StatusCode != http.StatusNotFound || d.Status != http.StatusNotFound {
			t.Errorf("%s: answer = %d %s, want a 404 problem", name, res.StatusCode, body)
		}
	}
	if res, _ := a.get(t, "alice", "/v1/orders/"+altered.String()); res.StatusCode != http.StatusNotFound {
		t.Errorf("an altered CorrelationId of one's own: %d, want 404", res.StatusCode)
	}
}

func TestBadTokenSeesNothing(t *testing.T) {
	t.Parallel()
	a := start(t)
	for name, token := range a.provider.Bad(t) {
		for _, path := range []string{"/v1/orders", "/v1/orders/" + a.issue("alice").String()} {
			if res, _ := a.get(t, "alice", path, "Authorization", "Bearer "+token); res.StatusCode != http.StatusUnauthorized {
				t.Errorf("%s at %s: %d, want 401", name, path, res.StatusCode)
			}
		}
	}
	writer := identitytest.Claims("alice")
	writer["scope"] = identity.ScopeWrite
	if res, _ := a.get(t, "alice", "/v1/orders", "Authorization", "Bearer "+a.provider.Token(t, writer)); res.StatusCode != http.StatusForbidden {
		t.Errorf("without the scope: %d, want 403", res.StatusCode)
	}
}

func TestUnchangedOrderIs304(t *testing.T) {
	t.Parallel()
	a := start(t)
	id := a.issue("alice")
	first, _ := a.get(t, "alice", "/v1/orders/"+id.String())
	tag := first.Header.Get("ETag")
	for _, header := range []string{tag, `"x", W/` + tag, "*"} {
		res, body := a.get(t, "alice", "/v1/orders/"+id.String(), "If-None-Match", header)
		if res.StatusCode != http.StatusNotModified || len(body) > 0 || res.Header.Get("ETag") != tag {
			t.Errorf("If-None-Match %s: %d %s", header, res.StatusCode, body)
		}
	}
	a.save(t, "alice", id, order.Completed, "")
	if res, _ := a.get(t, "alice", "/v1/orders/"+id.String(), "If-None-Match", tag); res.StatusCode != http.StatusOK || res.Header.Get("ETag") == tag {
		t.Errorf("after completion: %d, the tag is %s", res.StatusCode, res.Header.Get("ETag"))
	}
}

func (a *api) list(t *testing.T, subject, query string) page {
	t.Helper()
	res, body := a.get(t, subject, "/v1/orders"+query)
	if res.StatusCode != http.StatusOK {
		t.Fatalf("answer = %d %s", res.StatusCode, body)
	}
	var p page
	if err := json.Unmarshal(body, &p); err != nil {
		t.Fatal(err)
	}
	return p
}

func ids(p page) []uuid.UUID {
	var list []uuid.UUID
	for _, o := range p.Orders {
		list = append(list, o.CorrelationID)
	}
	return list
}

func TestListIsMineNewestFirstInPages(t *testing.T) {
	t.Parallel()
	a := start(t)
	var want []uuid.UUID
	for range 5 {
		id := a.issue("alice")
		a.save(t, "alice", id, order.Completed, "")
		want = append([]uuid.UUID{id}, want...)
	}
	a.save(t, "bob", a.issue("bob"), order.Completed, "")
	var got []uuid.UUID
	pages, query := 0, "?limit=2"
	for {
		p := a.list(t, "alice", query)
		pages++
		got = append(got, ids(p)...)
		if p.Next == "" {
			break
		}
		query = "?limit=2&cursor=" + p.Next
	}
	if diff := cmp.Diff(want, got); diff != "" || pages != 3 {
		t.Errorf("%d pages (-want +got):\n%s", pages, diff)
	}
}

func TestFirstPageHasWhatWaits(t *testing.T) {
	t.Parallel()
	a := start(t)
	decided, waiting, justDecided := a.issue("alice"), a.issue("alice"), a.issue("alice")
	a.save(t, "alice", justDecided, order.Completed, "")
	a.save(t, "alice", decided, order.Completed, "")
	for _, id := range []uuid.UUID{waiting, justDecided} { // the registry has not heard of the decision yet
		if err := a.registry.AddPending(t.Context(), customerOf("alice"), id, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	p := a.list(t, "alice", "?limit=1") // justDecided is on page 2
	if diff := cmp.Diff([]uuid.UUID{waiting, decided}, ids(p)); diff != "" || p.Partial {
		t.Errorf("partial %v, orders (-want +got):\n%s", p.Partial, diff)
	}
	if p.Orders[0].Status != order.Accepted || p.Orders[1].Status != order.Completed {
		t.Errorf("states: %s, %s", p.Orders[0].Status, p.Orders[1].Status)
	}
}

func TestListWithoutRedisSaysThatItIsPartial(t *testing.T) {
	t.Parallel()
	a := start(t)
	id := a.issue("alice")
	a.save(t, "alice", id, order.Completed, "")
	a.redis.Stop(t)
	p := a.list(t, "alice", "")
	if diff := cmp.Diff([]uuid.UUID{id}, ids(p)); diff != "" || !p.Partial {
		t.Errorf("partial %v, orders (-want +got):\n%s", p.Partial, diff)
	}
}

func TestEmptyListIsAList(t *testing.T) {
	t.Parallel()
	a := start(t)
	if _, body := a.get(t, "alice", "/v1/orders"); string(body) != `{"orders":[]}` {
		t.Errorf("body = %s", body)
	}
}

func TestBadPagingIsSaid(t *testing.T) {
	t.Parallel()
	a := start(t)
	for _, query := range []string{"?limit=0", "?limit=101", "?limit=x", "?cursor=x", "?cursor=djE6LTE", "?cursor=" + base64.RawURLEncoding.EncodeToString([]byte("v2:7"))} {
		if res, body := a.get(t, "alice", "/v1/orders"+query); res.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %d %s, want 400", query, res.StatusCode, body)
		}
	}
}

func TestStoreErrorIsAProblemAndNotNotFound(t *testing.T) {
	t.Parallel()
	a := start(t)
	if err := a.store.Close(); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/v1/orders", "/v1/orders/" + a.issue("alice").String()} {
		if res, body := a.get(t, "alice", path); res.StatusCode < 500 || res.Header.Get("Content-Type") != problem.ContentType {
			t.Errorf("%s: %d %s", path, res.StatusCode, body)
		}
	}
}

package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/contoso/orders/shared/bus"
	"github.com/contoso/orders/shared/bustest"
	"github.com/contoso/orders/shared/contract/contracttest"
	"github.com/contoso/orders/shared/envelope"
	"github.com/contoso/orders/shared/identity"
	"github.com/contoso/orders/shared/identity/identitytest"
	"github.com/contoso/orders/shared/problem"
	"github.com/contoso/orders/shared/registry"
	"github.com/contoso/orders/shared/registry/registrytest"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

func TestMain(m *testing.M) { bustest.Main(m) }

// api is accept with everything real around it.
type api struct {
	url      string
	broker   *bustest.Broker
	client   *bus.Client
	provider *identitytest.Provider
	redis    *registrytest.Server
	registry *registry.Registry
	handler  *handler
}

func start(t *testing.T) *api {
	t.Helper()
	return startOn(t, bustest.Start(t, bustest.Orders("PT30S")...), registrytest.Mini(t), func(*config) {})
}

// startOn starts accept on a broker and a Redis, with a configuration that change
// has changed.
func startOn(t testing.TB, b *bustest.Broker, redis *registrytest.Server, change func(*config)) *api {
	t.Helper()
	a := &api{broker: b, provider: identitytest.New(t), redis: redis}
	a.client = a.broker.Connect(t)
	reg, err := registry.New(registry.Config{URL: a.redis.URL, Timeout: 500 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = reg.Close() })
	a.registry = reg
	cfg := config{
		Token: a.provider.Config(), Queue: "orders", SendTimeout: 2 * time.Second, MaxPerCustomer: 1000,
		Gather: bus.GatherConfig{MaxWaiting: 1000, MaxBatch: 100},
		Keys:   identity.KeysConfig{Keys: []string{base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("k"), 32))}},
	}
	change(&cfg)
	h, err := newHandler(t.Context(), cfg, a.client, reg)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h.routes())
	t.Cleanup(func() {
		server.Close()
		_ = h.Close() // the broker may be gone
	})
	a.url, a.handler = server.URL+"/v1/orders", h
	return a
}

const goodOrder = `{"currency":"EUR","lines":[{"sku":"A-1","quantity":2,"unitPrice":"9.99"}]}`

// post sends a body as alice, with headers in pairs on top; "" removes one.
func (a *api) post(t *testing.T, body string, headers ...string) (*http.Response, []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+a.provider.Token(t, identitytest.Claims("alice")))
	for i := 0; i < len(headers); i += 2 {
		if r.Header.Set(headers[i], headers[i+1]); headers[i+1] == "" {
			r.Header.Del(headers[i])
		}
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
	contracttest.Check(t, http.MethodPost, "/v1/orders", res, raw)
	return res, raw
}

// queued fails unless the queue holds n messages, and returns them. It waits for
// them, and then a little for one too many.
func (a *api) queued(t *testing.T, n int) []bus.Message {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	var mu sync.Mutex
	var list []bus.Message
	enough := func() {
		if len(list) >= n {
			time.AfterFunc(time.Second, stop)
		}
	}
	enough()
	err := a.broker.Connect(t).WorkSessions(ctx, "orders",
		bus.WorkerConfig{Slots: 4, BatchSize: 100, IdleExit: time.Minute, MaxHold: time.Minute, BatchTimeout: time.Minute, DrainTimeout: time.Second},
		func(_ context.Context, batch []bus.Message) ([]error, error) {
			mu.Lock()
			defer mu.Unlock()
			list = append(list, batch...)
			enough()
			return make([]error, len(batch)), nil
		})
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != n {
		t.Fatalf("%d messages on the queue, want %d", len(list), n)
	}
	return list
}

func wantProblem(t *testing.T, res *http.Response, body []byte, status int) problem.Details {
	t.Helper()
	var d problem.Details
	if err := json.Unmarshal(body, &d); err != nil {
		t.Fatalf("body is not a problem: %s", body)
	}
	if res.StatusCode != status || d.Status != status || d.Title == "" || res.Header.Get("Content-Type") != problem.ContentType {
		t.Errorf("answer = %d %s, want a problem with status %d", res.StatusCode, body, status)
	}
	return d
}

func TestAdmittedOrderIsOnTheCustomersSession(t *testing.T) {
	t.Parallel()
	a := start(t)
	res, body := a.post(t, goodOrder)
	if res.StatusCode != http.StatusAccepted {
		t.Fatalf("answer = %d %s", res.StatusCode, body)
	}
	var got answer
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatal(err)
	}
	location := "/v1/orders/" + got.CorrelationID.String()
	if got.Status != "accepted" || got.StatusURL != location || res.Header.Get("Location") != location || res.Header.Get("Retry-After") != "1" {
		t.Errorf("answer = %s, headers %v", body, res.Header)
	}
	customer := identity.CustomerOf(identitytest.Issuer, "alice")
	m := a.queued(t, 1)[0]
	e, err := envelope.DecodeAccepted(m.Body)
	if err != nil {
		t.Fatal(err)
	}
	if m.SessionID != customer || e.Customer != customer || m.CorrelationID != got.CorrelationID.String() || e.CorrelationID != got.CorrelationID {
		t.Errorf("message %+v holds %+v", m, e)
	}
	if total := e.Order.Total().String(); total != "19.98" {
		t.Errorf("total = %s", total)
	}
	pending, err := a.registry.Pending(t.Context(), customer)
	if err != nil || len(pending) != 1 || pending[0].CorrelationID != got.CorrelationID {
		t.Errorf("pending = %v, %v", pending, err)
	}
}

func TestBadCallerIsRefusedBeforeAnythingIsSent(t *testing.T) {
	t.Parallel()
	a := start(t)
	for name, token := range a.provider.Bad(t) {
		res, body := a.post(t, goodOrder, "Authorization", "Bearer "+token)
		if wantProblem(t, res, body, http.StatusUnauthorized); res.Header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: no WWW-Authenticate", name)
		}
	}
	res, body := a.post(t, goodOrder, "Authorization", "")
	wantProblem(t, res, body, http.StatusUnauthorized)
	reader := identitytest.Claims("alice")
	reader["scope"] = identity.ScopeRead
	res, body = a.post(t, goodOrder, "Authorization", "Bearer "+a.provider.Token(t, reader))
	wantProblem(t, res, body, http.StatusForbidden)
	a.queued(t, 0)
}

func TestBadOrderIsRefusedWithWhatIsWrong(t *testing.T) {
	t.Parallel()
	a := start(t)
	line := func(quantity, price string) string {
		return fmt.Sprintf(`{"currency":"EUR","lines":[{"sku":"A","quantity":%s,"unitPrice":%s}]}`, quantity, price)
	}
	for name, tc := range map[string]struct {
		body, contentType string
		status            int
		pointer           string
	}{
		"too large":         {`{"currency":"` + strings.Repeat("E", 65<<10) + `"}`, "application/json", 413, ""},
		"not JSON":          {`order=1`, "application/json", 400, ""},
		"empty":             {``, "application/json", 400, ""},
		"unknown field":     {`{"currency":"EUR","coupon":"x","lines":[]}`, "application/json", 422, "/coupon"},
		"wrong type":        {line(`"2"`, `"1"`), "application/json", 422, "/lines/0/quantity"},
		"zero quantity":     {line(`0`, `"1"`), "application/json", 422, "/lines/0/quantity"},
		"huge quantity":     {line(`100000`, `"1"`), "application/json", 422, "/lines/0/quantity"},
		"five places":       {line(`1`, `"1.00001"`), "application/json", 422, "/lines/0/unitPrice"},
		"unknown currency":  {strings.Replace(goodOrder, "EUR", "ZZZ", 1), "application/json", 422, "/currency"},
		"form":              {goodOrder, "application/x-www-form-urlencoded", 415, ""},
		"no content type":   {goodOrder, "", 415, ""},
		"other charset":     {goodOrder, "application/json; charset=utf-16", 415, ""},
		"bad content type":  {goodOrder, ";;", 415, ""},
		"cloud event":       {goodOrder, envelope.ContentType, 415, ""},
		"two orders at one": {goodOrder + goodOrder, "application/json", 400, ""},
	} {
		t.Run(name, func(t *testing.T) {
			res, body := a.post(t, tc.body, "Content-Type", tc.contentType)
			d := wantProblem(t, res, body, tc.status)
			if tc.pointer != "" && (len(d.Errors) == 0 || d.Errors[0].Pointer != tc.pointer) {
				t.Errorf("errors = %v, want %s", d.Errors, tc.pointer)
			}
		})
	}
	a.queued(t, 0)
}

func TestChunkedBodyIsBoundedToo(t *testing.T) {
	t.Parallel()
	a := start(t)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.url, io.MultiReader(strings.NewReader(strings.Repeat(" ", 70<<10)), strings.NewReader(goodOrder)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+a.provider.Token(t, identitytest.Claims("alice")))
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("status = %d, want 413", res.StatusCode)
	}
}

func TestSameKeyIsTheSameOrder(t *testing.T) {
	t.Parallel()
	a := start(t)
	first, body := a.post(t, goodOrder, "Idempotency-Key", `"basket-1"`)
	if first.StatusCode != http.StatusAccepted {
		t.Fatalf("answer = %d %s", first.StatusCode, body)
	}
	again, _ := a.post(t, " "+goodOrder, "Idempotency-Key", `"basket-1"`)
	if again.StatusCode != http.StatusAccepted || again.Header.Get("Location") != first.Header.Get("Location") {
		t.Errorf("again: %d %s, first: %s", again.StatusCode, again.Header.Get("Location"), first.Header.Get("Location"))
	}
	res, body := a.post(t, strings.Replace(goodOrder, "9.99", "1.00", 1), "Idempotency-Key", `"basket-1"`)
	wantProblem(t, res, body, http.StatusUnprocessableEntity)
	other, _ := a.post(t, goodOrder, "Idempotency-Key", `"basket-1"`, "Authorization", "Bearer "+a.provider.Token(t, identitytest.Claims("bob")))
	if other.StatusCode != http.StatusAccepted || other.Header.Get("Location") == first.Header.Get("Location") {
		t.Errorf("another customer's order under the same key: %d %s", other.StatusCode, other.Header.Get("Location"))
	}
	a.queued(t, 2) // one of each customer
}

func TestBadKeyIsRefused(t *testing.T) {
	t.Parallel()
	a := start(t)
	for _, key := range []string{`basket`, `""`, `"` + strings.Repeat("k", 65) + `"`, `42`, `"a", "b"`, `"a`, `:YQ==:`} {
		res, body := a.post(t, goodOrder, "Idempotency-Key", key)
		wantProblem(t, res, body, http.StatusBadRequest)
	}
}

func TestBrokerGoneIs503AndTheRetryIsTheSameOrder(t *testing.T) {
	t.Parallel()
	a := start(t)
	if res, body := a.post(t, goodOrder); res.StatusCode != http.StatusAccepted {
		t.Fatalf("answer = %d %s", res.StatusCode, body)
	}
	a.broker.Stop(t)
	res, body := a.post(t, goodOrder, "Idempotency-Key", `"k"`)
	if wantProblem(t, res, body, http.StatusServiceUnavailable); res.Header.Get("Retry-After") == "" {
		t.Error("503 without Retry-After")
	}
	a.broker.Restart(t)
	first, body := a.post(t, goodOrder, "Idempotency-Key", `"k"`)
	if first.StatusCode != http.StatusAccepted {
		t.Fatalf("the retry: %d %s", first.StatusCode, body)
	}
	second, _ := a.post(t, goodOrder, "Idempotency-Key", `"k"`)
	if second.Header.Get("Location") != first.Header.Get("Location") {
		t.Error("the same key named two orders")
	}
	a.queued(t, 1)
}

func TestRedisGoneDoesNotStopAccepting(t *testing.T) {
	t.Parallel()
	a := start(t)
	a.redis.Stop(t)
	if res, body := a.post(t, goodOrder, "Idempotency-Key", `"k"`); res.StatusCode != http.StatusAccepted {
		t.Errorf("answer = %d %s", res.StatusCode, body)
	}
	a.queued(t, 1)
}

func TestConcurrentOrdersShareOneSender(t *testing.T) {
	t.Parallel()
	a := start(t)
	const n = 200
	ids := make([]string, n)
	var wait sync.WaitGroup
	for i := range n {
		wait.Go(func() {
			res, body := a.post(t, goodOrder)
			if res.StatusCode != http.StatusAccepted {
				t.Errorf("answer = %d %s", res.StatusCode, body)
			}
			ids[i] = strings.TrimPrefix(res.Header.Get("Location"), "/v1/orders/")
		})
	}
	wait.Wait()
	sent, queued := map[string]bool{}, map[string]bool{}
	for _, id := range ids {
		sent[uuid.MustParse(id).String()] = true
	}
	for _, m := range a.queued(t, n) {
		queued[m.CorrelationID] = true
	}
	if len(sent) != n {
		t.Errorf("%d different CorrelationIds, want %d", len(sent), n)
	}
	if diff := cmp.Diff(sent, queued); diff != "" {
		t.Errorf("answered against queued:\n%s", diff)
	}
}

func TestOtherPathsAndMethodsAreProblems(t *testing.T) {
	t.Parallel()
	a := start(t)
	for want, r := range map[int][2]string{http.StatusNotFound: {http.MethodPost, a.url + "/x"}, http.StatusMethodNotAllowed: {http.MethodDelete, a.url}} {
		req, err := http.NewRequestWithContext(t.Context(), r[0], r[1], nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		wantProblem(t, res, body, want)
	}
}

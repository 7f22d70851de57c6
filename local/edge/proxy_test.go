package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestForgedHeadersAreReplaced(t *testing.T) {
	b := newBench(t, nil, nil)
	b.do(t, "GET", "/v1/orders", "", "Authorization", "Bearer "+b.token(t, "alice", nil),
		"X-Forwarded-For", "6.6.6.6", "X-Forwarded-Host", "evil.example", "X-Forwarded-Proto", "gopher", "X-Forwarded-Prefix", "/evil",
		"X-Forwarded-Port", "1", "Forwarded", "for=6.6.6.6", "X-Real-Ip", "6.6.6.6", "X-Internal-Caller", "complete", "X-Ms-Client-Principal", "root",
		"X-Original-Url", "/internal", "X-Rewrite-Url", "/internal", "X-Http-Method-Override", "DELETE", "X-User-Id", "bob", "True-Client-Ip", "6.6.6.6",
		"Connection", "X-Internal-Caller, X-Custom", "X-Custom", "hop", "Proxy-Authorization", "Basic x", "Te", "trailers",
		"Idempotency-Key", `"k"`, "Traceparent", "00-1-2-01", "If-None-Match", `"e"`)
	r, _, _ := b.last()
	got := map[string]string{}
	for name := range r.Header {
		got[name] = r.Header.Get(name)
	}
	delete(got, "Authorization")
	want := map[string]string{
		"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Host": strings.TrimPrefix(b.URL, "http://"), "X-Forwarded-Proto": "http",
		"Idempotency-Key": `"k"`, "Traceparent": "00-1-2-01", "If-None-Match": `"e"`,
		"Te":         "trailers", // what ReverseProxy keeps, for gRPC
		"X-Upstream": "status", "User-Agent": got["User-Agent"], "Accept-Encoding": got["Accept-Encoding"],
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the upstream saw (-want +got):\n%s", diff)
	}
}

func TestAnswerPassesWithoutWhatItIsMadeOf(t *testing.T) {
	b := newBench(t, nil, func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h.Set("Server", "Kestrel")
		h.Set("X-Powered-By", "magic")
		h.Set("Location", "/v1/orders/0190-a")
		h.Set("ETag", `"e"`)
		h.Set("Content-Security-Policy", "default-src 'none'")
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, "taken")
	})
	res, body := b.do(t, "POST", "/v1/orders", "{}", "Authorization", "Bearer "+b.token(t, "alice", nil))
	if res.StatusCode != http.StatusAccepted || body != "taken" {
		t.Errorf("%s %s", res.Status, body)
	}
	for name, want := range map[string]string{
		"Server": "", "X-Powered-By": "", "Location": "/v1/orders/0190-a", "Etag": `"e"`, "X-Content-Type-Options": "nosniff",
		"Content-Security-Policy": "default-src 'none'", "Referrer-Policy": "same-origin",
	} {
		if got := strings.Join(res.Header.Values(name), " | "); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
}

func TestLargeBodyStopsAtTheEdge(t *testing.T) {
	b := newBench(t, nil, nil)
	bearer := "Bearer " + b.token(t, "alice", nil)
	post := func(body io.Reader) *http.Response {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.URL+"/v1/orders", body)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", bearer)
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != http.StatusOK {
			wantProblem(t, "large body", res, string(text), http.StatusRequestEntityTooLarge)
		}
		return res
	}
	most, over := strings.Repeat("x", maxBody), strings.Repeat("x", maxBody+1)
	for name, body := range map[string]io.Reader{"by length": strings.NewReader(over), "chunked": io.MultiReader(strings.NewReader(over))} {
		if res := post(body); res.StatusCode == http.StatusOK {
			t.Errorf("%s: %s", name, res.Status)
		}
	}
	if _, _, n := b.last(); n != 0 {
		t.Error("the upstream saw a body that is too large")
	}
	for name, body := range map[string]io.Reader{"by length": strings.NewReader(most), "chunked": io.MultiReader(strings.NewReader(most))} {
		res := post(body)
		r, got, _ := b.last()
		if res.StatusCode != http.StatusOK || got != most || r.ContentLength != maxBody || len(r.TransferEncoding) != 0 {
			t.Errorf("%s: %s, the upstream saw %d bytes framed by %d %v", name, res.Status, len(got), r.ContentLength, r.TransferEncoding)
		}
	}
}

func TestUpstreamAwayIsUnavailable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close() // now nobody listens there
	logged := logs(t)
	b := newBench(t, map[string]string{"ACCEPT_URL": "http://" + l.Addr().String()}, nil)
	bearer := "Bearer " + b.token(t, "alice", nil)
	res, body := b.do(t, "POST", "/v1/orders", "{}", "Authorization", bearer)
	wantProblem(t, "accept away", res, body, http.StatusServiceUnavailable)
	if got := res.Header.Get("Retry-After"); got != "1" {
		t.Errorf("Retry-After = %q, want 1", got)
	}
	if strings.Contains(body, l.Addr().String()) || !strings.Contains(logged.String(), l.Addr().String()) {
		t.Errorf("the address belongs into the log and not into the answer: %s, %s", body, logged)
	}
	if res, _ := b.do(t, "GET", "/v1/orders", "", "Authorization", bearer); res.StatusCode != http.StatusOK {
		t.Errorf("the others: %s", res.Status)
	}
}

func TestCallerWhoLeavesIsNoError(t *testing.T) {
	logged := logs(t)
	entered, left := make(chan struct{}), make(chan struct{})
	b := newBench(t, nil, func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done() // the edge hangs up on the upstream too
		close(left)
	})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, b.URL+"/v1/orders", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+b.token(t, "alice", nil))
	done := make(chan error)
	go func() {
		_, err := http.DefaultClient.Do(r)
		done <- err
	}()
	<-entered
	cancel()
	if err := <-done; err == nil {
		t.Error("the request was answered")
	}
	<-left
	b.Close() // waits for the edge's handler
	if got := logged.String(); got != "" {
		t.Errorf("logged: %s", got)
	}
}

package main

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/contoso/orders/shared/envelope"
	"github.com/gorilla/websocket"
)

func TestDrainSendsEveryTabElsewhere(t *testing.T) {
	const tabCount, window = 20, time.Second
	r := newRig(t, options{env: map[string]string{"DRAIN_WINDOW": window.String(), "MAX_CONNECTIONS": "20"}})
	var tabs []*tab
	for range tabCount {
		tabs = append(tabs, r.open(t, "alice"))
	}
	unresumed := r.connect(t, "bob")
	unshaken := r.connectRaw(t, token(t, apiAudience, "bob"))

	r.stop()
	ends := make(chan time.Time, tabCount)
	var readers sync.WaitGroup
	defer readers.Wait()
	for _, tb := range tabs {
		readers.Go(func() {
			record, err := tb.tryNext()
			ends <- time.Now()
			if err != nil || record != `{"type":7,"allowReconnect":true}` {
				t.Errorf("record %s (%v)", record, err)
			}
			if _, err := tb.tryNext(); !websocket.IsCloseError(err, websocket.CloseServiceRestart) {
				t.Errorf("the end is %v", err)
			}
		})
	}
	var first, last time.Time
	for range tabs {
		at := <-ends
		if first.IsZero() {
			first = at
		}
		last = at
	}
	if spread := last.Sub(first); spread < window/10 {
		t.Errorf("all tabs were sent away within %s of a window of %s", spread, window)
	}
	unresumed.expect(`{"type":7,"allowReconnect":true}`)
	unshaken.expectEnd(websocket.CloseServiceRestart)
	r.end(t)

	if n := len(r.record(t, customerOf("alice"), event(1)).Connections); n != 0 {
		t.Errorf("%d connections are still registered", n)
	}
	if urls, err := r.store.PushURLs(t.Context(), []string{r.replica}); err != nil || len(urls) != 0 {
		t.Errorf("the lease is still %v (%v)", urls, err)
	}
}

func TestDrainingHubStillPushes(t *testing.T) {
	r := newRig(t, options{env: map[string]string{"DRAIN_DELAY": "2s"}})
	alice := customerOf("alice")
	tb := r.open(t, "alice")
	r.stop()
	eventually(t, "becoming unready", func() bool {
		res, _ := ask(t, http.MethodGet, r.private+"/readyz", "", "")
		return res.StatusCode == http.StatusServiceUnavailable
	})
	late := r.open(t, "alice") // a load balancer has not heard of it yet

	recorded := r.record(t, alice, event(1))
	if len(recorded.Connections) != 2 {
		t.Fatalf("%d connections are registered, want 2", len(recorded.Connections))
	}
	reply := r.push(t, pushBody(alice, recorded, event(1)))
	for _, tb := range []*tab{tb, late} {
		tb.acknowledge(tb.outcome())
	}
	for id, state := range states(<-reply) {
		if state != envelope.Acked {
			t.Errorf("connection %s: %s", id, state)
		}
	}
	for _, tb := range []*tab{tb, late} {
		tb.expect(`{"type":7,"allowReconnect":true}`)
	}
}

func TestShutDoorTakesNoSocket(t *testing.T) {
	r := newRig(t, options{})
	r.door.close()
	ws, res, err := r.dial(r.ticket(t, token(t, apiAudience, "alice")), websocket.Dialer{})
	if err == nil {
		ws.Close()
		t.Fatal("the socket opens")
	}
	if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" {
		t.Errorf("answer %d, headers %v", res.StatusCode, res.Header)
	}
}

func TestPortThatIsTakenEndsTheHub(t *testing.T) {
	r := newRig(t, options{})
	for _, taken := range []string{"HTTP_ADDR", "PUSH_ADDR"} {
		cfg := r.cfg
		addr := r.public[len("http://"):]
		if taken == "HTTP_ADDR" {
			cfg.HTTP.Addr = addr
		} else {
			cfg.PushAddr = addr
		}
		h, err := newHub(t.Context(), cfg, r.store)
		if err != nil {
			t.Fatal(err)
		}
		if err := h.run(t.Context()); err == nil {
			t.Errorf("%s is taken, and the hub ends without an error", taken)
		}
	}
}

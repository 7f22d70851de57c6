package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/contoso/orders/shared/envelope"
	"github.com/contoso/orders/shared/registry"
	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/websocket"
)

func TestPushReachesEveryTabOfTheCustomerAndNobodyElse(t *testing.T) {
	r := newRig(t, options{})
	alice := customerOf("alice")
	tabs := []*tab{r.open(t, "alice"), r.open(t, "alice")}
	other := r.open(t, "bob")

	event := `{ "id":"1/1", "data":{"text":"<ä>\u001e"} }`
	recorded := r.record(t, alice, event)
	if len(recorded.Connections) != 2 {
		t.Fatalf("the registry knows %d tabs, want 2", len(recorded.Connections))
	}
	// As text: encoding/json would tidy the event.
	reply := r.pushText(t, fmt.Sprintf(`{"deliveries":[{"customer":%q,"connections":[%q,%q],"epoch":%q,"events":[{"number":1,"event":%s}]}]}`,
		alice, recorded.Connections[0].ID, recorded.Connections[1].ID, recorded.Epoch, event))
	want := map[string]envelope.ReceiptState{}
	for _, c := range recorded.Connections {
		want[c.ID] = envelope.Acked
	}
	for _, tb := range tabs {
		tb.expect(`{"type":1,"invocationId":"1","target":"outcome","arguments":[{"epoch":"` + recorded.Epoch + `","number":1,"event":` + event + `}]}`)
		tb.acknowledge(outcomeCall{InvocationID: "1"})
	}
	if diff := cmp.Diff(want, states(<-reply)); diff != "" {
		t.Errorf("receipts (-want +got):\n%s", diff)
	}
	other.quiet()
}

func TestAcknowledgedMeansEveryEvent(t *testing.T) {
	r := newRig(t, options{env: map[string]string{"PUSH_ACK_WAIT": "200ms"}})
	alice := customerOf("alice")
	tb := r.open(t, "alice")
	for acknowledged, want := range map[int]envelope.ReceiptState{1: envelope.Sent, 2: envelope.Acked} {
		recorded := r.record(t, alice, event(acknowledged*10), event(acknowledged*10+1))
		reply := r.push(t, pushBody(alice, recorded, event(acknowledged*10), event(acknowledged*10+1)))
		outcomes := []outcomeCall{tb.outcome(), tb.outcome()}
		for _, o := range outcomes[:acknowledged] {
			tb.acknowledge(o)
		}
		if got := states(<-reply)[recorded.Connections[0].ID]; got != want {
			t.Errorf("%d of 2 acknowledged: %s, want %s", acknowledged, got, want)
		}
	}
	s := r.index.of(alice)[0]
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.awaited != nil {
		t.Errorf("%d acknowledgements are still awaited by nobody", len(s.awaited))
	}
}

func TestConnectionThatIsNotLiveHereIsGone(t *testing.T) {
	r := newRig(t, options{})
	alice := customerOf("alice")
	r.connect(t, "alice") // has not resumed
	waiting := r.index.of(alice)[0].id
	p := envelope.Push{Deliveries: []envelope.Delivery{
		{Customer: alice, Connections: []string{"unknown", waiting}, Events: []envelope.Numbered{{Event: json.RawMessage(event(1))}}},
		{Customer: customerOf("nobody"), Events: []envelope.Numbered{{Event: json.RawMessage(event(1))}}}, // all of none
	}}
	want := map[string]envelope.ReceiptState{"unknown": envelope.Gone, waiting: envelope.Gone}
	if diff := cmp.Diff(want, states(<-r.push(t, p))); diff != "" {
		t.Errorf("receipts (-want +got):\n%s", diff)
	}
}

func TestConnectionOfAnotherCustomerIsGone(t *testing.T) {
	r := newRig(t, options{})
	bob := r.open(t, "bob")
	id := r.index.of(customerOf("bob"))[0].id
	d := envelope.Delivery{Customer: customerOf("alice"), Connections: []string{id}, Events: []envelope.Numbered{{Event: json.RawMessage(event(1))}}}
	if got := states(<-r.push(t, envelope.Push{Deliveries: []envelope.Delivery{d}}))[id]; got != envelope.Gone {
		t.Errorf("state %s, want gone", got)
	}
	bob.quiet()
}

func TestClosedTabIsNotListedAnyMore(t *testing.T) {
	r := newRig(t, options{})
	alice := customerOf("alice")
	tb := r.open(t, "alice")
	tb.ws.Close()
	eventually(t, "unregistering", func() bool { return len(r.record(t, alice, event(1)).Connections) == 0 })
}

func TestPushNeedsItsOwnToken(t *testing.T) {
	r := newRig(t, options{})
	for name, c := range map[string]struct {
		bearer string
		want   int
	}{
		"no token":         {"", http.StatusUnauthorized},
		"a customer's":     {token(t, apiAudience, "alice"), http.StatusUnauthorized},
		"a ticket":         {r.ticket(t, token(t, apiAudience, "alice")), http.StatusUnauthorized},
		"another function": {token(t, pushAudience, "accept"), http.StatusForbidden},
		"the pusher's":     {token(t, pushAudience, pusher), http.StatusOK},
	} {
		res, body := ask(t, http.MethodPost, r.pushURL, c.bearer, `{"deliveries":[]}`, "Content-Type", "application/json")
		if res.StatusCode != c.want {
			t.Errorf("%s: %d %s, want %d", name, res.StatusCode, body, c.want)
		}
	}
	if res, _ := ask(t, http.MethodPost, r.public+pushPath, token(t, pushAudience, pusher), `{"deliveries":[]}`, "Content-Type", "application/json"); res.StatusCode != http.StatusNotFound {
		t.Errorf("on the public port: %d, want 404", res.StatusCode)
	}
}

func TestBadPushIsRefused(t *testing.T) {
	r := newRig(t, options{})
	many := strings.TrimSuffix(strings.Repeat(`{"event":{}},`, registry.MaxBatch+1), ",")
	for name, c := range map[string]struct {
		body string
		want int
	}{
		"not JSON":          {`{"deliveries":`, http.StatusBadRequest},
		"two documents":     {`{"deliveries":[]}{}`, http.StatusBadRequest},
		"unknown member":    {`{"deliveries":[],"ttl":1}`, http.StatusBadRequest},
		"another type":      {`{"deliveries":{}}`, http.StatusBadRequest},
		"no customer":       {`{"deliveries":[{"events":[{"event":{}}]}]}`, http.StatusUnprocessableEntity},
		"no events":         {`{"deliveries":[{"customer":"c","events":[]}]}`, http.StatusUnprocessableEntity},
		"too many events":   {`{"deliveries":[{"customer":"c","events":[` + many + `]}]}`, http.StatusUnprocessableEntity},
		"no object":         {`{"deliveries":[{"customer":"c","events":[{"event":"x"}]}]}`, http.StatusUnprocessableEntity},
		"no event":          {`{"deliveries":[{"customer":"c","events":[{}]}]}`, http.StatusUnprocessableEntity},
		"number, no epoch":  {`{"deliveries":[{"customer":"c","events":[{"number":1,"event":{}}]}]}`, http.StatusUnprocessableEntity},
		"epoch, no number":  {`{"deliveries":[{"customer":"c","epoch":"e","events":[{"event":{}}]}]}`, http.StatusUnprocessableEntity},
		"larger than 4 MiB": {`{"deliveries":[]` + strings.Repeat(" ", maxPushBytes) + `}`, http.StatusRequestEntityTooLarge},
	} {
		res, body := ask(t, http.MethodPost, r.pushURL, token(t, pushAudience, pusher), c.body, "Content-Type", "application/json")
		if res.StatusCode != c.want {
			t.Errorf("%s: %d %s, want %d", name, res.StatusCode, body, c.want)
		}
	}
	res, _ := ask(t, http.MethodPost, r.pushURL, token(t, pushAudience, pusher), `{"deliveries":[]}`, "Content-Type", "text/plain")
	if res.StatusCode != http.StatusUnsupportedMediaType {
		t.Errorf("text/plain: %d, want 415", res.StatusCode)
	}
}

func TestSlowConsumerIsCutAndDelaysNobody(t *testing.T) {
	r := newRig(t, options{env: map[string]string{"PUSH_ACK_WAIT": "1ms"}})
	alice := customerOf("alice")

	// A tab whose receive window is small and that never reads.
	small := websocket.Dialer{NetDialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		if err == nil {
			err = c.(*net.TCPConn).SetReadBuffer(4 << 10)
		}
		return c, err
	}}
	ws, _, err := r.dial(r.ticket(t, token(t, apiAudience, "alice")), small)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	stuck := &tab{t: t, ws: ws}
	stuck.send(hello)
	stuck.expect(`{}`)
	stuck.resume(fresh)
	slowID := r.index.of(alice)[0].id

	brisk := r.open(t, "alice")
	body := `{"data":"` + strings.Repeat("x", maxFrame) + `"}`
	const batch = 10
	events := slices.Repeat([]envelope.Numbered{{Event: json.RawMessage(body)}}, batch)
	p := envelope.Push{Deliveries: []envelope.Delivery{{Customer: alice, Events: events}}}
	for r.index.find(alice, slowID) != nil { // until its socket's and its own queue are full
		began := time.Now()
		<-r.push(t, p)
		if took := time.Since(began); took > writeWait {
			t.Errorf("a push took %s: it waited for the slow tab", took)
		}
		for range batch {
			if got := brisk.outcome(); got.Event != body {
				t.Fatalf("the other tab got %.80s", got.Event)
			}
		}
	}
	eventually(t, "the log to say why", func() bool { return strings.Contains(r.logs.String(), `"cause":"slow: `) })
	brisk.quiet()
}

func TestNewcomersHearOfPushesInOrder(t *testing.T) {
	r := newRig(t, options{})
	alice := customerOf("alice")
	tb := r.open(t, "alice")
	var want []outcomeCall
	for n := 1; n <= 200; n++ {
		recorded := r.record(t, alice, event(n))
		reply := r.push(t, pushBody(alice, recorded, event(n)))
		o := tb.outcome()
		want = append(want, outcomeCall{fmt.Sprint(n), recorded.Epoch, int64(n), event(n)})
		if diff := cmp.Diff(want[n-1], o); diff != "" {
			t.Fatalf("outcome %d (-want +got):\n%s", n, diff)
		}
		tb.acknowledge(o)
		if got := states(<-reply)[recorded.Connections[0].ID]; got != envelope.Acked {
			t.Fatalf("outcome %d: %s", n, got)
		}
	}
}

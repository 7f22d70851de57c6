package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/contoso/orders/shared/envelope"
	"github.com/contoso/orders/shared/registry"
	"github.com/gorilla/websocket"
)

const (
	hello    = `{"protocol":"json","version":1}`
	pingText = `{"type":6}`
	fresh    = `{"epoch":null,"after":0}`
)

// ticket negotiates as the client does, up to the WebSocket.
func (r *rig) ticket(t testing.TB, accessToken string) string {
	t.Helper()
	res, body := ask(t, http.MethodPost, r.public+negotiatePath, accessToken, "", "Origin", page)
	if res.StatusCode != http.StatusOK {
		t.Fatalf("negotiate: %d %s", res.StatusCode, body)
	}
	var redirect struct{ URL, AccessToken string }
	if err := json.Unmarshal([]byte(body), &redirect); err != nil {
		t.Fatal(err)
	}
	if redirect.URL != r.public+socketPath {
		t.Fatalf("negotiate sends the client to %q", redirect.URL)
	}
	return redirect.AccessToken
}

// dial opens a WebSocket the way a browser does.
func (r *rig) dial(ticket string, dialer websocket.Dialer, headers ...string) (*websocket.Conn, *http.Response, error) {
	h := http.Header{"Origin": {page}}
	for i := 0; i < len(headers); i += 2 {
		h.Set(headers[i], headers[i+1])
	}
	return dialer.Dial("ws"+strings.TrimPrefix(r.public, "http")+socketPath+"?id=1&access_token="+url.QueryEscape(ticket), h)
}

// tab is one open page of a customer, down at the frames.
type tab struct {
	t    testing.TB
	ws   *websocket.Conn
	read []string // records of the last frame that were not asked for yet
}

// connect opens a tab and shakes hands.
func (r *rig) connect(t testing.TB, subject string) *tab {
	t.Helper()
	tb := r.connectRaw(t, token(t, apiAudience, subject))
	tb.send(hello)
	tb.expect(`{}`)
	return tb
}

// connectRaw opens a tab that has not shaken hands.
func (r *rig) connectRaw(t testing.TB, accessToken string) *tab {
	t.Helper()
	ws, _, err := r.dial(r.ticket(t, accessToken), websocket.Dialer{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ws.Close() })
	return &tab{t: t, ws: ws}
}

// open opens a tab that is live and fresh.
func (r *rig) open(t testing.TB, subject string) *tab {
	t.Helper()
	tb := r.connect(t, subject)
	tb.resume(fresh)
	return tb
}

// send writes records in one frame.
func (tb *tab) send(records ...string) {
	tb.t.Helper()
	if err := tb.ws.WriteMessage(websocket.TextMessage, []byte(strings.Join(records, "\x1e")+"\x1e")); err != nil {
		tb.t.Fatal(err)
	}
}

// next returns the next record; pings and the frames' borders do not count.
func (tb *tab) next() string {
	tb.t.Helper()
	record, err := tb.tryNext()
	if err != nil {
		tb.t.Fatal(err)
	}
	return record
}

func (tb *tab) tryNext() (string, error) {
	_ = tb.ws.SetReadDeadline(time.Now().Add(patience)) // once: pings must not prolong it
	for {
		for len(tb.read) > 0 {
			record := tb.read[0]
			tb.read = tb.read[1:]
			if record != pingText {
				return record, nil
			}
		}
		kind, frame, err := tb.ws.ReadMessage()
		if err != nil {
			return "", err
		}
		text, whole := strings.CutSuffix(string(frame), "\x1e")
		if kind != websocket.TextMessage || !whole {
			return "", fmt.Errorf("frame of kind %d is not of whole records: %q", kind, frame)
		}
		tb.read = strings.Split(text, "\x1e")
	}
}

func (tb *tab) expect(want ...string) {
	tb.t.Helper()
	for _, w := range want {
		if got := tb.next(); got != w {
			tb.t.Fatalf("record\n  %s\nwant\n  %s", got, w)
		}
	}
}

// expectEnd reads the close frame.
func (tb *tab) expectEnd(code int) {
	tb.t.Helper()
	record, err := tb.tryNext()
	if err == nil {
		tb.t.Fatalf("record %s, want the end", record)
	}
	if code != 0 && !websocket.IsCloseError(err, code) {
		tb.t.Fatalf("the end is %v, want code %d", err, code)
	}
	if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
		tb.t.Fatal("the socket stays open")
	}
}

// resume calls resume and returns the answer, and the calls that came before it.
func (tb *tab) resume(argument string) (at position, before []string) {
	tb.t.Helper()
	tb.send(`{"type":1,"invocationId":"r","target":"resume","arguments":[` + argument + `]}`)
	for {
		record := tb.next()
		var c struct {
			Type         int
			InvocationID string
			Result       *position
			Error        string
		}
		if err := json.Unmarshal([]byte(record), &c); err != nil {
			tb.t.Fatal(err)
		}
		if c.Type != typeCompletion {
			before = append(before, record)
			continue
		}
		if c.InvocationID != "r" || c.Error != "" || c.Result == nil {
			tb.t.Fatalf("resume is answered by %s", record)
		}
		return *c.Result, before
	}
}

// quiet checks that nothing was sent to the tab up to now.
func (tb *tab) quiet() {
	tb.t.Helper()
	tb.send(`{"type":1,"invocationId":"q","target":"nothing","arguments":[]}`)
	tb.expect(`{"type":3,"invocationId":"q","error":"there is no method \"nothing\""}`)
}

// outcome is the call that an event arrives by.
type outcomeCall struct {
	InvocationID string
	Epoch        string
	Number       int64
	Event        string
}

func (tb *tab) outcome() outcomeCall {
	tb.t.Helper()
	return parseOutcome(tb.t, tb.next())
}

func parseOutcome(t testing.TB, record string) outcomeCall {
	t.Helper()
	var c struct {
		Type         int
		InvocationID string
		Target       string
		Arguments    []struct {
			Epoch  string
			Number int64
			Event  json.RawMessage
		}
	}
	if err := json.Unmarshal([]byte(record), &c); err != nil || c.Type != typeInvocation || c.Target != "outcome" || len(c.Arguments) != 1 {
		t.Fatalf("%s is not an outcome (%v)", record, err)
	}
	a := c.Arguments[0]
	return outcomeCall{c.InvocationID, a.Epoch, a.Number, string(a.Event)}
}

// acknowledge answers an outcome as a client without a result does.
func (tb *tab) acknowledge(o outcomeCall) {
	tb.t.Helper()
	tb.send(`{"type":3,"invocationId":"` + o.InvocationID + `","error":"Client didn't provide a result."}`)
}

// pushBody is the delivery of events that were recorded.
func pushBody(customer string, recorded registry.Recorded, events ...string) envelope.Push {
	d := envelope.Delivery{Customer: customer, Epoch: recorded.Epoch}
	for _, c := range recorded.Connections {
		d.Connections = append(d.Connections, c.ID)
	}
	for i, e := range events {
		n := envelope.Numbered{Event: json.RawMessage(e)}
		if i < len(recorded.Numbers) {
			n.Number = recorded.Numbers[i]
		}
		d.Events = append(d.Events, n)
	}
	return envelope.Push{Deliveries: []envelope.Delivery{d}}
}

// push posts in the background: the answer waits for acknowledgements.
func (r *rig) push(t testing.TB, p envelope.Push) <-chan envelope.PushReply {
	t.Helper()
	body, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return r.pushText(t, string(body))
}

func (r *rig) pushText(t testing.TB, body string) <-chan envelope.PushReply {
	t.Helper()
	bearer := token(t, pushAudience, pusher)
	answer := make(chan envelope.PushReply, 1)
	go func() {
		defer close(answer)
		res, text, err := tryAsk(http.MethodPost, r.pushURL, bearer, body, "Content-Type", "application/json")
		if err != nil {
			t.Errorf("push: %v", err)
			return
		}
		var reply envelope.PushReply
		if err := json.Unmarshal([]byte(text), &reply); res.StatusCode != http.StatusOK || err != nil {
			t.Errorf("push: %d %s (%v)", res.StatusCode, text, err)
		}
		answer <- reply
	}()
	return answer
}

// states returns the receipts' states by connection.
func states(reply envelope.PushReply) map[string]envelope.ReceiptState {
	m := make(map[string]envelope.ReceiptState)
	for _, r := range reply.Receipts {
		m[r.Connection] = r.State
	}
	return m
}

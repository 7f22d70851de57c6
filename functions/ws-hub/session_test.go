package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/gorilla/websocket"
)

func TestHandshakeOtherThanJSON1IsRefused(t *testing.T) {
	r := newRig(t, options{})
	for first, want := range map[string]string{
		`{"protocol":"messagepack","version":1}`:                           `{"error":"protocol \"messagepack\" version 1 is not spoken here: only json version 1"}`,
		`{"protocol":"json","version":2}`:                                  `{"error":"protocol \"json\" version 2 is not spoken here: only json version 1"}`,
		`{"type":1,"target":"resume","arguments":[{}],"invocationId":"1"}`: `{"error":"protocol \"\" version 0 is not spoken here: only json version 1"}`,
		`{"type":6}`:     `{"error":"protocol \"\" version 0 is not spoken here: only json version 1"}`,
		`GET / HTTP/1.1`: `{"error":"the handshake cannot be read"}`,
	} {
		tb := r.connectRaw(t, token(t, apiAudience, "alice"))
		tb.send(first, pingText)
		tb.expect(want)
		tb.expectEnd(websocket.CloseProtocolError)
	}
}

func TestHandshakeAndCallsMayShareAFrame(t *testing.T) {
	r := newRig(t, options{})
	tb := r.connectRaw(t, token(t, apiAudience, "alice"))
	tb.send(hello, pingText, `{"type":1,"invocationId":"1","target":"one","arguments":[]}`, `{"type":1,"invocationId":"2","target":"two","arguments":[]}`)
	tb.expect(`{}`,
		`{"type":3,"invocationId":"1","error":"there is no method \"one\""}`,
		`{"type":3,"invocationId":"2","error":"there is no method \"two\""}`)
}

func TestCallsThatCannotBeServed(t *testing.T) {
	r := newRig(t, options{})
	tb := r.connect(t, "alice")
	for _, c := range []struct{ name, call, want string }{
		{"stream", `{"type":4,"invocationId":"a","target":"resume","arguments":[]}`, `{"type":3,"invocationId":"a","error":"there are no streams"}`},
		{"long name", `{"type":1,"invocationId":"b","target":"` + strings.Repeat("x", 1000) + `"}`, `{"type":3,"invocationId":"b","error":"there is no method \"` + strings.Repeat("x", 64) + `\""}`},
		{"no argument", `{"type":1,"invocationId":"c","target":"resume","arguments":[]}`, `{"type":3,"invocationId":"c","error":"resume takes one argument, {epoch, after}"}`},
		{"wrong argument", `{"type":1,"invocationId":"d","target":"resume","arguments":[7]}`, `{"type":3,"invocationId":"d","error":"resume takes one argument, {epoch, after}"}`},
		{"negative number", `{"type":1,"invocationId":"e","target":"resume","arguments":[{"epoch":"x","after":-1}]}`, `{"type":3,"invocationId":"e","error":"resume's epoch or after is out of range"}`},
		{"long epoch", `{"type":1,"invocationId":"f","target":"resume","arguments":[{"epoch":"` + strings.Repeat("x", 65) + `","after":1}]}`, `{"type":3,"invocationId":"f","error":"resume's epoch or after is out of range"}`},
	} {
		tb.send(c.call)
		if got := tb.next(); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	// Nothing of this asks for an answer.
	tb.send(`{"type":1,"target":"nothing","arguments":[]}`, `{"type":4,"target":"nothing"}`, `{"type":2,"invocationId":"1","item":1}`,
		`{"type":5,"invocationId":"1"}`, `{"type":8,"sequenceId":1}`, `{"type":3,"invocationId":"99"}`, `{"type":3,"invocationId":"x"}`)
	tb.quiet()
}

func TestSecondResumeIsAnError(t *testing.T) {
	r := newRig(t, options{})
	tb := r.open(t, "alice")
	tb.send(`{"type":1,"invocationId":"2","target":"resume","arguments":[` + fresh + `]}`)
	tb.expect(`{"type":3,"invocationId":"2","error":"the connection has resumed before, or is closing"}`)
	tb.quiet()
}

func TestUnreadableRecordEndsTheConnection(t *testing.T) {
	r := newRig(t, options{})
	for _, record := range []string{`{"type":1`, `[]`, `"x"`, `{}`, `{"type":"1"}`, ``, `{"type":6,"type":6}`, "{\"type\":1,\"target\":\"\xff\"}"} {
		tb := r.connect(t, "alice")
		tb.send(record, `{"type":1,"invocationId":"1","target":"after","arguments":[]}`)
		tb.expect(`{"type":7,"error":"a record cannot be read"}`)
		tb.expectEnd(websocket.CloseInvalidFramePayloadData)
	}
}

func TestIncompleteRecordEndsTheConnection(t *testing.T) {
	r := newRig(t, options{})
	tb := r.connect(t, "alice")
	if err := tb.ws.WriteMessage(websocket.TextMessage, []byte(pingText)); err != nil {
		t.Fatal(err)
	}
	tb.expect(`{"type":7,"error":"the last record is incomplete"}`)
	tb.expectEnd(websocket.CloseInvalidFramePayloadData)
}

func TestBinaryFrameEndsTheConnection(t *testing.T) {
	r := newRig(t, options{})
	tb := r.connect(t, "alice")
	if err := tb.ws.WriteMessage(websocket.BinaryMessage, []byte(pingText+"\x1e")); err != nil {
		t.Fatal(err)
	}
	tb.expect(`{"type":7,"error":"binary frames are not spoken here"}`)
	tb.expectEnd(websocket.CloseUnsupportedData)
}

func TestFrameSizeIsLimited(t *testing.T) {
	r := newRig(t, options{})
	call := func(size int) string {
		const around = `{"type":1,"target":""}` + "\x1e"
		return `{"type":1,"target":"` + strings.Repeat("x", size-len(around)) + `"}`
	}
	tb := r.connect(t, "alice")
	tb.send(call(maxFrameBytes))
	tb.quiet()
	tb.send(call(maxFrameBytes + 1))
	tb.expectEnd(websocket.CloseMessageTooBig)
}

func TestClientMayClose(t *testing.T) {
	r := newRig(t, options{})
	tb := r.open(t, "alice")
	tb.send(`{"type":7}`)
	tb.expectEnd(websocket.CloseNormalClosure)
	eventually(t, "forgetting the connection", func() bool { return len(r.index.all()) == 0 })
}

func TestIdleConnectionGetsSignsOfLife(t *testing.T) {
	r := newRig(t, options{env: map[string]string{"KEEP_ALIVE": "200ms"}})
	tb := r.open(t, "alice")
	for range 3 {
		_ = tb.ws.SetReadDeadline(time.Now().Add(patience))
		_, frame, err := tb.ws.ReadMessage()
		if err != nil || string(frame) != pingText+"\x1e" {
			t.Fatalf("frame %q (%v), want a ping", frame, err)
		}
	}
}

func TestConnectionThatDoesNotBecomeLiveIsClosed(t *testing.T) {
	r := newRig(t, options{env: map[string]string{"HANDSHAKE_TIMEOUT": "1s"}})
	idle := r.connect(t, "alice")
	silent := r.connectRaw(t, token(t, apiAudience, "alice"))
	silent.expectEnd(websocket.ClosePolicyViolation) // and no record: there was no handshake
	idle.expect(`{"type":7,"error":"resume was not called in time"}`)
	idle.expectEnd(websocket.ClosePolicyViolation)
}

func TestConnectionEndsWithItsToken(t *testing.T) {
	r := newRig(t, options{})
	tb := r.connectRaw(t, token(t, apiAudience, "alice", func(c jwt.MapClaims) { c["exp"] = time.Now().Add(3 * time.Second).Unix() }))
	tb.send(hello)
	tb.expect(`{}`)
	tb.resume(fresh)
	tb.expect(`{"type":7,"allowReconnect":true}`)
	tb.expectEnd(websocket.CloseNormalClosure)
}

func TestConnectionsEndBeforeTheirTokensAndSpread(t *testing.T) {
	seen := map[time.Duration]bool{}
	end := time.Now().Add(time.Hour)
	for range 100 {
		d := untilTokenEnds(end)
		if left := time.Until(end); d >= left || d < left-maxTokenLead-time.Second {
			t.Fatalf("a connection ends after %s, its token after %s", d, left)
		}
		seen[d.Truncate(time.Second)] = true
	}
	if len(seen) < 10 {
		t.Errorf("100 connections end in %d different seconds", len(seen))
	}
	if d := untilTokenEnds(time.Now().Add(-time.Second)); d != 0 {
		t.Errorf("a token that has ended gives %s", d)
	}
}

func TestOldestConnectionGivesWay(t *testing.T) {
	for name, away := range map[string]bool{"with the registry": false, "without": true} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, options{env: map[string]string{"MAX_CONNECTIONS": "2"}})
			if away {
				r.redis.Stop(t)
				defer r.redis.Start(t)
			}
			other := r.open(t, "bob")
			var tabs []*tab
			for range 3 {
				tabs = append(tabs, r.open(t, "alice"))
			}
			tabs[0].expect(`{"type":7,"error":"too many connections: a newer one took this one's place"}`)
			tabs[0].expectEnd(websocket.ClosePolicyViolation)
			for _, tb := range append(tabs[1:], other) {
				tb.quiet()
			}
		})
	}
}

func TestOfTwoTabsAtOnceTheNewerStays(t *testing.T) {
	g := &gate{}
	r := newRig(t, options{env: map[string]string{"MAX_CONNECTIONS": "1"}, wrap: gated(g)})
	entered := g.shut()
	var tabs []*tab
	for range 2 {
		tb := r.connect(t, "alice")
		tb.send(`{"type":1,"target":"resume","arguments":[` + fresh + `]}`)
		<-entered
		tabs = append(tabs, tb)
	}
	g.open()
	tabs[0].expect(`{"type":7,"error":"too many connections: a newer one took this one's place"}`)
	tabs[0].expectEnd(websocket.ClosePolicyViolation)
	tabs[1].quiet()
}

// FuzzReceive feeds frames to a session as a client may send them: none may make
// it panic, which would be logged and end the test.
func FuzzReceive(f *testing.F) {
	for _, seed := range []string{
		hello + "\x1e", hello + "\x1e" + pingText + "\x1e", "\x1e", "\x1e\x1e",
		hello + "\x1e" + `{"type":1,"invocationId":"1","target":"resume","arguments":[{"epoch":"e","after":1}]}` + "\x1e",
		hello + "\x1e" + `{"type":3,"invocationId":"1","error":"x"}` + "\x1e" + `{"type":7}` + "\x1e",
		hello + "\x1e" + `{"type":4,"invocationId":"1"}` + "\x1e" + fmt.Sprintf(`{"type":%d}`, 1<<40) + "\x1e",
	} {
		f.Add([]byte(seed))
	}
	r := newRig(f, options{env: map[string]string{"MAX_CONNECTIONS": "1000"}})
	accessToken := token(f, apiAudience, "alice")
	f.Fuzz(func(t *testing.T, frame []byte) {
		tb := r.connectRaw(t, accessToken)
		if err := tb.ws.WriteMessage(websocket.TextMessage, frame); err != nil {
			t.Fatal(err)
		}
		_ = tb.ws.WriteControl(websocket.CloseMessage, nil, time.Now().Add(time.Second))
		for {
			record, err := tb.tryNext()
			if err != nil {
				break
			}
			if !strings.HasPrefix(record, "{") {
				t.Fatalf("record %q", record)
			}
		}
		if strings.Contains(r.logs.String(), "panicked") {
			t.Fatal(r.logs.String())
		}
	})
}

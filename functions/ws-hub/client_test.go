package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/contoso/orders/shared/envelope"
)

// clientLine is what testdata/client.cjs prints.
type clientLine struct {
	What, Epoch, Error string
	Number             int64
	Event              json.RawMessage
}

// startClient runs the official client as the customer; next returns its lines.
func startClient(t *testing.T, r *rig, subject string) (next func(what string) clientLine) {
	t.Helper()
	modules := cmp.Or(os.Getenv("SPA_NODE_MODULES"), filepath.Join("..", "..", "local", "spa", "node_modules"))
	signalr, err := filepath.Abs(filepath.Join(modules, "@microsoft", "signalr"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(signalr); err != nil {
		t.Fatalf("this test runs the official client: install it with make deps (%v)", err)
	}
	node, err := exec.LookPath("node")
	if err != nil {
		t.Fatalf("this test runs the official client: install Node.js 20 or later (%v)", err)
	}
	client := exec.CommandContext(t.Context(), node, filepath.Join("testdata", "client.cjs"))
	client.Env = append(os.Environ(), "SIGNALR="+signalr, "HUB="+r.public+"/hub", "TOKEN="+token(t, apiAudience, subject))
	client.Stderr = t.Output()
	out, err := client.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = client.Process.Kill()
		_ = client.Wait() // killed
	})
	lines := bufio.NewScanner(out)
	return func(what string) clientLine {
		t.Helper()
		if !lines.Scan() {
			t.Fatalf("the client ended before %q: %v", what, lines.Err())
		}
		var line clientLine
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil || line.What != what {
			t.Fatalf("the client says %s (%v), want %q", lines.Bytes(), err, what)
		}
		return line
	}
}

func TestOfficialClientConnectsHearsReconnectsAndCatchesUp(t *testing.T) {
	r := newRig(t, options{env: map[string]string{"MAX_CONNECTIONS": "1"}})
	alice := customerOf("alice")
	next := startClient(t, r, "alice")
	if at := next("resumed"); at.Epoch == "" || at.Number != 0 {
		t.Errorf("a fresh tab stands at %+v", at)
	}

	recorded := r.record(t, alice, event(1))
	reply := r.push(t, pushBody(alice, recorded, event(1)))
	if o := next("outcome"); o.Number != 1 || o.Epoch != recorded.Epoch || string(o.Event) != event(1) {
		t.Errorf("outcome %+v", o)
	}
	if got := states(<-reply)[recorded.Connections[0].ID]; got != envelope.Acked {
		t.Errorf("the client's receipt is %s, want acked", got)
	}

	// Cut without a word, and sent away as by a drain: it is back both times.
	for n, end := range []func(*session){
		func(s *session) { s.cut("test") },
		func(s *session) { s.leave(draining, "test") },
	} {
		number := int64(n) + 2
		r.record(t, alice, event(int(number))) // not pushed
		end(r.index.of(alice)[0])
		next("reconnecting")
		if o := next("outcome"); o.Number != number || string(o.Event) != event(int(number)) {
			t.Errorf("outcome %+v, want number %d", o, number)
		}
		if at := next("resumed"); at.Number != number {
			t.Errorf("back at %+v, want number %d", at, number)
		}
	}

	// One that gives way to another stays away.
	r.open(t, "alice")
	if end := next("closed"); !strings.Contains(end.Error, tooMany.reason) {
		t.Errorf("closed with %q, want %q", end.Error, tooMany.reason)
	}
}

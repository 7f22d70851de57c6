package main

import (
	"bytes"
	"io"
	"strings"
	"testing"
)

func render(chunks ...string) string {
	var out bytes.Buffer
	w := (&logs{out: &out}).writer("accept", nil)
	for _, c := range chunks {
		_, _ = io.WriteString(w, c)
	}
	return out.String()
}

func TestJSONLogIsShownAsOneReadableLine(t *testing.T) {
	got := render(`{"time":"2026-11-23T12:34:56.789Z","level":"WARN","msg":"session given back","fn":"accept",`+
		`"duration":1500000,"lines":2,"error":"the queue `, `is away","nested":{"a":1}}`+"\n")
	want := `accept          │ 12:34:56 WRN session given back duration=1.5ms lines=2 error="the queue is away" nested="{\"a\":1}"` + "\n"
	if got != want {
		t.Errorf("got  %swant %s", got, want)
	}
}

func TestOtherOutputIsShownAsItIs(t *testing.T) {
	for _, line := range []string{"panic: no", "{", `{"a":`, `{"no":"message"}`, `[1]`, ""} {
		if got, want := render(line+"\n"), "accept          │ "+line+"\n"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestEndlessLineIsCutNotKept(t *testing.T) {
	got := render(strings.Repeat("x", 3*maxLine), "\n")
	if lines := strings.Count(got, "\n"); lines < 2 || !strings.Contains(got, "xxx") {
		t.Errorf("%d lines of %d bytes", lines, len(got))
	}
}

func TestLostOutputIsSaid(t *testing.T) {
	r, w := io.Pipe()
	_ = r.Close()
	lost := false
	(&logs{out: w, lost: func() { lost = true }}).printf("anyone there?")
	if !lost {
		t.Error("nobody was told that nobody reads")
	}
}

func TestListeningAddressIsNoted(t *testing.T) {
	p := &process{name: "accept", done: make(chan struct{}), addresses: map[string]string{}, found: make(chan struct{})}
	w := (&logs{out: io.Discard}).writer("accept", p.note)
	_, _ = io.WriteString(w, `{"level":"INFO","msg":"listening","listener":"public","addr":"127.0.0.1:1234"}`+"\n")
	if addr, err := p.address(t.Context(), "public"); err != nil || addr != "127.0.0.1:1234" {
		t.Errorf("address = %q, %v", addr, err)
	}
	close(p.done)
	if _, err := p.address(t.Context(), "push"); err == nil {
		t.Error("a process that has ended was waited for")
	}
}

func TestDataDirectoryIsForOneStackAndKeepsItsKey(t *testing.T) {
	path := t.TempDir()
	d, err := openData(path)
	if err != nil {
		t.Fatal(err)
	}
	key, err := d.correlationKey()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := openData(path); err == nil || !strings.Contains(err.Error(), "in use by another stack") {
		t.Errorf("a second stack: %v", err)
	}
	d.close()
	again, err := openData(path)
	if err != nil {
		t.Fatal(err)
	}
	defer again.close()
	if kept, err := again.correlationKey(); err != nil || kept != key {
		t.Errorf("the key changed: %v", err)
	}
}

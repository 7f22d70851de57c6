package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
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

func TestNumberIsShownAsItWasWritten(t *testing.T) {
	got := render(`{"time":"2026-11-23T12:34:56Z","level":"INFO","msg":"order stored","order":1234567,"share":0.25,"wait":120212482}` + "\n")
	want := "accept          │ 12:34:56 INF order stored order=1234567 share=0.25 wait=120.212ms\n"
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

func TestForgettingLeavesWhatAStackDidNotMake(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data")
	fill := func(names ...string) {
		for _, name := range names {
			if err := os.WriteFile(filepath.Join(path, name), []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	fill("thesis.txt", "orders.db")
	if err := forgetData(path); err != nil {
		t.Error(err)
	}
	if names := list(t, path); len(names) != 2 {
		t.Errorf("no stack was ever here, and %v is left", names)
	}

	d, err := openData(path)
	if err != nil {
		t.Fatal(err)
	}
	fill("orders.db-wal", "orders.db.migrate-lock", "correlation.key", "idp-key.pem", "run/complete.token")
	if err := forgetData(path); err == nil || !strings.Contains(err.Error(), "in use by another stack") {
		t.Errorf("while a stack runs: %v", err)
	}
	d.close()
	if err := forgetData(path); err != nil {
		t.Error(err)
	}
	if names := list(t, path); !slices.Equal(names, []string{"thesis.txt"}) {
		t.Errorf("%v is left", names)
	}

	if err := os.Remove(filepath.Join(path, "thesis.txt")); err != nil {
		t.Fatal(err)
	}
	if d, err = openData(path); err != nil {
		t.Fatal(err)
	}
	d.close()
	if err := forgetData(path); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directory had nothing else: %v", err)
	}
}

func list(t *testing.T, path string) []string {
	t.Helper()
	entries, err := os.ReadDir(path)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestWrongFunctionIsRefusedBeforeAnythingIsStarted(t *testing.T) {
	set := settings{bin: t.TempDir(), data: filepath.Join(t.TempDir(), "data")}
	for want, run := range map[string][2]string{
		`no function named "acept"; there are accept, complete`: {"acept", ""},
		`no function named "edge"`:                              {"edge", "up_test.go"},
		"migrate takes no input":                                {"migrate", "up_test.go"},
	} {
		err := runFunction(t.Context(), set, &logs{out: t.Output()}, run[0], run[1])
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: error = %v, want %s", run, err, want)
		}
	}
	if _, err := os.Stat(set.data); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a data directory was made: %v", err)
	}
}

func TestFileThatHoldsNoPathIsRefused(t *testing.T) {
	for _, text := range []string{"", "# Title\n\nText", "v1/orders", "@example.com/v1/orders", "/v1/orders\n/v1/orders"} {
		file := filepath.Join(t.TempDir(), "path.txt")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		err := get("public")(t.Context(), call{file: file})
		if err == nil || !strings.Contains(err.Error(), "does not hold a path") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

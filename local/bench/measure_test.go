package main

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// someSuite runs benchmarks of testdata/some.
func someSuite(match string) suite {
	return suite{
		name: "some", about: "some", packages: []string{"./testdata/some"}, match: match,
		ratios: []ratio{{name: "40 / 10", of: "BenchmarkGood/rate=40", to: "BenchmarkGood/rate=10", unit: "messages/s", atLeast: 5}},
	}
}

// lockedBuffer is written by the child process and by us at once, as stderr is.
type lockedBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestARunShowsProgressPrintsAndWrites(t *testing.T) {
	c := cli{Count: 2, Benchtime: "10x", Out: t.TempDir()}
	var out strings.Builder
	var progress lockedBuffer
	if err := someSuite("Good").run(t.Context(), &c, &out, &progress); err != nil { // missing 5 is no failure
		t.Fatal(err)
	}
	for _, name := range []string{"BenchmarkGood/rate=10 ", "BenchmarkGood/rate=40 "} {
		if n := strings.Count(progress.String(), name); n != 1 {
			t.Errorf("%d lines of progress say %s, want 1:\n%s", n, name, &progress)
		}
	}
	if !strings.Contains(out.String(), "40 / 10  messages/s      4  at least 5  missed") {
		t.Errorf("the ratio is not in the table:\n%s", &out)
	}
	file := readJSON(t, filepath.Join(c.Out, "some.json"))
	ratio := file["ratios"].(map[string]any)["40 / 10"].(map[string]any)
	if ratio["value"] != 4.0 || ratio["reached"] != false {
		t.Errorf("ratio = %v", ratio)
	}
	if version, _ := file["go"].(string); !strings.HasPrefix(version, "go1.") {
		t.Errorf("version of Go = %v", file["go"])
	}
}

func TestAFailedRunSaysWhyAndWritesNothing(t *testing.T) {
	for _, c := range []struct{ match, wantErr, wantLog string }{
		{"Good|Bad", "go test: exit status 1", "out of luck"},
		{"Torn", "parsing iteration count", "a log line"},
		{"Nothing", `no benchmark of ./testdata/some matches "Nothing"`, ""},
		{"Good/rate=10", "BenchmarkGood/rate=40 did not run", ""},
	} {
		t.Run(c.match, func(t *testing.T) {
			flags := cli{Count: 1, Benchtime: "2x", Out: t.TempDir()}
			var out strings.Builder
			var log lockedBuffer
			err := someSuite(c.match).run(t.Context(), &flags, &out, &log)
			if err == nil || !strings.Contains(err.Error(), c.wantErr) {
				t.Errorf("error = %v, want one with %q", err, c.wantErr)
			}
			if !strings.Contains(log.String(), c.wantLog) {
				t.Errorf("the log does not have %q:\n%s", c.wantLog, &log)
			}
			if written, _ := filepath.Glob(flags.Out + "/*"); len(written) > 0 {
				t.Errorf("written: %v", written)
			}
		})
	}
}

func TestAnInterruptEndsTheBenchmarks(t *testing.T) {
	pidFile := filepath.Join(t.TempDir(), "pid")
	t.Setenv("PID_FILE", pidFile)
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	ended := make(chan error, 1)
	var progress lockedBuffer
	go func() {
		_, err := measure(ctx, someSuite("Hanging"), 1, "1x", &progress)
		ended <- err
	}()
	var pid int
	for pid == 0 {
		select {
		case err := <-ended:
			t.Fatalf("it ended early: %v\n%s", err, &progress)
		case <-time.After(10 * time.Millisecond): // another process: nothing to wait on
		}
		if b, err := os.ReadFile(pidFile); err == nil {
			if pid, err = strconv.Atoi(string(b)); err != nil {
				t.Fatal(err)
			}
		}
	}
	interrupt()
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "canceled") {
		t.Errorf("error = %v", err)
	}
	if err := syscall.Kill(pid, 0); err != syscall.ESRCH {
		t.Errorf("the benchmark still runs: %v", err)
	}
}

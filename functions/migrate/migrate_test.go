package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/contoso/orders/shared/store/open"
	"github.com/google/go-cmp/cmp"
)

// entry is what these tests read of a line of log.
type entry struct {
	Level    string `json:"level"`
	Msg      string `json:"msg"`
	Fn       string `json:"fn"`
	Database string `json:"database"`
	Version  int64  `json:"version"`
	Name     string `json:"name"`
	Error    string `json:"error"`
}

// build returns the path of the command.
func build(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "migrate")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return binary
}

// execute runs the command under an environment of its own.
func execute(t *testing.T, binary string, env ...string) (log []entry, exitCode int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary)
	cmd.Dir = t.TempDir()
	cmd.Env = env
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	for line := range bytes.Lines(out) {
		var e entry
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatalf("line %q of the log: %v", line, err)
		}
		log = append(log, e)
	}
	return log, cmd.ProcessState.ExitCode()
}

func TestCommand(t *testing.T) {
	binary := build(t)

	t.Run("MigratesOnceAndThenHasNothingToDo", func(t *testing.T) {
		url := "sqlite://" + filepath.Join(t.TempDir(), "not", "there", "yet", "orders.db")
		orders := entry{Level: "INFO", Fn: "migrate", Msg: "migration applied", Version: 1, Name: "00001_orders"}
		retention := entry{Level: "INFO", Fn: "migrate", Msg: "migration applied", Version: 2, Name: "00002_retention"}
		done := entry{Level: "INFO", Fn: "migrate", Msg: "schema is up to date", Version: 2, Database: url}
		for run, want := range [][]entry{{orders, retention, done}, {done}} {
			log, exitCode := execute(t, binary, "DATABASE_URL="+url)
			if exitCode != 0 {
				t.Errorf("run %d: exit code %d", run, exitCode)
			}
			if diff := cmp.Diff(want, log); diff != "" {
				t.Errorf("run %d: log (-want +got):\n%s", run, diff)
			}
		}
		s, err := open.Open(t.Context(), open.Config{URL: url})
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(s.Ping(t.Context()), s.Close()); err != nil {
			t.Error(err)
		}
	})

	for name, tc := range map[string]struct {
		env  []string
		says string
	}{
		"UnknownSchemeIsRefused":      {[]string{"DATABASE_URL=oracle://scott:hunter2@host/orders"}, "supported schemes: sqlite"},
		"MissingURLIsRefused":         {nil, "DATABASE_URL"},
		"UnusablePathIsRefused":       {[]string{"DATABASE_URL=sqlite:///dev/null/orders.db"}, "directory of the order store"},
		"UnreachableServerIsReported": {[]string{"DATABASE_URL=sqlserver://sa:hunter2@127.0.0.1:1?database=orders"}, "migrating the order store"},
		"TimeoutMustBePositive":       {[]string{"DATABASE_URL=sqlite:orders.db", "MIGRATE_TIMEOUT=0s"}, "MIGRATE_TIMEOUT"},
		"TimeoutEndsTheRunWithError":  {[]string{"DATABASE_URL=sqlite:orders.db", "MIGRATE_TIMEOUT=1ns"}, "deadline exceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			log, exitCode := execute(t, binary, tc.env...)
			if exitCode != 1 || len(log) != 1 {
				t.Fatalf("exit code %d, log %+v; want 1 and one line", exitCode, log)
			}
			if got := log[0]; got.Level != "ERROR" || !strings.Contains(got.Error, tc.says) || strings.Contains(got.Error, "hunter2") {
				t.Errorf("log = %+v, want an error that says %q", got, tc.says)
			}
		})
	}
}

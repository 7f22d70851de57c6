// Package e2e is the platform's story, told by its built binaries and a real
// browser.
package e2e_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	root         = "../.."
	startTimeout = time.Minute
	stopTimeout  = 20 * time.Second
)

// TestMain builds what the tests run, as a developer would.
func TestMain(m *testing.M) {
	if out, err := exec.Command("make", "-C", root, "build").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "e2e: make build: %v\n%s", err, out)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// output keeps what a process says, and lets a test wait for a part of it.
type output struct {
	mu    sync.Mutex
	text  bytes.Buffer
	grown chan struct{}
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text.Write(p)
	close(o.grown)
	o.grown = make(chan struct{})
	return len(p), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// await waits until the text has a line that holds all of parts, and returns it.
func (o *output) await(ctx context.Context, parts ...string) (string, error) {
	for {
		o.mu.Lock()
		text, grown := o.text.String(), o.grown
		o.mu.Unlock()
		if line := find(text, parts); line != "" {
			return line, nil
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return "", fmt.Errorf("nothing was said with %q", parts)
		}
	}
}

func find(text string, parts []string) string {
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		all := true
		for _, p := range parts {
			all = all && strings.Contains(lines.Text(), p)
		}
		if all {
			return lines.Text()
		}
	}
	return ""
}

// command is a running up.
type command struct {
	cmd *exec.Cmd
	out *output
}

// up runs the command with its arguments, over a data directory.
func up(t *testing.T, data string, args ...string) *command {
	t.Helper()
	c := &command{out: &output{grown: make(chan struct{})}}
	binary, err := filepath.Abs(filepath.Join(root, "build/bin/up"))
	if err != nil {
		t.Fatal(err)
	}
	c.cmd = exec.Command(binary, append([]string{"--data", data}, args...)...)
	c.cmd.Dir = root
	c.cmd.Stdout, c.cmd.Stderr = c.out, c.out
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.stop(t)
		if t.Failed() {
			t.Logf("up %v said:\n%s", args, c.out)
		}
	})
	return c
}

// stop ends the command as Ctrl-C does, and waits. A second stop does nothing.
func (c *command) stop(t *testing.T) {
	t.Helper()
	if c.cmd.ProcessState != nil {
		return
	}
	_ = c.cmd.Process.Signal(os.Interrupt)
	kill := time.AfterFunc(stopTimeout, func() {
		t.Errorf("up did not end within %v of Ctrl-C", stopTimeout)
		_ = syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL)
	})
	defer kill.Stop()
	if err := c.cmd.Wait(); err != nil {
		t.Errorf("up: %v", err)
	}
}

// stack is a running platform.
type stack struct {
	*command
	data    string
	socket  string
	origin  string
	control *http.Client
}

// state is what a stack says of itself.
type state struct {
	Origin    string `json:"origin"`
	Internal  string `json:"internal"`
	Processes []struct {
		Function string `json:"function"`
		PID      int    `json:"pid"`
	} `json:"processes"`
}

// run starts the whole platform on a free port.
func run(t *testing.T, data string) *stack {
	t.Helper()
	s := &stack{command: up(t, data, "--port", "0", "run"), data: data}
	s.await(t, startTimeout, "Open ", "http://localhost:")
	raw, err := os.ReadFile(filepath.Join(data, "run", "up.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Socket string }
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	s.socket = file.Socket
	s.control = &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", file.Socket)
	}}}
	s.origin = s.state(t).Origin
	return s
}

// await waits until the command has said a line that holds all of parts.
func (c *command) await(t *testing.T, within time.Duration, parts ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	line, err := c.out.await(ctx, parts...)
	if err != nil {
		t.Fatal(err)
	}
	return line
}

func (s *stack) state(t *testing.T) state {
	t.Helper()
	res, err := s.control.Get("http://up/state")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var st state
	if err := json.NewDecoder(res.Body).Decode(&st); err != nil {
		t.Fatal(err)
	}
	return st
}

// pids returns the processes of a function.
func (s *stack) pids(t *testing.T, function string) []int {
	t.Helper()
	var list []int
	for _, p := range s.state(t).Processes {
		if p.Function == function {
			list = append(list, p.PID)
		}
	}
	return list
}

// token makes a token of any subject.
func (s *stack) token(t *testing.T, subject string) string {
	t.Helper()
	res, err := http.PostForm(s.state(t).Internal+"/token", url.Values{"sub": {subject}, "aud": {"orders-api"}, "scope": {"orders.read orders.write"}})
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var answer struct {
		Token string `json:"access_token"`
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil || answer.Token == "" {
		t.Fatalf("token endpoint: %s, %v", res.Status, err)
	}
	return answer.Token
}

// order is an order as status shows it.
type order struct {
	CorrelationID string `json:"correlationId"`
	Status        string `json:"status"`
	OrderID       int64  `json:"orderId"`
}

// call makes a request to the edge and reads the answer into out.
func (s *stack) call(ctx context.Context, method, path, token, body string, out any) (int, error) {
	r, err := http.NewRequestWithContext(ctx, method, s.origin+path, strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return res.StatusCode, err
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return res.StatusCode, fmt.Errorf("answer %s: %w", raw, err)
	}
	return res.StatusCode, nil
}

// alive reports whether a process is there.
func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

package e2e_test

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestFunctionInTheForegroundTakesTheStacksPlace(t *testing.T) {
	s := run(t, t.TempDir())
	own := s.pids(t, "accept")
	c := up(t, s.data, "fn", "accept", "--in", "functions/accept/testdata/order.json")
	c.await(t, startTimeout, "POST /v1/orders", "202 Accepted")
	for _, pid := range s.pids(t, "accept") {
		if len(own) > 0 && pid == own[0] && alive(pid) {
			t.Error("the stack's own accept still runs")
		}
	}
	// The page's way to accept leads to the one in the foreground.
	var o order
	status, err := s.call(t.Context(), http.MethodPost, "/v1/orders", s.token(t, "alice"),
		`{"currency":"EUR","lines":[{"sku":"A","quantity":1,"unitPrice":"1"}]}`, &o)
	if err != nil || status != http.StatusAccepted {
		t.Fatalf("through the edge: %d, %v", status, err)
	}
	c.await(t, seen, "order accepted", o.CorrelationID)

	c.stop(t)
	deadline := time.Now().Add(seen)
	for {
		pids := s.pids(t, "accept")
		if len(pids) > 0 && pids[0] != own[0] && alive(pids[0]) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the stack did not start its own accept again")
		}
		time.Sleep(50 * time.Millisecond) // between two looks at the processes
	}
}

func TestEveryFunctionTakesItsExample(t *testing.T) {
	s := run(t, t.TempDir())
	for function, want := range map[string][]string{
		"status":          {"GET /v1/orders?limit=5", "200 OK"},
		"process-session": {"order stored", "5f1d7a84-2b3c-8e10-9c4d-0a1b2c3d4e5f"},
		"complete":        {"outcome handled", "5f1d7a84-2b3c-8e10-9c4d-0a1b2c3d4e5f"},
		"ws-hub":          {"POST /internal/push", "200 OK"},
	} {
		file := map[string]string{"status": "path.txt", "process-session": "accepted.json", "complete": "completed.json", "ws-hub": "push.json"}[function]
		c := up(t, s.data, "fn", function, "--in", "functions/"+function+"/testdata/"+file)
		c.await(t, startTimeout, want...)
		c.stop(t)
	}
}

func TestFunctionAloneStartsWhatItNeeds(t *testing.T) {
	c := up(t, t.TempDir(), "fn", "process-session", "--in", "functions/process-session/testdata/accepted.json")
	c.await(t, startTimeout, "No stack is running")
	c.await(t, startTimeout, "order stored", "5f1d7a84-2b3c-8e10-9c4d-0a1b2c3d4e5f")
}

func TestKilledPartComesBackWhereItWas(t *testing.T) {
	s := run(t, t.TempDir())
	token := s.token(t, "alice")
	for _, function := range []string{"accept", "status", "ws-hub"} {
		if err := syscall.Kill(s.pids(t, function)[0], syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		s.await(t, seen, "part ended, starting it again", function)
	}
	deadline := time.Now().Add(seen)
	for {
		var o order
		status, err := s.call(t.Context(), http.MethodPost, "/v1/orders", token,
			`{"currency":"EUR","lines":[{"sku":"A","quantity":1,"unitPrice":"1"}]}`, &o)
		if err == nil && status == http.StatusAccepted {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("through the edge: %d, %v", status, err)
		}
		time.Sleep(50 * time.Millisecond) // as a client that tries again
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	storedOrders(ctx, t, s, token, 1)
}

func TestStackEndsWhenNobodyReadsItsOutput(t *testing.T) {
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(root, "build/bin/up"), "--data", t.TempDir(), "--port", "0", "run")
	cmd.Dir, cmd.Stdout = root, writer
	if cmd.Path, err = filepath.Abs(cmd.Path); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = writer.Close()
	_ = reader.Close()
	kill := time.AfterFunc(stopTimeout, func() { _ = cmd.Process.Kill() })
	defer kill.Stop()
	if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("it ended with %v, want exit code 1 of a start that was broken off", err)
	}
}

func TestSecondForegroundIsRefusedAtOnce(t *testing.T) {
	s := run(t, t.TempDir())
	for _, function := range []string{"accept", "complete"} {
		up(t, s.data, "fn", function).await(t, startTimeout, function, "listening")
		err := exec.Command(filepath.Join(root, "build/bin/up"), "--data", s.data, "fn", function).Run()
		if err == nil {
			t.Errorf("%s runs in two foregrounds", function)
		}
	}
}

func TestForegroundEndsWithItsStack(t *testing.T) {
	s := run(t, t.TempDir())
	c := up(t, s.data, "fn", "accept")
	c.await(t, startTimeout, "accept", "listening", "public")
	s.stop(t)
	c.await(t, seen, "The stack has stopped, and accept with it")
}

func TestKilledStackLeavesNothingBehind(t *testing.T) {
	s := run(t, t.TempDir())
	st := s.state(t)
	t.Cleanup(func() { _ = os.RemoveAll(filepath.Dir(s.socket)) }) // a killed one cannot
	if err := s.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = s.cmd.Wait() // it was killed
	for _, address := range []string{strings.TrimPrefix(st.Origin, "http://"), strings.TrimPrefix(st.Internal, "http://")} {
		deadline := time.Now().Add(seen)
		for {
			conn, err := net.Dial("tcp", address)
			if err != nil {
				break
			}
			_ = conn.Close()
			if time.Now().After(deadline) {
				t.Fatalf("something still listens at %s", address)
			}
			time.Sleep(50 * time.Millisecond) // between two looks
		}
	}
}

// The page's development server (npm run dev) is another origin than the edge.
func TestPageMayComeFromItsDevelopmentServer(t *testing.T) {
	const origin = "http://localhost:5173"
	s := run(t, t.TempDir())
	query := url.Values{
		"client_id": {"orders-spa"}, "response_type": {"code"}, "scope": {"openid"}, "redirect_uri": {origin + "/signed-in"},
		"code_challenge": {strings.Repeat("x", 43)}, "code_challenge_method": {"S256"},
	}
	res, err := http.Get(s.origin + "/idp/authorize?" + query.Encode())
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusOK || res.Request.URL.Path != "/idp/login" {
		t.Errorf("signing in leads to %s: %s", res.Request.URL, res.Status)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, s.origin+"/hub/negotiate", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Origin", origin)
	r.Header.Set("Access-Control-Request-Method", http.MethodPost)
	if res, err = http.DefaultClient.Do(r); err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if got := res.Header.Get("Access-Control-Allow-Origin"); got != origin {
		t.Errorf("the hub lets in %q: %s", got, res.Status)
	}
}

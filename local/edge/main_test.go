package main

import (
	"bufio"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/contoso/orders/shared/fn"
	"github.com/sethvargo/go-envconfig"
)

func required() map[string]string {
	return map[string]string{
		"EDGE_ADDR": "127.0.0.1:0", "ACCEPT_URL": "http://127.0.0.1:1", "STATUS_URL": "http://127.0.0.1:1", "HUB_URL": "http://127.0.0.1:1", "IDP_URL": "http://127.0.0.1:1",
		"TOKEN_ISSUER": issuer, "TOKEN_AUDIENCE": "orders-api", "TOKEN_JWKS_URL": "http://127.0.0.1:1/keys",
	}
}

// program returns the edge as a process, with env and nothing else.
func program(t *testing.T, env map[string]string, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = []string{"RUN_EDGE=1"}
	for k, v := range env {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	return cmd
}

func TestHelpListsTheConfiguration(t *testing.T) {
	t.Parallel()
	out, err := program(t, nil, "--help").CombinedOutput()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"EDGE_ADDR", "ACCEPT_URL", "TOKEN_JWKS_URL", "RATE_LIMIT", "SPA_DIR", "APP_ENV"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("help lacks %s:\n%s", want, out)
		}
	}
}

func TestProductionIsRefused(t *testing.T) {
	t.Parallel()
	env := required()
	env["APP_ENV"] = "production"
	out, err := program(t, env).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "APP_ENV=production") {
		t.Errorf("%v: %s", err, out)
	}
}

func TestBadConfigurationIsRefused(t *testing.T) {
	for want, env := range map[string]map[string]string{
		`"0.0.0.0:8080"`: {"EDGE_ADDR": "0.0.0.0:8080"},
		`":9090"`:        {"PRIVATE_ADDR": ":9090"},
		"HUB_URL":        {"HUB_URL": "localhost:8083"},
		"RATE_LIMIT":     {"RATE_LIMIT": "0"},
		"RATE_BURST":     {"RATE_BURST": "0"},
	} {
		vars := required()
		maps.Copy(vars, env)
		var cfg config
		if err := fn.Config(t.Context(), envconfig.MapLookuper(vars), &cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: error = %v, want it to name %s", env, err, want)
		}
	}
}

func TestProgramServesWhileEverythingBehindItIsAway(t *testing.T) {
	t.Parallel()
	cmd := program(t, required())
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	at := map[string]string{}
	logs := bufio.NewScanner(stdout)
	for len(at) < 2 && logs.Scan() {
		var line struct{ Msg, Listener, Addr string }
		if err := json.Unmarshal(logs.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		if line.Msg == "listening" {
			at[line.Listener] = line.Addr
		}
	}
	for url, want := range map[string]int{
		"http://" + at["public"] + "/config.json": http.StatusOK, "http://" + at["private"] + "/readyz": http.StatusNoContent,
		"http://" + at["public"] + "/idp/keys": http.StatusServiceUnavailable,
	} {
		res, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("%s: %s, want %d", url, res.Status, want)
		}
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for logs.Scan() { // to the end, as Wait wants
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("end: %v", err)
	}
}

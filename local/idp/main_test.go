package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/contoso/orders/shared/fn"
	"github.com/sethvargo/go-envconfig"
)

// program returns the idp as a process, with env and nothing else.
func program(t *testing.T, env map[string]string, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = []string{"RUN_IDP=1"}
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
	for _, want := range []string{"IDP_ISSUER", "PUBLIC_URL", "INTERNAL_ADDR", "SERVICE_TOKEN_FILE", "APP_ENV"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("help lacks %s:\n%s", want, out)
		}
	}
}

func TestProductionIsRefused(t *testing.T) {
	t.Parallel()
	out, err := program(t, map[string]string{"APP_ENV": "production", "DATA_DIR": t.TempDir()}).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "APP_ENV=production") {
		t.Errorf("%v: %s", err, out)
	}
}

func TestBadConfigurationIsRefused(t *testing.T) {
	for want, env := range map[string]map[string]string{
		`"0.0.0.0:1"`:       {"IDP_ADDR": "0.0.0.0:1"},
		`":8082"`:           {"INTERNAL_ADDR": ":8082"},
		`":9090"`:           {"PRIVATE_ADDR": ":9090"},
		"PUBLIC_URL":        {"PUBLIC_URL": "localhost:8080/idp"},
		"PUBLIC_ORIGIN":     {"PUBLIC_ORIGIN": "http://localhost:8080/app"},
		"ACCESS_TOKEN_LIFE": {"ACCESS_TOKEN_LIFE": "1ms"},
		"IDP_USERS":         {"IDP_USERS": "alice:"},
	} {
		var cfg config
		if err := fn.Config(t.Context(), envconfig.MapLookuper(env), &cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: error = %v, want it to name %s", env, err, want)
		}
	}
}

func TestProgramListensOnThreePortsAndEndsInGoodOrder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cmd := program(t, map[string]string{
		"IDP_ADDR": "127.0.0.1:0", "INTERNAL_ADDR": "127.0.0.1:0", "DATA_DIR": dir, "SERVICE_TOKEN_FILE": filepath.Join(dir, "token"),
	})
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	at := map[string]string{}
	logs := bufio.NewScanner(stdout)
	for len(at) < 3 && logs.Scan() {
		var line struct{ Msg, Listener, Addr string }
		if err := json.Unmarshal(logs.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		if line.Msg == "listening" {
			at[line.Listener] = line.Addr
		}
	}
	res, err := http.PostForm("http://"+at["internal"]+"/token", url.Values{"sub": {"s"}})
	if res, body := read(t, res, err); res.StatusCode != http.StatusOK {
		t.Errorf("internal: %s %s", res.Status, body)
	}
	for name, path := range map[string]string{"public": "/keys", "private": "/metrics"} {
		res, err := http.Get(fmt.Sprintf("http://%s%s", at[name], path))
		if res, _ := read(t, res, err); res.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", name, res.Status)
		}
	}
	checkMode(t, filepath.Join(dir, "token"))
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for logs.Scan() { // to the end, as Wait wants
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("end: %v", err)
	}
}

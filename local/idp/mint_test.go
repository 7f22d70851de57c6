package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/contoso/orders/shared/identity"
)

func (l *laptop) mint() *mint {
	return &mint{issuer: l.cfg.Issuer, key: l.key, life: l.cfg.AccessTokenLife}
}

// ask posts to the internal listener's handler.
func ask(m *mint, host string, form url.Values) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "http://"+host+"/token", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	m.handler().ServeHTTP(w, r)
	return w
}

func TestAnyTokenCanBeHad(t *testing.T) {
	l := newLaptop(t, nil)
	w := ask(l.mint(), "127.0.0.1:8082", url.Values{"sub": {"load-1"}, "scope": {"orders.read"}, "ttl": {"1h"}})
	got := decode(t, w.Body.String())
	if got["expires_in"] != 3600.0 {
		t.Errorf("expires_in = %v", got["expires_in"])
	}
	caller, err := l.verifier(t, "orders-api").Verify(t.Context(), got["access_token"].(string))
	if err != nil {
		t.Fatal(err)
	}
	if caller.Customer != identity.CustomerOf(l.cfg.Issuer, "load-1") || caller.Require("orders.read") != nil || caller.Require("orders.write") == nil {
		t.Errorf("caller = %+v", caller)
	}
	w = ask(l.mint(), "localhost:8082", url.Values{"sub": {"late"}, "ttl": {"-1h"}})
	if _, err := l.verifier(t, "orders-api").Verify(t.Context(), decode(t, w.Body.String())["access_token"].(string)); err == nil {
		t.Error("a token with a life below zero is still good")
	}
}

func TestBadTokenRequestIsRefused(t *testing.T) {
	m := newLaptop(t, nil).mint()
	for name, tt := range map[string]struct {
		host string
		form url.Values
		want int
	}{
		"no subject":       {"localhost:1", url.Values{}, http.StatusUnprocessableEntity},
		"long subject":     {"localhost:1", url.Values{"sub": {strings.Repeat("s", 257)}}, http.StatusUnprocessableEntity},
		"no duration":      {"localhost:1", url.Values{"sub": {"s"}, "ttl": {"soon"}}, http.StatusUnprocessableEntity},
		"too long a life":  {"localhost:1", url.Values{"sub": {"s"}, "ttl": {"25h"}}, http.StatusUnprocessableEntity},
		"long form":        {"localhost:1", url.Values{"sub": {"s"}, "scope": {strings.Repeat("s", maxTokenForm)}}, http.StatusBadRequest},
		"rebound name":     {"rebound.example:8082", url.Values{"sub": {"s"}}, http.StatusForbidden},
		"address of a LAN": {"192.168.1.2:8082", url.Values{"sub": {"s"}}, http.StatusForbidden},
	} {
		if w := ask(m, tt.host, tt.form); w.Code != tt.want {
			t.Errorf("%s: %d, want %d", name, w.Code, tt.want)
		}
	}
}

func TestServiceTokenIsKeptFresh(t *testing.T) {
	l := newLaptop(t, nil)
	dir := filepath.Join(t.TempDir(), "tokens")
	path := filepath.Join(dir, "complete")
	synctest.Test(t, func(t *testing.T) {
		service := &serviceToken{mint: l.mint(), path: path}
		if err := service.write(t.Context()); err != nil {
			t.Fatal(err)
		}
		first := claimsOf(t, readFile(t, path))
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- service.keep(ctx) }()

		time.Sleep(29 * time.Minute)
		if got := claimsOf(t, readFile(t, path)); got["jti"] != first["jti"] {
			t.Error("replaced before half of its life was over")
		}
		time.Sleep(2 * time.Minute)
		second := claimsOf(t, readFile(t, path))
		if second["jti"] == first["jti"] || second["exp"].(float64)-first["exp"].(float64) != (30*time.Minute).Seconds() {
			t.Errorf("half of its life later: %v, was %v", second, first)
		}
		if second["sub"] != "system:serviceaccount:orders:complete" || second["iss"] != l.cfg.Issuer {
			t.Errorf("claims = %v", second)
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 {
		t.Errorf("files = %v, %v; what a replacement was written to must not stay", files, err)
	}
}

func TestServiceTokenOpensTheHub(t *testing.T) {
	l := newLaptop(t, nil)
	path := filepath.Join(t.TempDir(), "complete")
	if err := (&serviceToken{mint: l.mint(), path: path}).write(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := l.verifier(t, "ws-hub").Verify(t.Context(), readFile(t, path)); err != nil {
		t.Error(err)
	}
	if _, err := l.verifier(t, "orders-api").Verify(t.Context(), readFile(t, path)); err == nil {
		t.Error("the service token is good for the API too")
	}
	checkMode(t, path)
}

func TestKeyIsTheOwnersAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	first, err := openKey(dir)
	if err != nil {
		t.Fatal(err)
	}
	checkMode(t, filepath.Join(dir, keyFile))
	again, err := openKey(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !first.private.Equal(again.private) || first.id != again.id {
		t.Error("the key changed")
	}
}

func TestDamagedKeyIsNotReplaced(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, keyFile)
	for _, text := range []string{"", "no PEM", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := openKey(dir); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%q: %v, want an error that names the file", text, err)
		}
		if got := readFile(t, path); got != text {
			t.Errorf("the file now has %q", got)
		}
	}
}

func checkMode(t *testing.T, path string) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != 0o600 {
		t.Errorf("%s has mode %v", path, info.Mode())
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

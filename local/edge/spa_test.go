package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const asPage = "text/html,application/xhtml+xml,*/*;q=0.8" // what a browser says when it goes somewhere

func TestAppIsServed(t *testing.T) {
	b := newBench(t, nil, nil)
	b.file(t, indexFile, "<title>the app</title>")
	b.file(t, "assets/app-1a2b.js", "let app")
	b.file(t, "favicon.svg", "<svg/>")
	for _, tt := range []struct{ path, accept, want, kind, cache string }{
		{"/", "*/*", "<title>the app</title>", "text/html; charset=utf-8", "no-cache"},
		{"/index.html", "*/*", "<title>the app</title>", "text/html; charset=utf-8", "no-cache"},
		{"/signed-in?code=c&state=s", asPage, "<title>the app</title>", "text/html; charset=utf-8", "no-cache"},
		{"/orders/42", asPage, "<title>the app</title>", "text/html; charset=utf-8", "no-cache"},
		{"/assets", asPage, "<title>the app</title>", "text/html; charset=utf-8", "no-cache"},
		{"/favicon.svg", "image/*", "<svg/>", "image/svg+xml", "no-cache"},
		{"/assets/app-1a2b.js", "*/*", "let app", "text/javascript; charset=utf-8", "public, max-age=31536000, immutable"},
	} {
		res, body := b.do(t, "GET", tt.path, "", "Accept", tt.accept)
		if res.StatusCode != http.StatusOK || body != tt.want || res.Header.Get("Content-Type") != tt.kind || res.Header.Get("Cache-Control") != tt.cache {
			t.Errorf("%s: %s %q, %s, %s", tt.path, res.Status, body, res.Header.Get("Content-Type"), res.Header.Get("Cache-Control"))
		}
		csp := res.Header.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'self'", "frame-ancestors 'none'", "base-uri 'self'", "form-action 'self'"} {
			if !strings.Contains(csp, want) {
				t.Errorf("%s: policy %q lacks %s", tt.path, csp, want)
			}
		}
	}
	for _, path := range []string{"/none.png", "/assets/app-gone.js"} {
		res, body := b.do(t, "GET", path, "", "Accept", "*/*")
		wantProblem(t, path, res, body, http.StatusNotFound)
	}
	res, body := b.do(t, "GET", "/assets/app-gone.js", "", "Accept", asPage)
	wantProblem(t, "asset as a page", res, body, http.StatusNotFound)
}

func TestAppIsToldWhereToSignIn(t *testing.T) {
	b := newBench(t, nil, nil)
	b.file(t, "config.json", "{}") // does not win
	res, body := b.do(t, "GET", "/config.json", "")
	var got map[string]string
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	if got["authority"] != "/idp" || got["clientId"] != "orders-spa" || !strings.Contains(got["scope"], "offline_access") {
		t.Errorf("%s %s", res.Status, body)
	}
}

func TestNothingOutsideTheAppIsServed(t *testing.T) {
	b := newBench(t, nil, nil)
	b.file(t, indexFile, "the app")
	secret := filepath.Join(filepath.Dir(b.app), "secret.txt")
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(secret, filepath.Join(b.app, "link.txt")); err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{"/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt", `/..\secret.txt`, "/link.txt", "/assets/../../secret.txt"} {
		res, body := b.raw(t, "GET "+target, "Accept: */*")
		if res.StatusCode < 400 || strings.Contains(body, "secret\n") || body == "secret" {
			t.Errorf("%s: %s %s", target, res.Status, body)
		}
	}
}

func TestMissingAppSaysHowToBuildIt(t *testing.T) {
	b := newBench(t, map[string]string{"SPA_DIR": filepath.Join(t.TempDir(), "<none>")}, nil)
	res, body := b.do(t, "GET", "/", "", "Accept", asPage)
	if res.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, "npm run build") || strings.Contains(body, "<none>") {
		t.Errorf("%s %s", res.Status, body)
	}
	if res, _ := b.do(t, "GET", "/config.json", ""); res.StatusCode != http.StatusOK {
		t.Errorf("the rest must go on: %s", res.Status)
	}
	empty := newBench(t, nil, nil)
	if res, _ := empty.do(t, "GET", "/orders/42", "", "Accept", asPage); res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("empty directory: %s", res.Status)
	}
	empty.file(t, indexFile, "the app")
	if res, _ := empty.do(t, "GET", "/orders/42", "", "Accept", asPage); res.StatusCode != http.StatusOK {
		t.Errorf("built meanwhile: %s", res.Status)
	}
}

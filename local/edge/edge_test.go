package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/contoso/orders/shared/fn"
	"github.com/contoso/orders/shared/identity"
	"github.com/contoso/orders/shared/problem"
	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
	"github.com/sethvargo/go-envconfig"
)

// TestMain runs the program instead of the tests when a test asks for it.
func TestMain(m *testing.M) {
	if os.Getenv("RUN_EDGE") != "" {
		main()
	}
	os.Exit(m.Run())
}

const issuer = "http://idp.example"

// bench is an edge with an upstream behind every route and an issuer of tokens.
type bench struct {
	*httptest.Server
	key *ecdsa.PrivateKey
	app string // directory of the single-page app

	mu   sync.Mutex
	seen []*http.Request // by any upstream, in order; the function's name is in the header X-Upstream
	body []byte          // of the last one
	be   http.HandlerFunc
}

// upstream is one function.
func (b *bench) upstream(t *testing.T, name string) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		r.Header.Set("X-Upstream", name)
		b.mu.Lock()
		b.seen, b.body = append(b.seen, r), body
		be := b.be
		b.mu.Unlock()
		if be != nil {
			be(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// newBench starts an edge; be, when it is not nil, is what every upstream answers.
func newBench(t *testing.T, env map[string]string, be http.HandlerFunc) *bench {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{key: key, app: t.TempDir(), be: be}
	keys := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &key.PublicKey, KeyID: "k1", Algorithm: "ES256", Use: "sig"}}})
	}))
	t.Cleanup(keys.Close)
	vars := map[string]string{
		"ACCEPT_URL": b.upstream(t, "accept"), "STATUS_URL": b.upstream(t, "status"), "HUB_URL": b.upstream(t, "hub"), "IDP_URL": b.upstream(t, "idp"),
		"TOKEN_ISSUER": issuer, "TOKEN_AUDIENCE": "orders-api", "TOKEN_JWKS_URL": keys.URL, "SPA_DIR": b.app,
	}
	maps.Copy(vars, env)
	var cfg config
	if err := fn.Config(t.Context(), envconfig.MapLookuper(vars), &cfg); err != nil {
		t.Fatal(err)
	}
	tokens, err := identity.NewVerifier(t.Context(), cfg.Token)
	if err != nil {
		t.Fatal(err)
	}
	b.Server = httptest.NewServer(newEdge(&cfg, tokens))
	t.Cleanup(b.Close)
	return b
}

// last returns what an upstream saw last, and how many requests any of them saw.
func (b *bench) last() (r *http.Request, body string, count int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.seen) == 0 {
		return nil, "", 0
	}
	return b.seen[len(b.seen)-1], string(b.body), len(b.seen)
}

// token returns a token for subject; change, when not nil, spoils its claims.
func (b *bench) token(t *testing.T, subject string, change func(jwt.MapClaims)) string {
	t.Helper()
	claims := jwt.MapClaims{"iss": issuer, "aud": "orders-api", "sub": subject, "exp": time.Now().Add(time.Hour).Unix()}
	if change != nil {
		change(claims)
	}
	return sign(t, jwt.SigningMethodES256, b.key, claims)
}

func sign(t *testing.T, method jwt.SigningMethod, key any, claims jwt.MapClaims) string {
	t.Helper()
	token := jwt.NewWithClaims(method, claims)
	token.Header["kid"] = "k1"
	text, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// do sends a request; headers are pairs of name and value.
func (b *bench) do(t *testing.T, method, path, body string, headers ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, b.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	res, err := http.DefaultTransport.RoundTrip(r) // follows no redirect
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(text)
}

// wantProblem checks that an answer is a problem with this status.
func wantProblem(t *testing.T, what string, res *http.Response, body string, status int) {
	t.Helper()
	var d problem.Details
	if err := json.Unmarshal([]byte(body), &d); err != nil || res.StatusCode != status || d.Status != status || res.Header.Get("Content-Type") != problem.ContentType {
		t.Errorf("%s: %s %s, want a problem with status %d", what, res.Status, body, status)
	}
	if res.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%s: the problem lacks the edge's headers", what)
	}
}

// file puts a file into the app's directory.
func (b *bench) file(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(b.app, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// logs collects what is logged during a test.
func logs(t *testing.T) *lockedBuffer {
	t.Helper()
	b := &lockedBuffer{}
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewJSONHandler(b, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })
	return b
}

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/contoso/orders/shared/contract/contracttest"
	"github.com/contoso/orders/shared/fn"
	"github.com/contoso/orders/shared/httpserve"
	"github.com/contoso/orders/shared/identity"
	"github.com/contoso/orders/shared/registry"
	"github.com/contoso/orders/shared/registry/registrytest"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"github.com/sethvargo/go-envconfig"
)

const (
	issuer       = "https://idp.example"
	apiAudience  = "orders-api"
	pushAudience = "ws-hub-push"
	pusher       = "complete"
	page         = "https://shop.example"
	patience     = 20 * time.Second // for anything that has to happen
)

var signingKey = func() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
}()

var correlationKey = base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("k"), 32))

// rig is a hub that serves on loopback, with what it needs.
type rig struct {
	*hub
	public, pushURL, private string
	redis                    *registrytest.Server
	store                    *registry.Registry // the registry as complete sees it
	logs                     *logs

	stop context.CancelFunc
	done chan error // closed after the end
}

type options struct {
	env   map[string]string
	redis func(testing.TB) *registrytest.Server
	wrap  func(connectionRegistry) connectionRegistry
}

// newRig starts a hub, and stops it with the test.
func newRig(t testing.TB, o options) *rig {
	t.Helper()
	if o.redis == nil {
		o.redis = registrytest.Mini
	}
	r := &rig{redis: o.redis(t), logs: newLogs(t), done: make(chan error, 1)}
	jwks := newKeySet(t)
	env := map[string]string{
		"HTTP_ADDR": "127.0.0.1:0", "PRIVATE_ADDR": "127.0.0.1:0", "PUSH_ADDR": "127.0.0.1:0", "DRAIN_DELAY": "0s",
		"TOKEN_ISSUER": issuer, "TOKEN_AUDIENCE": apiAudience, "TOKEN_JWKS_URL": jwks,
		"PUSH_TOKEN_ISSUER": issuer, "PUSH_TOKEN_AUDIENCE": pushAudience, "PUSH_TOKEN_JWKS_URL": jwks, "PUSH_TOKEN_SUBJECT": pusher,
		"CORRELATION_KEYS": correlationKey, "ALLOWED_ORIGINS": page, "REDIS_URL": r.redis.URL,
		"DRAIN_WINDOW": "0s", "HEARTBEAT_INTERVAL": "50ms", "REDIS_TIMEOUT": "10s", "PUSH_ACK_WAIT": "5s",
	}
	for k, v := range o.env {
		env[k] = v
	}
	var cfg config
	if err := fn.Config(t.Context(), envconfig.MapLookuper(env), &cfg); err != nil {
		t.Fatal(err)
	}
	var err error
	if r.store, err = registry.New(cfg.Registry); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.store.Close() })
	var reg connectionRegistry = r.store
	if o.wrap != nil {
		reg = o.wrap(reg)
	}
	ctx, stop := context.WithCancel(context.Background())
	r.stop = stop
	if r.hub, err = newHub(ctx, cfg, reg); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(r.done)
		r.done <- httpserve.WithPrivate(ctx, cfg.HTTP.PrivateConfig, r.hub.run)
	}()
	t.Cleanup(func() { r.end(t) })
	r.private, r.pushURL, r.public = r.logs.address(t, "private"), r.logs.address(t, "push")+pushPath, r.logs.address(t, "public")
	eventually(t, "the lease", func() bool {
		urls, err := r.store.PushURLs(t.Context(), []string{r.replica})
		return err == nil && urls[r.replica] == r.pushURL
	})
	return r
}

// end stops the hub as SIGTERM does. It may be called again.
func (r *rig) end(t testing.TB) {
	t.Helper()
	r.stop()
	select {
	case err := <-r.done:
		if err != nil {
			t.Errorf("the hub ended with %v", err)
		}
	case <-time.After(2 * patience):
		t.Error("the hub does not end")
	}
}

// record puts an event into the customer's outcomes, as complete does.
func (r *rig) record(t testing.TB, customer string, events ...string) registry.Recorded {
	t.Helper()
	var batch []registry.Event
	for _, e := range events {
		batch = append(batch, registry.Event{ID: e, CorrelationID: uuid.New(), Body: []byte(e)})
	}
	recorded, err := r.store.Record(t.Context(), customer, batch)
	if err != nil {
		t.Fatal(err)
	}
	return recorded
}

// newKeySet serves the public half of signingKey.
func newKeySet(t testing.TB) string {
	t.Helper()
	jwk, err := jwkset.NewJWKFromKey(signingKey, jwkset.JWKOptions{Metadata: jwkset.JWKMetadataOptions{KID: "k1", ALG: jwkset.AlgES256, USE: jwkset.UseSig}})
	if err != nil {
		t.Fatal(err)
	}
	keys := jwkset.NewMemoryStorage()
	if err := keys.KeyWrite(t.Context(), jwk); err != nil {
		t.Fatal(err)
	}
	body, err := keys.JSONPublic(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) }))
	t.Cleanup(s.Close)
	return s.URL
}

// token signs an access token; change edits its claims.
func token(t testing.TB, audience, subject string, change ...func(jwt.MapClaims)) string {
	t.Helper()
	claims := jwt.MapClaims{
		"iss": issuer, "aud": audience, "sub": subject, "scope": identity.ScopeRead,
		"exp": time.Now().Add(time.Hour).Unix(), "iat": time.Now().Unix(),
	}
	for _, c := range change {
		c(claims)
	}
	unsigned := jwt.NewWithClaims(jwt.SigningMethodES256, claims)
	unsigned.Header["kid"] = "k1"
	text, err := unsigned.SignedString(signingKey)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func customerOf(subject string) string { return identity.CustomerOf(issuer, subject) }

// ask makes a request with a bearer token, if any, and pairs of headers.
func ask(t testing.TB, method, url, bearer, body string, headers ...string) (*http.Response, string) {
	t.Helper()
	res, answer, err := tryAsk(method, url, bearer, body, headers...)
	if err != nil {
		t.Fatal(err)
	}
	if path := res.Request.URL.Path; strings.HasPrefix(path, "/hub/") { // the public ones
		contracttest.Check(t, method, path, res, []byte(answer))
	}
	return res, answer
}

func tryAsk(method, url, bearer, body string, headers ...string) (*http.Response, string, error) {
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		return nil, "", err
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	return res, string(answer), err
}

// eventually polls until what is so.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !is() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %s", what, patience)
		}
		time.Sleep(time.Millisecond)
	}
}

// logs keeps what is logged.
type logs struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func newLogs(t testing.TB) *logs {
	l := &logs{}
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewJSONHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug})))
	t.Cleanup(func() {
		slog.SetDefault(before)
		if t.Failed() {
			t.Log(l.String())
		}
	})
	return l
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// address returns the URL of a listener, once it listens.
func (l *logs) address(t testing.TB, listener string) (url string) {
	t.Helper()
	eventually(t, "the "+listener+" port", func() bool {
		for line := range strings.Lines(l.String()) {
			var entry struct{ Msg, Listener, Addr string }
			if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg == "listening" && entry.Listener == listener {
				url = "http://" + entry.Addr
			}
		}
		return url != ""
	})
	return url
}

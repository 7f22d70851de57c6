package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/contoso/orders/shared/fn"
	"github.com/contoso/orders/shared/identity"
	"github.com/sethvargo/go-envconfig"
	"golang.org/x/oauth2"
)

// TestMain runs the program instead of the tests when a test asks for it.
func TestMain(m *testing.M) {
	if os.Getenv("RUN_IDP") != "" {
		main()
	}
	os.Exit(m.Run())
}

// laptop is a provider behind an edge, and a browser in front of it.
type laptop struct {
	edge   *httptest.Server // strips /idp, as the real one does
	cfg    config
	key    *signingKey
	client *http.Client // follows redirects, but not back into the app
}

func newLaptop(t *testing.T, env map[string]string) *laptop {
	t.Helper()
	l := &laptop{}
	var provider http.Handler
	mux := http.NewServeMux()
	mux.Handle("/idp/", http.StripPrefix("/idp", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		provider.ServeHTTP(w, r)
	})))
	l.edge = httptest.NewServer(mux)
	t.Cleanup(l.edge.Close)

	vars := map[string]string{"PUBLIC_URL": l.edge.URL + "/idp/", "DATA_DIR": t.TempDir()}
	for k, v := range env {
		vars[k] = v
	}
	if err := fn.Config(t.Context(), envconfig.MapLookuper(vars), &l.cfg); err != nil {
		t.Fatal(err)
	}
	var err error
	if l.key, err = openKey(l.cfg.DataDir); err != nil {
		t.Fatal(err)
	}
	if provider, err = newProvider(&l.cfg, l.key); err != nil {
		t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	l.client = &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.Path, "/idp/") {
			return nil
		}
		return http.ErrUseLastResponse
	}}
	return l
}

// app is the single-page app as an OAuth client.
func (l *laptop) app(scopes ...string) *oauth2.Config {
	return &oauth2.Config{
		ClientID: clientID, RedirectURL: l.edge.URL + "/signed-in", Scopes: scopes,
		Endpoint: oauth2.Endpoint{AuthURL: l.edge.URL + "/idp/authorize", TokenURL: l.edge.URL + "/idp/token", AuthStyle: oauth2.AuthStyleInParams},
	}
}

func (l *laptop) get(t *testing.T, url string) (*http.Response, string) {
	t.Helper()
	res, err := l.client.Get(url)
	return read(t, res, err)
}

func (l *laptop) post(t *testing.T, url string, form url.Values) (*http.Response, string) {
	t.Helper()
	res, err := l.client.PostForm(url, form)
	return read(t, res, err)
}

func read(t *testing.T, res *http.Response, err error) (*http.Response, string) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

var idField = regexp.MustCompile(`name="id" value="([^"]+)"`)

// open goes to the sign-in page, and returns the id in its form.
func (l *laptop) open(t *testing.T, authURL string) string {
	t.Helper()
	res, page := l.get(t, authURL)
	found := idField.FindStringSubmatch(page)
	if res.StatusCode != http.StatusOK || found == nil {
		t.Fatalf("sign-in page: %s\n%s", res.Status, page)
	}
	return found[1]
}

// fill posts the form, and returns where the browser ended up.
func (l *laptop) fill(t *testing.T, id, user, password string) (*http.Response, string) {
	t.Helper()
	return l.post(t, l.edge.URL+"/idp/login", url.Values{"id": {id}, "username": {user}, "password": {password}})
}

// code signs in and returns what the provider sends back to the app.
func (l *laptop) code(t *testing.T, app *oauth2.Config, verifier string) string {
	t.Helper()
	id := l.open(t, app.AuthCodeURL("state-1", oauth2.S256ChallengeOption(verifier)))
	res, _ := l.fill(t, id, "alice", "orders")
	back, err := res.Location()
	if err != nil {
		t.Fatalf("after signing in: %s", res.Status)
	}
	if got := back.Scheme + "://" + back.Host + back.Path; got != app.RedirectURL || back.Query().Get("state") != "state-1" {
		t.Fatalf("sent back to %s", back)
	}
	return back.Query().Get("code")
}

func (l *laptop) signIn(t *testing.T, app *oauth2.Config) *oauth2.Token {
	t.Helper()
	verifier := oauth2.GenerateVerifier()
	token, err := app.Exchange(t.Context(), l.code(t, app, verifier), oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func (l *laptop) verifier(t *testing.T, audience string) *identity.Verifier {
	t.Helper()
	v, err := identity.NewVerifier(t.Context(), identity.TokenConfig{
		Issuer: "http://idp.contoso.localhost", Audience: audience, JWKSURL: l.edge.URL + "/idp/keys",
	})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func decode(t *testing.T, text string) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return v
}

func TestSignInGivesATokenThatTheAPITakes(t *testing.T) {
	l := newLaptop(t, nil)
	token := l.signIn(t, l.app(scopes...))
	caller, err := l.verifier(t, "orders-api").Verify(t.Context(), token.AccessToken)
	if err != nil {
		t.Fatal(err)
	}
	if want := identity.CustomerOf("http://idp.contoso.localhost", "alice"); caller.Customer != want {
		t.Errorf("customer = %s, want %s", caller.Customer, want)
	}
	if want := []string{"orders.read", "orders.write"}; !slices.Equal(caller.Scopes, want) {
		t.Errorf("scopes = %v, want %v", caller.Scopes, want)
	}
	if token.ExpiresIn < 890 || token.ExpiresIn > 900 {
		t.Errorf("expires in %d s, want 15 min", token.ExpiresIn)
	}
	if token.RefreshToken == "" {
		t.Error("no refresh token for offline_access")
	}
	id := claimsOf(t, token.Extra("id_token").(string))
	if id["name"] != "Alice" || id["sub"] != "alice" || id["azp"] != "orders-spa" || id["sid"] == nil {
		t.Errorf("ID token = %v", id)
	}
}

func TestTokenCarriesOnlyTheScopesAskedFor(t *testing.T) {
	l := newLaptop(t, nil)
	token := l.signIn(t, l.app("openid", "orders.read", "orders.admin"))
	caller, err := l.verifier(t, "orders-api").Verify(t.Context(), token.AccessToken)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"orders.read"}; !slices.Equal(caller.Scopes, want) || token.RefreshToken != "" {
		t.Errorf("scopes = %v, refresh token = %q", caller.Scopes, token.RefreshToken)
	}
}

func TestIDTokenMayDoNothingAtTheAPI(t *testing.T) {
	l := newLaptop(t, nil)
	token := l.signIn(t, l.app(scopes...))
	caller, err := l.verifier(t, "orders-api").Verify(t.Context(), token.Extra("id_token").(string))
	if err == nil && len(caller.Scopes) != 0 {
		t.Errorf("scopes = %v", caller.Scopes)
	}
}

func TestDiscoveryIsUnderThePublicURLWithTheFixedIssuer(t *testing.T) {
	l := newLaptop(t, nil)
	_, body := l.get(t, l.edge.URL+"/idp/.well-known/openid-configuration")
	doc := decode(t, body)
	if doc["issuer"] != "http://idp.contoso.localhost" {
		t.Errorf("issuer = %v", doc["issuer"])
	}
	var named int
	for name, value := range doc {
		if !strings.HasSuffix(name, "_endpoint") && name != "jwks_uri" {
			continue
		}
		named++
		at, _ := value.(string)
		if !strings.HasPrefix(at, l.edge.URL+"/idp/") {
			t.Errorf("%s = %v, not under PUBLIC_URL", name, value)
		}
		if name == "token_endpoint" || name == "revocation_endpoint" {
			continue // POST only
		}
		if res, _ := l.get(t, at); res.StatusCode == http.StatusNotFound {
			t.Errorf("%s: nothing at %s", name, at)
		}
	}
	if named != 6 {
		t.Errorf("%d endpoints, want authorization, token, userinfo, revocation, end session and keys:\n%s", named, body)
	}
	if got := doc["code_challenge_methods_supported"].([]any); len(got) != 1 || got[0] != "S256" {
		t.Errorf("PKCE methods = %v", got)
	}
}

func TestUserinfoTellsTheName(t *testing.T) {
	l := newLaptop(t, nil)
	token := l.signIn(t, l.app(scopes...))
	res, err := l.app().Client(t.Context(), token).Get(l.edge.URL + "/idp/userinfo")
	_, body := read(t, res, err)
	if got := decode(t, body); got["sub"] != "alice" || got["name"] != "Alice" {
		t.Errorf("userinfo = %s", body)
	}
}

func TestNothingElseIsServed(t *testing.T) {
	l := newLaptop(t, nil)
	for _, path := range []string{"/", "/ready", "/healthz", "/device_authorization", "/oauth/introspect", "/internal", "/metrics"} {
		res, body := l.get(t, l.edge.URL+"/idp"+path)
		if res.StatusCode != http.StatusNotFound || res.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %s %s", path, res.Status, body)
		}
	}
	if res, body := l.post(t, l.edge.URL+"/idp/token", url.Values{"sub": {"mallory"}}); res.StatusCode != http.StatusBadRequest {
		t.Errorf("the public listener makes any token: %s %s", res.Status, body)
	}
}

func TestTokenEndpointAnswersTheAppsOriginOnly(t *testing.T) {
	l := newLaptop(t, map[string]string{"PUBLIC_ORIGIN": "http://localhost:5173, http://localhost:8080/"})
	for origin, want := range map[string]string{"http://localhost:5173": "http://localhost:5173", "http://evil.example": ""} {
		r := httptest.NewRequest(http.MethodOptions, l.edge.URL+"/idp/token", nil)
		r.RequestURI = ""
		r.Header.Set("Origin", origin)
		r.Header.Set("Access-Control-Request-Method", http.MethodPost)
		res, err := l.client.Do(r)
		res, _ = read(t, res, err)
		if got := res.Header.Get("Access-Control-Allow-Origin"); got != want {
			t.Errorf("origin %s is allowed as %q", origin, got)
		}
	}
}

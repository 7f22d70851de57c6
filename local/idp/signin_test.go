package main

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/oauth2"
)

// claimsOf reads a token without checking it.
func claimsOf(t *testing.T, token string) map[string]any {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("%q is no JWT", token)
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, string(payload))
}

func TestSignInPageIsForABrowserUnderAPolicy(t *testing.T) {
	l := newLaptop(t, nil)
	res, page := l.get(t, l.app("openid").AuthCodeURL("s", oauth2.S256ChallengeOption("v")))
	for _, want := range []string{"Development sign-in", "<code>alice</code>", "<code>bob</code>", `<label for="username">`, `<label for="password">`} {
		if !strings.Contains(page, want) {
			t.Errorf("page lacks %q", want)
		}
	}
	if strings.Contains(page, "<script") || strings.Contains(page, "style=") || len(res.Cookies()) != 0 {
		t.Error("page has a script, an inline style or a cookie")
	}
	csp := res.Header.Get("Content-Security-Policy")
	if !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "form-action 'self' "+l.edge.URL) {
		t.Errorf("policy = %q", csp)
	}
	if got := res.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("cache control = %q", got)
	}
	if res, _ := l.get(t, l.edge.URL+"/idp/login.css"); !strings.HasPrefix(res.Header.Get("Content-Type"), "text/css") {
		t.Errorf("style sheet: %s, %s", res.Status, res.Header.Get("Content-Type"))
	}
}

func TestWrongPasswordAsksAgain(t *testing.T) {
	l := newLaptop(t, nil)
	id := l.open(t, l.app("openid").AuthCodeURL("s", oauth2.S256ChallengeOption("v")))
	for _, try := range [][2]string{{"alice", "wrong"}, {"mallory", "orders"}, {"", ""}, {`"><b>`, "x"}} {
		res, page := l.fill(t, id, try[0], try[1])
		if res.StatusCode != http.StatusUnauthorized || !strings.Contains(page, `role="alert"`) || strings.Contains(page, "<b>") {
			t.Errorf("%v: %s\n%s", try, res.Status, page)
		}
	}
	if res, _ := l.get(t, l.edge.URL+"/idp/authorize/callback?id="+id); !strings.Contains(res.Header.Get("Location"), "error=interaction_required") {
		t.Errorf("without a password: %s %s", res.Status, res.Header.Get("Location"))
	}
	if res, _ := l.fill(t, id, " alice ", "orders"); res.Header.Get("Location") == "" {
		t.Errorf("the right password after wrong ones: %s", res.Status)
	}
}

func TestSignInThatIsOverSaysSo(t *testing.T) {
	l := newLaptop(t, nil)
	res, page := l.get(t, l.edge.URL+"/idp/login?id=made-up")
	if res.StatusCode != http.StatusBadRequest || !strings.Contains(page, "This sign-in is over") || !strings.Contains(page, l.edge.URL+"/") {
		t.Errorf("%s\n%s", res.Status, page)
	}
	if res, _ := l.fill(t, "made-up", "alice", "orders"); res.StatusCode != http.StatusBadRequest {
		t.Errorf("form of a sign-in that is over: %s", res.Status)
	}
}

func TestRequestIsAnsweredByOneUser(t *testing.T) {
	l := newLaptop(t, nil)
	id := l.open(t, l.app("openid").AuthCodeURL("s", oauth2.S256ChallengeOption("v")))
	l.fill(t, id, "alice", "orders")
	if res, _ := l.fill(t, id, "bob", "orders"); res.StatusCode != http.StatusBadRequest {
		t.Errorf("another user took over the request: %s", res.Status)
	}
}

func TestFormOfAnotherSiteIsRefused(t *testing.T) {
	l := newLaptop(t, nil)
	id := l.open(t, l.app("openid").AuthCodeURL("s", oauth2.S256ChallengeOption("v")))
	form := url.Values{"id": {id}, "username": {"alice"}, "password": {"orders"}}
	for name, header := range map[string][2]string{
		"fetch metadata": {"Sec-Fetch-Site", "cross-site"}, "origin": {"Origin", "http://evil.example"},
	} {
		r, err := http.NewRequest(http.MethodPost, l.edge.URL+"/idp/login", strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set(header[0], header[1])
		res, err := l.client.Do(r)
		if res, _ = read(t, res, err); res.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %s", name, res.Status)
		}
	}
}

func TestBadAuthorizationRequestIsRefused(t *testing.T) {
	l := newLaptop(t, nil)
	good := func() url.Values {
		u, err := url.Parse(l.app("openid").AuthCodeURL("s", oauth2.S256ChallengeOption("v")))
		if err != nil {
			t.Fatal(err)
		}
		return u.Query()
	}
	for name, tt := range map[string]struct {
		set  map[string]string
		back string // error that the app is told; empty when nobody may be sent anywhere
	}{
		"unknown client":       {set: map[string]string{"client_id": "evil-spa"}},
		"foreign redirect":     {set: map[string]string{"redirect_uri": "http://evil.example/signed-in"}},
		"other path":           {set: map[string]string{"redirect_uri": l.edge.URL + "/elsewhere"}},
		"redirect with suffix": {set: map[string]string{"redirect_uri": l.edge.URL + "/signed-in/../x"}},
		"no PKCE":              {set: map[string]string{"code_challenge": "", "code_challenge_method": ""}, back: "invalid_request"},
		"plain PKCE":           {set: map[string]string{"code_challenge_method": "plain"}, back: "invalid_request"},
		"implicit":             {set: map[string]string{"response_type": "id_token token"}, back: "unauthorized_client"},
		"no prompt":            {set: map[string]string{"prompt": "none"}, back: "login_required"},
	} {
		q := good()
		for k, v := range tt.set {
			q.Set(k, v)
		}
		res, body := l.get(t, l.edge.URL+"/idp/authorize?"+q.Encode())
		at := res.Header.Get("Location")
		switch {
		case tt.back == "" && (res.StatusCode != http.StatusBadRequest || at != ""):
			t.Errorf("%s: %s %s\n%s", name, res.Status, at, body)
		case tt.back != "" && (!strings.HasPrefix(at, l.edge.URL+"/signed-in") || !strings.Contains(at, "error="+tt.back)):
			t.Errorf("%s: %s %s\n%s", name, res.Status, at, body)
		}
	}
}

// refusal returns the error code of a token endpoint's refusal.
func refusal(t *testing.T, err error) string {
	t.Helper()
	var refused *oauth2.RetrieveError
	if !errors.As(err, &refused) {
		t.Fatalf("error = %v, want a refusal", err)
	}
	return refused.ErrorCode
}

func TestCodeIsGoodOnceAndForItsVerifier(t *testing.T) {
	l := newLaptop(t, nil)
	app, verifier := l.app("openid"), oauth2.GenerateVerifier()
	code := l.code(t, app, verifier)
	if _, err := app.Exchange(t.Context(), code, oauth2.VerifierOption(verifier)); err != nil {
		t.Fatal(err)
	}
	_, err := app.Exchange(t.Context(), code, oauth2.VerifierOption(verifier))
	if got := refusal(t, err); got != "invalid_grant" {
		t.Errorf("code used again: %s", got)
	}
	_, err = app.Exchange(t.Context(), l.code(t, app, verifier), oauth2.VerifierOption(oauth2.GenerateVerifier()))
	if got := refusal(t, err); got != "invalid_grant" {
		t.Errorf("another verifier: %s", got)
	}
	_, err = app.Exchange(t.Context(), l.code(t, app, verifier))
	if got := refusal(t, err); got != "invalid_request" {
		t.Errorf("no verifier: %s", got)
	}
}

func (l *laptop) refresh(t *testing.T, token string) (*oauth2.Token, error) {
	t.Helper()
	return l.app().TokenSource(t.Context(), &oauth2.Token{RefreshToken: token}).Token()
}

func TestRefreshTokenIsReplacedAndReuseEndsTheSession(t *testing.T) {
	l := newLaptop(t, nil)
	first := l.signIn(t, l.app(scopes...))
	second, err := l.refresh(t, first.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	if second.RefreshToken == first.RefreshToken || second.AccessToken == first.AccessToken {
		t.Error("a refresh must replace both tokens")
	}
	if _, err := l.verifier(t, "orders-api").Verify(t.Context(), second.AccessToken); err != nil {
		t.Error(err)
	}
	before, after := claimsOf(t, first.Extra("id_token").(string)), claimsOf(t, second.Extra("id_token").(string))
	if before["sid"] != after["sid"] || before["auth_time"] != after["auth_time"] {
		t.Errorf("session changed: %v, %v", before, after)
	}
	_, err = l.refresh(t, first.RefreshToken)
	if got := refusal(t, err); got != "invalid_grant" {
		t.Errorf("refresh token used again: %s", got)
	}
	_, err = l.refresh(t, second.RefreshToken)
	if got := refusal(t, err); got != "invalid_grant" {
		t.Errorf("its replacement, after that: %s", got)
	}
}

func TestSigningOutEndsOneSession(t *testing.T) {
	l := newLaptop(t, nil)
	here, there := l.signIn(t, l.app(scopes...)), l.signIn(t, l.app(scopes...))
	q := url.Values{"id_token_hint": {here.Extra("id_token").(string)}, "post_logout_redirect_uri": {l.edge.URL + "/"}, "state": {"bye"}}
	res, body := l.get(t, l.edge.URL+"/idp/end-session?"+q.Encode())
	if got, want := res.Header.Get("Location"), l.edge.URL+"/?state=bye"; got != want {
		t.Errorf("sent to %q, want %q: %s", got, want, body)
	}
	_, err := l.refresh(t, here.RefreshToken)
	if got := refusal(t, err); got != "invalid_grant" {
		t.Errorf("after signing out: %s", got)
	}
	if _, err := l.refresh(t, there.RefreshToken); err != nil {
		t.Errorf("another browser's session ended too: %v", err)
	}
	q.Set("post_logout_redirect_uri", "http://evil.example/")
	if res, _ := l.get(t, l.edge.URL+"/idp/end-session?"+q.Encode()); res.Header.Get("Location") != "" {
		t.Errorf("sent to %s", res.Header.Get("Location"))
	}
}

func TestRevokedRefreshTokenIsNoGood(t *testing.T) {
	l := newLaptop(t, nil)
	token := l.signIn(t, l.app(scopes...))
	if res, body := l.post(t, l.edge.URL+"/idp/revoke", url.Values{"client_id": {clientID}, "token": {token.RefreshToken}}); res.StatusCode != http.StatusOK {
		t.Errorf("revoking: %s %s", res.Status, body)
	}
	_, err := l.refresh(t, token.RefreshToken)
	if got := refusal(t, err); got != "invalid_grant" {
		t.Errorf("after revoking: %s", got)
	}
}

func TestRestartKeepsTheKeyAndEndsSessions(t *testing.T) {
	dir := t.TempDir()
	before := newLaptop(t, map[string]string{"DATA_DIR": dir})
	token := before.signIn(t, before.app(scopes...))
	after := newLaptop(t, map[string]string{"DATA_DIR": dir})
	if _, err := after.verifier(t, "orders-api").Verify(t.Context(), token.AccessToken); err != nil {
		t.Errorf("a token does not outlive the restart: %v", err)
	}
	_, err := after.refresh(t, token.RefreshToken)
	if got := refusal(t, err); got != "invalid_grant" {
		t.Errorf("old refresh token: %s", got)
	}
}

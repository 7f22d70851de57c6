package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/contoso/orders/shared/fault"
	"github.com/golang-jwt/jwt/v5"
)

func TestBadTokenStopsAtTheEdge(t *testing.T) {
	b := newBench(t, nil, nil)
	foreign, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := jwt.MapClaims{"iss": issuer, "aud": "orders-api", "sub": "alice", "exp": time.Now().Add(time.Hour).Unix()}
	for name, header := range map[string]string{
		"none":           "",
		"no bearer":      "Basic YWxpY2U6b3JkZXJz",
		"garbage":        "Bearer x.y.z",
		"unsigned":       "Bearer " + sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, good),
		"MAC":            "Bearer " + sign(t, jwt.SigningMethodHS256, []byte("secret"), good),
		"foreign key":    "Bearer " + sign(t, jwt.SigningMethodES256, foreign, good),
		"expired":        "Bearer " + b.token(t, "alice", func(c jwt.MapClaims) { c["exp"] = time.Now().Add(-time.Hour).Unix() }),
		"no expiry":      "Bearer " + b.token(t, "alice", func(c jwt.MapClaims) { delete(c, "exp") }),
		"other audience": "Bearer " + b.token(t, "alice", func(c jwt.MapClaims) { c["aud"] = "ws-hub" }),
		"other issuer":   "Bearer " + b.token(t, "alice", func(c jwt.MapClaims) { c["iss"] = "http://evil.example" }),
		"no subject":     "Bearer " + b.token(t, "", nil),
	} {
		for _, call := range [][2]string{{"POST", "/v1/orders"}, {"GET", "/v1/orders/a"}, {"POST", "/hub/negotiate"}} {
			res, body := b.do(t, call[0], call[1], "", "Authorization", header)
			wantProblem(t, name, res, body, http.StatusUnauthorized)
			if res.Header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s: no challenge", name)
			}
		}
	}
	if _, _, n := b.last(); n != 0 {
		t.Error("an upstream was asked")
	}
}

func TestTokenIsTakenFromNowhereElse(t *testing.T) {
	b := newBench(t, nil, nil)
	token := b.token(t, "alice", nil)
	res, body := b.do(t, "GET", "/v1/orders?access_token="+token, "", "Cookie", "access_token="+token)
	wantProblem(t, "in the query and a cookie", res, body, http.StatusUnauthorized)
}

func TestTokensCannotBeCheckedWhileTheIssuerIsAway(t *testing.T) {
	b := newBench(t, map[string]string{"TOKEN_JWKS_URL": "http://127.0.0.1:1/keys"}, nil)
	res, body := b.do(t, "GET", "/v1/orders", "", "Authorization", "Bearer "+b.token(t, "alice", nil))
	wantProblem(t, "issuer away", res, body, http.StatusServiceUnavailable)
	if res.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
}

func TestCallerIsLimitedAloneAndToldToWait(t *testing.T) {
	b := newBench(t, map[string]string{"RATE_LIMIT": "0.5", "RATE_BURST": "3"}, nil)
	alice, bob := "Bearer "+b.token(t, "alice", nil), "Bearer "+b.token(t, "bob", nil)
	for range 3 {
		if res, body := b.do(t, "GET", "/v1/orders", "", "Authorization", alice); res.StatusCode != http.StatusOK {
			t.Fatalf("within the burst: %s %s", res.Status, body)
		}
	}
	res, body := b.do(t, "POST", "/v1/orders", "", "Authorization", alice)
	wantProblem(t, "beyond the burst", res, body, http.StatusTooManyRequests)
	if wait, err := strconv.Atoi(res.Header.Get("Retry-After")); err != nil || wait < 1 || wait > 2 {
		t.Errorf("Retry-After = %q, want 1 or 2", res.Header.Get("Retry-After"))
	}
	if res, _ := b.do(t, "GET", "/v1/orders", "", "Authorization", bob); res.StatusCode != http.StatusOK {
		t.Errorf("another caller: %s", res.Status)
	}
	// Without a good token, the address is the caller.
	for range 3 {
		res, body := b.do(t, "GET", "/v1/orders", "", "Authorization", "Bearer x")
		wantProblem(t, "bad token", res, body, http.StatusUnauthorized)
	}
	for _, path := range []string{"/v1/orders", "/idp/login", "/hub/t"} {
		res, body := b.do(t, "GET", path, "", "X-Forwarded-For", "6.6.6.6")
		wantProblem(t, path, res, body, http.StatusTooManyRequests)
	}
}

func TestBucketFillsUpAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(2, 2)
		for i, want := range []fault.Kind{fault.Internal, fault.Internal, fault.RateLimited} {
			if err := l.take("a"); (err == nil) != (want == fault.Internal) || fault.KindOf(err) != want {
				t.Errorf("request %d: %v", i, err)
			}
		}
		time.Sleep(500 * time.Millisecond)
		if err := l.take("a"); err != nil {
			t.Errorf("half a second later: %v", err)
		}
	})
}

func TestFloodOfCallersIsBoundedAndSlowsOnlyNewOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(1, 2)
		if err := l.take("old"); err != nil {
			t.Fatal(err)
		}
		for i := range maxCallers {
			_ = l.take("flood " + strconv.Itoa(i))
		}
		_ = l.take("more") // the last flooder and this one share what is left
		if err := l.take("newcomer"); fault.KindOf(err) != fault.RateLimited {
			t.Errorf("newcomer: %v", err)
		}
		if err := l.take("old"); err != nil {
			t.Errorf("old caller: %v", err)
		}
		if len(l.callers) != maxCallers {
			t.Errorf("%d buckets, want %d", len(l.callers), maxCallers)
		}
		time.Sleep(2 * time.Second) // every bucket is full again
		if err := l.take("newcomer"); err != nil {
			t.Errorf("newcomer later: %v", err)
		}
		if len(l.callers) != 1 {
			t.Errorf("%d buckets after a sweep, want the newcomer's", len(l.callers))
		}
	})
}

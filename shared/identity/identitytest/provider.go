// Package identitytest gives tests an identity provider: real keys behind a real
// JSON Web Key Set over HTTP, and tokens good and bad.
package identitytest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/contoso/orders/shared/identity"
	"github.com/golang-jwt/jwt/v5"
)

// What the provider's good tokens say.
const (
	Issuer   = "https://idp.example"
	Audience = "orders-api"
)

// Provider serves a key set, and signs with its keys.
type Provider struct {
	URL string // of the key set

	keys atomic.Pointer[jwkset.MemoryJWKSet]
	down atomic.Bool
	main *ecdsa.PrivateKey
}

// latency is that of the key set: a fetch takes time, as over a network.
const latency = 20 * time.Millisecond

// mainKey is the id of the key that [Provider.Token] signs with.
const mainKey = "k1"

// New starts a provider that ends with the test.
func New(t testing.TB) *Provider {
	t.Helper()
	p := &Provider{}
	p.keys.Store(jwkset.NewMemoryStorage())
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(latency)
		if p.down.Load() {
			http.Error(w, "away", http.StatusBadGateway)
			return
		}
		body, err := p.keys.Load().JSONPublic(r.Context())
		if err != nil {
			t.Error(err)
		}
		_, _ = w.Write(body)
	}))
	t.Cleanup(server.Close)
	p.URL = server.URL
	p.main = p.AddKey(t, mainKey)
	return p
}

// SetDown makes the key set unreachable, or reachable again.
func (p *Provider) SetDown(down bool) { p.down.Store(down) }

// AddKey makes a key and puts it into the set.
func (p *Provider) AddKey(t testing.TB, kid string) *ecdsa.PrivateKey {
	t.Helper()
	key := NewKey(t)
	jwk, err := jwkset.NewJWKFromKey(key, jwkset.JWKOptions{
		Metadata: jwkset.JWKMetadataOptions{KID: kid, ALG: jwkset.AlgES256, USE: jwkset.UseSig},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.keys.Load().KeyWrite(t.Context(), jwk); err != nil {
		t.Fatal(err)
	}
	return key
}

// NewKey makes a key that is in no set.
func NewKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// Config is that of a verifier which believes this provider.
func (p *Provider) Config() identity.TokenConfig {
	return identity.TokenConfig{Issuer: Issuer, Audience: Audience, JWKSURL: p.URL}
}

// Verifier returns a verifier which believes this provider.
func (p *Provider) Verifier(t testing.TB) *identity.Verifier {
	t.Helper()
	v, err := identity.NewVerifier(t.Context(), p.Config())
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// Claims are those of a good token of subject, to be changed at will.
func Claims(subject string) jwt.MapClaims {
	return jwt.MapClaims{
		"iss": Issuer, "aud": Audience, "sub": subject, "scope": identity.ScopeRead + " " + identity.ScopeWrite,
		"exp": time.Now().Add(time.Hour).Unix(), "iat": time.Now().Unix(),
	}
}

// Token signs claims with the provider's key.
func (p *Provider) Token(t testing.TB, c jwt.MapClaims) string {
	t.Helper()
	return Sign(t, jwt.SigningMethodES256, mainKey, p.main, c)
}

// Sign signs claims in any way.
func Sign(t testing.TB, method jwt.SigningMethod, kid string, key any, c jwt.MapClaims) string {
	t.Helper()
	token := jwt.NewWithClaims(method, c)
	token.Header["kid"] = kid
	text, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Bad are tokens that must be refused, by what is wrong with them.
func (p *Provider) Bad(t testing.TB) map[string]string {
	t.Helper()
	with := func(name string, value any) string {
		c := Claims("alice")
		if c[name] = value; value == nil {
			delete(c, name)
		}
		return p.Token(t, c)
	}
	return map[string]string{
		"garbage":         "x.y.z",
		"unsigned":        Sign(t, jwt.SigningMethodNone, mainKey, jwt.UnsafeAllowNoneSignatureType, Claims("alice")),
		"MAC":             Sign(t, jwt.SigningMethodHS256, mainKey, []byte("secret"), Claims("alice")),
		"other key":       Sign(t, jwt.SigningMethodES256, mainKey, NewKey(t), Claims("alice")),
		"unknown key id":  Sign(t, jwt.SigningMethodES256, "k9", p.main, Claims("alice")),
		"expired":         with("exp", time.Now().Add(-time.Minute).Unix()),
		"without expiry":  with("exp", nil),
		"not yet valid":   with("nbf", time.Now().Add(time.Hour).Unix()),
		"foreign issuer":  with("iss", "https://evil.example"),
		"other audience":  with("aud", "another-api"),
		"without subject": with("sub", nil),
		"blank subject":   with("sub", "  "),
	}
}

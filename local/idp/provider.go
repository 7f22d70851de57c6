package main

import (
	"crypto/rand"
	"fmt"
	"net/http"

	"github.com/contoso/orders/shared/fault"
	"github.com/contoso/orders/shared/problem"
	"github.com/rs/cors"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// What is served, relative to PUBLIC_URL. The library serves more (introspection,
// device authorization, its own probes): nothing else reaches it.
const (
	discoveryPath = "/.well-known/openid-configuration"
	authorizePath = "/authorize"
	callbackPath  = authorizePath + "/callback" // where the sign-in page leads
	tokenPath     = "/token"
	userinfoPath  = "/userinfo"
	revokePath    = "/revoke"
	endPath       = "/end-session"
	keysPath      = "/keys"
)

var scopes = append([]string{oidc.ScopeOpenID, oidc.ScopeProfile, oidc.ScopeOfflineAccess}, apiScopes...)

// newProvider returns what the browser and the verifiers of tokens talk to.
func newProvider(cfg *config, key *signingKey) (http.Handler, error) {
	at := func(path string) *op.Endpoint { return op.NewEndpointWithURL(path, cfg.PublicURL+path) }
	library := &op.Config{
		CodeMethodS256: true, GrantTypeRefreshToken: true,
		SupportedScopes:          scopes,
		SupportedClaims:          []string{"iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "sid", "name", "preferred_username"},
		DefaultLogoutRedirectURI: cfg.Origins[0] + "/",
	}
	_, _ = rand.Read(library.CryptoKey[:]) // of authorization codes, which no restart needs to keep; never fails
	s := newStorage(cfg, key)
	provider, err := op.NewProvider(library, s, op.StaticIssuer(cfg.Issuer), op.WithAllowInsecure(),
		op.WithCustomEndpoints(at(authorizePath), at(tokenPath), at(userinfoPath), at(revokePath), at(endPath), at(keysPath)),
		// A development server of the app is another origin than PUBLIC_URL.
		op.WithCORSOptions(&cors.Options{
			AllowedOrigins: cfg.Origins,
			AllowedMethods: []string{http.MethodGet, http.MethodPost},
			AllowedHeaders: []string{"Authorization", "Content-Type"},
		}))
	if err != nil {
		return nil, fmt.Errorf("setting up the provider: %w", err)
	}
	page, err := newLogin(cfg, s, op.AuthCallbackURL(provider))
	if err != nil {
		return nil, err
	}

	mux := http.NewServeMux()
	mux.Handle("GET "+discoveryPath, discovery(cfg.Issuer, provider, s))
	mux.Handle("/login", page)
	mux.HandleFunc("GET /login.css", stylesheet)
	for _, route := range []string{
		"GET " + authorizePath, "POST " + authorizePath, "GET " + callbackPath,
		"POST " + tokenPath, "OPTIONS " + tokenPath, "POST " + revokePath, "OPTIONS " + revokePath,
		"GET " + userinfoPath, "POST " + userinfoPath, "OPTIONS " + userinfoPath,
		"GET " + endPath, "POST " + endPath, "GET " + keysPath,
	} {
		mux.Handle(route, provider)
	}
	mux.Handle("/", problem.Handler(func(http.ResponseWriter, *http.Request) error {
		return fault.New(fault.NotFound, "the provider has nothing here; it describes itself at %s", discoveryPath)
	}))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store") // RFC 6749 §5.1
		mux.ServeHTTP(w, r)
	}), nil
}

// discovery serves the library's document without what is not served here.
//
// Its issuer is not where it was fetched from, which OpenID Connect Discovery
// §4.3 asks for: ports change, and a customer is a hash of issuer and subject.
func discovery(issuer string, provider *op.Provider, s *storage) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d := op.CreateDiscoveryConfig(op.ContextWithIssuer(r.Context(), issuer), provider, s)
		d.IntrospectionEndpoint, d.DeviceAuthorizationEndpoint = "", ""
		d.IntrospectionEndpointAuthMethodsSupported = nil
		d.ResponseTypesSupported = []string{string(oidc.ResponseTypeCode)}
		d.GrantTypesSupported = s.client.GrantTypes()
		d.TokenEndpointAuthMethodsSupported = []oidc.AuthMethod{oidc.AuthMethodNone}
		d.RevocationEndpointAuthMethodsSupported = []oidc.AuthMethod{oidc.AuthMethodNone}
		op.Discover(w, d)
	})
}

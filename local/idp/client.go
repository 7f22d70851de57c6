package main

import (
	"net/url"
	"slices"
	"time"

	"github.com/contoso/orders/shared/identity"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

const (
	clientID = "orders-spa"
	audience = "orders-api" // of its access tokens
)

var apiScopes = []string{identity.ScopeRead, identity.ScopeWrite}

// spa is the one client: the single-page app, which can keep no secret and so has
// PKCE alone. It implements op.Client.
type spa struct {
	publicURL string
	origins   []string
}

func (c *spa) GetID() string                       { return clientID }
func (c *spa) ApplicationType() op.ApplicationType { return op.ApplicationTypeUserAgent }
func (c *spa) AuthMethod() oidc.AuthMethod         { return oidc.AuthMethodNone }
func (c *spa) AccessTokenType() op.AccessTokenType { return op.AccessTokenTypeJWT }
func (c *spa) IDTokenLifetime() time.Duration      { return time.Hour }
func (c *spa) ClockSkew() time.Duration            { return 0 }
func (c *spa) DevMode() bool                       { return true } // redirects to http, which a laptop has

// IDTokenUserinfoClaimsAssertion puts the name into the ID token: the app greets
// its user without another call.
func (c *spa) IDTokenUserinfoClaimsAssertion() bool { return true }

func (c *spa) RedirectURIs() []string           { return c.at("/signed-in") }
func (c *spa) PostLogoutRedirectURIs() []string { return c.at("/") }

func (c *spa) at(path string) []string {
	var uris []string
	for _, origin := range c.origins {
		uris = append(uris, origin+path)
	}
	return uris
}

// LoginURL is absolute: the browser must come back through the edge.
func (c *spa) LoginURL(id string) string {
	return c.publicURL + "/login?id=" + url.QueryEscape(id)
}

func (c *spa) ResponseTypes() []oidc.ResponseType {
	return []oidc.ResponseType{oidc.ResponseTypeCode}
}

func (c *spa) GrantTypes() []oidc.GrantType {
	return []oidc.GrantType{oidc.GrantTypeCode, oidc.GrantTypeRefreshToken}
}

func (c *spa) IsScopeAllowed(scope string) bool { return slices.Contains(apiScopes, scope) }

func (c *spa) RestrictAdditionalIdTokenScopes() func([]string) []string {
	return func(scopes []string) []string { return scopes }
}

// RestrictAdditionalAccessTokenScopes leaves an access token the API's scopes:
// openid, profile and offline_access are between the app and this provider.
func (c *spa) RestrictAdditionalAccessTokenScopes() func([]string) []string {
	return func(scopes []string) []string {
		return slices.DeleteFunc(slices.Clone(scopes), func(s string) bool { return !c.IsScopeAllowed(s) })
	}
}

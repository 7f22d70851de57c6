// Command idp is the OpenID provider of a laptop: it signs in two ready users by
// authorization code with PKCE, and makes any other token that a developer or a
// load test needs, on a port of its own that nothing routes to.
//
// Its issuer is a fixed name. A customer is a hash of issuer and subject, so that
// a port which changed must not make every customer another. Where things are is
// PUBLIC_URL: the browser comes through the edge, under /idp/, and the discovery
// document names addresses there.
//
// There is one client, orders-spa: public, PKCE with S256, redirects to /signed-in
// and after signing out to /, on each PUBLIC_ORIGIN. Access tokens are JWTs
// (ES256) for the audience orders-api with the granted ones of orders.read and
// orders.write in scope. Refresh tokens are replaced whenever they are used; one
// that is used again ends its session. Nothing is kept on disk but the signing
// key, and no cookie is set: after a restart access tokens are still good and
// refresh tokens are an invalid_grant.
//
// The internal port answers POST /token (see mint.handler) to loopback callers.
//
// The library gives ID tokens the access token's audience besides their own. One
// of them sent to the API passes a check of the audience; it carries no scope, and
// so may do nothing there.
//
// Sources: OpenID Connect Core 1.0, RP-Initiated Logout 1.0, RFC 6749, RFC 7636
// (PKCE), RFC 9068 (JWT access tokens), RFC 9700 (security best practice).
package main

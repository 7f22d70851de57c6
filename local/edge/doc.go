// Command edge stands in for API Management on a laptop: it checks tokens, limits
// rates and sizes, routes, and serves the single-page app. It knows nothing of
// orders, and everything that it checks the functions check again.
//
//	POST /v1/orders                          accept   token
//	GET  /v1/orders, /v1/orders/{id}         status   token
//	POST /hub/negotiate                      ws-hub   token
//	POST /hub/t/negotiate, GET /hub/t        ws-hub   the hub checks its own ticket
//	     /idp/...                            the identity provider, without /idp
//	GET  /config.json                        where the app signs in
//	GET  /...                                the app
//
// Nothing else has a route, and a path in any but its plain form is refused, so
// that no spelling leads to an upstream's /internal, /livez or /metrics.
//
// Towards an upstream it drops what only an edge may say (X-Forwarded-*,
// X-Internal-*, X-Ms-* and their like) and says who called afresh. A body is read
// to its end first, 64 KiB at most. Towards the caller it drops what an upstream
// is made of and adds the headers that keep a browser careful.
//
// Its own refusals are problem details: 400, 401, 404, 405, 413, 429 with
// Retry-After, and 503 with Retry-After where an upstream or the keys of the
// issuer are away. A caller is limited as the customer of the token, without a
// good one as the address.
//
// Sources: RFC 9110, RFC 9457 (problem details), RFC 6750 (bearer), CSP Level 3.
package main

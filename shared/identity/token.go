package identity

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/contoso/orders/shared/fault"
	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/time/rate"
)

// The scopes of the platform's API.
const (
	ScopeRead  = "orders.read"
	ScopeWrite = "orders.write"
)

// algorithms that a token may be signed with: asymmetric ones only, so that
// neither "none" nor a MAC under a public key can pass (RFC 8725 §3.1).
var algorithms = []string{"RS256", "PS256", "ES256"}

const (
	clockLeeway  = 30 * time.Second
	maxToken     = 16 << 10
	jwksTimeout  = 5 * time.Second
	jwksInterval = 15 * time.Minute
	// refreshTimeout bounds a fetch for an unseen key id. The limiter refuses at once
	// when its turn is later than that, so made-up key ids hold nobody for long.
	refreshTimeout = 2 * time.Second
)

// TokenConfig says whose tokens are believed.
type TokenConfig struct {
	Issuer   string `env:"TOKEN_ISSUER, required" help:"issuer (iss) that access tokens must name"`
	Audience string `env:"TOKEN_AUDIENCE, required" help:"audience (aud) that access tokens must be for"`
	JWKSURL  string `env:"TOKEN_JWKS_URL, required" help:"URL of the issuer's JSON Web Key Set"`
	Subject  string `env:"TOKEN_SUBJECT" help:"when set, the only subject (sub) that is let in"`
}

// Caller is who a verified token speaks for.
type Caller struct {
	Customer string    // 22 characters; see [CustomerOf]
	Scopes   []string  // what the token allows
	Expires  time.Time // when the token ends
}

// Require returns Forbidden unless the token carries scope.
func (c Caller) Require(scope string) error {
	if !slices.Contains(c.Scopes, scope) {
		return fault.New(fault.Forbidden, "the token lacks scope %s", scope)
	}
	return nil
}

// CustomerOf returns the customer that an issuer's subject stands for:
// base64url(SHA-256(iss ‖ 0x1F ‖ sub)[:16]), 22 characters. It does not say who
// the subject is, and needs no storage.
func CustomerOf(issuer, subject string) string {
	sum := sha256.Sum256([]byte(issuer + "\x1f" + subject))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// Verifier checks bearer tokens. It is safe for concurrent use.
type Verifier struct {
	cfg    TokenConfig
	keys   keyfunc.Keyfunc
	parser *jwt.Parser
}

// NewVerifier returns a Verifier that fetches the issuer's keys, again every
// quarter of an hour, and at once (at a limited rate) when a token names a key
// it has not seen. It does not fail while the issuer is away: tokens get
// Unavailable until the first fetch. Fetching ends with ctx.
func NewVerifier(ctx context.Context, cfg TokenConfig) (*Verifier, error) {
	keys, err := keyfunc.NewDefaultOverrideCtx(ctx, []string{cfg.JWKSURL}, keyfunc.Override{
		Client:            &http.Client{Timeout: jwksTimeout},
		HTTPTimeout:       jwksTimeout,
		RefreshInterval:   jwksInterval,
		RefreshUnknownKID: rate.NewLimiter(rate.Every(5*time.Second), 3),
		RateLimitWaitMax:  refreshTimeout,
		RefreshErrorHandlerFunc: func(url string) func(context.Context, error) {
			return func(ctx context.Context, err error) {
				slog.WarnContext(ctx, "key set not refreshed", "url", url, "error", err)
			}
		},
	})
	if err != nil {
		return nil, fmt.Errorf("reading key set %s: %w", cfg.JWKSURL, err)
	}
	return &Verifier{
		cfg: cfg, keys: keys,
		parser: jwt.NewParser(
			jwt.WithValidMethods(algorithms), jwt.WithIssuer(cfg.Issuer), jwt.WithAudience(cfg.Audience),
			jwt.WithExpirationRequired(), jwt.WithLeeway(clockLeeway),
		),
	}, nil
}

type claims struct {
	jwt.RegisteredClaims
	Scope scopes `json:"scope"` // RFC 8693 §4.2: one string, separated by spaces
	SCP   scopes `json:"scp"`   // the same, as Entra ID names it
}

// scopes reads both usual forms: "a b" and ["a","b"].
type scopes []string

func (s *scopes) UnmarshalJSON(b []byte) error {
	var list jwt.ClaimStrings
	if err := list.UnmarshalJSON(b); err != nil {
		return err
	}
	for _, one := range list {
		*s = append(*s, strings.Fields(one)...)
	}
	return nil
}

// Caller verifies the bearer token of r. The error is Unauthenticated when there
// is no token or a bad one, and Unavailable when the issuer's keys are not known.
func (v *Verifier) Caller(r *http.Request) (Caller, error) {
	token, err := Bearer(r)
	if err != nil {
		return Caller{}, err
	}
	return v.Verify(r.Context(), token)
}

// Verify checks one token.
func (v *Verifier) Verify(ctx context.Context, token string) (Caller, error) {
	var c claims
	if _, err := v.parser.ParseWithClaims(token, &c, v.keys.KeyfuncCtx(ctx)); err != nil {
		if known, readErr := v.keys.Storage().KeyReadAll(ctx); readErr != nil || len(known) == 0 {
			return Caller{}, &fault.Error{Kind: fault.Unavailable, Detail: "tokens cannot be checked just now", RetryAfter: jwksTimeout, Err: err}
		}
		return Caller{}, fault.Wrap(fault.Unauthenticated, err, "the token is not valid here")
	}
	if strings.TrimSpace(c.Subject) == "" {
		return Caller{}, fault.New(fault.Unauthenticated, "the token names no subject")
	}
	if v.cfg.Subject != "" && c.Subject != v.cfg.Subject {
		return Caller{}, fault.New(fault.Forbidden, "the token's subject may not call this")
	}
	return Caller{
		Customer: CustomerOf(c.Issuer, c.Subject),
		Scopes:   append(c.Scope, c.SCP...),
		Expires:  c.ExpiresAt.Time,
	}, nil
}

// Bearer returns the token of an Authorization header (RFC 6750 §2.1).
func Bearer(r *http.Request) (string, error) {
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	token = strings.TrimSpace(token)
	if !ok || !strings.EqualFold(scheme, "Bearer") || token == "" {
		return "", fault.New(fault.Unauthenticated, "a bearer token is required")
	}
	if len(token) > maxToken {
		return "", fault.New(fault.Unauthenticated, "the token is longer than %d bytes", maxToken)
	}
	return token, nil
}

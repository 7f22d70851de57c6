package main

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

const (
	requestLife = 10 * time.Minute // from the sign-in page to the password
	codeLife    = time.Minute      // from the password to the tokens
)

// storage is what the provider's library keeps and looks up. Sessions are in
// memory: after a restart their refresh tokens are an invalid_grant, upon which
// the app asks its user to sign in again.
//
// Session ids, codes and the secrets of refresh tokens are 128 random bits each.
type storage struct {
	client      *spa
	key         *signingKey
	users       map[string]string // password by name
	accessLife  time.Duration
	refreshLife time.Duration

	mu       sync.Mutex
	requests shelf[request] // by session id
	codes    shelf[string]  // session id by code
	sessions shelf[session] // by id
}

var (
	_ op.Storage                        = (*storage)(nil)
	_ op.CanSetUserinfoFromRequest      = (*storage)(nil)
	_ op.CanTerminateSessionFromRequest = (*storage)(nil)
)

func newStorage(cfg *config, key *signingKey) *storage {
	return &storage{
		client:     &spa{publicURL: cfg.PublicURL, origins: cfg.Origins},
		key:        key,
		users:      cfg.Users,
		accessLife: cfg.AccessTokenLife, refreshLife: cfg.RefreshTokenLife,
		requests: shelf[request]{}, codes: shelf[string]{}, sessions: shelf[session]{},
	}
}

// CreateAuthRequest keeps what a client asked until its user has signed in.
func (s *storage) CreateAuthRequest(_ context.Context, asked *oidc.AuthRequest, _ string) (op.AuthRequest, error) {
	if err := checkRequest(asked); err != nil {
		return nil, err
	}
	r := request{session: session{id: rand.Text(), scopes: asked.Scopes}, asked: *asked}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests.put(r.id, r, requestLife)
	return &r, nil
}

// signIn makes user the one who answers request id, if the password is right.
// The bool says whether it is; the error, that there is no such request to answer.
func (s *storage) signIn(id, user, password string) (bool, error) {
	want, known := s.users[user]
	if !known || subtle.ConstantTimeCompare([]byte(want), []byte(password)) == 0 {
		return false, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.requests.get(id)
	if !ok || (r.Done() && r.user != user) {
		return false, errNoRequest
	}
	r.user, r.at = user, time.Now()
	s.requests.put(id, r, requestLife)
	return true, nil
}

var errNoRequest = errors.New("no such sign-in, or it is over")

// AuthRequestByID returns what is kept under id.
func (s *storage) AuthRequestByID(_ context.Context, id string) (op.AuthRequest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.requests.get(id)
	if !ok {
		return nil, oidc.ErrInvalidRequest().WithDescription("%s", errNoRequest.Error())
	}
	return &r, nil
}

// SaveAuthCode gives request id its code.
func (s *storage) SaveAuthCode(_ context.Context, id, code string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.codes.put(code, id, codeLife)
	return nil
}

// AuthRequestByCode spends the code, and the request with it: of two that present
// the same code one gets tokens (RFC 6749 §4.1.2).
func (s *storage) AuthRequestByCode(_ context.Context, code string) (op.AuthRequest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, ok := s.codes.take(code)
	if !ok {
		return nil, errNoRequest
	}
	r, ok := s.requests.take(id)
	if !ok {
		return nil, errNoRequest
	}
	return &r, nil
}

// DeleteAuthRequest forgets a request.
func (s *storage) DeleteAuthRequest(_ context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.requests, id)
	return nil
}

// CreateAccessToken gives an access token its id and its end. It certifies
// itself: nothing is kept of it.
func (s *storage) CreateAccessToken(context.Context, op.TokenRequest) (string, time.Time, error) {
	return rand.Text(), time.Now().Add(s.accessLife), nil
}

// CreateAccessAndRefreshTokens does the same, and makes the refresh token: the
// first of a session, or the one that takes current's place.
func (s *storage) CreateAccessAndRefreshTokens(ctx context.Context, tokens op.TokenRequest, current string) (string, string, time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var kept session
	if r, ok := tokens.(*request); ok {
		kept = r.session
	} else {
		var err error
		if kept, err = s.sessionOf(ctx, current); err != nil { // again: another may have been faster
			return "", "", time.Time{}, err
		}
	}
	kept.secret = rand.Text()
	s.sessions.put(kept.id, kept, s.refreshLife)
	id, end, err := s.CreateAccessToken(ctx, tokens)
	return id, kept.refreshToken(), end, err
}

// TokenRequestByRefreshToken returns the session that a refresh token is good for.
func (s *storage) TokenRequestByRefreshToken(ctx context.Context, token string) (op.RefreshTokenRequest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, err := s.sessionOf(ctx, token)
	return &found, err
}

// sessionOf returns the session of a refresh token. A token that was replaced has
// been copied by somebody: neither who has the old one nor who has the new one
// can be believed any more, and the session ends (RFC 9700 §4.14.2). s.mu is held.
func (s *storage) sessionOf(ctx context.Context, token string) (session, error) {
	id, secret, _ := strings.Cut(token, ".")
	found, ok := s.sessions.get(id)
	if !ok {
		return session{}, oidc.ErrInvalidGrant().WithDescription("the refresh token is not known here, or not any more")
	}
	if subtle.ConstantTimeCompare([]byte(secret), []byte(found.secret)) == 0 {
		delete(s.sessions, id)
		slog.WarnContext(ctx, "refresh token used again, session ended", "user", found.user)
		return session{}, oidc.ErrInvalidGrant().WithDescription("the refresh token was used before: the session is over")
	}
	return found, nil
}

// TerminateSessionFromRequest signs out one browser: the one whose ID token came
// as the hint. Without a hint there is nothing to end, since no cookie is kept.
func (s *storage) TerminateSessionFromRequest(_ context.Context, end *op.EndSessionRequest) (string, error) {
	if end.IDTokenHintClaims != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.sessions, end.IDTokenHintClaims.SessionID)
	}
	return end.RedirectURI, nil
}

// TerminateSession is not called: TerminateSessionFromRequest knows more.
func (s *storage) TerminateSession(context.Context, string, string) error { return nil }

// GetRefreshTokenInfo says whose a refresh token is; for revocation, the token is
// its own id.
func (s *storage) GetRefreshTokenInfo(_ context.Context, _, token string) (string, string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, _, _ := strings.Cut(token, ".")
	found, ok := s.sessions.get(id)
	if !ok {
		return "", "", op.ErrInvalidRefreshToken
	}
	return found.user, token, nil
}

// RevokeToken ends the session of a refresh token. An access token cannot be
// taken back, and an unknown one is as revoked as can be (RFC 7009 §2.2).
func (s *storage) RevokeToken(_ context.Context, token, _, _ string) *oidc.Error {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, _, isRefresh := strings.Cut(token, ".")
	if isRefresh {
		delete(s.sessions, id)
	}
	return nil
}

// SetUserinfoFromRequest fills an ID token.
func (s *storage) SetUserinfoFromRequest(_ context.Context, info *oidc.UserInfo, r op.IDTokenRequest, _ []string) error {
	describe(info, r.GetSubject())
	switch r := r.(type) {
	case *request:
		info.AppendClaims("sid", r.id)
	case *session:
		info.AppendClaims("sid", r.id)
	}
	return nil
}

// SetUserinfoFromToken answers the userinfo endpoint.
func (s *storage) SetUserinfoFromToken(_ context.Context, info *oidc.UserInfo, _, subject, _ string) error {
	if _, ok := s.users[subject]; !ok {
		return oidc.ErrAccessDenied().WithDescription("the token's subject is no user here")
	}
	describe(info, subject)
	return nil
}

func describe(info *oidc.UserInfo, user string) {
	info.Subject = user
	info.PreferredUsername = user
	first := []rune(user)
	first[0] = unicode.ToUpper(first[0])
	info.Name = string(first)
}

// GetPrivateClaimsFromScopes puts the scopes into the access token (RFC 9068 §2.2.3).
func (s *storage) GetPrivateClaimsFromScopes(_ context.Context, _, _ string, scopes []string) (map[string]any, error) {
	return map[string]any{"scope": strings.Join(scopes, " ")}, nil
}

// GetClientByClientID knows one client.
func (s *storage) GetClientByClientID(_ context.Context, id string) (op.Client, error) {
	if id != clientID {
		return nil, oidc.ErrInvalidClient().WithDescription("unknown client")
	}
	return s.client, nil
}

// SigningKey, SignatureAlgorithms and KeySet tell the one key.
func (s *storage) SigningKey(context.Context) (op.SigningKey, error) { return s.key, nil }

func (s *storage) SignatureAlgorithms(context.Context) ([]jose.SignatureAlgorithm, error) {
	return []jose.SignatureAlgorithm{jose.ES256}, nil
}

func (s *storage) KeySet(context.Context) ([]op.Key, error) {
	return []op.Key{verifyingKey{s.key}}, nil
}

// Health implements op.Storage.
func (s *storage) Health(context.Context) error { return nil }

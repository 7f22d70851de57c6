package main

import (
	"slices"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
)

// session is one browser's sign-in, from the page it began on until its refresh
// token ends. Its id is the sid of its ID tokens and the first half of its
// refresh tokens. It implements op.RefreshTokenRequest.
type session struct {
	id     string
	user   string // empty until signed in
	at     time.Time
	scopes []string
	secret string // second half of the one refresh token that is good; empty before the first
}

func (s *session) GetSubject() string          { return s.user }
func (s *session) GetAuthTime() time.Time      { return s.at }
func (s *session) GetClientID() string         { return clientID }
func (s *session) GetAudience() []string       { return []string{audience} }
func (s *session) GetScopes() []string         { return s.scopes }
func (s *session) GetAMR() []string            { return []string{"pwd"} }
func (s *session) SetCurrentScopes(c []string) { s.scopes = c }

func (s *session) refreshToken() string { return s.id + "." + s.secret }

// request is a session that is not signed in, or has not been given its tokens
// yet. It implements op.AuthRequest.
type request struct {
	session
	asked oidc.AuthRequest
}

func (r *request) GetID() string                      { return r.id }
func (r *request) GetACR() string                     { return "" }
func (r *request) GetNonce() string                   { return r.asked.Nonce }
func (r *request) GetRedirectURI() string             { return r.asked.RedirectURI }
func (r *request) GetResponseType() oidc.ResponseType { return r.asked.ResponseType }
func (r *request) GetResponseMode() oidc.ResponseMode { return r.asked.ResponseMode }
func (r *request) GetState() string                   { return r.asked.State }
func (r *request) Done() bool                         { return r.user != "" }
func (r *request) GetCodeChallenge() *oidc.CodeChallenge {
	return &oidc.CodeChallenge{Challenge: r.asked.CodeChallenge, Method: r.asked.CodeChallengeMethod}
}

// checkRequest refuses what the provider's library would let through.
func checkRequest(asked *oidc.AuthRequest) error {
	switch {
	case asked.CodeChallenge == "" || asked.CodeChallengeMethod != oidc.CodeChallengeMethodS256:
		return oidc.ErrInvalidRequest().WithDescription("PKCE with code_challenge_method S256 is required")
	case slices.Contains(asked.Prompt, oidc.PromptNone):
		return oidc.ErrLoginRequired().WithDescription("this provider keeps no cookie: every sign-in asks for the password")
	}
	return nil
}

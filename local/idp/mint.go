package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/contoso/orders/local/devonly"
	"github.com/contoso/orders/shared/fault"
	"github.com/contoso/orders/shared/problem"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
)

const (
	maxTokenForm    = 8 << 10
	maxTokenSubject = 256
	maxTokenLife    = 24 * time.Hour
)

// mint makes tokens without asking who wants them.
type mint struct {
	issuer string
	key    *signingKey
	life   time.Duration // of a token for which none is asked
}

type accessClaims struct {
	jwt.RegisteredClaims
	Scope string `json:"scope,omitempty"` // separated by spaces (RFC 9068 §2.2.3)
}

// token returns a signed token. A life below zero makes one that has expired.
func (m *mint) token(subject, audience, scope string, life time.Duration) (string, error) {
	now := time.Now()
	token := jwt.NewWithClaims(jwt.SigningMethodES256, accessClaims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: m.issuer, Subject: subject, Audience: jwt.ClaimStrings{audience}, ID: uuid.NewString(),
			IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(life)),
		},
		Scope: scope,
	})
	token.Header["kid"] = m.key.ID()
	text, err := token.SignedString(m.key.private)
	if err != nil {
		return "", fmt.Errorf("signing a token: %w", err)
	}
	return text, nil
}

// handler serves POST /token for whoever is on this machine:
//
//	sub=load-1&scope=orders.read+orders.write&aud=orders-api&ttl=15m
//
// Only sub is required. ttl is a Go duration of a day at most; one below zero
// makes a token that has expired.
func (m *mint) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /token", problem.Handler(m.serve))
	return mux
}

func (m *mint) serve(w http.ResponseWriter, r *http.Request) error {
	// Loopback alone does not keep out a page whose own name was made to resolve to
	// it (DNS rebinding); the name that it called does.
	if !devonly.Loopback(r.Host) {
		return fault.New(fault.Forbidden, "this endpoint is called by a loopback address")
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxTokenForm)
	if err := r.ParseForm(); err != nil {
		return fault.Wrap(fault.Malformed, err, "the form cannot be read")
	}
	subject, life := r.PostForm.Get("sub"), m.life
	if subject == "" || len(subject) > maxTokenSubject {
		return fault.New(fault.Invalid, "sub must have 1 to %d bytes", maxTokenSubject)
	}
	if text := r.PostForm.Get("ttl"); text != "" {
		var err error
		if life, err = time.ParseDuration(text); err != nil || life.Abs() > maxTokenLife {
			return fault.New(fault.Invalid, "ttl must be a duration such as 15m, of %s at most", maxTokenLife)
		}
	}
	aud := r.PostForm.Get("aud")
	if aud == "" {
		aud = audience
	}
	token, err := m.token(subject, aud, r.PostForm.Get("scope"), life)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(map[string]any{ // the caller has gone: nothing to do
		"access_token": token, "token_type": "Bearer", "expires_in": int(life.Seconds()),
	})
	return nil
}

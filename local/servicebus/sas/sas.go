// Package sas checks shared access signatures: tokens that prove the
// knowledge of a key without showing it, for one resource and its children,
// until a point in time.
//
// A token is "SharedAccessSignature sr=R&sig=S&se=E&skn=K": R the URI of the
// resource, URL-encoded; E the expiry in Unix seconds; K the key's name; S the
// URL-encoded base64 of HMAC-SHA256(key, R + "\n" + E).
//
// Of R only the path counts: one broker answers to many host names.
//
// Source: Microsoft, "Service Bus access control with Shared Access
// Signatures", https://learn.microsoft.com/azure/service-bus-messaging/service-bus-sas.
package sas

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Errors of Verify.
var (
	ErrMalformed = errors.New("malformed shared access signature")
	ErrSignature = errors.New("signature does not match any key")
	ErrExpired   = errors.New("shared access signature has expired")
)

// maxTokenBytes bounds what is parsed at all.
const maxTokenBytes = 8 << 10

// Key is a named secret.
type Key struct{ Name, Secret string }

// LogValue keeps the secret out of logs.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.Name) }

// Claim is what a verified token entitles to.
type Claim struct {
	Path    string // lower case, no slash at its ends; empty: everything
	Expires time.Time
}

// Covers says whether the claim is good for an entity path at the given time.
func (c Claim) Covers(path string, now time.Time) bool {
	path = strings.ToLower(strings.Trim(path, "/"))
	within := c.Path == "" || path == c.Path || strings.HasPrefix(path, c.Path+"/")
	return within && now.Before(c.Expires)
}

// Verify checks a token's signature and expiry.
func (k Key) Verify(token string, now time.Time) (Claim, error) {
	fields, ok := strings.CutPrefix(token, "SharedAccessSignature ")
	if !ok || len(token) > maxTokenBytes {
		return Claim{}, ErrMalformed
	}
	raw := make(map[string]string)
	for field := range strings.SplitSeq(fields, "&") {
		name, value, _ := strings.Cut(field, "=")
		raw[name] = value
	}
	signature, err := url.QueryUnescape(raw["sig"])
	if err != nil {
		return Claim{}, ErrMalformed
	}
	got, err := base64.StdEncoding.DecodeString(signature)
	if err != nil {
		return Claim{}, ErrMalformed
	}
	seconds, err := strconv.ParseInt(raw["se"], 10, 64)
	if err != nil {
		return Claim{}, ErrMalformed
	}
	path, err := resourcePath(raw["sr"])
	if err != nil {
		return Claim{}, ErrMalformed
	}
	mac := hmac.New(sha256.New, []byte(k.Secret))
	mac.Write([]byte(raw["sr"] + "\n" + raw["se"]))
	if raw["skn"] != k.Name || !hmac.Equal(got, mac.Sum(nil)) {
		return Claim{}, ErrSignature
	}
	claim := Claim{Path: path, Expires: time.Unix(seconds, 0)}
	if !now.Before(claim.Expires) {
		return Claim{}, ErrExpired
	}
	return claim, nil
}

// resourcePath is the path of a URL-encoded URI, with or without a scheme.
func resourcePath(encoded string) (string, error) {
	uri, err := url.QueryUnescape(encoded)
	if err != nil || uri == "" {
		return "", ErrMalformed
	}
	if _, rest, ok := strings.Cut(uri, "://"); ok {
		uri = rest
	}
	uri, _, _ = strings.Cut(uri, "?")
	_, path, _ := strings.Cut(uri, "/")
	return strings.ToLower(strings.Trim(path, "/")), nil
}

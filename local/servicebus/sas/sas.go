// Package sas checks shared access signatures: tokens that prove the
// knowledge of a key without showing it, for one resource and its children,
// until a point in time.
//
// A token is "SharedAccessSignature sr=R&sig=S&se=E&skn=K": R the URI of the
// resource, URL-encoded; E the expiry in Unix seconds; K the name of a rule; S
// the URL-encoded base64 of HMAC-SHA256(key, R + "\n" + E), the key being one
// of the rule's two. What a token entitles to is the rule's to say.
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

// Claim is what a verified token entitles to.
type Claim struct {
	Path    string // lower case, no slash at its ends; empty: everything
	Rights  Rights
	Expires time.Time
}

// Covers says whether the claim is good, at the given time, for all of rights
// on an entity path.
func (c Claim) Covers(path string, rights Rights, now time.Time) bool {
	path = strings.ToLower(strings.Trim(path, "/"))
	within := c.Path == "" || path == c.Path || strings.HasPrefix(path, c.Path+"/")
	return within && c.Rights.Has(rights) && now.Before(c.Expires)
}

// Verify checks a token's signature and expiry against the rules that apply to
// the path it is for.
func Verify(token string, now time.Time, rulesFor func(path string) []Rule) (Claim, error) {
	fields, ok := strings.CutPrefix(token, "SharedAccessSignature ")
	if !ok || len(token) > maxTokenBytes {
		return Claim{}, ErrMalformed
	}
	raw := make(map[string]string)
	for field := range strings.SplitSeq(fields, "&") {
		name, value, _ := strings.Cut(field, "=")
		raw[name] = value
	}
	encoded, err1 := url.QueryUnescape(raw["sig"])
	signature, err2 := base64.StdEncoding.DecodeString(encoded)
	seconds, err3 := strconv.ParseInt(raw["se"], 10, 64)
	path, err4 := resourcePath(raw["sr"])
	if errors.Join(err1, err2, err3, err4) != nil {
		return Claim{}, ErrMalformed
	}
	name, err := url.QueryUnescape(raw["skn"])
	if err != nil {
		return Claim{}, ErrMalformed
	}
	for _, rule := range rulesFor(path) {
		if rule.Name != name || !rule.signed(raw["sr"]+"\n"+raw["se"], signature) {
			continue
		}
		claim := Claim{Path: path, Rights: rule.Rights, Expires: time.Unix(seconds, 0)}
		if !now.Before(claim.Expires) {
			return Claim{}, ErrExpired
		}
		return claim, nil
	}
	return Claim{}, ErrSignature
}

// signed says whether one of the rule's keys made the signature of text.
func (r Rule) signed(text string, signature []byte) bool {
	for _, key := range []string{r.Primary, r.Secondary} {
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write([]byte(text))
		if key != "" && hmac.Equal(signature, mac.Sum(nil)) {
			return true
		}
	}
	return false
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

package admin

import (
	"errors"
	"net/http"
	"time"

	"github.com/contoso/orders/local/servicebus/queue"
	"github.com/contoso/orders/local/servicebus/sas"
)

// What Azure says to a token without the right Manage, naming what the right
// stands for.
const (
	mayNotRead   = "Manage,EntityRead claims required for this operation."
	mayNotWrite  = "Authorization failed for specified action: Manage,EntityWrite."
	mayNotDelete = "Authorization failed for specified action: Manage,EntityDelete."
)

// claim checks a request's token: that it is good, and for path.
func (h *handler) claim(token, path string) (sas.Claim, error) {
	if token == "" {
		return sas.Claim{}, fail(http.StatusUnauthorized, "MissingToken: The authorization header was not found.")
	}
	now := time.Now()
	c, err := sas.Verify(token, now, h.rulesFor)
	switch {
	case errors.Is(err, sas.ErrExpired):
		return c, fail(http.StatusUnauthorized, "ExpiredToken: The token is expired.")
	case errors.Is(err, sas.ErrSignature):
		return c, fail(http.StatusUnauthorized, "InvalidSignature: The token has an invalid signature: no authorization rule of this name that applies to its resource has the key it was made with.")
	case err != nil:
		return c, fail(http.StatusUnauthorized, "MalformedToken: %v.", err)
	case !c.Covers(path, 0, now):
		return c, fail(http.StatusUnauthorized, "InvalidAudience: The authorization header contains a token with a wrong audience: it is for %q.", "/"+c.Path)
	}
	return c, nil
}

// needs refuses a claim without the right Manage, in the given words.
func needs(c sas.Claim, path, words string) error {
	if !c.Covers(path, sas.Manage, time.Now()) {
		return fail(http.StatusUnauthorized, "%s", words)
	}
	return nil
}

// mayForward checks the tokens for the queues that a queue is to forward to.
// Without them, who may manage one queue could flood any other.
func (h *handler) mayForward(r *http.Request, s queue.Settings) error {
	for _, f := range []struct{ property, target, header string }{
		{"ForwardTo", s.ForwardTo, "ServiceBusSupplementaryAuthorization"},
		{"ForwardDeadLetteredMessagesTo", s.ForwardDeadLetters, "ServiceBusDlqSupplementaryAuthorization"},
	} {
		if f.target == "" {
			continue
		}
		c, err := h.claim(r.Header.Get(f.header), f.target)
		if err != nil {
			return fail(http.StatusUnauthorized, "SubCode=40100. Unauthorized. %s: %s: %v", f.property, f.header, err)
		}
		if err := needs(c, f.target, "Manage claim required on the queue to forward to."); err != nil {
			return fail(http.StatusUnauthorized, "SubCode=40100. Unauthorized. %s: %s: %v", f.property, f.header, err)
		}
	}
	return nil
}

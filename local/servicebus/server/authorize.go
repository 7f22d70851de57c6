package server

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/contoso/orders/local/servicebus/amqp"
	"github.com/contoso/orders/local/servicebus/sas"
)

// claims are what a connection's tokens entitle to. A link asks again when
// what it was attached under has expired.
type claims struct {
	mu   sync.Mutex
	held map[claimKey]sas.Claim
}

// claimKey: a token for the same path and rights takes the place of the last.
type claimKey struct {
	path   string
	rights sas.Rights
}

// add keeps a claim, or returns false: there are too many.
func (c *claims) add(claim sas.Claim, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := claimKey{claim.Path, claim.Rights}
	if _, renewal := c.held[k]; !renewal && len(c.held) >= maxClaims {
		for k, old := range c.held {
			if !now.Before(old.Expires) {
				delete(c.held, k)
			}
		}
		if len(c.held) >= maxClaims {
			return false
		}
	}
	if c.held == nil {
		c.held = make(map[claimKey]sas.Claim)
	}
	c.held[k] = claim
	return true
}

// until tells how long rights on a path are held; the zero time: they are not.
func (c *claims) until(path string, rights sas.Rights) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	var until time.Time
	for _, claim := range c.held {
		if claim.Covers(path, rights, now) && claim.Expires.After(until) {
			until = claim.Expires
		}
	}
	return until
}

// check refuses what no token that is still good covers.
func (c *claims) check(path string, rights sas.Rights) error {
	if c.until(path, rights).IsZero() {
		return unauthorized(path, rights)
	}
	return nil
}

// unauthorized is what Azure says of a missing right, or a token that has
// expired.
func unauthorized(path string, rights sas.Rights) *amqp.Error {
	required := ""
	if rights != 0 {
		required = fmt.Sprintf(" '%s' claim(s) are required to perform this operation.", strings.Join(rights.Names(), ","))
	}
	return amqp.Errorf(amqp.CondUnauthorizedAccess, "Unauthorized access.%s Resource: '%s'.", required, path)
}

// outlived is what Azure says when it detaches a link that outlived its token
// (https://github.com/Azure/azure-sdk-for-go/issues/16695): not unauthorized,
// after which clients would give up, but what they attach anew for, with a
// new token.
func outlived(link, path string, rights sas.Rights) *amqp.Error {
	return amqp.Errorf(amqp.CondDetachForced, "The link '%s' is force detached. Code: RenewToken. Details: %s",
		link, unauthorized(path, rights).Description)
}

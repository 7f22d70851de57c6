package server

import (
	"net/http"
	"time"

	"github.com/contoso/orders/local/servicebus/amqp"
)

const (
	sasTokenType = "servicebus.windows.net:sastoken"
	propertyOp   = "operation"
)

// putToken answers $cbs: it checks a token and keeps its claim for the
// connection. A token for the same path takes the place of the last one.
func (c *conn) putToken(request amqp.Message) reply {
	properties := request.ApplicationProperties
	if op := amqp.Get[string](properties, propertyOp); op != "put-token" {
		return failed(http.StatusBadRequest, "operation %q is not supported", op)
	}
	if kind := amqp.Get[string](properties, "type"); kind != sasTokenType {
		return failed(http.StatusBadRequest, "token type %q is not supported", kind)
	}
	token, ok := request.Value.(string)
	if !ok {
		return failed(http.StatusBadRequest, "the token is not a string")
	}
	now := time.Now()
	claim, err := c.server.key.Verify(token, now)
	if err != nil {
		return failed(http.StatusUnauthorized, "%s", err)
	}
	if audience := amqp.Get[string](properties, "name"); !claim.Covers(pathOf(audience), now) {
		return failed(http.StatusUnauthorized, "the token does not cover audience %q", audience)
	}
	if _, renewal := c.claims[claim.Path]; !renewal && len(c.claims) >= maxClaims {
		c.dropExpired(now)
		if len(c.claims) >= maxClaims {
			return failed(http.StatusTooManyRequests, "more than %d tokens", maxClaims)
		}
	}
	c.claims[claim.Path] = claim
	return reply{status: http.StatusAccepted, description: "Accepted"}
}

func (c *conn) dropExpired(now time.Time) {
	for path, claim := range c.claims {
		if !claim.Covers(path, now) {
			delete(c.claims, path)
		}
	}
}

package server

import (
	"errors"
	"net/http"
	"time"

	"github.com/contoso/orders/local/servicebus/amqp"
	"github.com/contoso/orders/local/servicebus/sas"
)

const (
	sasTokenType = "servicebus.windows.net:sastoken"
	propertyOp   = "operation"
)

// putToken answers $cbs: it checks a token and keeps its claim for the
// connection.
func (c *conn) putToken(request amqp.Message) reply {
	properties := request.ApplicationProperties
	if op := amqp.Get[string](properties, propertyOp); op != "put-token" {
		return failed(http.StatusBadRequest, "operation %q is not supported", op)
	}
	if kind := amqp.Get[string](properties, "type"); kind != sasTokenType {
		return failed(http.StatusUnauthorized, "token type %q is not supported, only shared access signatures are", kind)
	}
	token, ok := request.Value.(string)
	if !ok {
		return failed(http.StatusBadRequest, "the token is not a string")
	}
	now := time.Now()
	claim, err := sas.Verify(token, now, c.server.rules)
	switch {
	case errors.Is(err, sas.ErrExpired):
		return failed(http.StatusUnauthorized, "ExpiredToken: The token is expired.")
	case errors.Is(err, sas.ErrSignature):
		return failed(http.StatusUnauthorized, "InvalidSignature: The token has an invalid signature.")
	case err != nil:
		return failed(http.StatusUnauthorized, "MalformedToken: %s.", err)
	}
	if audience := amqp.Get[string](properties, "name"); !claim.Covers(pathOf(audience), 0, now) {
		return failed(http.StatusUnauthorized, "InvalidAudience: The token does not cover the audience %q.", audience)
	}
	if !c.claims.add(claim, now) {
		return failed(http.StatusTooManyRequests, "more than %d tokens", maxClaims)
	}
	return reply{status: http.StatusAccepted, description: "Accepted"}
}

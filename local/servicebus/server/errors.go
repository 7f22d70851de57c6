package server

import (
	"errors"
	"net/http"
	"syscall"

	"github.com/contoso/orders/local/servicebus/amqp"
	"github.com/contoso/orders/local/servicebus/queue"
)

// Conditions of Service Bus's own.
const (
	condMessageNotFound      amqp.Symbol = "com.microsoft:message-not-found"
	condMessageLockLost      amqp.Symbol = "com.microsoft:message-lock-lost"
	condSessionLockLost      amqp.Symbol = "com.microsoft:session-lock-lost"
	condSessionCannotBeTaken amqp.Symbol = "com.microsoft:session-cannot-be-locked"
	condTimeout              amqp.Symbol = "com.microsoft:timeout"
	condEntityDisabled       amqp.Symbol = "com.microsoft:entity-disabled"
	condServerBusy           amqp.Symbol = "com.microsoft:server-busy"
)

// verdicts is how the broker's errors are told: as a condition on a link, as
// a status in an answer from $management.
var verdicts = []struct {
	err       error
	condition amqp.Symbol
	status    int
}{
	{queue.ErrNotFound, amqp.CondNotFound, http.StatusNotFound},
	{queue.ErrDisabled, condEntityDisabled, http.StatusBadRequest},
	{queue.ErrTooLarge, amqp.CondMessageSizeExceeded, http.StatusRequestEntityTooLarge},
	{queue.ErrMixedSessions, amqp.CondNotAllowed, http.StatusBadRequest},
	{queue.ErrMessageNotFound, condMessageNotFound, http.StatusNotFound},
	{queue.ErrLockLost, condMessageLockLost, http.StatusGone},
	{queue.ErrSessionLockLost, condSessionLockLost, http.StatusGone},
	{queue.ErrSessionLocked, condSessionCannotBeTaken, http.StatusConflict},
	{queue.ErrNoSession, condTimeout, http.StatusRequestTimeout},
	{queue.ErrSessionID, amqp.CondNotAllowed, http.StatusBadRequest},
	{queue.ErrSessionQueue, amqp.CondNotAllowed, http.StatusBadRequest},
	{queue.ErrNotSessionQueue, amqp.CondNotAllowed, http.StatusBadRequest},
	{queue.ErrDeadLetterOnly, amqp.CondNotAllowed, http.StatusBadRequest},
	{queue.ErrIDTooLong, amqp.CondInvalidField, http.StatusBadRequest},
	{queue.ErrStateTooLarge, amqp.CondResourceLimitExceeded, http.StatusRequestEntityTooLarge},
	{queue.ErrTooMuch, amqp.CondResourceLimitExceeded, http.StatusRequestEntityTooLarge},
	{queue.ErrFull, amqp.CondResourceLimitExceeded, http.StatusInsufficientStorage},
	{queue.ErrClosed, amqp.CondConnectionForced, http.StatusServiceUnavailable},
	{syscall.ENOSPC, amqp.CondResourceLimitExceeded, http.StatusInsufficientStorage},
	{syscall.EDQUOT, amqp.CondResourceLimitExceeded, http.StatusInsufficientStorage},
	{amqp.ErrMalformed, amqp.CondDecodeError, http.StatusBadRequest},
	{amqp.ErrFrameTooLarge, amqp.CondFramingError, http.StatusBadRequest},
}

// amqpError is err as the peer is told.
func amqpError(err error) *amqp.Error {
	if e, ok := errors.AsType[*amqp.Error](err); ok {
		return e
	}
	for _, v := range verdicts {
		if errors.Is(err, v.err) {
			return amqp.Errorf(v.condition, "%s", err)
		}
	}
	return amqp.Errorf(amqp.CondInternalError, "%s", err)
}

// errServerBusy is what a client backs off for.
var errServerBusy = amqp.Errorf(condServerBusy, "The service is busy; try again later, as it was told to say.")

// statusOf is err as a status of $management.
func statusOf(err error) int {
	if e, ok := errors.AsType[*amqp.Error](err); ok {
		switch e.Condition {
		case condServerBusy:
			return http.StatusServiceUnavailable
		case amqp.CondUnauthorizedAccess:
			return http.StatusUnauthorized
		}
	}
	for _, v := range verdicts {
		if errors.Is(err, v.err) {
			return v.status
		}
	}
	return http.StatusInternalServerError
}

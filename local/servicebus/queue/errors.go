package queue

import "errors"

// Errors callers may test for.
var (
	ErrNotFound        = errors.New("queue not found")
	ErrExists          = errors.New("a queue of this name exists")
	ErrInvalid         = errors.New("invalid queue")
	ErrDisabled        = errors.New("the queue is disabled")
	ErrClosed          = errors.New("broker closed")
	ErrMessageNotFound = errors.New("no such message, or it is locked")
	ErrLockLost        = errors.New("the lock supplied is invalid: it expired, or the message was already removed from the queue")
	ErrSessionLockLost = errors.New("the session lock was lost: it expired, or the receiver was closed")
	ErrSessionLocked   = errors.New("the session is locked by another receiver")
	ErrNoSession       = errors.New("no session became available in time")
	ErrSessionID       = errors.New("a message to a queue that requires sessions needs a session id")
	ErrSessionQueue    = errors.New("a queue that requires sessions needs a session receiver")
	ErrNotSessionQueue = errors.New("a session receiver needs a queue that requires sessions")
	ErrIDTooLong       = errors.New("a message id or session id is over 128 characters")
	ErrStateTooLarge   = errors.New("session state is over 1 MiB")
	ErrTooMuch         = errors.New("the messages asked for are too large together")
	ErrTooLarge        = errors.New("the message is too large")
	ErrMixedSessions   = errors.New("messages of one batch to a partitioned queue need the same session id")
	ErrFull            = errors.New("the queue has reached its maximum size")
	ErrDeadLetterOnly  = errors.New("a dead-letter queue takes no messages from senders")
)

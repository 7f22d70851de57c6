// Package fault gives every error of the platform one of a few kinds.
//
// A kind is attached once, at the boundary that knows: the store knows that a
// database is away, the order parser knows that a body is malformed. Everything
// above wraps with %w and, where it must decide, branches on [KindOf]. Two tables
// turn every kind into what the outside sees: shared/problem into an HTTP answer,
// shared/bus into the settlement of a message.
package fault

import (
	"errors"
	"fmt"
	"time"
)

// Kind says what sort of thing went wrong, and so who can do something about it.
type Kind uint8

// The kinds. Internal is the zero value, so an error without a kind is one that
// nobody has understood yet.
const (
	Internal         Kind = iota // a defect, or something nobody foresaw
	Malformed                    // the bytes are not what the format says
	Invalid                      // well-formed, but a value is not allowed
	NotFound                     // no such thing, or none of the caller's
	Conflict                     // another payload under the same identity
	Unauthenticated              // no proof of who is calling, or a bad one
	Forbidden                    // the caller is known and may not
	TooLarge                     // more than a stated limit
	UnsupportedMedia             // a content type that is not spoken here
	RateLimited                  // too much, too fast, from this caller
	Unavailable                  // something needed is away; the same call may succeed later
	LockLost                     // the message or session now belongs to another worker
)

var names = [...]string{
	Internal: "internal", Malformed: "malformed", Invalid: "invalid", NotFound: "not-found",
	Conflict: "conflict", Unauthenticated: "unauthenticated", Forbidden: "forbidden",
	TooLarge: "too-large", UnsupportedMedia: "unsupported-media-type", RateLimited: "rate-limited",
	Unavailable: "unavailable", LockLost: "lock-lost",
}

// String returns the kind's stable name: it is the last part of a problem's
// type, a dead-letter reason, and a metric label.
func (k Kind) String() string {
	if int(k) < len(names) {
		return names[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Field names one bad place in a document.
type Field struct {
	Pointer string `json:"pointer"` // JSON Pointer (RFC 6901), for example /lines/0/quantity
	Detail  string `json:"detail"`  // what is wrong with it, for the caller to read
}

// Error is an error with a kind. Detail and Fields are for the caller to read;
// Err is for the log, and is never shown.
type Error struct {
	Kind       Kind
	Detail     string
	Fields     []Field
	RetryAfter time.Duration // how long to wait before trying again; 0 for no advice
	Err        error
}

// Error implements error.
func (e *Error) Error() string {
	switch {
	case e.Detail == "" && e.Err == nil:
		return e.Kind.String()
	case e.Err == nil:
		return e.Detail
	case e.Detail == "":
		return e.Err.Error()
	}
	return e.Detail + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// New returns an error of kind k whose detail the caller may read.
func New(k Kind, format string, args ...any) error {
	return &Error{Kind: k, Detail: fmt.Sprintf(format, args...)}
}

// Wrap attaches kind k to err, keeping err for the log. Wrap of nil is nil.
func Wrap(k Kind, err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return &Error{Kind: k, Detail: fmt.Sprintf(format, args...), Err: err}
}

// KindOf returns the kind of the outermost [Error] in err's chain, and Internal
// when there is none.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}

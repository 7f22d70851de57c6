package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/contoso/orders/shared/fault"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// retry runs op, which must be safe to run twice, until it does not find the file
// locked, at most maxTries times. The error has a kind.
func retry[T any](ctx context.Context, op func() (T, error)) (T, error) {
	pause := &backoff.ExponentialBackOff{
		InitialInterval: 20 * time.Millisecond, RandomizationFactor: 0.5, Multiplier: 2, MaxInterval: 200 * time.Millisecond,
	}
	result, err := backoff.Retry(ctx, func() (T, error) {
		result, err := op()
		switch {
		case err == nil || isLocked(err):
			return result, err
		case ctx.Err() != nil && (errors.Is(err, sql.ErrTxDone) || codeOf(err) == sqlite3.SQLITE_INTERRUPT):
			err = ctx.Err() // these two are how its end may show inside a transaction
		}
		return result, backoff.Permanent(err)
	}, backoff.WithBackOff(pause), backoff.WithMaxTries(maxTries))
	return result, classify(err)
}

func isLocked(err error) bool {
	switch codeOf(err) {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return true
	}
	return false
}

// codeOf returns err's primary result code, 0 when SQLite did not make it. The
// low byte of an extended code is the primary one.
func codeOf(err error) int {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return 0
	}
	return e.Code() & 0xff
}

// classify attaches the kind to what SQLite answered. It leaves errors that have
// one, and those of the caller's context, as they are.
func classify(err error) error {
	switch codeOf(err) {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL:
		return fault.Wrap(fault.Unavailable, err, "the order store is busy")
	case sqlite3.SQLITE_FULL:
		return fault.Wrap(fault.Unavailable, err, "the order store is full")
	case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_IOERR:
		return fault.Wrap(fault.Unavailable, err, "the order store cannot be reached")
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_ERROR:
		// A damaged or emptied file: a human must look, but no order is to blame.
		return fault.Wrap(fault.Unavailable, err, "the order store is not in order")
	case sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_MISMATCH:
		return fault.Wrap(fault.Invalid, err, "a value does not fit its column")
	}
	return err
}

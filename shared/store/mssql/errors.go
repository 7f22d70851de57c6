package mssql

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/contoso/orders/shared/fault"
	mssqldb "github.com/microsoft/go-mssqldb"
)

const (
	maxTries = 5 // of a call, all within about 1.5 s when the server answers at once

	// callTimeout bounds one try. It is generous: a deadline costs the connection,
	// where a lock that is waited for too long (SET LOCK_TIMEOUT in each script that
	// locks) only costs an error.
	callTimeout = 30 * time.Second
)

// The numbers of errors that pass: the same call may succeed a moment later. Any
// of them may come at a login or in a call.
var transient = numbers(
	1205,       // chosen as the victim of a deadlock
	1222,       // LOCK_TIMEOUT
	2601, 2627, // the script's own tries at a duplicate key are used up: someone is very busy with this order
	4221,         // the replica is catching up
	10928, 10929, // too many workers or sessions
	40197, 40501, 40540, 40613, // Azure: failing over, busy, ended, not available
	49918, 49919, 49920, // Azure: no resources for the request
	233, 10053, 10054, 10060, // the transport, as the server's gateway reports it
	0, // the driver's own: the server had ended the transaction
)

// At a login the database may be there in a moment, while it is being made or
// moved. In a call this error says that it does not exist.
var transientAtLogin = numbers(4060)

// After these the server's other connections are dead too.
var movedAway = numbers(40197, 40613)

// The numbers that say that a value does not fit: they are the order's own fault.
var poison = numbers(
	220, 8115, // arithmetic overflow
	241, 242, 245, 8114, 8169, // text that is not what it should be
	515,        // NULL
	547,        // a CHECK constraint
	2628, 8152, // cut text
	13608, 13609, // not JSON
)

// The numbers that say that the database is not set up for this program. A human
// must look, but no order is to blame.
var notInOrder = numbers(
	201, 207, 208, 213, 2812, 8144, // other columns, tables or procedures than are expected
	229, 230, 262, 297, 300, 916, // rights
	911, 1105, 3906, 4060, 9002, 40544, // no such database, full, or read-only
)

func numbers(list ...int32) map[int32]bool {
	set := make(map[int32]bool, len(list))
	for _, n := range list {
		set[n] = true
	}
	return set
}

// retry makes one call, again when what went wrong may pass, at most maxTries
// times. Op must be a whole idempotent call. The error has a kind, but for one of
// the caller's own context.
func retry[T any](ctx context.Context, s *Store, op func(context.Context) (T, error)) (T, error) {
	// A random share of each interval, from none to double: callers that failed
	// together do not come back together.
	pause := &backoff.ExponentialBackOff{
		InitialInterval: 50 * time.Millisecond, RandomizationFactor: 1, Multiplier: 2, MaxInterval: time.Second,
	}
	result, err := backoff.Retry(ctx, func() (T, error) {
		try, cancel := context.WithTimeout(ctx, s.callTimeout)
		defer cancel()
		result, err := op(try)
		if err == nil {
			return result, nil
		}
		if isBroken(err) || has(movedAway, err) {
			s.dropIdle()
		}
		if try.Err() != nil || !isTransient(err) {
			return result, backoff.Permanent(err)
		}
		return result, err
	}, backoff.WithBackOff(pause), backoff.WithMaxTries(maxTries))
	switch over := ctx.Err(); {
	case err == nil || over != nil && errors.Is(err, over):
		return result, err
	case over != nil: // the driver may report a broken connection instead
		return result, fmt.Errorf("%w: %w", over, err)
	}
	return result, classify(err)
}

// has reports whether SQL Server made err, with one of the numbers.
func has(numbers map[int32]bool, err error) bool {
	var e mssqldb.Error
	return errors.As(err, &e) && numbers[e.Number]
}

// isBroken reports whether the connection is no more, for whatever reason.
func isBroken(err error) bool {
	var (
		network net.Error
		stream  mssqldb.StreamError
	)
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, driver.ErrBadConn) ||
		errors.As(err, &network) || errors.As(err, &stream)
}

func isTransient(err error) bool {
	var (
		login *loginError
		e     mssqldb.Error
	)
	if errors.As(err, &e) { // its number is more telling than what became of the connection
		return transient[e.Number] || transientAtLogin[e.Number] && errors.As(err, &login)
	}
	// Much of what goes wrong at a login comes as a text alone, as a TLS handshake
	// that is cut.
	return isBroken(err) || errors.As(err, &login)
}

// maxUserSeverity is the highest severity of an error that the request is to blame
// for; above it are the server's resources, software and disks.
const maxUserSeverity = 16

// classify attaches the kind.
func classify(err error) error {
	var (
		login *loginError
		e     mssqldb.Error
	)
	isServers := errors.As(err, &e)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &login):
		return fault.Wrap(fault.Unavailable, err, "the order store cannot be reached")
	case isTransient(err), errors.Is(err, context.DeadlineExceeded):
		return fault.Wrap(fault.Unavailable, err, "the order store is busy or away")
	case has(poison, err):
		return fault.Wrap(fault.Invalid, err, "a value does not fit its column")
	case has(notInOrder, err), isServers && e.Class > maxUserSeverity:
		return fault.Wrap(fault.Unavailable, err, "the order store is not in order")
	}
	return err
}

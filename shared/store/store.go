// Package store is the system of record: one row per order, whatever happens.
//
// The identity of an order is (customer, nonce), a unique key. Saving the same
// order again changes nothing and says what is stored, so a redelivered message
// is harmless and completion events are built from stored facts alone.
//
// The implementations are in the directories below, each with SQL of its own:
// sqlite is the embedded default, mssql is for production. Package open picks one
// by URL, and storetest is the conformance suite that each must pass.
//
// Retention. Purge removes old orders and leaves a tombstone of each, which is its
// identity, the time, and nothing else. A tombstone is for ever: a redelivery, a
// replay, or a POST under the same Idempotency-Key finds it and makes no second
// order, and Get tells a purged order from one that is not stored yet. Erase
// removes all there is of one customer, tombstones too, since a customer's hash is
// still personal data. After it nothing knows the customer's orders: one that is
// still queued is stored again when it comes, and their CorrelationIds answer like
// those of new orders for as long as the key that signed them is listed. So close
// the account first, and erase again when the queues have forgotten too: after
// their time to live and the retention of dead letters.
//
// Errors have a kind (shared/fault): Unavailable when the database cannot be
// reached, is overloaded or full, or has a schema older than this program (the
// whole call may be made again, it is idempotent); NotFound from Get; Invalid
// when a value does not fit its column. The caller's own cancellation or deadline
// is wrapped as it is, without a kind.
package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/contoso/orders/shared/fault"
	"github.com/contoso/orders/shared/order"
	"github.com/google/uuid"
	"github.com/shopspring/decimal"
)

// Limits of a call. Beyond them the answer is Invalid.
const (
	MaxBatch  = 100    // orders in one Save
	MaxList   = 1_000  // orders in one List
	MaxPurge  = 10_000 // orders in one Purge
	MaxReason = 400    // UTF-16 code units in a reason, which is what NVARCHAR counts
)

// Store keeps orders. It is safe for concurrent use.
type Store interface {
	// Save stores orders of one batch in the given order, all or none, in one
	// round trip, and says for each what is stored now. OrderIDs of new rows rise
	// with the position in the batch. A batch may name the same order twice: one
	// of the two is applied (a Replay before others, then the first), and the rest
	// answer like a second delivery. After an error the batch may be stored all the
	// same, when only the answer was lost: saving it again tells.
	Save(ctx context.Context, batch []Submission) ([]Stored, error)
	// Get returns the customer's order with its lines; NotFound when there is none,
	// and for a purged one NotFound that wraps [ErrPurged].
	Get(ctx context.Context, customer string, nonce int64) (Record, error)
	// List returns the customer's orders without their lines, newest first: at
	// most limit (1 to MaxList), with an OrderID below before (0 for the first
	// page). The next page starts at the last OrderID of this one.
	List(ctx context.Context, customer string, before int64, limit int) ([]Record, error)
	Retention
	// Ping tells whether the store can answer.
	Ping(ctx context.Context) error
	// Close ends every connection. Calls after it return an error.
	Close() error
}

// Retention is the part of a Store that removes orders. Both calls work in steps
// of a few orders each, so that those who save wait for a step at most; what an
// error interrupts stays done, and the call may be made again.
type Retention interface {
	// Purge removes up to limit (1 to MaxPurge) orders that were completed before a
	// time, oldest first, leaving a tombstone of each, and says how many. Fewer than
	// limit means that there are no more, but for those that others hold just now.
	Purge(ctx context.Context, before time.Time, limit int) (n int, err error)
	// Erase removes every order and every tombstone of the customer. It is the one
	// call that a customer's request to be forgotten needs; the package comment says
	// when to make it.
	Erase(ctx context.Context, customer string) error
}

// ErrPurged is wrapped by the error of Get for an order that was purged.
var ErrPurged = errors.New("the order was purged")

// Purged returns Get's error for a purged order. It is for implementations.
func Purged() error {
	return fault.Wrap(fault.NotFound, ErrPurged, "the order is older than what is kept")
}

// CheckPurge refuses a limit that Purge does not take. It is for implementations.
func CheckPurge(limit int) error {
	if limit < 1 || limit > MaxPurge {
		return fault.New(fault.Invalid, "a purge of %d orders is not from 1 to %d", limit, MaxPurge)
	}
	return nil
}

// Submission is one decided order on its way into the store.
type Submission struct {
	CorrelationID uuid.UUID
	Customer      string // 22 characters
	Order         order.Order
	Status        order.Status // Completed, Rejected or Failed
	Reason        string       // why it was rejected or failed, for the customer; at most MaxReason
	AcceptedAt    time.Time    // cut to the millisecond
	Replay        bool         // sent again by support: a failed row with this payload takes the new outcome
}

// Nonce returns the second half of the order's identity.
func (s Submission) Nonce() int64 { return order.NonceOf(s.CorrelationID) }

// Stored says what the store holds for one submission. Where IsPurged is set it
// holds a tombstone, which knows the CorrelationID as submitted, the customer, and
// nothing else: there is no order to announce.
type Stored struct {
	CorrelationID uuid.UUID // as first issued: a key rotation gives the same order another one
	Customer      string
	OrderID       int64 // made by the store, rising, with gaps
	Status        order.Status
	Reason        string
	Revision      int // 1 at first; raised when a replay changes a failed row
	Currency      string
	Total         decimal.Decimal
	AcceptedAt    time.Time // UTC
	CompletedAt   time.Time // UTC; by the store's clock
	IsNew         bool      // this submission wrote the row, or raised its revision; only Save says so
	SamePayload   bool      // the stored order is the submitted one; only Save says so
	IsPurged      bool      // the order was purged; only Save says so
}

// Record is an order as it is read back.
type Record struct {
	Stored
	RequestHash [sha256.Size]byte
	Lines       []order.Line // nil from List
}

// Package store is the system of record: one row per order, whatever happens.
//
// The identity of an order is (customer, nonce), a unique key. Saving the same
// order again changes nothing and says what is stored, so a redelivered message
// is harmless and completion events are built from stored facts alone.
//
// The implementations are in the directories below, each with SQL of its own:
// sqlite is the embedded default. Package open picks one by URL, and storetest is
// the conformance suite that each must pass.
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
	"time"

	"github.com/contoso/orders/shared/order"
	"github.com/google/uuid"
	"github.com/shopspring/decimal"
)

// Limits of a call. Beyond them the answer is Invalid.
const (
	MaxBatch  = 100   // orders in one Save
	MaxList   = 1_000 // orders in one List
	MaxReason = 400   // UTF-16 code units in a reason, which is what NVARCHAR counts
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
	// Get returns the customer's order with its lines; NotFound when there is none.
	Get(ctx context.Context, customer string, nonce int64) (Record, error)
	// List returns the customer's orders without their lines, newest first: at
	// most limit (1 to MaxList), with an OrderID below before (0 for the first
	// page). The next page starts at the last OrderID of this one.
	List(ctx context.Context, customer string, before int64, limit int) ([]Record, error)
	// Ping tells whether the store can answer.
	Ping(ctx context.Context) error
	// Close ends every connection. Calls after it return an error.
	Close() error
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

// Stored says what the store holds for one submission.
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
}

// Record is an order as it is read back.
type Record struct {
	Stored
	RequestHash [sha256.Size]byte
	Lines       []order.Line // nil from List
}

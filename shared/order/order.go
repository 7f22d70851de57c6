// Package order is the order itself: its shape, its limits, its canonical hash
// and the form of its CorrelationId. It knows nothing of transport or storage.
//
// An order as a customer sends it:
//
//	{"currency":"EUR","lines":[{"sku":"A-1","quantity":2,"unitPrice":"9.99"}]}
//
// Money is a decimal in text, never a float. Limits are the constants below.
package order

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"
)

// Limits of an order.
const (
	MaxLines         = 100
	MaxSKULength     = 64
	MaxQuantity      = 9_999
	MaxPriceDecimals = 4
)

// maxTotal is the largest value of a DECIMAL(19,4), the column that holds a total.
var maxTotal = decimal.RequireFromString("999999999999999.9999")

// Status is where an order stands.
type Status string

// The statuses. Accepted is the only one that is not final, and failed can still
// become completed or rejected when support replays the order.
const (
	Accepted  Status = "accepted"  // admitted, waiting for a worker
	Completed Status = "completed" // stored, has an OrderId
	Rejected  Status = "rejected"  // a business rule said no; the reason says which
	Failed    Status = "failed"    // processing gave up; support can replay it
)

// Order is what a customer asks for.
type Order struct {
	Currency string `json:"currency"` // ISO 4217, upper case
	Lines    []Line `json:"lines"`    // 1 to MaxLines
}

// Line is one position of an order.
type Line struct {
	SKU       string          `json:"sku"`       // 1 to MaxSKULength of [A-Za-z0-9._-]
	Quantity  int             `json:"quantity"`  // 1 to MaxQuantity
	UnitPrice decimal.Decimal `json:"unitPrice"` // >= 0, at most MaxPriceDecimals places, in Currency
}

// Total returns the sum over the lines, in the order's currency.
func (o Order) Total() decimal.Decimal {
	var sum decimal.Decimal
	for _, l := range o.Lines {
		sum = sum.Add(l.UnitPrice.Mul(decimal.NewFromInt(int64(l.Quantity))))
	}
	return sum
}

// Hash returns the SHA-256 of the order's canonical text, so that two bodies
// which mean the same order (9.9 and 9.90, other white space) hash alike:
//
//	order/v1 LF currency LF { sku HT quantity HT unitPrice LF }
//
// None of the fields can hold a tab or a line feed, so the text is unambiguous.
func (o Order) Hash() [sha256.Size]byte {
	h := sha256.New()
	fmt.Fprintf(h, "order/v1\n%s\n", o.Currency)
	for _, l := range o.Lines {
		fmt.Fprintf(h, "%s\t%d\t%s\n", l.SKU, l.Quantity, l.UnitPrice.String())
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// NonceOf reads the 60-bit nonce off a CorrelationId: with the customer it is the
// order's identity, in SQL and in Service Bus. A CorrelationId is a UUID of
// version 8 (RFC 9562 §5.8): custom_a (48 bits) and custom_b (12 bits) are the
// nonce, custom_c (62 bits) is the tag that shared/identity makes and checks.
func NonceOf(correlationID uuid.UUID) int64 {
	hi := binary.BigEndian.Uint64(correlationID[:8])
	return int64(hi>>16<<12 | hi&0xfff)
}

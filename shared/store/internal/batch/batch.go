// Package batch prepares one Save for any database: it checks every value against
// the columns, leaves each identity once, and writes the JSON that the scripts of
// all dialects read. Afterwards it spreads what is stored over the submissions.
//
// The JSON is an array, in the order in which OrderIDs must rise:
//
//	seq            position in this array, from 0
//	customer       22 characters
//	nonce          integer of 60 bits
//	correlationId  UUID in text
//	status         completed, rejected or failed
//	reason         text, may be empty
//	currency       ISO 4217
//	total          decimal in text, at most 4 places
//	hash           SHA-256 of the order in hex
//	acceptedAt     2006-01-02T15:04:05.000Z, always UTC
//	replay         true or false
//	lines          array of {no (from 1), sku, quantity, unitPrice (decimal in text)}
package batch

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/contoso/orders/shared/fault"
	"github.com/contoso/orders/shared/store"
)

// TimeLayout is how a time stands in the JSON: milliseconds, UTC.
const TimeLayout = "2006-01-02T15:04:05.000Z"

// Batch is one Save on its way to the database and back.
type Batch struct {
	submissions []store.Submission
	hashes      [][sha256.Size]byte // of each submission's order
	rowOf       []int               // which row answers for each submission
	applied     []int               // which submission each row is written from
}

type identity struct {
	customer string
	nonce    int64
}

// New checks the submissions and pairs those with the same identity. The error is
// Invalid.
func New(submissions []store.Submission) (*Batch, error) {
	switch n := len(submissions); {
	case n == 0:
		return nil, fault.New(fault.Invalid, "a batch has no orders")
	case n > store.MaxBatch:
		return nil, fault.New(fault.Invalid, "a batch of %d orders is over the limit of %d", n, store.MaxBatch)
	}
	b := &Batch{
		submissions: submissions,
		hashes:      make([][sha256.Size]byte, len(submissions)),
		rowOf:       make([]int, len(submissions)),
	}
	rows := make(map[identity]int, len(submissions))
	for i, s := range submissions {
		if err := check(s); err != nil {
			return nil, fmt.Errorf("order %s, number %d of the batch: %w", s.CorrelationID, i, err)
		}
		b.hashes[i] = s.Order.Hash()
		id := identity{s.Customer, s.Nonce()}
		row, seen := rows[id]
		if !seen {
			row = len(b.applied)
			rows[id] = row
			b.applied = append(b.applied, i)
		} else if s.Replay && !submissions[b.applied[row]].Replay {
			b.applied[row] = i // the only one of the two that can change a failed row
		}
		b.rowOf[i] = row
	}
	return b, nil
}

// Rows returns how many rows there are to write: one for each identity.
func (b *Batch) Rows() int { return len(b.applied) }

type rowJSON struct {
	Seq           int        `json:"seq"`
	Customer      string     `json:"customer"`
	Nonce         int64      `json:"nonce"`
	CorrelationID string     `json:"correlationId"`
	Status        string     `json:"status"`
	Reason        string     `json:"reason"`
	Currency      string     `json:"currency"`
	Total         string     `json:"total"`
	Hash          string     `json:"hash"`
	AcceptedAt    string     `json:"acceptedAt"`
	Replay        bool       `json:"replay"`
	Lines         []lineJSON `json:"lines"`
}

type lineJSON struct {
	No        int    `json:"no"`
	SKU       string `json:"sku"`
	Quantity  int    `json:"quantity"`
	UnitPrice string `json:"unitPrice"`
}

// JSON returns the rows to write, as the package comment describes them.
func (b *Batch) JSON() (string, error) {
	rows := make([]rowJSON, len(b.applied))
	for seq, i := range b.applied {
		s := b.submissions[i]
		lines := make([]lineJSON, len(s.Order.Lines))
		for n, l := range s.Order.Lines {
			lines[n] = lineJSON{No: n + 1, SKU: l.SKU, Quantity: l.Quantity, UnitPrice: l.UnitPrice.String()}
		}
		rows[seq] = rowJSON{
			Seq: seq, Customer: s.Customer, Nonce: s.Nonce(), CorrelationID: s.CorrelationID.String(),
			Status: string(s.Status), Reason: s.Reason,
			Currency: s.Order.Currency, Total: s.Order.Total().String(), Hash: hex.EncodeToString(b.hashes[i][:]),
			AcceptedAt: s.AcceptedAt.UTC().Format(TimeLayout), // Format cuts, and never rounds up
			Replay:     s.Replay, Lines: lines,
		}
	}
	text, err := json.Marshal(rows)
	return string(text), err
}

// Spread answers for every submission from what the database holds after the
// script: one record for each row, in their order, with IsNew set where the
// script wrote it, and IsPurged where it found a tombstone.
func (b *Batch) Spread(records []store.Record) ([]store.Stored, error) {
	if len(records) != len(b.applied) {
		return nil, fmt.Errorf("the database answered for %d of %d orders", len(records), len(b.applied))
	}
	stored := make([]store.Stored, len(b.submissions))
	for i, row := range b.rowOf {
		if records[row].IsPurged {
			s := b.submissions[i]
			stored[i] = store.Stored{CorrelationID: s.CorrelationID, Customer: s.Customer, IsPurged: true}
			continue
		}
		stored[i] = records[row].Stored
		stored[i].IsNew = records[row].IsNew && b.applied[row] == i
		stored[i].SamePayload = records[row].RequestHash == b.hashes[i]
	}
	return stored, nil
}

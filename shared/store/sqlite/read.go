package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/contoso/orders/shared/fault"
	"github.com/contoso/orders/shared/order"
	"github.com/contoso/orders/shared/store"
	"github.com/contoso/orders/shared/store/internal/batch"
	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"
	"github.com/shopspring/decimal"
)

const (
	// columns are those of a row, from orders AS o.
	columns = `o.order_id, o.customer, o.correlation_id, o.status, o.reason, o.revision, o.currency,
       o.total_amount, o.request_hash, o.accepted_at, o.completed_at`

	getSQL = `
SELECT ` + columns + `
FROM orders AS o
WHERE o.customer = ?1 AND o.nonce = ?2`

	purgedSQL = `SELECT EXISTS (SELECT 1 FROM order_tombstones WHERE customer = ?1 AND nonce = ?2)`

	linesSQL = `
SELECT sku, quantity, unit_price
FROM order_lines
WHERE order_id = ?1
ORDER BY line_no`

	listSQL = `
SELECT ` + columns + `
FROM orders AS o
WHERE o.customer = ?1 AND o.order_id < ?2
ORDER BY o.order_id DESC
LIMIT ?3`
)

// row is one of table orders.
type row struct {
	OrderID       int64           `db:"order_id"`
	Customer      string          `db:"customer"`
	CorrelationID uuid.UUID       `db:"correlation_id"`
	Status        order.Status    `db:"status"`
	Reason        string          `db:"reason"`
	Revision      int             `db:"revision"`
	Currency      string          `db:"currency"`
	Total         decimal.Decimal `db:"total_amount"`
	RequestHash   []byte          `db:"request_hash"`
	AcceptedAt    instant         `db:"accepted_at"`
	CompletedAt   instant         `db:"completed_at"`
}

func (r row) record() store.Record {
	return store.Record{
		Stored: store.Stored{
			CorrelationID: r.CorrelationID, Customer: r.Customer, OrderID: r.OrderID,
			Status: r.Status, Reason: r.Reason, Revision: r.Revision,
			Currency: r.Currency, Total: r.Total,
			AcceptedAt: r.AcceptedAt.Time, CompletedAt: r.CompletedAt.Time,
		},
		RequestHash: [sha256.Size]byte(r.RequestHash), // the schema holds it to this size
	}
}

// instant is a time as the schema writes it.
type instant struct{ time.Time }

// Scan implements [sql.Scanner].
func (t *instant) Scan(value any) (err error) {
	text, ok := value.(string)
	if !ok {
		return fmt.Errorf("a time came as %T, not as text", value)
	}
	t.Time, err = time.Parse(batch.TimeLayout, text)
	return err
}

// line is one of table order_lines.
type line struct {
	SKU       string          `db:"sku"`
	Quantity  int             `db:"quantity"`
	UnitPrice decimal.Decimal `db:"unit_price"`
}

// Get implements [store.Store].
func (s *Store) Get(ctx context.Context, customer string, nonce int64) (store.Record, error) {
	record, err := retry(ctx, func() (store.Record, error) { return s.read(ctx, customer, nonce) })
	if err != nil {
		return store.Record{}, fmt.Errorf("reading an order: %w", err)
	}
	return record, nil
}

// read returns an order as it is at one moment: a transaction keeps a purge from
// taking the lines between two statements.
func (s *Store) read(ctx context.Context, customer string, nonce int64) (_ store.Record, err error) {
	tx, err := s.readers.BeginTxx(ctx, nil)
	if err != nil {
		return store.Record{}, err
	}
	defer func() { _ = tx.Rollback() }() // nothing was written
	var r row
	if err := tx.GetContext(ctx, &r, getSQL, customer, nonce); errors.Is(err, sql.ErrNoRows) {
		return store.Record{}, missing(ctx, tx, customer, nonce)
	} else if err != nil {
		return store.Record{}, err
	}
	var lines []line
	if err := tx.SelectContext(ctx, &lines, linesSQL, r.OrderID); err != nil {
		return store.Record{}, err
	}
	record := r.record()
	record.Lines = make([]order.Line, len(lines))
	for i, l := range lines {
		record.Lines[i] = order.Line(l)
	}
	return record, nil
}

// missing says why there is no row of an order.
func missing(ctx context.Context, tx *sqlx.Tx, customer string, nonce int64) error {
	var isPurged bool
	if err := tx.GetContext(ctx, &isPurged, purgedSQL, customer, nonce); err != nil {
		return err
	}
	if isPurged {
		return store.Purged()
	}
	return fault.New(fault.NotFound, "there is no such order")
}

// List implements [store.Store].
func (s *Store) List(ctx context.Context, customer string, before int64, limit int) ([]store.Record, error) {
	if limit < 1 || limit > store.MaxList {
		return nil, fault.New(fault.Invalid, "a list of %d orders is not from 1 to %d", limit, store.MaxList)
	}
	if before == 0 {
		before = math.MaxInt64
	}
	records, err := retry(ctx, func() ([]store.Record, error) {
		var rows []row
		if err := s.readers.SelectContext(ctx, &rows, listSQL, customer, before, limit); err != nil {
			return nil, err
		}
		records := make([]store.Record, len(rows))
		for i, r := range rows {
			records[i] = r.record()
		}
		return records, nil
	})
	if err != nil {
		return nil, fmt.Errorf("listing orders: %w", err)
	}
	return records, nil
}

package sqlite

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/contoso/orders/shared/store"
	"github.com/contoso/orders/shared/store/internal/batch"
	"github.com/jmoiron/sqlx"
)

// The statements of one Save. ?1 is the batch as package batch writes it; the
// unique key (customer, nonce) decides what is a second delivery.
const (
	// A failed row counts as absent for a replay of the same payload. Its order_id
	// and lines stay. This runs before the insert, so it never sees a row of the
	// same batch.
	replaySQL = `
UPDATE orders
SET status = i.value ->> 'status', reason = i.value ->> 'reason', revision = revision + 1, completed_at = ?2
FROM json_each(?1) AS i
WHERE i.value ->> 'replay'
  AND orders.customer = i.value ->> 'customer' AND orders.nonce = i.value ->> 'nonce'
  AND orders.status = 'failed' AND orders.request_hash = unhex(i.value ->> 'hash')
RETURNING order_id`

	insertSQL = `
INSERT INTO orders (customer, nonce, correlation_id, status, reason, revision,
                    currency, total_amount, request_hash, accepted_at, completed_at)
SELECT value ->> 'customer', value ->> 'nonce', value ->> 'correlationId', value ->> 'status', value ->> 'reason', 1,
       value ->> 'currency', value ->> 'total', unhex(value ->> 'hash'), value ->> 'acceptedAt', ?2
FROM json_each(?1) AS i
WHERE NOT EXISTS (SELECT 1 FROM order_tombstones AS t WHERE t.customer = i.value ->> 'customer' AND t.nonce = i.value ->> 'nonce')
ORDER BY key
ON CONFLICT (customer, nonce) DO NOTHING
RETURNING order_id`

	// ?2 is the first order_id of this batch. Later ones are of this batch too: ids
	// only rise, and nobody else can write before the commit.
	insertLinesSQL = `
INSERT INTO order_lines (order_id, line_no, sku, quantity, unit_price)
SELECT o.order_id, l.value ->> 'no', l.value ->> 'sku', l.value ->> 'quantity', l.value ->> 'unitPrice'
FROM json_each(?1) AS i
JOIN orders AS o ON o.customer = i.value ->> 'customer' AND o.nonce = i.value ->> 'nonce'
JOIN json_each(i.value, '$.lines') AS l
WHERE o.order_id >= ?2`

	storedSQL = `
SELECT i.key AS seq, ` + columns + `
FROM json_each(?1) AS i
JOIN orders AS o ON o.customer = i.value ->> 'customer' AND o.nonce = i.value ->> 'nonce'
ORDER BY i.key`

	// tombstonesSQL asks only for what storedSQL has not found.
	tombstonesSQL = `
SELECT i.key
FROM json_each(?1) AS i
JOIN order_tombstones AS t ON t.customer = i.value ->> 'customer' AND t.nonce = i.value ->> 'nonce'`
)

// Save implements [store.Store].
func (s *Store) Save(ctx context.Context, submissions []store.Submission) ([]store.Stored, error) {
	b, err := batch.New(submissions)
	if err != nil {
		return nil, fmt.Errorf("saving orders: %w", err)
	}
	input, err := b.JSON()
	if err != nil {
		return nil, fmt.Errorf("saving orders: %w", err)
	}
	records, err := retry(ctx, func() ([]store.Record, error) { return s.write(ctx, input, b.Rows()) })
	if err != nil {
		return nil, fmt.Errorf("saving %d orders: %w", len(submissions), err)
	}
	return b.Spread(records)
}

// write runs the statements in one transaction and returns what is stored of the n
// rows.
func (s *Store) write(ctx context.Context, input string, n int) (_ []store.Record, err error) {
	tx, err := s.writer.BeginTxx(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = tx.Rollback() // what went wrong before it is what matters
		}
	}()
	written, err := writeRows(ctx, tx, input)
	if err != nil {
		return nil, err
	}
	var rows []storedRow
	if err := tx.SelectContext(ctx, &rows, storedSQL, input); err != nil {
		return nil, err
	}
	var purged []int
	if len(rows) < n {
		if err := tx.SelectContext(ctx, &purged, tombstonesSQL, input); err != nil {
			return nil, err
		}
	}
	if err := tx.Commit(); err != nil {
		return nil, err
	}
	if len(rows)+len(purged) != n {
		return nil, fmt.Errorf("the database answered for %d of %d orders", len(rows)+len(purged), n)
	}
	records := make([]store.Record, n)
	for _, r := range rows {
		records[r.Seq] = r.record()
		records[r.Seq].IsNew = slices.Contains(written, r.OrderID)
	}
	for _, seq := range purged {
		records[seq].IsPurged = true
	}
	return records, nil
}

// storedRow is a row with its position in the batch.
type storedRow struct {
	Seq int `db:"seq"`
	row
}

// writeRows returns the ids of the rows that it inserted or changed.
func writeRows(ctx context.Context, tx *sqlx.Tx, input string) ([]int64, error) {
	now := time.Now().UTC().Format(batch.TimeLayout)
	var replayed, inserted []int64
	if err := tx.SelectContext(ctx, &replayed, replaySQL, input, now); err != nil {
		return nil, err
	}
	if err := tx.SelectContext(ctx, &inserted, insertSQL, input, now); err != nil {
		return nil, err
	}
	if len(inserted) > 0 {
		if _, err := tx.ExecContext(ctx, insertLinesSQL, input, slices.Min(inserted)); err != nil {
			return nil, err
		}
	}
	return append(replayed, inserted...), nil
}

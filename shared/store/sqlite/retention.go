package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/contoso/orders/shared/store"
	"github.com/contoso/orders/shared/store/internal/batch"
	"github.com/jmoiron/sqlx"
)

// retentionStep is how many orders one transaction removes, while those who save
// wait.
const retentionStep = 100

// ?1 is whose orders or which are removed, ?2 how many. The inner SELECTs are one
// list, since all of it is one transaction and orders go last.
const (
	purgeableSQL = `(SELECT order_id FROM orders WHERE completed_at < ?1 ORDER BY completed_at, order_id LIMIT ?2)`
	erasableSQL  = `(SELECT order_id FROM orders WHERE customer = ?1 ORDER BY order_id LIMIT ?2)`

	entombSQL = `
INSERT INTO order_tombstones (customer, nonce, purged_at)
SELECT customer, nonce, ?3 FROM orders WHERE order_id IN ` + purgeableSQL

	purgeLinesSQL  = `DELETE FROM order_lines WHERE order_id IN ` + purgeableSQL
	purgeOrdersSQL = `DELETE FROM orders WHERE order_id IN ` + purgeableSQL
	eraseLinesSQL  = `DELETE FROM order_lines WHERE order_id IN ` + erasableSQL
	eraseOrdersSQL = `DELETE FROM orders WHERE order_id IN ` + erasableSQL

	eraseTombstonesSQL = `DELETE FROM order_tombstones WHERE customer = ?1`
)

// Purge implements [store.Store].
func (s *Store) Purge(ctx context.Context, before time.Time, limit int) (n int, err error) {
	if err := store.CheckPurge(limit); err != nil {
		return 0, err
	}
	cutoff := before.UTC().Format(batch.TimeLayout)
	for n < limit {
		step := min(limit-n, retentionStep)
		gone, err := s.remove(ctx, func(tx *sqlx.Tx) (int64, error) {
			now := time.Now().UTC().Format(batch.TimeLayout)
			if _, err := tx.ExecContext(ctx, entombSQL, cutoff, step, now); err != nil {
				return 0, err
			}
			if _, err := tx.ExecContext(ctx, purgeLinesSQL, cutoff, step); err != nil {
				return 0, err
			}
			return affected(tx.ExecContext(ctx, purgeOrdersSQL, cutoff, step))
		})
		n += gone
		if err != nil {
			return n, fmt.Errorf("purging orders: %w", err)
		}
		if gone < step {
			break
		}
	}
	return n, nil
}

// Erase implements [store.Store].
func (s *Store) Erase(ctx context.Context, customer string) error {
	for {
		gone, err := s.remove(ctx, func(tx *sqlx.Tx) (int64, error) {
			if _, err := tx.ExecContext(ctx, eraseLinesSQL, customer, retentionStep); err != nil {
				return 0, err
			}
			if _, err := tx.ExecContext(ctx, eraseTombstonesSQL, customer); err != nil {
				return 0, err
			}
			return affected(tx.ExecContext(ctx, eraseOrdersSQL, customer, retentionStep))
		})
		if err != nil {
			return fmt.Errorf("erasing a customer: %w", err)
		}
		if gone < retentionStep {
			return nil
		}
	}
}

// remove runs one step in a transaction of the writer, and returns how many orders
// it removed.
func (s *Store) remove(ctx context.Context, step func(*sqlx.Tx) (int64, error)) (int, error) {
	return retry(ctx, func() (int, error) {
		tx, err := s.writer.BeginTxx(ctx, nil)
		if err != nil {
			return 0, err
		}
		gone, err := step(tx)
		if err != nil {
			_ = tx.Rollback() // what went wrong before it is what matters
			return 0, err
		}
		if err := tx.Commit(); err != nil {
			return 0, err
		}
		return int(gone), nil
	})
}

func affected(result sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

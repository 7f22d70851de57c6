package mssql

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/contoso/orders/shared/store"
	mssqldb "github.com/microsoft/go-mssqldb"
)

// retentionStep is how many orders one transaction removes. With 100 lines each it
// stays below the 5,000 locks at which the server would lock the whole table, and
// with it everybody who saves.
const retentionStep = 40

// cutoffLayout is how purgeSQL takes a time.
const cutoffLayout = "2006-01-02T15:04:05.000"

const (
	// purgeSQL takes what nobody else holds: two who purge at once share the work.
	// @cutoff is text, since the driver sends a time as DATETIMEOFFSET, for which the
	// server would convert the column.
	purgeSQL = `
SET NOCOUNT ON;
SET XACT_ABORT ON;
SET LOCK_TIMEOUT 5000;
DECLARE @before DATETIME2(3) = CONVERT(DATETIME2(3), @cutoff, 126);
DECLARE @now DATETIME2(3) = SYSUTCDATETIME();
DECLARE @gone TABLE (
    OrderId  BIGINT NOT NULL PRIMARY KEY,
    Customer VARCHAR(22) COLLATE Latin1_General_100_BIN2 NOT NULL,
    Nonce    BIGINT NOT NULL
);
BEGIN TRANSACTION;
INSERT INTO @gone (OrderId, Customer, Nonce)
SELECT TOP (@limit) o.OrderId, o.Customer, o.Nonce
FROM dbo.orders AS o WITH (UPDLOCK, ROWLOCK, READPAST)
WHERE o.CompletedAt < @before
ORDER BY o.CompletedAt, o.OrderId;
INSERT INTO dbo.order_tombstones (Customer, Nonce, PurgedAt)
SELECT g.Customer, g.Nonce, @now FROM @gone AS g;
DELETE l FROM dbo.order_lines AS l JOIN @gone AS g ON g.OrderId = l.OrderId;
DELETE o FROM dbo.orders AS o JOIN @gone AS g ON g.OrderId = o.OrderId;
COMMIT TRANSACTION;
SELECT COUNT(*) AS Gone FROM @gone AS g;`

	// eraseSQL waits for whoever holds an order of the customer.
	eraseSQL = `
SET NOCOUNT ON;
SET XACT_ABORT ON;
SET LOCK_TIMEOUT 5000;
DECLARE @tombstones INT = 0;
DECLARE @gone TABLE (
    OrderId BIGINT NOT NULL PRIMARY KEY
);
BEGIN TRANSACTION;
INSERT INTO @gone (OrderId)
SELECT TOP (@limit) o.OrderId
FROM dbo.orders AS o WITH (UPDLOCK, ROWLOCK)
WHERE o.Customer = @customer
ORDER BY o.OrderId;
DELETE l FROM dbo.order_lines AS l JOIN @gone AS g ON g.OrderId = l.OrderId;
DELETE o FROM dbo.orders AS o JOIN @gone AS g ON g.OrderId = o.OrderId;
DELETE TOP (@limit) FROM dbo.order_tombstones WHERE Customer = @customer;
SET @tombstones = @@ROWCOUNT;
COMMIT TRANSACTION;
SELECT @tombstones + COUNT(*) AS Gone FROM @gone AS g;`
)

// Purge implements [store.Store].
func (s *Store) Purge(ctx context.Context, before time.Time, limit int) (n int, err error) {
	if err := store.CheckPurge(limit); err != nil {
		return 0, err
	}
	cutoff := sql.Named("cutoff", mssqldb.VarChar(before.UTC().Format(cutoffLayout)))
	for n < limit {
		step := min(limit-n, retentionStep)
		gone, err := s.remove(ctx, purgeSQL, cutoff, step)
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
		gone, err := s.remove(ctx, eraseSQL, customerArg(customer), retentionStep)
		if err != nil {
			return fmt.Errorf("erasing a customer: %w", err)
		}
		if gone == 0 {
			return nil
		}
	}
}

// remove runs one step and returns how many rows it found.
func (s *Store) remove(ctx context.Context, script string, which sql.NamedArg, limit int) (int, error) {
	return retry(ctx, s, func(ctx context.Context) (int, error) {
		return only[int](ctx, s.db, script, which, sql.Named("limit", int64(limit)))
	})
}

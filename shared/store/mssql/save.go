package mssql

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/contoso/orders/shared/store"
	"github.com/contoso/orders/shared/store/internal/batch"
	mssqldb "github.com/microsoft/go-mssqldb"
)

// saveSQL stores one batch, which @batch holds as package batch writes it: one
// parameter of one type, so that the server keeps one plan.
//
// Look first, insert plainly, and let the unique key decide. Without HOLDLOCK and
// MERGE: their locks on ranges of keys would make writers of other orders wait, or
// deadlock. Two who insert the same order meet on the key: the second waits for
// the first's commit, gets 2627, and looks again.
//
//   - XACT_ABORT: without it an error ends one statement and the script goes on, and
//     a cancel leaves the transaction open, with its locks.
//   - AcceptedAt loses its Z, with which the server takes no DATETIME2 by the letter
//     of its manual.
//   - A table variable keeps its rows over a rollback: hence the DELETE.
//   - A failed row counts as absent for a replay of the same payload. Its OrderId
//     and lines stay. This comes before the INSERT, so it never sees a row of the
//     same batch.
//   - INSERT ... SELECT ... ORDER BY gives out OrderIds in that order.
//   - The answer is one statement, so it sees one moment: an order that is purged
//     meanwhile is there once. It is the only result set, and the last thing: the
//     driver loses an error that comes before two of them.
const saveSQL = `
SET NOCOUNT ON;
SET XACT_ABORT ON;
SET LOCK_TIMEOUT 5000;
DECLARE @now DATETIME2(3) = SYSUTCDATETIME();
DECLARE @try INT = 0;
DECLARE @done BIT = 0;
DECLARE @in TABLE (
    Seq           INT NOT NULL PRIMARY KEY,
    Customer      VARCHAR(22) COLLATE Latin1_General_100_BIN2 NOT NULL,
    Nonce         BIGINT NOT NULL,
    CorrelationId UNIQUEIDENTIFIER NOT NULL,
    Status        VARCHAR(9) COLLATE Latin1_General_100_BIN2 NOT NULL,
    Reason        NVARCHAR(400) NOT NULL,
    Currency      CHAR(3) COLLATE Latin1_General_100_BIN2 NOT NULL,
    TotalAmount   DECIMAL(19, 4) NOT NULL,
    RequestHash   BINARY(32) NOT NULL,
    AcceptedAt    DATETIME2(3) NOT NULL,
    IsReplay      BIT NOT NULL,
    Lines         NVARCHAR(MAX) NOT NULL,
    UNIQUE (Customer, Nonce)
);
DECLARE @written TABLE (
    OrderId   BIGINT NOT NULL PRIMARY KEY,
    Customer  VARCHAR(22) COLLATE Latin1_General_100_BIN2 NOT NULL,
    Nonce     BIGINT NOT NULL,
    IsInsert  BIT NOT NULL
);
INSERT INTO @in (Seq, Customer, Nonce, CorrelationId, Status, Reason, Currency, TotalAmount, RequestHash, AcceptedAt, IsReplay, Lines)
SELECT j.Seq, j.Customer, j.Nonce, j.CorrelationId, j.Status, j.Reason, j.Currency, j.TotalAmount,
       CONVERT(BINARY(32), j.RequestHash, 2), CONVERT(DATETIME2(3), LEFT(j.AcceptedAt, 23), 126), j.IsReplay, j.Lines
FROM OPENJSON(@batch) WITH (
    Seq           INT              '$.seq',
    Customer      VARCHAR(22)      '$.customer',
    Nonce         BIGINT           '$.nonce',
    CorrelationId UNIQUEIDENTIFIER '$.correlationId',
    Status        VARCHAR(9)       '$.status',
    Reason        NVARCHAR(400)    '$.reason',
    Currency      CHAR(3)          '$.currency',
    TotalAmount   DECIMAL(19, 4)   '$.total',
    RequestHash   CHAR(64)         '$.hash',
    AcceptedAt    VARCHAR(24)      '$.acceptedAt',
    IsReplay      BIT              '$.replay',
    Lines         NVARCHAR(MAX)    '$.lines' AS JSON
) AS j;
WHILE @done = 0
BEGIN
    BEGIN TRY
        DELETE FROM @written;
        BEGIN TRANSACTION;
        IF EXISTS (SELECT 1 FROM @in AS i WHERE i.IsReplay = 1)
            UPDATE o
            SET Status = i.Status, Reason = i.Reason, Revision = o.Revision + 1, CompletedAt = @now
            OUTPUT INSERTED.OrderId, INSERTED.Customer, INSERTED.Nonce, 0
            INTO @written (OrderId, Customer, Nonce, IsInsert)
            FROM dbo.orders AS o
            JOIN @in AS i ON i.Customer = o.Customer AND i.Nonce = o.Nonce
            WHERE i.IsReplay = 1 AND o.Status = 'failed' AND o.RequestHash = i.RequestHash;
        INSERT INTO dbo.orders (Customer, Nonce, CorrelationId, Status, Reason, Revision,
                                Currency, TotalAmount, RequestHash, AcceptedAt, CompletedAt)
        OUTPUT INSERTED.OrderId, INSERTED.Customer, INSERTED.Nonce, 1
        INTO @written (OrderId, Customer, Nonce, IsInsert)
        SELECT i.Customer, i.Nonce, i.CorrelationId, i.Status, i.Reason, 1,
               i.Currency, i.TotalAmount, i.RequestHash, i.AcceptedAt, @now
        FROM @in AS i
        WHERE NOT EXISTS (SELECT 1 FROM dbo.orders AS o WHERE o.Customer = i.Customer AND o.Nonce = i.Nonce)
          AND NOT EXISTS (SELECT 1 FROM dbo.order_tombstones AS t WHERE t.Customer = i.Customer AND t.Nonce = i.Nonce)
        ORDER BY i.Seq;
        INSERT INTO dbo.order_lines (OrderId, LineNumber, Sku, Quantity, UnitPrice)
        SELECT w.OrderId, l.LineNumber, l.Sku, l.Quantity, l.UnitPrice
        FROM @written AS w
        JOIN @in AS i ON i.Customer = w.Customer AND i.Nonce = w.Nonce
        CROSS APPLY OPENJSON(i.Lines) WITH (
            LineNumber SMALLINT       '$.no',
            Sku        VARCHAR(64)    '$.sku',
            Quantity   INT            '$.quantity',
            UnitPrice  DECIMAL(19, 4) '$.unitPrice'
        ) AS l
        WHERE w.IsInsert = 1;
        COMMIT TRANSACTION;
        SET @done = 1;
    END TRY
    BEGIN CATCH
        IF XACT_STATE() <> 0
            ROLLBACK TRANSACTION;
        SET @try = @try + 1;
        IF ERROR_NUMBER() NOT IN (2601, 2627) OR @try >= 3
        BEGIN
            THROW;
        END;
    END CATCH;
END;
SELECT i.Seq, CAST(CASE WHEN w.OrderId IS NULL THEN 0 ELSE 1 END AS BIT) AS IsNew,
       ` + orderColumns + `
FROM @in AS i
JOIN dbo.orders AS o ON o.Customer = i.Customer AND o.Nonce = i.Nonce
LEFT JOIN @written AS w ON w.OrderId = o.OrderId
UNION ALL
SELECT i.Seq, CAST(0 AS BIT),
       ` + tombstoneColumns + `
FROM @in AS i
JOIN dbo.order_tombstones AS t ON t.Customer = i.Customer AND t.Nonce = i.Nonce
ORDER BY Seq;`

// savedRow is what saveSQL says of one order of the batch.
type savedRow struct {
	Seq   int  `db:"Seq"`
	IsNew bool `db:"IsNew"`
	row
}

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
	records, err := retry(ctx, s, func(ctx context.Context) ([]store.Record, error) {
		var rows []savedRow
		if err := s.db.SelectContext(ctx, &rows, saveSQL, sql.Named("batch", mssqldb.NVarCharMax(input))); err != nil {
			return nil, err
		}
		records := make([]store.Record, len(rows))
		for i, r := range rows {
			if r.Seq != i {
				return nil, fmt.Errorf("the database answered for order %d in place of %d", r.Seq, i)
			}
			if records[i], err = r.record(); err != nil {
				return nil, err
			}
			records[i].IsNew = r.IsNew
		}
		return records, nil
	})
	if err != nil {
		return nil, fmt.Errorf("saving %d orders: %w", len(submissions), err)
	}
	return b.Spread(records)
}

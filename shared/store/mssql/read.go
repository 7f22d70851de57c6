package mssql

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"math"
	"time"

	"github.com/contoso/orders/shared/fault"
	"github.com/contoso/orders/shared/order"
	"github.com/contoso/orders/shared/store"
	"github.com/google/uuid"
	mssqldb "github.com/microsoft/go-mssqldb"
	"github.com/shopspring/decimal"
)

const (
	// orderColumns are those of a row, from dbo.orders AS o.
	orderColumns = `o.OrderId, o.Customer, o.CorrelationId, o.Status, o.Reason, o.Revision, o.Currency,
       o.TotalAmount, o.RequestHash, o.AcceptedAt, o.CompletedAt, CAST(0 AS BIT) AS IsPurged`

	// tombstoneColumns are the same of a purged order, from dbo.order_tombstones AS t.
	tombstoneColumns = `CAST(0 AS BIGINT), t.Customer, CAST('00000000-0000-0000-0000-000000000000' AS UNIQUEIDENTIFIER), '', N'', 0, '',
       CAST(0 AS DECIMAL(19, 4)), CAST(0 AS BINARY(32)), t.PurgedAt, t.PurgedAt, CAST(1 AS BIT)`

	// getSQL repeats the order with each of its lines, and LineNumber 0 stands for no
	// line. One statement sees one moment: all of the order, or its tombstone.
	getSQL = `
SELECT ` + orderColumns + `,
       ISNULL(l.LineNumber, 0) AS LineNumber, ISNULL(l.Sku, '') AS Sku,
       ISNULL(l.Quantity, 0) AS Quantity, ISNULL(l.UnitPrice, 0) AS UnitPrice
FROM dbo.orders AS o
LEFT JOIN dbo.order_lines AS l ON l.OrderId = o.OrderId
WHERE o.Customer = @customer AND o.Nonce = @nonce
UNION ALL
SELECT ` + tombstoneColumns + `, 0, '', 0, 0
FROM dbo.order_tombstones AS t
WHERE t.Customer = @customer AND t.Nonce = @nonce
ORDER BY LineNumber;`

	listSQL = `
SELECT TOP (@limit) ` + orderColumns + `
FROM dbo.orders AS o
WHERE o.Customer = @customer AND o.OrderId < @before
ORDER BY o.OrderId DESC;`
)

// row is one of table orders, or of order_tombstones.
//
// CorrelationID is the driver's own type: a uuid.UUID would come back with its
// bytes swapped, and no error.
type row struct {
	OrderID       int64                    `db:"OrderId"`
	Customer      string                   `db:"Customer"`
	CorrelationID mssqldb.UniqueIdentifier `db:"CorrelationId"`
	Status        order.Status             `db:"Status"`
	Reason        string                   `db:"Reason"`
	Revision      int                      `db:"Revision"`
	Currency      string                   `db:"Currency"`
	Total         decimal.Decimal          `db:"TotalAmount"`
	RequestHash   []byte                   `db:"RequestHash"`
	AcceptedAt    time.Time                `db:"AcceptedAt"`
	CompletedAt   time.Time                `db:"CompletedAt"`
	IsPurged      bool                     `db:"IsPurged"`
}

func (r row) record() (store.Record, error) {
	if r.IsPurged {
		return store.Record{Stored: store.Stored{Customer: r.Customer, IsPurged: true}}, nil
	}
	if len(r.RequestHash) != sha256.Size {
		return store.Record{}, fmt.Errorf("order %d has a hash of %d bytes", r.OrderID, len(r.RequestHash))
	}
	return store.Record{
		Stored: store.Stored{
			CorrelationID: uuid.UUID(r.CorrelationID), Customer: r.Customer, OrderID: r.OrderID,
			Status: r.Status, Reason: r.Reason, Revision: r.Revision,
			Currency: r.Currency, Total: r.Total,
			AcceptedAt: r.AcceptedAt.UTC(), CompletedAt: r.CompletedAt.UTC(),
		},
		RequestHash: [sha256.Size]byte(r.RequestHash),
	}, nil
}

// lineRow is an order with one of its lines.
type lineRow struct {
	row
	LineNumber int             `db:"LineNumber"`
	SKU        string          `db:"Sku"`
	Quantity   int             `db:"Quantity"`
	UnitPrice  decimal.Decimal `db:"UnitPrice"`
}

// Get implements [store.Store].
func (s *Store) Get(ctx context.Context, customer string, nonce int64) (store.Record, error) {
	rows, err := retry(ctx, s, func(ctx context.Context) (rows []lineRow, err error) {
		err = s.db.SelectContext(ctx, &rows, getSQL, customerArg(customer), sql.Named("nonce", nonce))
		return rows, err
	})
	switch {
	case err != nil:
		return store.Record{}, fmt.Errorf("reading an order: %w", err)
	case len(rows) == 0:
		return store.Record{}, fault.New(fault.NotFound, "there is no such order")
	case rows[0].IsPurged:
		return store.Record{}, store.Purged()
	}
	record, err := rows[0].record()
	if err != nil {
		return store.Record{}, fmt.Errorf("reading an order: %w", err)
	}
	record.Lines = make([]order.Line, 0, len(rows))
	for _, r := range rows {
		if r.LineNumber > 0 {
			record.Lines = append(record.Lines, order.Line{SKU: r.SKU, Quantity: r.Quantity, UnitPrice: r.UnitPrice})
		}
	}
	return record, nil
}

// List implements [store.Store].
func (s *Store) List(ctx context.Context, customer string, before int64, limit int) ([]store.Record, error) {
	if limit < 1 || limit > store.MaxList {
		return nil, fault.New(fault.Invalid, "a list of %d orders is not from 1 to %d", limit, store.MaxList)
	}
	if before == 0 {
		before = math.MaxInt64
	}
	rows, err := retry(ctx, s, func(ctx context.Context) (rows []row, err error) {
		err = s.db.SelectContext(ctx, &rows, listSQL,
			customerArg(customer), sql.Named("before", before), sql.Named("limit", int64(limit)))
		return rows, err
	})
	if err != nil {
		return nil, fmt.Errorf("listing orders: %w", err)
	}
	records := make([]store.Record, len(rows))
	for i, r := range rows {
		if records[i], err = r.record(); err != nil {
			return nil, fmt.Errorf("listing orders: %w", err)
		}
	}
	return records, nil
}

// customerArg is the parameter @customer. As a plain string it would be NVARCHAR,
// and the server would convert the column, row by row, in place of a seek.
func customerArg(customer string) sql.NamedArg {
	return sql.Named("customer", mssqldb.VarChar(customer))
}

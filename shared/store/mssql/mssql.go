// Package mssql keeps the orders in SQL Server or Azure SQL Database: the store of
// production.
//
// A URL takes one of two forms, and no parameter that is not listed here:
//
//	sqlserver://user:password@host:1433?database=orders
//	azuresql://host?database=orders&fedauth=ActiveDirectoryWorkloadIdentity
//
//	database                 required
//	encrypt                  true unless given; strict is TDS 8.0; disable only with sqlserver
//	trustservercertificate, hostnameincertificate, certificate, tlsmin
//	                         how the server's certificate is checked
//	dial timeout, keepalive  in seconds
//	packet size              in bytes, 16383 unless given, the most that TLS allows
//	app name                 orders unless given
//	fedauth, user id         azuresql only: how the identity proves itself to Entra, and
//	                         its client id where the environment does not say it
//
// Workload identity reads AZURE_CLIENT_ID, AZURE_TENANT_ID and
// AZURE_FEDERATED_TOKEN_FILE, which AKS sets; no secret is in the URL then.
//
// Every call is one round trip, of one script with exactly one result set, and is
// made again as a whole when the server or the network fails for a moment: each is
// idempotent. An answer that is lost after the commit shows as an order that is not
// new when the call is repeated.
//
// What the database must be: SQL Server 2019 or later, or Azure SQL Database, with
// READ_COMMITTED_SNAPSHOT on (Azure's default; Open asserts it and never alters
// it): two who insert one order then wait for each other on the unique key alone,
// and readers wait for nobody.
//
// Rights. The functions need SELECT on every table of schema dbo and on
// goose_db_version; process-session also INSERT on orders and order_lines, and
// UPDATE on orders; whoever purges or erases INSERT on order_tombstones and DELETE
// on all of them. Migrate needs to create and alter tables in dbo, to read and write
// goose_db_version, and nothing else. No function has that right.
//
// Sources: learn.microsoft.com/sql (SET LOCK_TIMEOUT, OPENJSON, Locking guide,
// sp_getapplock), learn.microsoft.com/azure/azure-sql/database
// (troubleshoot-common-errors-issues), github.com/microsoft/go-mssqldb.
package mssql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/contoso/orders/shared/fault"
	"github.com/contoso/orders/shared/store"
	"github.com/jmoiron/sqlx"
)

// schemaVersion is the newest migration, which this code is written for.
const schemaVersion = 2

// minCompatibility is the first compatibility level that has OPENJSON.
const minCompatibility = 130

// The pool. A connection costs the server a worker thread and some memory, and
// more than a few for each of its cores only queue there.
const (
	maxConns     = 8
	connIdleTime = 5 * time.Minute  // below the time after which Azure's gateway drops an idle one
	connLifetime = 30 * time.Minute // so that connections spread again after a failover
)

// Store is a [store.Store] in SQL Server.
type Store struct {
	db          *sqlx.DB
	callTimeout time.Duration

	dropping sync.Mutex // guards the two steps of dropIdle
}

var _ store.Store = (*Store)(nil)

// Open opens the database that databaseURL names. The error is Unavailable when it
// cannot be reached, its schema is older than this program, or it is not set up as
// the package comment says.
func Open(ctx context.Context, databaseURL string) (*Store, error) {
	return open(ctx, databaseURL, callTimeout)
}

func open(ctx context.Context, databaseURL string, callTimeout time.Duration) (_ *Store, err error) {
	db, err := connect(databaseURL, maxConns)
	if err != nil {
		return nil, err
	}
	s := &Store{db: db, callTimeout: callTimeout}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if err := s.assert(ctx); err != nil {
		return nil, fmt.Errorf("opening the database: %w", err)
	}
	return s, nil
}

// connect returns a pool of up to n connections, none of them open yet.
func connect(databaseURL string, n int) (*sqlx.DB, error) {
	c, err := newConnector(databaseURL)
	if err != nil {
		return nil, err
	}
	db := sqlx.NewDb(sql.OpenDB(c), "sqlserver")
	db.SetMaxOpenConns(n)
	db.SetMaxIdleConns(n)
	db.SetConnMaxIdleTime(connIdleTime)
	db.SetConnMaxLifetime(connLifetime)
	return db, nil
}

// only returns the one row of an answer. It reads to the end, where GetContext and
// QueryRow stop at the first row: the driver then may cancel what is done already,
// which costs a round trip.
func only[T any](ctx context.Context, db *sqlx.DB, text string, args ...any) (row T, err error) {
	var rows []T
	if err := db.SelectContext(ctx, &rows, text, args...); err != nil {
		return row, err
	}
	if len(rows) != 1 {
		return row, fmt.Errorf("the database answered with %d rows in place of one", len(rows))
	}
	return rows[0], nil
}

// A database's ID differs between sys.databases and DB_ID() on Azure, so it is
// found by name. Where the version table is not there, or may not be read, the
// version is 0.
const assertSQL = `
SET NOCOUNT ON;
DECLARE @version BIGINT = 0;
IF OBJECT_ID(@table, N'U') IS NOT NULL
    SELECT @version = ISNULL(MAX(g.version_id), 0) FROM dbo.goose_db_version AS g WHERE g.is_applied = 1;
SELECT @version AS Version, d.is_read_committed_snapshot_on AS IsSnapshot, d.compatibility_level AS Compatibility
FROM sys.databases AS d
WHERE d.name = DB_NAME();`

// assert refuses a database that this program would misuse. A version above
// schemaVersion is fine: a roll-out migrates before it replaces programs.
func (s *Store) assert(ctx context.Context) error {
	type facts struct {
		Version       int64 `db:"Version"`
		IsSnapshot    bool  `db:"IsSnapshot"`
		Compatibility int   `db:"Compatibility"`
	}
	got, err := retry(ctx, s, func(ctx context.Context) (facts, error) {
		return only[facts](ctx, s.db, assertSQL, sql.Named("table", versionTable))
	})
	switch {
	case err != nil:
		return err
	case !got.IsSnapshot:
		return fault.New(fault.Unavailable, "the database has READ_COMMITTED_SNAPSHOT off, and orders need it on: "+
			"its owner turns it on with ALTER DATABASE CURRENT SET READ_COMMITTED_SNAPSHOT ON")
	case got.Compatibility < minCompatibility:
		return fault.New(fault.Unavailable, "the database has compatibility level %d, and orders need %d or later", got.Compatibility, minCompatibility)
	case got.Version < schemaVersion:
		return fault.New(fault.Unavailable, "the schema is at version %d and this program needs %d: run migrate first", got.Version, schemaVersion)
	}
	return nil
}

const pingSQL = `SELECT CASE WHEN EXISTS (SELECT 1 FROM dbo.orders AS o WHERE o.OrderId > @after) THEN 1 ELSE 0 END AS HasOrders;`

// Ping implements [store.Store].
func (s *Store) Ping(ctx context.Context) error {
	_, err := retry(ctx, s, func(ctx context.Context) (hasOrders bool, err error) {
		return only[bool](ctx, s.db, pingSQL, sql.Named("after", int64(0)))
	})
	if err != nil {
		return fmt.Errorf("asking the order store: %w", err)
	}
	return nil
}

// Close implements [store.Store].
func (s *Store) Close() error { return s.db.Close() }

// dropIdle closes the idle connections. After a failover all of them are dead, and
// each would cost a call one of its tries.
func (s *Store) dropIdle() {
	s.dropping.Lock()
	defer s.dropping.Unlock()
	s.db.SetMaxIdleConns(-1)
	s.db.SetMaxIdleConns(maxConns)
}

package mssql

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/contoso/orders/shared/fault"
	mssqldb "github.com/microsoft/go-mssqldb"
	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var files embed.FS

// versionTable is where goose keeps the schema's version. It says dbo, since the
// schema that an unqualified name means is the user's own affair: Entra users who
// come by a group have none.
const versionTable = "dbo.goose_db_version"

// Migrate brings the schema up to this version and returns it, under an identity
// with the rights that the package comment lists. It calls report after each
// migration that it applied, and may run in several processes at once. The
// database must be there.
//
// Each migration is one transaction, under a lock on its own connection. The table
// of versions is made before goose asks for the lock; of two who make it at once,
// one fails, and goose looks again a second later. What else fails is not tried
// again here: the next run goes on from there.
func Migrate(ctx context.Context, databaseURL string, report func(version int64, name string, took time.Duration)) (version int64, err error) {
	db, err := connect(databaseURL, 1)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	migrations, err := fs.Sub(files, "migrations")
	if err != nil {
		return 0, err
	}
	provider, err := goose.NewProvider(goose.DialectMSSQL, db.DB, migrations, goose.WithDisableGlobalRegistry(true),
		goose.WithTableName(versionTable), goose.WithSessionLocker(locker{wait: lockWait}))
	if err != nil {
		return 0, fmt.Errorf("reading the migrations: %w", err)
	}
	for {
		applied, err := provider.UpByOne(ctx)
		if errors.Is(err, goose.ErrNoNextVersion) {
			break
		}
		if err != nil {
			return 0, fmt.Errorf("migrating the database: %w", migrateFault(ctx, err))
		}
		name := strings.TrimSuffix(filepath.Base(applied.Source.Path), ".sql")
		report(applied.Source.Version, name, applied.Duration)
	}
	if version, err = provider.GetDBVersion(ctx); err != nil {
		return 0, fmt.Errorf("reading the schema's version: %w", migrateFault(ctx, err))
	}
	return version, nil
}

// migrateFault attaches the kind. There is no order to blame, whatever it is.
func migrateFault(ctx context.Context, err error) error {
	if over := ctx.Err(); over != nil {
		if errors.Is(err, over) {
			return err
		}
		return fmt.Errorf("%w: %w", over, err)
	}
	return fault.Wrap(fault.Unavailable, err, "the order store cannot be migrated")
}

// locker keeps other migrates away with an application lock that belongs to the
// session: it ends with unlock, or with the connection. goose has none of its own
// for SQL Server.
type locker struct {
	wait time.Duration // of one try; the context bounds all of them
}

// lockWait is short: the context's end is then seen between two tries, and not in
// the middle of one, which would cost the connection.
const lockWait = 5 * time.Second

const (
	// sp_getapplock tells by its return code, and never raises: 0 and 1 are yes, -1
	// is the end of the wait, the rest are errors.
	lockSQL = `
SET NOCOUNT ON;
DECLARE @result INT;
EXEC @result = sp_getapplock @Resource = @resource, @LockMode = 'Exclusive', @LockOwner = 'Session', @LockTimeout = @wait;
SELECT @result AS Result;`

	unlockSQL = `
SET NOCOUNT ON;
DECLARE @result INT;
EXEC @result = sp_releaseapplock @Resource = @resource, @LockOwner = 'Session';
SELECT @result AS Result;`
)

var lockName = sql.Named("resource", mssqldb.VarChar("orders.migrate"))

// SessionLock implements goose's lock.SessionLocker.
func (l locker) SessionLock(ctx context.Context, conn *sql.Conn) error {
	const waitedInVain = -1
	for {
		result, err := resultOf(ctx, conn, lockSQL, lockName, sql.Named("wait", l.wait.Milliseconds()))
		switch {
		case err != nil:
			return fmt.Errorf("waiting for another migrate: %w", err)
		case result >= 0:
			return nil
		case result != waitedInVain:
			return fmt.Errorf("waiting for another migrate: sp_getapplock answered %d", result)
		}
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("waiting for another migrate: %w", err)
		}
	}
}

// SessionUnlock implements goose's lock.SessionLocker.
func (l locker) SessionUnlock(ctx context.Context, conn *sql.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	result, err := resultOf(ctx, conn, unlockSQL, lockName)
	if err != nil {
		return fmt.Errorf("releasing the lock of migrate: %w", err)
	}
	if result < 0 {
		return fmt.Errorf("releasing the lock of migrate: sp_releaseapplock answered %d", result)
	}
	return nil
}

// resultOf returns the return code of a procedure.
func resultOf(ctx context.Context, conn *sql.Conn, text string, args ...any) (int, error) {
	rows, err := conn.QueryContext(ctx, text, args...)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	var results []int
	for rows.Next() {
		var result int
		if err := rows.Scan(&result); err != nil {
			return 0, err
		}
		results = append(results, result)
	}
	if err := rows.Err(); err != nil {
		return 0, err
	}
	if len(results) != 1 {
		return 0, fmt.Errorf("the database answered with %d rows in place of one", len(results))
	}
	return results[0], nil
}

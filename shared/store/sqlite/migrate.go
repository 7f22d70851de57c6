package sqlite

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/contoso/orders/shared/fault"
	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var files embed.FS

// migrateTimeout is how long one migration waits for the orders being written,
// and one migrate for another.
const migrateTimeout = time.Minute

// Migrate brings the schema up to this version and returns it. It creates the
// file and its directory when they are missing, calls report after each migration
// that it applied, and may run in several processes at once, with functions
// running beside it. The URL is
//
//	sqlite:///absolute/path
//	sqlite:relative/path
func Migrate(ctx context.Context, databaseURL string, report func(version int64, name string, took time.Duration)) (version int64, err error) {
	path, err := pathOf(databaseURL)
	if err != nil {
		return 0, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return 0, fault.Wrap(fault.Unavailable, err, "the directory of the order store cannot be made")
	}
	unlock, err := lock(ctx, path)
	if err != nil {
		return 0, fmt.Errorf("waiting for another migrate: %w", err)
	}
	defer func() { err = errors.Join(err, unlock()) }()
	db, err := connect(path, access{mode: "rwc", begin: "immediate", busyTimeout: migrateTimeout}, 1)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()

	migrations, err := fs.Sub(files, "migrations")
	if err != nil {
		return 0, err
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db.DB, migrations, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return 0, fmt.Errorf("reading the migrations: %w", err)
	}
	for {
		applied, err := provider.UpByOne(ctx)
		if errors.Is(err, goose.ErrNoNextVersion) {
			break
		}
		if err != nil {
			return 0, fmt.Errorf("migrating %s: %w", path, classify(err))
		}
		name := strings.TrimSuffix(filepath.Base(applied.Source.Path), ".sql")
		report(applied.Source.Version, name, applied.Duration)
	}
	version, err = provider.GetDBVersion(ctx)
	return version, classify(err)
}

// lock keeps other migrates away until unlock. goose has no lock for SQLite, and
// creates its version table before it begins a transaction. The lock is SQLite's
// own, on an empty file beside the database, so that it works on every system,
// does not stop readers, and ends with the process.
func lock(ctx context.Context, path string) (unlock func() error, err error) {
	db, err := connect(path+".migrate-lock", access{mode: "rwc", begin: "immediate", busyTimeout: migrateTimeout}, 1)
	if err != nil {
		return nil, err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return nil, errors.Join(classify(err), db.Close())
	}
	return func() error {
		return errors.Join(tx.Rollback(), db.Close())
	}, nil
}

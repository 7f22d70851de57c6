// Package sqlite keeps the orders in one SQLite file: the embedded default, for a
// laptop or a single machine.
//
// Several processes may share the file. It is in WAL mode, so it must be on a
// local file system: WAL needs memory that all of them can map. Readers never
// wait for the writer. Writers take turns, in a process on its one writing
// connection, between processes on SQLite's lock, for which a write waits
// busyTimeout, maxTries times.
//
// synchronous=FULL: when Save returns, its rows are on disk. The broker forgets a
// message once it is settled, so nothing less will do.
//
// What is erased may stay in the file's free pages until they are used again.
//
// Open never changes the schema. Migrate does, and it creates the file.
//
// Sources: sqlite.org/wal.html, sqlite.org/pragma.html#pragma_synchronous,
// sqlite.org/autoinc.html, sqlite.org/json1.html.
package sqlite

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/contoso/orders/shared/fault"
	"github.com/contoso/orders/shared/store"
	"github.com/jmoiron/sqlx"
)

// schemaVersion is the newest migration, which this code is written for.
const schemaVersion = 2

const (
	busyTimeout = 2 * time.Second // how long one try waits for another process's write
	maxTries    = 3               // of a call that finds the file locked
	maxReaders  = 4
)

// Store is a [store.Store] in one file.
type Store struct {
	writer  *sqlx.DB // one connection; its transactions begin immediate
	readers *sqlx.DB // maxReaders connections that cannot write
}

var _ store.Store = (*Store)(nil)

// Open opens the file that databaseURL names (see [Migrate] for its forms). The
// error is Unavailable when there is none, it cannot be written, or its schema is
// older than this program.
func Open(ctx context.Context, databaseURL string) (*Store, error) {
	return open(ctx, databaseURL, busyTimeout)
}

func open(ctx context.Context, databaseURL string, busyTimeout time.Duration) (_ *Store, err error) {
	path, err := pathOf(databaseURL)
	if err != nil {
		return nil, err
	}
	s := &Store{}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	// A deferred transaction that reads before it writes can find that another
	// process wrote in between; no waiting mends that. Hence immediate.
	if s.writer, err = connect(path, access{mode: "rw", begin: "immediate", busyTimeout: busyTimeout}, 1); err != nil {
		return nil, err
	}
	if s.readers, err = connect(path, access{mode: "rw", queryOnly: true, busyTimeout: busyTimeout}, maxReaders); err != nil {
		return nil, err
	}
	// The writer looks, not a reader: it is the one that needs the right to write.
	version, err := retry(ctx, func() (int64, error) { return versionOf(ctx, s.writer) })
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	if version < schemaVersion {
		return nil, fault.New(fault.Unavailable,
			"the schema of %s is at version %d and this program needs %d: run migrate first", path, version, schemaVersion)
	}
	return s, nil
}

// versionOf returns the schema's version, 0 for an empty database. A version
// above schemaVersion is fine: a roll-out migrates before it replaces programs.
func versionOf(ctx context.Context, db *sqlx.DB) (version int64, err error) {
	var known bool
	err = db.GetContext(ctx, &known, `SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'goose_db_version')`)
	if err != nil || !known {
		return 0, err
	}
	err = db.GetContext(ctx, &version, `SELECT coalesce(max(version_id), 0) FROM goose_db_version`)
	return version, err
}

// Ping implements [store.Store].
func (s *Store) Ping(ctx context.Context) error {
	_, err := retry(ctx, func() (hasOrders bool, err error) {
		err = s.readers.GetContext(ctx, &hasOrders, `SELECT EXISTS (SELECT 1 FROM orders)`)
		return hasOrders, err
	})
	if err != nil {
		return fmt.Errorf("asking the order store: %w", err)
	}
	return nil
}

// Close implements [store.Store]. The writer goes last: the last connection to a
// WAL file folds the log into the database, and readers may not.
func (s *Store) Close() error {
	var errs []error
	for _, db := range []*sqlx.DB{s.readers, s.writer} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}

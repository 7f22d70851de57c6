package mssql

import (
	"context"
	"database/sql"
	"time"

	"github.com/pressly/goose/v3/lock"
)

// What the tests of the wire compare with.
const (
	SchemaVersion = schemaVersion
	MaxTries      = maxTries
	MaxConns      = maxConns
	RetentionStep = retentionStep
)

// OpenWithTimeout is Open with another timeout of a call.
func OpenWithTimeout(ctx context.Context, databaseURL string, callTimeout time.Duration) (*Store, error) {
	return open(ctx, databaseURL, callTimeout)
}

// Locker is what migrate locks with.
func Locker(wait time.Duration) lock.SessionLocker { return locker{wait: wait} }

// DB is the store's pool.
func (s *Store) DB() *sql.DB { return s.db.DB }

// DSNOf returns what a URL becomes for the driver.
func DSNOf(databaseURL string) (dsn string, err error) {
	dsn, _, err = dsnOf(databaseURL)
	return dsn, err
}

package sqlite

import (
	"context"
	"runtime"
	"testing"
	"time"
)

// SchemaVersion lets the tests compare it with the migrations.
const SchemaVersion = schemaVersion

// OpenWithTimeout is Open with another busy timeout.
func OpenWithTimeout(ctx context.Context, databaseURL string, busyTimeout time.Duration) (*Store, error) {
	return open(ctx, databaseURL, busyTimeout)
}

// Exec runs a statement on the writing connection.
func (s *Store) Exec(t *testing.T, statement string) {
	t.Helper()
	if _, err := s.writer.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

// Query returns the one value that a statement selects on the writing connection.
func Query[T any](t *testing.T, s *Store, statement string) (value T) {
	t.Helper()
	if err := s.writer.GetContext(t.Context(), &value, statement); err != nil {
		t.Fatal(err)
	}
	return value
}

// Lock takes the write lock until unlock, as another process would.
func (s *Store) Lock(t *testing.T) (unlock func()) {
	t.Helper()
	tx, err := s.writer.BeginTxx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := tx.Rollback(); err != nil {
			t.Error(err)
		}
	}
}

// AwaitWriter returns once a Save holds the writing connection.
func (s *Store) AwaitWriter() {
	for s.writer.Stats().InUse == 0 {
		runtime.Gosched()
	}
}

package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/contoso/orders/shared/fault"
	"github.com/contoso/orders/shared/store"
	"github.com/contoso/orders/shared/store/sqlite"
	"github.com/contoso/orders/shared/store/storetest"
	"github.com/google/go-cmp/cmp"
)

func TestOrdersSurviveReopening(t *testing.T) {
	databaseURL := newFile(t)
	batch := storetest.Batch(storetest.Customer(), 10)
	s := openStore(t, databaseURL)
	want, err := s.Save(t.Context(), batch)
	if err = errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	got, err := openStore(t, databaseURL).Save(t.Context(), batch)
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		want[i].IsNew = false
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}

func TestOrderIDIsNeverUsedAgain(t *testing.T) {
	databaseURL := newFile(t)
	s := openStore(t, databaseURL)
	first, err := s.Save(t.Context(), storetest.Batch(storetest.Customer(), 3))
	if err != nil {
		t.Fatal(err)
	}
	s.Exec(t, `DELETE FROM order_lines`)
	s.Exec(t, `DELETE FROM orders`)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	next, err := openStore(t, databaseURL).Save(t.Context(), storetest.Batch(storetest.Customer(), 1))
	if err != nil {
		t.Fatal(err)
	}
	if next[0].OrderID <= first[2].OrderID {
		t.Errorf("OrderID %d, after %d was given", next[0].OrderID, first[2].OrderID)
	}
}

func TestEveryCommitIsOnDisk(t *testing.T) {
	s := openStore(t, newFile(t))
	if got := sqlite.Query[string](t, s, `PRAGMA journal_mode`); got != "wal" {
		t.Errorf("journal_mode = %s, want wal", got)
	}
	if got := sqlite.Query[int](t, s, `PRAGMA synchronous`); got != 2 {
		t.Errorf("synchronous = %d, want 2 (full)", got)
	}
	if got := sqlite.Query[bool](t, s, `PRAGMA foreign_keys`); !got {
		t.Error("foreign_keys is off")
	}
}

func TestFileNameMayHoldAnyCharacter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b#c?d%20e&mode=ro")
	databaseURL := "sqlite://" + strings.NewReplacer("%", "%25", "#", "%23", "?", "%3F").Replace(path)
	if _, err := sqlite.Migrate(t.Context(), databaseURL, func(int64, string, time.Duration) {}); err != nil {
		t.Fatal(err)
	}
	openStore(t, databaseURL)
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

func TestRelativeURLIsFromTheWorkingDirectory(t *testing.T) {
	t.Chdir(t.TempDir())
	if _, err := sqlite.Migrate(t.Context(), "sqlite:data/orders.db", func(int64, string, time.Duration) {}); err != nil {
		t.Fatal(err)
	}
	openStore(t, "sqlite:data/orders.db")
	if _, err := os.Stat("data/orders.db"); err != nil {
		t.Error(err)
	}
}

func TestURLThatNamesNoFileIsInvalid(t *testing.T) {
	for _, databaseURL := range []string{
		"", "sqlite:", "sqlite://", "sqlite::memory:", "sqlite://data/orders.db", "sqlite:///orders.db?mode=ro",
		"sqlite:///orders.db#1", "sqlite://user:pass@/orders.db", "sqlite:%zz", "file:orders.db", "/orders.db",
	} {
		if s, err := sqlite.Open(t.Context(), databaseURL); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%q: store %v, error %v; want invalid", databaseURL, s, err)
		}
	}
}

func TestMissingFileIsUnavailableAndIsNotCreated(t *testing.T) {
	path := t.TempDir() + "/orders.db"
	if _, err := sqlite.Open(t.Context(), "sqlite://"+path); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("error = %v, want unavailable", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file is there now: %v", err)
	}
}

func TestUnusablePathIsUnavailable(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/file", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, databaseURL := range map[string]string{
		"a directory":            "sqlite://" + dir,
		"below a file":           "sqlite://" + dir + "/file/orders.db",
		"in a missing directory": "sqlite://" + dir + "/missing/orders.db",
	} {
		if _, err := sqlite.Open(t.Context(), databaseURL); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("%s: error = %v, want unavailable", name, err)
		}
	}
	_, err := sqlite.Migrate(t.Context(), "sqlite://"+dir+"/file/orders.db", func(int64, string, time.Duration) {})
	if fault.KindOf(err) != fault.Unavailable {
		t.Errorf("migrate below a file: error = %v, want unavailable", err)
	}
}

func TestLockedFileIsUnavailableForWritersOnly(t *testing.T) {
	databaseURL := newFile(t)
	other := openStore(t, databaseURL)
	old := storetest.Submission(storetest.Customer())
	if _, err := other.Save(t.Context(), []store.Submission{old}); err != nil {
		t.Fatal(err)
	}
	s, err := sqlite.OpenWithTimeout(t.Context(), databaseURL, 10*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })

	unlock := other.Lock(t)
	sub := storetest.Submission(storetest.Customer())
	_, err = s.Save(t.Context(), []store.Submission{sub})
	if fault.KindOf(err) != fault.Unavailable {
		t.Errorf("error = %v, want unavailable", err)
	}
	if _, err := s.Get(t.Context(), old.Customer, old.Nonce()); err != nil {
		t.Errorf("reading meanwhile: %v", err)
	}
	unlock()
	if _, err := s.Save(t.Context(), []store.Submission{sub}); err != nil {
		t.Errorf("after the lock is gone: %v", err)
	}
}

// saveUnderLock starts a Save while another holds the write lock, and returns once
// the Save waits for it.
func saveUnderLock(ctx context.Context, t *testing.T) (result <-chan error, unlock func()) {
	t.Helper()
	databaseURL := newFile(t)
	other, s := openStore(t, databaseURL), openStore(t, databaseURL)
	unlock = other.Lock(t)
	saved := make(chan error, 1)
	go func() {
		_, err := s.Save(ctx, []store.Submission{storetest.Submission(storetest.Customer())})
		saved <- err
	}()
	s.AwaitWriter()
	return saved, unlock
}

func TestWriterWaitsForAnother(t *testing.T) {
	saved, unlock := saveUnderLock(t.Context(), t)
	select {
	case err := <-saved:
		t.Errorf("Save returned under another's lock, error %v", err)
	default:
	}
	unlock()
	if err := <-saved; err != nil {
		t.Error(err)
	}
}

func TestCancelledWriterStopsWaiting(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	saved, unlock := saveUnderLock(ctx, t)
	defer unlock()
	cancel()
	if err := <-saved; !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v, want canceled", err)
	}
}

func TestFullDiskIsUnavailableAndLeavesNothingHalfWritten(t *testing.T) {
	s := openStore(t, newFile(t))
	first := storetest.Batch(storetest.Customer(), 5)
	if _, err := s.Save(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	s.Exec(t, fmt.Sprintf(`PRAGMA max_page_count = %d`, sqlite.Query[int](t, s, `PRAGMA page_count`)))

	batch := storetest.Batch(storetest.Customer(), store.MaxBatch)
	_, err := s.Save(t.Context(), batch)
	if fault.KindOf(err) != fault.Unavailable {
		t.Errorf("error = %v, want unavailable", err)
	}
	if got := sqlite.Query[int](t, s, `SELECT count(*) FROM orders`); got != len(first) {
		t.Errorf("%d orders, want %d", got, len(first))
	}
	if got := sqlite.Query[int](t, s, `SELECT count(*) FROM order_lines`); got != len(first) {
		t.Errorf("%d lines, want %d", got, len(first))
	}

	s.Exec(t, `PRAGMA max_page_count = 4294967294`)
	if _, err := s.Save(t.Context(), batch); err != nil {
		t.Errorf("with room again: %v", err)
	}
}

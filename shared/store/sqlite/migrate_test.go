package sqlite_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/contoso/orders/shared/fault"
	"github.com/contoso/orders/shared/store/sqlite"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"
)

func TestMigrateAppliesEachMigrationOnce(t *testing.T) {
	names, err := fs.Glob(os.DirFS("migrations"), "*.sql")
	if err != nil || len(names) == 0 {
		t.Fatalf("migrations %v, error %v", names, err)
	}
	var want []string
	for _, name := range names {
		want = append(want, strings.TrimSuffix(name, ".sql"))
	}
	databaseURL := "sqlite://" + t.TempDir() + "/orders.db"
	for run, want := range [][]string{want, nil} {
		var got []string
		version, err := sqlite.Migrate(t.Context(), databaseURL, func(_ int64, name string, _ time.Duration) {
			got = append(got, name)
		})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("run %d applied (-want +got):\n%s", run, diff)
		}
		if version != sqlite.SchemaVersion || version != int64(len(names)) {
			t.Errorf("run %d: version %d, want %d as the code and %d as the files say", run, version, sqlite.SchemaVersion, len(names))
		}
	}
}

func TestMigratesAtOnceTakeTurns(t *testing.T) {
	databaseURL := "sqlite://" + t.TempDir() + "/orders.db"
	var applied atomic.Int64
	g, ctx := errgroup.WithContext(t.Context())
	for range 8 {
		g.Go(func() error {
			_, err := sqlite.Migrate(ctx, databaseURL, func(int64, string, time.Duration) { applied.Add(1) })
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	if got := applied.Load(); got != sqlite.SchemaVersion {
		t.Errorf("%d migrations applied, want %d", got, sqlite.SchemaVersion)
	}
	openStore(t, databaseURL)
}

func TestMigrateRunsBesideAnOpenStore(t *testing.T) {
	databaseURL := newFile(t)
	openStore(t, databaseURL)
	if _, err := sqlite.Migrate(t.Context(), databaseURL, func(int64, string, time.Duration) {}); err != nil {
		t.Error(err)
	}
}

func TestSchemaBehindTheProgramSaysToMigrate(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.db")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	behind := newFile(t)
	openStore(t, behind).Exec(t, `DELETE FROM goose_db_version WHERE version_id > 0`)

	for name, databaseURL := range map[string]string{"empty": "sqlite://" + empty, "behind": behind} {
		_, err := sqlite.Open(t.Context(), databaseURL)
		if fault.KindOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "run migrate") {
			t.Errorf("%s: error = %v, want one that says to run migrate", name, err)
		}
	}
}

func TestSchemaAheadOfTheProgramOpens(t *testing.T) {
	databaseURL := newFile(t)
	openStore(t, databaseURL).Exec(t, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)`)
	if err := openStore(t, databaseURL).Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestFileThatIsNoDatabaseIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "orders.db")
	if err := os.WriteFile(path, []byte(strings.Repeat("these are not the pages you seek\n", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.Open(t.Context(), "sqlite://"+path); err == nil {
		t.Error("it opens")
	}
}

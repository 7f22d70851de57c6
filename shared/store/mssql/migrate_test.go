package mssql_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/contoso/orders/shared/fault"
	"github.com/contoso/orders/shared/store/mssql"
	"github.com/contoso/orders/shared/store/mssql/internal/tdstest"
	"github.com/google/go-cmp/cmp"
)

// versions answers goose's questions about its table from a list, and what else
// comes with success. It keeps a line for each thing that migrate does.
type versions struct {
	mu      sync.Mutex
	applied []int64 // nil while there is no table
	lock    []int   // answers to sp_getapplock, in turn; 0 when there are no more
	fail    map[string]tdstest.Reply
	log     []string
}

func result(name string, t tdstest.Type, value any) tdstest.Reply {
	return tdstest.Rows([]tdstest.Column{{Name: name, Type: t}}, []any{value})
}

func (v *versions) answer(r tdstest.Request) tdstest.Reply {
	v.mu.Lock()
	defer v.mu.Unlock()
	for part, reply := range v.fail {
		if strings.Contains(r.SQL, part) {
			v.log = append(v.log, "FAIL "+part)
			return reply
		}
	}
	words := strings.Fields(r.SQL)
	switch {
	case r.Kind == tdstest.Login:
		return tdstest.Reply{}
	case r.SQL == mssql.Texts["lockSQL"].SQL:
		v.log = append(v.log, "lock")
		answer := 0
		if len(v.lock) > 0 {
			answer, v.lock = v.lock[0], v.lock[1:]
		}
		return result("Result", tdstest.Int, answer)
	case r.SQL == mssql.Texts["unlockSQL"].SQL:
		v.log = append(v.log, "unlock")
		return result("Result", tdstest.Int, 0)
	case r.Kind != tdstest.Batch && r.Kind != tdstest.RPC:
		v.log = append(v.log, string(r.Kind))
		return tdstest.Reply{}
	case words[0] == "SELECT" && v.applied == nil:
		return tdstest.Fail(208)
	case strings.HasPrefix(r.SQL, "SELECT TOP 1 tstamp"):
		return tdstest.Rows([]tdstest.Column{{Name: "tstamp", Type: tdstest.DateTime2}, {Name: "is_applied", Type: tdstest.Bit}}, []any{completedAt, true})
	case strings.HasPrefix(r.SQL, "SELECT version_id"):
		var rows [][]any
		for i := len(v.applied) - 1; i >= 0; i-- {
			rows = append(rows, []any{v.applied[i], true})
		}
		return tdstest.Rows([]tdstest.Column{{Name: "version_id", Type: tdstest.BigInt}, {Name: "is_applied", Type: tdstest.Bit}}, rows...)
	case strings.HasPrefix(r.SQL, "SELECT MAX"):
		return result("", tdstest.BigInt, v.applied[len(v.applied)-1])
	case words[0] == "INSERT":
		v.applied = append(v.applied, r.Params["p1"].(int64))
	}
	inTran := ""
	if !r.InTran {
		inTran = " outside a transaction"
	}
	v.log = append(v.log, strings.Join(words[:3], " ")+inTran)
	return tdstest.Reply{}
}

func ignore(int64, string, time.Duration) {}

func TestMigrateAppliesWhatIsMissingUnderItsLock(t *testing.T) {
	names, err := fs.Glob(os.DirFS("migrations"), "*.sql")
	if err != nil || len(names) != mssql.SchemaVersion {
		t.Fatalf("migrations %v for version %d, error %v", names, mssql.SchemaVersion, err)
	}
	var want []string
	for _, name := range names {
		want = append(want, strings.TrimSuffix(filepath.Base(name), ".sql"))
	}
	v := &versions{}
	server := tdstest.Start(t, v.answer)
	for run, want := range [][]string{want, nil} {
		var got []string
		version, err := mssql.Migrate(t.Context(), server.URL(), func(_ int64, name string, _ time.Duration) { got = append(got, name) })
		if diff := cmp.Diff(want, got); err != nil || version != mssql.SchemaVersion || diff != "" {
			t.Errorf("run %d: version %d, error %v, applied (-want +got):\n%s", run, version, err, diff)
		}
	}
	wantLog := []string{
		"begin", "CREATE TABLE dbo.goose_db_version", "INSERT INTO dbo.goose_db_version", "commit", // not under the lock: see below
		"lock", "begin", "CREATE TABLE dbo.orders", "CREATE NONCLUSTERED INDEX", "CREATE TABLE dbo.order_lines", "INSERT INTO dbo.goose_db_version", "commit", "unlock",
		"lock", "begin", "CREATE TABLE dbo.order_tombstones", "CREATE NONCLUSTERED INDEX", "INSERT INTO dbo.goose_db_version", "commit", "unlock",
		"lock", "unlock", // the version
		"lock", "unlock", // the second run
	}
	if diff := cmp.Diff(wantLog, v.log); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

func TestMigrateWaitsForAnother(t *testing.T) {
	v := &versions{applied: []int64{0, 1}, lock: []int{-1, -1, 1}}
	server := tdstest.Start(t, v.answer)
	if _, err := mssql.Migrate(t.Context(), server.URL(), ignore); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"lock", "lock", "lock", "begin", "CREATE TABLE dbo.order_tombstones", "CREATE NONCLUSTERED INDEX", "INSERT INTO dbo.goose_db_version", "commit", "unlock",
		"lock", "unlock", // the version
	}
	if diff := cmp.Diff(want, v.log); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
	var requests int
	for _, r := range server.Requests() {
		if r.SQL == mssql.Texts["lockSQL"].SQL {
			requests++
			want := map[string]any{"resource": "orders.migrate", "wait": int64(5000)}
			if diff := cmp.Diff(want, r.Params); diff != "" || r.Declared != mssql.Texts["lockSQL"].Declared {
				t.Errorf("declared %s (-want +got):\n%s", r.Declared, diff)
			}
		}
	}
	if requests != 4 {
		t.Errorf("%d requests of the lock, want 4", requests)
	}
}

func TestMigrateStopsWaitingWhenItsTimeIsOver(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	server := tdstest.Start(t, func(r tdstest.Request) tdstest.Reply {
		if r.SQL == mssql.Texts["lockSQL"].SQL {
			cancel()
			return result("Result", tdstest.Int, -1)
		}
		return tdstest.Reply{}
	})
	if _, err := mssql.Migrate(ctx, server.URL(), ignore); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v, want canceled", err)
	}
}

func TestLockThatIsRefusedIsNoLock(t *testing.T) {
	for _, answer := range []int{-2, -3, -999} {
		v := &versions{applied: []int64{0}, lock: []int{answer}}
		server := tdstest.Start(t, v.answer)
		_, err := mssql.Migrate(t.Context(), server.URL(), ignore)
		if fault.KindOf(err) != fault.Unavailable {
			t.Errorf("%d: error = %v, want unavailable", answer, err)
		}
		if diff := cmp.Diff([]string{"lock"}, v.log); diff != "" {
			t.Errorf("%d: log (-want +got):\n%s", answer, diff)
		}
	}
}

func TestFailedMigrationIsRolledBackAndGivesTheLockUp(t *testing.T) {
	aborted := tdstest.Fail(2714)
	aborted.Aborts = true
	for name, reply := range map[string]tdstest.Reply{"statement": tdstest.Fail(2714), "and the transaction with it": aborted} {
		v := &versions{applied: []int64{0}, fail: map[string]tdstest.Reply{"TABLE dbo.order_lines": reply}}
		server := tdstest.Start(t, v.answer)
		_, err := mssql.Migrate(t.Context(), server.URL(), ignore)
		if fault.KindOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "2714") {
			t.Errorf("%s: error = %v", name, err)
		}
		want := []string{"lock", "begin", "CREATE TABLE dbo.orders", "CREATE NONCLUSTERED INDEX", "FAIL TABLE dbo.order_lines", "rollback", "unlock"}
		if reply.Aborts { // the driver knows that there is nothing to roll back
			want = []string{"lock", "begin", "CREATE TABLE dbo.orders", "CREATE NONCLUSTERED INDEX", "FAIL TABLE dbo.order_lines", "unlock"}
		}
		if diff := cmp.Diff(want, v.log); diff != "" {
			t.Errorf("%s: log (-want +got):\n%s", name, diff)
		}
	}
}

// The server may end a transaction and go on with the script: the driver finds out
// at COMMIT, with an error that has number 0.
func TestMigrationThatTheServerAbortedInSilenceIsAnError(t *testing.T) {
	v := &versions{applied: []int64{0}}
	quiet := tdstest.Start(t, func(r tdstest.Request) tdstest.Reply {
		reply := v.answer(r)
		if strings.Contains(r.SQL, "TABLE dbo.order_lines") {
			reply.Aborts = true
		}
		return reply
	})
	_, err := mssql.Migrate(t.Context(), quiet.URL(), ignore)
	if fault.KindOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "aborted by the server") {
		t.Errorf("error = %v, want that of a transaction that is no more", err)
	}
}

// goose makes its table before it asks for the lock. Where another was faster, it
// looks again.
func TestVersionTableThatAnotherMadeMeanwhileIsUsed(t *testing.T) {
	v := &versions{}
	server := tdstest.Start(t, func(r tdstest.Request) tdstest.Reply {
		if strings.Contains(r.SQL, "CREATE TABLE dbo.goose_db_version") {
			v.mu.Lock()
			defer v.mu.Unlock()
			v.applied = []int64{0, 1, 2}
			return tdstest.Fail(2714)
		}
		return v.answer(r)
	})
	if version, err := mssql.Migrate(t.Context(), server.URL(), ignore); err != nil || version != 2 {
		t.Errorf("version %d, error %v", version, err)
	}
}

package mssql_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/contoso/orders/shared/store"
	"github.com/contoso/orders/shared/store/mssql"
	"github.com/contoso/orders/shared/store/storetest"
	_ "github.com/microsoft/go-mssqldb"
	_ "github.com/microsoft/go-mssqldb/azuread"
	"golang.org/x/sync/errgroup"
)

// urlEnv names a real server. Its user must be able to create and drop databases;
// the tests make one of their own, migrate it, and drop it at the end. The database
// in the URL is only connected to.
const urlEnv = "MSSQL_URL"

// realServer makes a database on the server of MSSQL_URL, and returns its URL.
func realServer(t *testing.T) (databaseURL string) {
	t.Helper()
	given := os.Getenv(urlEnv)
	if given == "" {
		t.Skipf("%s is not set: what SQL Server itself does is not tested", urlEnv)
	}
	dsn, err := mssql.DSNOf(given)
	if err != nil {
		t.Fatalf("%s: %v", urlEnv, err)
	}
	driver, _, _ := strings.Cut(given, ":") // sqlserver or azuresql
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatalf("%s cannot be used", urlEnv)
	}
	name := "orders_test_" + strings.ToLower(rand.Text()[:12])
	for _, statement := range []string{
		"CREATE DATABASE " + name,
		"ALTER DATABASE " + name + " SET READ_COMMITTED_SNAPSHOT ON", // Azure has it on already
	} {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
		defer cancel()
		_, err := db.ExecContext(ctx, "DROP DATABASE "+name)
		for err != nil && ctx.Err() == nil { // the server may not have noticed yet that its last user has left
			time.Sleep(time.Second)
			_, err = db.ExecContext(ctx, "DROP DATABASE "+name)
		}
		if err := errors.Join(err, db.Close()); err != nil {
			t.Errorf("database %s is left: %v", name, err)
		}
	})
	u, err := url.Parse(given)
	if err != nil {
		t.Fatalf("%s is not a URL", urlEnv)
	}
	query := url.Values{}
	for name, values := range u.Query() {
		if !strings.EqualFold(name, "database") {
			query[name] = values
		}
	}
	query.Set("database", name)
	u.RawQuery = query.Encode()
	return u.String()
}

func openReal(t *testing.T, databaseURL string) *mssql.Store {
	t.Helper()
	s, err := mssql.Open(t.Context(), databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestRealServer(t *testing.T) {
	databaseURL := realServer(t)
	var applied atomic.Int64
	var migrates errgroup.Group
	for range 3 { // at once
		migrates.Go(func() error {
			version, err := mssql.Migrate(t.Context(), databaseURL, func(int64, string, time.Duration) { applied.Add(1) })
			if err == nil && version != mssql.SchemaVersion {
				err = fmt.Errorf("version %d", version)
			}
			return err
		})
	}
	if err := migrates.Wait(); err != nil {
		t.Fatal(err)
	}
	if got := applied.Load(); got != mssql.SchemaVersion {
		t.Errorf("%d migrations applied, want %d", got, mssql.SchemaVersion)
	}

	t.Run("Conformance", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) store.Store { return openReal(t, databaseURL) })
	})
	t.Run("TransactionLeftByACancelHoldsNoLock", func(t *testing.T) {
		s := openReal(t, databaseURL)
		batch := storetest.Batch(storetest.Customer(), store.MaxBatch)
		for wait := time.Duration(0); wait < 50*time.Millisecond; wait += 2 * time.Millisecond {
			ctx, cancel := context.WithTimeout(t.Context(), wait)
			_, _ = s.Save(ctx, batch)
			cancel()
		}
		if _, err := s.Save(t.Context(), batch); err != nil {
			t.Error(err)
		}
	})
	t.Run("SnapshotOffIsRefused", func(t *testing.T) {
		s := openReal(t, databaseURL)
		if _, err := s.DB().ExecContext(t.Context(), "ALTER DATABASE CURRENT SET READ_COMMITTED_SNAPSHOT OFF WITH ROLLBACK IMMEDIATE"); err != nil {
			t.Skipf("the server will not turn it off: %v", err)
		}
		if _, err := mssql.Open(t.Context(), databaseURL); err == nil {
			t.Error("it opens")
		}
	})
}

package sqlite_test

import (
	"testing"
	"time"

	"github.com/contoso/orders/shared/store"
	"github.com/contoso/orders/shared/store/sqlite"
	"github.com/contoso/orders/shared/store/storetest"
)

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return openStore(t, newFile(t)) })
}

// newFile returns the URL of a migrated file of the test's own.
func newFile(t testing.TB) (databaseURL string) {
	t.Helper()
	databaseURL = "sqlite://" + t.TempDir() + "/orders.db"
	if _, err := sqlite.Migrate(t.Context(), databaseURL, func(int64, string, time.Duration) {}); err != nil {
		t.Fatal(err)
	}
	return databaseURL
}

func openStore(t testing.TB, databaseURL string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), databaseURL)
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

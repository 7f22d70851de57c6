package open_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/contoso/orders/shared/fault"
	"github.com/contoso/orders/shared/store/open"
	"github.com/google/go-cmp/cmp"
	"github.com/sethvargo/go-envconfig"
)

func ignore(int64, string, time.Duration) {}

func TestURLWithUnknownSchemeIsRefusedByName(t *testing.T) {
	for name, url := range map[string]string{
		"another database": "oracle://user:hunter2@host/orders",
		"a bare path":      "/var/lib/orders.db",
		"empty":            "",
		"not a URL":        "sqlserver://user:hunter2\x7f@host",
		"a bad port":       "sqlserver://user:hunter2/orders@host:x:y",
	} {
		t.Run(name, func(t *testing.T) {
			_, openErr := open.Open(t.Context(), open.Config{URL: url})
			_, migrateErr := open.Migrate(t.Context(), open.Config{URL: url}, ignore)
			for _, err := range []error{openErr, migrateErr} {
				if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "supported schemes: sqlite, sqlserver, azuresql") {
					t.Errorf("error = %v, want one that lists the schemes", err)
				}
				if strings.Contains(err.Error(), "hunter2") {
					t.Errorf("error %q tells the password", err)
				}
			}
		})
	}
}

func TestServersAreReachedByTheirSchemes(t *testing.T) {
	for url, want := range map[string]fault.Kind{
		"sqlserver://sa:hunter2@127.0.0.1:1?database=orders":                             fault.Unavailable, // nobody listens there
		"azuresql://127.0.0.1:1?database=orders&fedauth=ActiveDirectoryWorkloadIdentity": fault.Unavailable,
		"azuresql://sa:hunter2@127.0.0.1:1?database=orders":                              fault.Invalid,
	} {
		s, openErr := open.Open(t.Context(), open.Config{URL: url})
		_, migrateErr := open.Migrate(t.Context(), open.Config{URL: url}, ignore)
		for _, err := range []error{openErr, migrateErr} {
			if s != nil || fault.KindOf(err) != want || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s: store %v, error %v; want %v", url, s, err, want)
			}
		}
	}
}

func TestMigratedFileOpens(t *testing.T) {
	cfg := open.Config{URL: "sqlite://" + t.TempDir() + "/new/directory/orders.db"}
	if _, err := open.Open(t.Context(), cfg); fault.KindOf(err) != fault.Unavailable {
		t.Fatalf("before migrate: error = %v, want unavailable", err)
	}
	if _, err := open.Migrate(t.Context(), cfg, ignore); err != nil {
		t.Fatal(err)
	}
	s, err := open.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Ping(t.Context()), s.Close()); err != nil {
		t.Error(err)
	}
}

func TestCredentialsAreNotLogged(t *testing.T) {
	for url, want := range map[string]string{
		"sqlite:///data/orders.db":                                "sqlite:///data/orders.db",
		"sqlite:data/orders.db":                                   "sqlite:data/orders.db",
		"sqlserver://sa:hunter2@db:1433?password=hunter2":         "sqlserver://db:1433",
		"azuresql://db?database=orders&fedauth=x&user+id=hunter2": "azuresql://db",
		"Server=db;Password=hunter2":                              "not a URL",
		"sqlserver:server=db;password=hunter2":                    "sqlserver:",
	} {
		var out bytes.Buffer
		slog.New(slog.NewTextHandler(&out, nil)).Info("configured", "database", open.Config{URL: url})
		if got := out.String(); !strings.Contains(got, want) || strings.Contains(got, "hunter2") {
			t.Errorf("%s is logged as %s, want %s", url, got, want)
		}
	}
}

func TestConfigComesFromTheEnvironment(t *testing.T) {
	var got open.Config
	env := envconfig.MapLookuper(map[string]string{"DATABASE_URL": "sqlite:orders.db"})
	if err := envconfig.ProcessWith(t.Context(), &envconfig.Config{Target: &got, Lookuper: env}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(open.Config{URL: "sqlite:orders.db"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := envconfig.ProcessWith(t.Context(), &envconfig.Config{Target: &open.Config{}, Lookuper: envconfig.MapLookuper(nil)}); err == nil {
		t.Error("no DATABASE_URL, and no error")
	}
}

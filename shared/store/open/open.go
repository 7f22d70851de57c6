// Package open finds the store that a URL names. It is apart from package store so
// that those who only use a store do not link every database driver.
//
// Schemes:
//
//	sqlite:///absolute/path                          one SQLite file, see package sqlite
//	sqlite:relative/path                             the same, from the working directory
//	sqlserver://user:password@host?database=orders   SQL Server, see package mssql
//	azuresql://host?database=orders&fedauth=ActiveDirectoryWorkloadIdentity
//	                                                 Azure SQL Database, as an Entra identity
package open

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/contoso/orders/shared/fault"
	"github.com/contoso/orders/shared/store"
	"github.com/contoso/orders/shared/store/mssql"
	"github.com/contoso/orders/shared/store/sqlite"
)

// Config says which database holds the orders.
type Config struct {
	// URL may hold a password; LogValue leaves it out.
	URL string `env:"DATABASE_URL, required" help:"the order store: sqlite:///absolute/path, sqlite:relative/path, sqlserver://user:password@host?database=orders or azuresql://host?database=orders&fedauth=ActiveDirectoryWorkloadIdentity"`
}

// LogValue implements [slog.LogValuer]: the scheme, host and path of the URL. The
// rest may hold credentials.
func (c Config) LogValue() slog.Value {
	u, err := url.Parse(c.URL)
	if err != nil || u.Scheme == "" {
		return slog.StringValue("not a URL")
	}
	shown := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	if u.Scheme == "sqlite" {
		shown.Opaque = u.Opaque // a relative path; elsewhere it may be a connection string
	}
	return slog.StringValue(shown.String())
}

// supported are the schemes that Open and Migrate know. The two choose apart from
// each other, so that a program which only opens does not link what migrates.
const supported = "sqlite, sqlserver, azuresql"

// scheme returns that of the URL. Errors never hold the URL: it may have a
// password.
func (c Config) scheme() (string, error) {
	u, err := url.Parse(c.URL)
	if err != nil || u.Scheme == "" {
		return "", fault.New(fault.Invalid, "DATABASE_URL is not a URL; supported schemes: %s", supported)
	}
	return u.Scheme, nil
}

func unsupported(scheme string) error {
	return fault.New(fault.Invalid, "DATABASE_URL has scheme %q; supported schemes: %s", scheme, supported)
}

// Open opens the store. It fails with kind Unavailable when the database cannot be
// reached or its schema is older than this program, and never changes the schema.
func Open(ctx context.Context, c Config) (store.Store, error) {
	scheme, err := c.scheme()
	if err != nil {
		return nil, err
	}
	switch scheme {
	case "sqlite":
		s, err := sqlite.Open(ctx, c.URL)
		if err != nil { // return no s: a nil *sqlite.Store is not a nil store.Store
			return nil, fmt.Errorf("opening the order store: %w", err)
		}
		return s, nil
	case "sqlserver", "azuresql":
		s, err := mssql.Open(ctx, c.URL)
		if err != nil {
			return nil, fmt.Errorf("opening the order store: %w", err)
		}
		return s, nil
	}
	return nil, unsupported(scheme)
}

// Migrate brings the database's schema up to this version and returns it, calling
// report after each migration that it applied. It may run in several processes at
// once; where there is nothing to do it does nothing.
func Migrate(ctx context.Context, c Config, report func(version int64, name string, took time.Duration)) (version int64, err error) {
	scheme, err := c.scheme()
	if err != nil {
		return 0, err
	}
	switch scheme {
	case "sqlite":
		version, err = sqlite.Migrate(ctx, c.URL, report)
	case "sqlserver", "azuresql":
		version, err = mssql.Migrate(ctx, c.URL, report)
	default:
		return 0, unsupported(scheme)
	}
	if err != nil {
		return 0, fmt.Errorf("migrating the order store: %w", err)
	}
	return version, nil
}

package sqlite

import (
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"
	"time"

	"github.com/contoso/orders/shared/fault"
	"github.com/jmoiron/sqlx"
	_ "modernc.org/sqlite" // the driver named "sqlite"
)

// pathOf returns the absolute path of the file that a URL names.
func pathOf(databaseURL string) (string, error) {
	const forms = "a sqlite URL is sqlite:///absolute/path or sqlite:relative/path"
	u, err := url.Parse(databaseURL)
	if err != nil || u.Scheme != "sqlite" {
		return "", fault.New(fault.Invalid, forms)
	}
	if u.Host != "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		// sqlite://data/orders.db would put the file into another directory than it
		// seems to say: data is a host there.
		return "", fault.New(fault.Invalid, "%s, with no host, query or fragment", forms)
	}
	path := u.Path
	if u.Opaque != "" {
		if path, err = url.PathUnescape(u.Opaque); err != nil {
			return "", fault.New(fault.Invalid, forms)
		}
	}
	if path == "" || path == ":memory:" {
		return "", fault.New(fault.Invalid, "%s: processes share the file, so there must be one", forms)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("finding %s: %w", path, err)
	}
	return abs, nil
}

// access is how a connection uses a file.
type access struct {
	mode        string // rw, or rwc to create the file
	begin       string // how transactions begin: immediate takes the write lock at once, exclusive all of them
	queryOnly   bool
	busyTimeout time.Duration
}

// connect returns a pool of up to n connections to the database at path, none of
// them open yet.
func connect(path string, a access, n int) (*sqlx.DB, error) {
	q := url.Values{
		"mode":          {a.mode},
		"_busy_timeout": {strconv.FormatInt(a.busyTimeout.Milliseconds(), 10)},
		"_foreign_keys": {"on"},
		"_journal_mode": {"WAL"},
		"_synchronous":  {"FULL"},
		"_error_rc":     {"1"}, // else a file that cannot be opened is reported as "out of memory"
	}
	if a.begin != "" {
		q.Set("_txlock", a.begin)
	}
	if a.queryOnly {
		q.Set("_query_only", "on")
	}
	name := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}
	db, err := sqlx.Open("sqlite", name.String())
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	db.SetMaxOpenConns(n)
	db.SetMaxIdleConns(n)
	return db, nil
}

package mssql

import (
	"context"
	"database/sql/driver"
	"net/url"
	"slices"
	"strings"

	"github.com/contoso/orders/shared/fault"
	mssqldb "github.com/microsoft/go-mssqldb"
	"github.com/microsoft/go-mssqldb/azuread"
)

// parameters are those that a URL may have. What is not here is refused, since the
// driver ignores what it does not know, and some of what it does know would break
// this package: "guid conversion" swaps the bytes of every CorrelationId, "log"
// prints parameters, and "password" puts a secret where LogValue would not look.
var parameters = []string{
	"database", "encrypt", "trustservercertificate", "hostnameincertificate", "certificate", "tlsmin",
	"dial timeout", "keepalive", "packet size", "app name", "fedauth", "user id",
}

// defaults are the parameters that a URL has unless it says otherwise.
var defaults = map[string]string{
	"encrypt": "true", "packet size": "16383", "app name": "orders", "dial timeout": "15",
}

// dsnOf turns a URL into the driver's, with every default written out. Errors hold
// nothing of it, since it may have a password.
func dsnOf(databaseURL string) (dsn string, isEntra bool, err error) {
	invalid := func(why string) (string, bool, error) {
		return "", false, fault.New(fault.Invalid, "a SQL Server URL is sqlserver://user:password@host:1433?database=orders or "+
			"azuresql://host?database=orders&fedauth=ActiveDirectoryWorkloadIdentity; %s", why)
	}
	u, err := url.Parse(databaseURL)
	if err != nil || u.Host == "" || u.Fragment != "" || u.Scheme != "sqlserver" && u.Scheme != "azuresql" {
		return invalid("this is neither")
	}
	if u.Path != "" && u.Path != "/" {
		return invalid("a path would name an instance, and the database is a parameter") // sqlserver://host/orders
	}
	given, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return invalid("its parameters cannot be read")
	}
	query := url.Values{}
	for name, values := range given {
		name := strings.ToLower(name) // as the driver does
		if !slices.Contains(parameters, name) {
			return invalid("the package comment of shared/store/mssql lists the parameters, and one of these is not among them")
		}
		if len(values) != 1 || query.Has(name) || values[0] == "" {
			return invalid("a parameter is there twice, or empty")
		}
		query.Set(name, values[0])
	}
	for name, value := range defaults {
		if !query.Has(name) {
			query.Set(name, value)
		}
	}
	isEntra = u.Scheme == "azuresql"
	encrypt := strings.ToLower(query.Get("encrypt"))
	switch {
	case !query.Has("database"):
		return invalid("database is missing")
	case !slices.Contains([]string{"true", "strict", "disable"}, encrypt):
		return invalid("encrypt is true, strict or disable") // false would encrypt the login alone
	case isEntra && (!query.Has("fedauth") || u.User != nil || encrypt == "disable"):
		return invalid("azuresql needs fedauth, takes no user or password, and is always encrypted")
	case !isEntra && (u.User == nil || query.Has("fedauth") || query.Has("user id")):
		return invalid("sqlserver needs a user, and fedauth needs azuresql")
	}
	u.Scheme, u.Path, u.RawQuery = "sqlserver", "", query.Encode()
	return u.String(), isEntra, nil
}

// newConnector returns what opens connections to the database.
func newConnector(databaseURL string) (driver.Connector, error) {
	dsn, isEntra, err := dsnOf(databaseURL)
	if err != nil {
		return nil, err
	}
	makeConnector := mssqldb.NewConnector
	if isEntra {
		makeConnector = azuread.NewConnector
	}
	c, err := makeConnector(dsn)
	if err != nil { // it may quote the URL
		return nil, fault.New(fault.Invalid, "the SQL Server driver refuses a parameter of the URL")
	}
	return connector{c}, nil
}

// connector marks the errors of a login, so that they are told from those of a
// call: none is an order's fault, and some pass at a login only.
type connector struct{ *mssqldb.Connector }

// Connect implements [driver.Connector].
func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, &loginError{err}
	}
	return conn, nil
}

type loginError struct{ err error }

func (e *loginError) Error() string { return "logging in: " + e.err.Error() }
func (e *loginError) Unwrap() error { return e.err }

package mssql_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/contoso/orders/shared/fault"
	"github.com/contoso/orders/shared/store/mssql"
	"github.com/contoso/orders/shared/store/mssql/internal/tdstest"
	"github.com/google/go-cmp/cmp"
)

func TestURLBecomesTheDriversWithEveryDefault(t *testing.T) {
	const defaults = "app+name=orders&database=orders&dial+timeout=15&encrypt=true&packet+size=16383"
	for databaseURL, want := range map[string]string{
		"sqlserver://sa:p%40ss@db:1433?database=orders":                    "sqlserver://sa:p%40ss@db:1433?" + defaults,
		"sqlserver://sa:p@db/?Database=orders":                             "sqlserver://sa:p@db?" + defaults,
		"sqlserver://sa:p@db?database=orders&encrypt=strict&Packet+Size=1": "sqlserver://sa:p@db?app+name=orders&database=orders&dial+timeout=15&encrypt=strict&packet+size=1",
		"azuresql://x.database.windows.net?database=orders&fedauth=ActiveDirectoryWorkloadIdentity": "sqlserver://x.database.windows.net?" +
			"app+name=orders&database=orders&dial+timeout=15&encrypt=true&fedauth=ActiveDirectoryWorkloadIdentity&packet+size=16383",
	} {
		got, err := mssql.DSNOf(databaseURL)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: error %v (-want +got):\n%s", databaseURL, err, diff)
		}
	}
}

func TestURLThatWouldSurpriseIsInvalidAndNotQuoted(t *testing.T) {
	for name, databaseURL := range map[string]string{
		"empty":                        "",
		"another scheme":               "postgres://sa:hunter2@db?database=orders",
		"not a URL":                    "sqlserver://sa:hunter2\x7f@db",
		"a bad port":                   "sqlserver://sa:hunter2@db:x?database=orders",
		"a port out of range":          "sqlserver://sa:hunter2@db:99999?database=orders",
		"no host":                      "sqlserver://?database=orders",
		"no database":                  "sqlserver://sa:hunter2@db",
		"database as a path":           "sqlserver://sa:hunter2@db/orders?database=orders",
		"a fragment":                   "sqlserver://sa:hunter2@db?database=orders#x",
		"no user":                      "sqlserver://db?database=orders",
		"encrypted login alone":        "sqlserver://sa:hunter2@db?database=orders&encrypt=false",
		"a typing error":               "sqlserver://sa:hunter2@db?database=orders&encript=true",
		"swapped bytes":                "sqlserver://sa:hunter2@db?database=orders&guid+conversion=true",
		"parameters in the log":        "sqlserver://sa:hunter2@db?database=orders&log=255",
		"password as a parameter":      "sqlserver://sa@db?database=orders&password=hunter2",
		"a parameter twice":            "sqlserver://sa:hunter2@db?database=orders&Database=other",
		"a parameter that is empty":    "sqlserver://sa:hunter2@db?database=",
		"bad escape":                   "sqlserver://sa:hunter2@db?database=%zz",
		"what the driver refuses":      "sqlserver://sa:hunter2@db?database=orders&packet+size=hunter2",
		"fedauth with a password":      "sqlserver://sa:hunter2@db?database=orders&fedauth=ActiveDirectoryPassword",
		"azuresql with a password":     "azuresql://sa:hunter2@db?database=orders&fedauth=ActiveDirectoryWorkloadIdentity",
		"azuresql without fedauth":     "azuresql://db?database=orders",
		"azuresql in the clear":        "azuresql://db?database=orders&fedauth=ActiveDirectoryWorkloadIdentity&encrypt=disable",
		"azuresql, unknown fedauth":    "azuresql://db?database=orders&fedauth=hunter2",
		"azuresql that needs a secret": "azuresql://db?database=orders&fedauth=ActiveDirectoryServicePrincipal",
	} {
		_, openErr := mssql.Open(t.Context(), databaseURL)
		_, migrateErr := mssql.Migrate(t.Context(), databaseURL, ignore)
		for _, err := range []error{openErr, migrateErr} {
			if fault.KindOf(err) != fault.Invalid || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s: error = %v, want invalid and no secret", name, err)
			}
		}
	}
}

func TestLoginSaysWhatTheURLSays(t *testing.T) {
	server := tdstest.Start(t, database(nil))
	s, err := mssql.Open(t.Context(), server.URL())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	got := server.Requests()[0]
	want := tdstest.Request{
		Kind: tdstest.Login, Conn: 1, User: "sa", Password: tdstest.Password, Database: "orders", App: "orders", PacketSize: 16383,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("login (-want +got):\n%s", diff)
	}
}

// certificate makes one for 127.0.0.1 and writes it to a file.
func certificate(t *testing.T) (config *tls.Config, path string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "tdstest"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "server.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, NextProtos: []string{"tds/8.0"}, MinVersion: tls.VersionTLS12,
	}, path
}

func TestCertificateIsChecked(t *testing.T) {
	config, path := certificate(t)
	server := tdstest.StartTLS(t, config, database(nil))
	strict := strings.Replace(server.URL(), "encrypt=disable", "encrypt=strict", 1)
	s, err := mssql.Open(t.Context(), strict+"&certificate="+url.QueryEscape(path))
	if err != nil {
		t.Fatal(err)
	}
	_ = s.Close()
	if r := server.Requests()[0]; !r.IsEncrypted {
		t.Error("the login was in the clear")
	}
	before := len(server.Requests())
	if _, err := mssql.Open(t.Context(), strict); fault.KindOf(err) != fault.Unavailable || len(server.Requests()) != before {
		t.Errorf("a certificate that nobody vouches for: %v", err)
	}
	plain := strings.Replace(server.URL(), "encrypt=disable&", "", 1)
	plain = strings.Replace(plain, "&encrypt=disable", "", 1)
	if _, err := mssql.Open(t.Context(), plain); fault.KindOf(err) != fault.Unavailable || len(server.Requests()) != before {
		t.Errorf("a server without encryption, and a URL that does not ask for that: %v", err)
	}
}

func TestEntraIdentityLogsInWithoutAPassword(t *testing.T) {
	config, path := certificate(t)
	server := tdstest.StartTLS(t, config, func(tdstest.Request) tdstest.Reply {
		return tdstest.Fail(18456) // before a token is asked for
	})
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, bytes.Repeat([]byte("t"), 10), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AZURE_CLIENT_ID", "client")
	t.Setenv("AZURE_TENANT_ID", "tenant")
	t.Setenv("AZURE_FEDERATED_TOKEN_FILE", token)
	_, err := mssql.Open(t.Context(), "azuresql://"+server.Addr()+
		"?database=orders&fedauth=ActiveDirectoryWorkloadIdentity&encrypt=strict&certificate="+url.QueryEscape(path))
	if fault.KindOf(err) != fault.Unavailable {
		t.Errorf("error = %v, want unavailable", err)
	}
	if r := server.Requests()[0]; !r.IsEntra || !r.IsEncrypted || r.User != "" || r.Password != "" {
		t.Errorf("login = %+v, want that of an Entra identity", r)
	}
}

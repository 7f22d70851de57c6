package conformance

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus/admin"

	"github.com/contoso/orders/local/servicebus/sas"
	"github.com/contoso/orders/local/servicebus/servicebus"
)

// What is under test: a namespace of Azure's, or the broker that TestMain
// started.
var under struct {
	connection string // of data
	secure     string // of data over TLS, and of administration
	trust      *tls.Config
	azure      bool
	assume     string // names of doubts, each followed by a comma
}

// namespaceRules are those of the local namespace. The first one is the
// tests' own.
var namespaceRules = []sas.Rule{
	{Name: servicebus.DefaultKeyName, Primary: servicebus.DefaultKey, Rights: sas.Manage | sas.Listen | sas.Send},
	{Name: "listener", Primary: "the listener's", Rights: sas.Listen},
	{Name: "sender", Primary: "the sender's", Secondary: "the sender's other", Rights: sas.Send},
}

// atOnce is how many tests run at a time: they wait much more than they work.
const atOnce = "24"

func TestMain(m *testing.M) {
	flag.Parse()
	under.connection = os.Getenv("SERVICEBUS_CONNECTION_STRING")
	under.secure, under.azure = under.connection, under.connection != ""
	under.assume = os.Getenv("SERVICEBUS_ASSUME") + ","
	if under.azure {
		os.Exit(m.Run())
	}
	if err := flag.Set("test.parallel", atOnce); err != nil {
		panic(err)
	}
	b, err := servicebus.Start(context.Background(), servicebus.Config{Rules: namespaceRules})
	if err != nil {
		panic(err)
	}
	under.connection, under.secure = b.ConnectionString(), b.SecureConnectionString()
	// With a port in the endpoint, the SDK takes host and port together for
	// the server's name.
	under.trust = &tls.Config{RootCAs: b.Certificates(), ServerName: "localhost"}
	status := m.Run()
	if err := b.Close(); err != nil {
		fmt.Fprintln(os.Stderr, "closing the broker:", err)
		status = 1
	}
	os.Exit(status)
}

// namespace is what a test works with. What it makes goes with the test.
type namespace struct {
	testing.TB
	admin *admin.Client
}

// open begins a test.
func open(t *testing.T) *namespace {
	t.Helper()
	t.Parallel()
	n := &namespace{TB: t}
	n.admin = n.administrator(under.secure, "")
	return n
}

// administrator is a client of the management API in the given version; empty:
// the SDK's own.
func (n *namespace) administrator(connection, version string) *admin.Client {
	n.Helper()
	c, err := admin.NewClientFromConnectionString(connection, &admin.ClientOptions{
		ClientOptions: azcore.ClientOptions{
			APIVersion: version,
			Transport:  &http.Client{Transport: &http.Transport{TLSClientConfig: under.trust.Clone(), DisableKeepAlives: true}},
			Retry:      policy.RetryOptions{MaxRetries: -1}, // the first answer is what is tested
		},
	})
	n.must(err)
	return c
}

// queue makes a queue with a name of its own.
func (n *namespace) queue(properties admin.QueueProperties) string {
	n.Helper()
	name := n.freeName()
	_, err := n.admin.CreateQueue(n.within(), name, &admin.CreateQueueOptions{Properties: &properties})
	if err != nil {
		n.Fatalf("creating queue: %v", err)
	}
	n.deleteInTheEnd(name)
	return name
}

func (n *namespace) freeName() string {
	test, _, _ := strings.Cut(strings.TrimPrefix(n.Name(), "Test"), "/")
	return "conformance-" + test[:min(len(test), 60)] + "-" + rand.Text()[:8]
}

func (n *namespace) deleteInTheEnd(name string) {
	n.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if _, err := n.admin.DeleteQueue(ctx, name, nil); err != nil && statusOf(err) != http.StatusNotFound {
			n.Errorf("deleting queue: %v", err)
		}
	})
}

// statusOf is the HTTP status of an error of the admin client's.
func statusOf(err error) int {
	if e, ok := errors.AsType[*azcore.ResponseError](err); ok {
		return e.StatusCode
	}
	return 0
}

// plain makes a queue with Azure's defaults.
func (n *namespace) plain() string { return n.queue(admin.QueueProperties{}) }

// sessions makes a queue that requires sessions.
func (n *namespace) sessions() string {
	return n.queue(admin.QueueProperties{RequiresSession: new(true)})
}

// client connects as the connection string says.
func (n *namespace) client() *azservicebus.Client { return n.clientWith(under.connection) }

func (n *namespace) clientWith(connection string) *azservicebus.Client {
	n.Helper()
	c, err := azservicebus.NewClientFromConnectionString(connection, &azservicebus.ClientOptions{
		TLSConfig:    under.trust.Clone(),
		RetryOptions: azservicebus.RetryOptions{MaxRetries: -1}, // the first answer is what is tested
	})
	n.must(err)
	n.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_ = c.Close(ctx)
	})
	return c
}

// short is a time that passes locally, and one that Azure allows.
func short(local, azure time.Duration) time.Duration {
	if under.azure {
		return azure
	}
	return local
}

// patience is how long one call may take: Azure's clean-up of expired messages
// is not prompt.
func patience() time.Duration { return short(20*time.Second, 3*time.Minute) }

// within bounds one use of the network.
func (n *namespace) within() context.Context {
	n.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience())
	n.Cleanup(cancel)
	return ctx
}

func (n *namespace) must(err error) {
	n.Helper()
	if err != nil {
		n.Fatal(err)
	}
}

// localOnly skips a test that makes no sense against Azure.
func (n *namespace) localOnly(reason string) {
	n.Helper()
	if under.azure {
		n.Skip("local only: " + reason)
	}
}

// premium skips a test that Azure serves in one tier alone.
func (n *namespace) premium(what string) {
	n.Helper()
	if !under.azure {
		return
	}
	p, err := n.admin.GetNamespaceProperties(n.within(), nil)
	n.must(err)
	if p.SKU != "Premium" {
		n.Skipf("%s needs a namespace of tier Premium, this one is %s", what, p.SKU)
	}
}

// doubt says whether to check what neither documentation nor SDK settles:
// always here, and on Azure when SERVICEBUS_ASSUME names it, or is "all".
func (n *namespace) doubt(name, why string) bool {
	n.Helper()
	n.Logf("doubt %s: %s", name, why)
	return !under.azure || under.assume == "all," || strings.Contains(","+under.assume, ","+name+",")
}

// iso is a duration as the management API writes it.
func iso(d time.Duration) *string { return new(fmt.Sprintf("PT%gS", d.Seconds())) }

// wantCode checks the class that the SDK gives an error.
func (n *namespace) wantCode(err error, code azservicebus.Code) {
	n.Helper()
	if e, ok := errors.AsType[*azservicebus.Error](err); !ok || e.Code != code {
		n.Fatalf("error %v, want code %s", err, code)
	}
}

// wantText checks what an error tells, of which the SDK hides the type: its
// AMQP condition most often.
func (n *namespace) wantText(err error, text string) {
	n.Helper()
	if err == nil || !strings.Contains(err.Error(), text) {
		n.Fatalf("error %v, want %s", err, text)
	}
}

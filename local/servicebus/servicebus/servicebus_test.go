package servicebus_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"github.com/contoso/orders/local/servicebus/fault"
	"github.com/contoso/orders/local/servicebus/queue"
	"github.com/contoso/orders/local/servicebus/servicebus"
)

func TestBrokerGoesOnWhereItWasStopped(t *testing.T) {
	t.Parallel()
	c := servicebus.Config{Data: t.TempDir(), Queues: []queue.Settings{{Name: "q"}}}
	first := start(t, c)
	must(t, sender(t, client(t, first), "q").SendMessage(within(t), text("a"), nil))
	must(t, first.Close())

	second := start(t, c)
	if !bytes.Equal(first.CertificatePEM(), second.CertificatePEM()) {
		t.Error("clients would have to trust another certificate")
	}
	if m := one(t, receiver(t, client(t, second), "q")); string(m.Body) != "a" {
		t.Errorf("received %q", m.Body)
	}
}

func TestSecondBrokerOnADirectoryIsRefused(t *testing.T) {
	t.Parallel()
	c := servicebus.Config{Data: t.TempDir()}
	start(t, c)
	_, err := servicebus.Start(context.Background(), c)
	if err == nil || !strings.Contains(err.Error(), "in use by another process") {
		t.Errorf("error %v, want one that says that the directory is in use", err)
	}
}

func TestQueueThatCannotBecomeWhatIsAskedForIsRefused(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	must(t, start(t, servicebus.Config{Data: data, Queues: []queue.Settings{{Name: "q"}}}).Close())
	_, err := servicebus.Start(context.Background(), servicebus.Config{Data: data, Queues: []queue.Settings{{Name: "new"}, {Name: "q", RequiresSession: true}}})
	if err == nil || !strings.Contains(err.Error(), "RequiresSession") {
		t.Errorf("error %v, want one about RequiresSession", err)
	}
	b := start(t, servicebus.Config{Data: data})
	if n := len(b.Queues().Queues()); n != 1 {
		t.Errorf("%d queues after a start that was refused, want 1", n)
	}
}

func TestBrokerEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	b, err := servicebus.Start(ctx, servicebus.Config{Queues: []queue.Settings{{Name: "q"}}})
	must(t, err)
	s := sender(t, client(t, b), "q")
	must(t, s.SendMessage(within(t), text("a"), nil))
	cancel()
	must(t, b.Wait())
	if _, err := net.DialTimeout("tcp", b.Addr(), time.Second); err == nil {
		t.Error("it still listens")
	}
	must(t, b.Close())
}

func TestTakenAddressReleasesTheDirectory(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	taken := start(t, servicebus.Config{})
	for _, c := range []servicebus.Config{
		{Data: data, Addr: taken.Addr()},
		{Data: data, Control: taken.Addr()},
		{Data: data, Control: "192.0.2.1:1"},
	} {
		if _, err := servicebus.Start(context.Background(), c); err == nil {
			t.Errorf("%+v was started", c)
		}
	}
	start(t, servicebus.Config{Data: data})
}

func TestTLSNeedsNothingButTheCertificate(t *testing.T) {
	t.Parallel()
	b := start(t, servicebus.Config{Queues: []queue.Settings{{Name: "q"}}})
	c, err := azservicebus.NewClientFromConnectionString(b.SecureConnectionString(), &azservicebus.ClientOptions{
		TLSConfig: &tls.Config{RootCAs: b.Certificates(), ServerName: "localhost"},
	})
	must(t, err)
	t.Cleanup(func() { must(t, c.Close(within(t))) })
	must(t, sender(t, c, "q").SendMessage(within(t), text("a"), nil))
}

// call is a call of the control endpoint, and what was answered.
func call(t *testing.T, b *servicebus.Broker, method, path string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(within(t), method, "http://"+b.ControlAddr()+path, nil)
	must(t, err)
	res, err := http.DefaultClient.Do(r)
	must(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	must(t, err)
	return res.StatusCode, string(body)
}

func TestFaultsAreControlledOverHTTP(t *testing.T) {
	t.Parallel()
	b := start(t, servicebus.Config{Control: "127.0.0.1:0", Queues: []queue.Settings{{Name: "q"}}, Faults: []fault.Fault{{Kind: fault.FailDisk}}})
	if status, body := call(t, b, "POST", "/faults/server-busy?queue=q&count=3"); status != http.StatusCreated || !strings.Contains(body, `"server-busy?count=3\u0026queue=q"`) {
		t.Errorf("%d: %s", status, body)
	}
	var list []struct {
		ID       int
		Fault    string
		Happened int
	}
	_, body := call(t, b, "GET", "/faults")
	must(t, json.Unmarshal([]byte(body), &list))
	if len(list) != 2 || list[0].Fault != "fail-disk" || list[1].ID != 2 {
		t.Errorf("faults %+v", list)
	}
	s := sender(t, client(t, b), "q")
	if err := s.SendMessage(within(t), text("a"), nil); err == nil {
		t.Error("it was not busy")
	}
	for _, test := range []struct {
		method, path string
		want         int
	}{
		{"DELETE", "/faults/2", http.StatusNoContent},
		{"DELETE", "/faults/2", http.StatusNotFound},
		{"DELETE", "/faults/x", http.StatusNotFound},
		{"POST", "/faults/rain", http.StatusBadRequest},
		{"POST", "/faults/server-busy?queue=missing", http.StatusNotFound},
		{"DELETE", "/faults", http.StatusNoContent},
	} {
		if status, body := call(t, b, test.method, test.path); status != test.want {
			t.Errorf("%s %s: %d %s, want %d", test.method, test.path, status, body, test.want)
		}
	}
	must(t, s.SendMessage(within(t), text("a"), nil))
}

func TestHealthAndMetricsTellOfTheDisk(t *testing.T) {
	t.Parallel()
	b := start(t, servicebus.Config{Control: "127.0.0.1:0", Data: t.TempDir(), Queues: []queue.Settings{{Name: "q"}}})
	c := client(t, b)
	must(t, sender(t, c, "q").SendMessage(within(t), text("a"), nil))
	r := receiver(t, c, "q")
	must(t, r.CompleteMessage(within(t), one(t, r), nil))
	if status, body := call(t, b, "GET", "/healthz"); status != http.StatusOK {
		t.Errorf("health %d: %s", status, body)
	}
	_, body := call(t, b, "GET", "/metrics")
	for _, line := range []string{
		"servicebus_connections 1", `servicebus_sent_total{queue="q"} 1`, `servicebus_delivered_total{queue="q"} 1`,
		`servicebus_settled_total{outcome="completed",queue="q"} 1`, `servicebus_messages{queue="q",state="active"} 0`,
		"servicebus_disk_failures_total 0", "process_resident_memory_bytes",
	} {
		if !strings.Contains(body, line) {
			t.Errorf("metrics lack %q", line)
		}
	}
	inject(t, b, "fail-disk")
	_ = sender(t, c, "q").SendMessage(within(t), text("b"), nil) // refused, as fault_test.go shows
	if status, body := call(t, b, "GET", "/healthz"); status != http.StatusServiceUnavailable || !strings.Contains(body, "disk") {
		t.Errorf("health %d: %s", status, body)
	}
	if _, body := call(t, b, "GET", "/metrics"); !strings.Contains(body, `servicebus_faults_total{kind="fail-disk"}`) {
		t.Error("metrics do not count the fault")
	}
}

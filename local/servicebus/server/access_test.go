package server_test

import (
	"crypto/tls"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	sbadmin "github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus/admin"
	"github.com/google/go-cmp/cmp"

	"github.com/contoso/orders/local/servicebus/queue"
)

func TestWrongKeyIsUnauthorized(t *testing.T) {
	t.Parallel()
	b := start(t, queue.Settings{Name: "q"})
	c := b.clientWith(t, b.connectionString("another key")+";UseDevelopmentEmulator=true", nil)
	err := sender(t, c, "q").SendMessage(within(t), text("x"), nil)
	wantCode(t, err, azservicebus.CodeUnauthorizedAccess)
}

func TestTokenForOneQueueDoesNotOpenAnother(t *testing.T) {
	t.Parallel()
	b := start(t, queue.Settings{Name: "mine"}, queue.Settings{Name: "other"})
	connection := "Endpoint=sb://" + b.addr + ";SharedAccessSignature=" + signature("amqp://"+b.addr+"/mine", 3600) + ";UseDevelopmentEmulator=true"
	c := b.clientWith(t, connection, nil)
	send(t, c, "mine", text("x"))
	err := sender(t, c, "other").SendMessage(within(t), text("x"), nil)
	wantCode(t, err, azservicebus.CodeUnauthorizedAccess)
}

func TestExpiredTokenIsUnauthorized(t *testing.T) {
	t.Parallel()
	b := start(t, queue.Settings{Name: "q"})
	connection := "Endpoint=sb://" + b.addr + ";SharedAccessSignature=" + signature("amqp://"+b.addr+"/q", -1) + ";UseDevelopmentEmulator=true"
	err := sender(t, b.clientWith(t, connection, nil), "q").SendMessage(within(t), text("x"), nil)
	wantCode(t, err, azservicebus.CodeUnauthorizedAccess)
}

// trust is a client's TLS configuration. The server's name has to be given:
// with a port in the endpoint, the SDK takes host and port together for it.
func (b *broker) trust() *tls.Config {
	return &tls.Config{RootCAs: b.roots, ServerName: "localhost"}
}

func TestMessagesPassOverTLS(t *testing.T) {
	t.Parallel()
	b := start(t, queue.Settings{Name: "q"})
	c := b.clientWith(t, b.connectionString(testKey.Secret), b.trust())
	send(t, c, "q", text("a"))
	receive(t, receiver(t, c, "q", nil), 1)
}

func (b *broker) admin(t *testing.T, key, version string) *sbadmin.Client {
	t.Helper()
	c, err := sbadmin.NewClientFromConnectionString(b.connectionString(key), &sbadmin.ClientOptions{
		ClientOptions: azcore.ClientOptions{
			APIVersion: version,
			Transport:  &http.Client{Transport: &http.Transport{TLSClientConfig: b.trust()}},
			Retry:      policy.RetryOptions{MaxRetries: -1},
		},
	})
	must(t, err)
	return c
}

func TestAdminClientReadsSettingsAndCounts(t *testing.T) {
	t.Parallel()
	b := start(t,
		queue.Settings{Name: "q", RequiresSession: true, MaxDeliveryCount: 7, ForwardDeadLetters: "dead"},
		queue.Settings{Name: "p"}, queue.Settings{Name: "dead"})
	c := b.client(t)
	send(t, c, "q", in("s", "a"), in("s", "b"))
	send(t, c, "p", text("a"), text("b"), text("c"))
	r := receiver(t, c, "p", nil)
	must(t, r.DeadLetterMessage(within(t), receive(t, r, 1)[0], nil))
	receive(t, accept(t, c, "q", "s"), 1) // a locked message is active

	for _, version := range []string{"2021-05", "2024-05"} {
		a := b.admin(t, testKey.Secret, version)
		q, err := a.GetQueue(within(t), "q", nil)
		must(t, err)
		if !*q.RequiresSession || *q.MaxDeliveryCount != 7 || *q.LockDuration != "PT1M" || !strings.HasSuffix(*q.ForwardDeadLetteredMessagesTo, "/dead") {
			t.Errorf("queue %+v", q.QueueProperties)
		}
		var counts []int32
		for p := a.NewListQueuesRuntimePropertiesPager(&sbadmin.ListQueuesRuntimePropertiesOptions{MaxPageSize: 2}); p.More(); {
			page, err := p.NextPage(within(t))
			must(t, err)
			for _, q := range page.QueueRuntimeProperties {
				counts = append(counts, q.ActiveMessageCount, q.DeadLetterMessageCount)
			}
		}
		if diff := cmp.Diff([]int32{2, 0, 2, 1, 0, 0}, counts); diff != "" {
			t.Errorf("active and dead letters of q, p and dead:\n%s", diff)
		}
		one, err := a.GetQueueRuntimeProperties(within(t), "p", nil)
		must(t, err)
		if one.TotalMessageCount != 3 || one.ScheduledMessageCount != 0 || one.SizeInBytes == 0 {
			t.Errorf("runtime properties %+v", one.QueueRuntimeProperties)
		}
		namespace, err := a.GetNamespaceProperties(within(t), nil)
		must(t, err)
		if namespace.Name != "test" {
			t.Errorf("namespace %q", namespace.Name)
		}
	}
}

func TestAdminClientIsToldWhyNot(t *testing.T) {
	t.Parallel()
	b := start(t, queue.Settings{Name: "q"})
	if q, err := b.admin(t, testKey.Secret, "").GetQueue(within(t), "missing", nil); q != nil || err != nil {
		t.Errorf("queue %v, error %v for a queue that does not exist; want neither", q, err)
	}
	status := func(err error) int {
		e, _ := errors.AsType[*azcore.ResponseError](err)
		if e == nil {
			return 0
		}
		return e.StatusCode
	}
	if _, err := b.admin(t, "another key", "").GetQueue(within(t), "q", nil); status(err) != http.StatusUnauthorized {
		t.Errorf("error %v with a wrong key, want 401", err)
	}
	if _, err := b.admin(t, testKey.Secret, "").CreateQueue(within(t), "new", nil); status(err) != http.StatusNotImplemented {
		t.Errorf("error %v on creating a queue, want 501", err)
	}
}

package server_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"github.com/contoso/orders/local/servicebus/admin"
	"github.com/contoso/orders/local/servicebus/queue"
	"github.com/contoso/orders/local/servicebus/sas"
	"github.com/contoso/orders/local/servicebus/server"
)

var testKey = sas.Key{Name: "RootManageSharedAccessKey", Secret: "SAS_KEY_VALUE"}

// broker is a server of its own for one test.
type broker struct {
	addr  string
	roots *x509.CertPool
}

// start serves the given queues until the test ends.
func start(t testing.TB, settings ...queue.Settings) *broker {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	return startOn(t, ln, settings...)
}

func startOn(t testing.TB, ln net.Listener, settings ...queue.Settings) *broker {
	t.Helper()
	b, err := queue.New(settings...)
	if err != nil {
		t.Fatal(err)
	}
	certificate, pem, err := server.SelfSigned()
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	s := server.New(server.Config{
		Broker:      b,
		Key:         testKey,
		Certificate: certificate,
		Admin:       admin.New("test", b, testKey),
		Log:         slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, ln) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-served:
			if err != nil {
				t.Errorf("Serve: %v", err)
			}
		case <-time.After(3 * time.Second):
			t.Error("Serve did not end within 3 s of being told to")
		}
		b.Close()
	})
	return &broker{addr: ln.Addr().String(), roots: roots}
}

func (b *broker) connectionString(key string) string {
	return fmt.Sprintf("Endpoint=sb://%s;SharedAccessKeyName=%s;SharedAccessKey=%s", b.addr, testKey.Name, key)
}

// client connects in plain text, as to the official emulator.
func (b *broker) client(t testing.TB) *azservicebus.Client {
	t.Helper()
	return b.clientWith(t, b.connectionString(testKey.Secret)+";UseDevelopmentEmulator=true", nil)
}

func (b *broker) clientWith(t testing.TB, connection string, trust *tls.Config) *azservicebus.Client {
	t.Helper()
	c, err := azservicebus.NewClientFromConnectionString(connection, &azservicebus.ClientOptions{
		TLSConfig:    trust,
		RetryOptions: azservicebus.RetryOptions{MaxRetries: -1}, // the first answer is what is tested
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_ = c.Close(ctx)
	})
	return c
}

// within bounds one test's use of the network.
func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func sender(t testing.TB, c *azservicebus.Client, path string) *azservicebus.Sender {
	t.Helper()
	s, err := c.NewSender(path, nil)
	must(t, err)
	return s
}

// text is a message without a session.
func text(body string) *azservicebus.Message { return &azservicebus.Message{Body: []byte(body)} }

// in is a message of a session.
func in(session, body string) *azservicebus.Message {
	return &azservicebus.Message{Body: []byte(body), SessionID: &session}
}

func send(t testing.TB, c *azservicebus.Client, path string, messages ...*azservicebus.Message) {
	t.Helper()
	s := sender(t, c, path)
	for _, m := range messages {
		must(t, s.SendMessage(within(t), m, nil))
	}
	must(t, s.Close(within(t)))
}

func receiver(t testing.TB, c *azservicebus.Client, path string, o *azservicebus.ReceiverOptions) *azservicebus.Receiver {
	t.Helper()
	r, err := c.NewReceiverForQueue(path, o)
	must(t, err)
	return r
}

var ofDeadLetters = &azservicebus.ReceiverOptions{SubQueue: azservicebus.SubQueueDeadLetter}

func accept(t testing.TB, c *azservicebus.Client, path, session string) *azservicebus.SessionReceiver {
	t.Helper()
	r, err := c.AcceptSessionForQueue(within(t), path, session, nil)
	must(t, err)
	return r
}

// source is what both kinds of receivers can do.
type source interface {
	ReceiveMessages(context.Context, int, *azservicebus.ReceiveMessagesOptions) ([]*azservicebus.ReceivedMessage, error)
}

// receive collects n messages.
func receive(t testing.TB, s source, n int) []*azservicebus.ReceivedMessage {
	t.Helper()
	ctx := within(t)
	var got []*azservicebus.ReceivedMessage
	for len(got) < n {
		m, err := s.ReceiveMessages(ctx, n-len(got), nil)
		if err != nil {
			t.Fatalf("after %d of %d messages: %v", len(got), n, err)
		}
		got = append(got, m...)
	}
	return got
}

// nothing checks that no message comes for a little while.
func nothing(t testing.TB, s source) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	if got, err := s.ReceiveMessages(ctx, 1, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("received %s, error %v; want nothing", bodies(got), err)
	}
}

func bodies(messages []*azservicebus.ReceivedMessage) []string {
	var b []string
	for _, m := range messages {
		b = append(b, string(m.Body))
	}
	return b
}

func wantCode(t testing.TB, err error, code azservicebus.Code) {
	t.Helper()
	if e, ok := errors.AsType[*azservicebus.Error](err); !ok || e.Code != code {
		t.Fatalf("error %v, want code %s", err, code)
	}
}

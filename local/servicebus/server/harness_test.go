package server_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/go-amqp"

	"github.com/contoso/orders/local/servicebus/fault"
	"github.com/contoso/orders/local/servicebus/queue"
	"github.com/contoso/orders/local/servicebus/sas"
	"github.com/contoso/orders/local/servicebus/server"
)

var testRule = sas.Rule{Name: "RootManageSharedAccessKey", Primary: "SAS_KEY_VALUE", Rights: sas.Manage | sas.Listen | sas.Send}

var sessions = queue.Settings{Name: "q", RequiresSession: true}

// broker is a server of its own for one test, without TLS. What the SDK alone
// can see is for package conformance to test.
type broker struct {
	addr   string
	faults *fault.Set
}

// start serves the given queues until the test ends.
func start(t *testing.T, settings ...queue.Settings) *broker {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	return startOn(t, ln, settings...)
}

func startOn(t *testing.T, ln net.Listener, settings ...queue.Settings) *broker {
	t.Helper()
	b, err := queue.New(settings...)
	must(t, err)
	faults := new(fault.Set)
	s := server.New(server.Config{
		Broker:      b,
		Rules:       func(string) []sas.Rule { return []sas.Rule{testRule} },
		Certificate: tls.Certificate{},
		Admin:       http.NotFoundHandler(),
		Faults:      faults,
		Log:         slog.New(slog.DiscardHandler),
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
	return &broker{addr: ln.Addr().String(), faults: faults}
}

// client connects with the SDK. The first answer is what it tells, unless it
// is to try again.
func (b *broker) client(t *testing.T) *azservicebus.Client {
	t.Helper()
	return b.clientWith(t, azservicebus.RetryOptions{MaxRetries: -1})
}

func (b *broker) clientWith(t *testing.T, retry azservicebus.RetryOptions) *azservicebus.Client {
	t.Helper()
	c, err := azservicebus.NewClientFromConnectionString(fmt.Sprintf(
		"Endpoint=sb://%s;SharedAccessKeyName=%s;SharedAccessKey=%s;UseDevelopmentEmulator=true",
		b.addr, testRule.Name, testRule.Primary), &azservicebus.ClientOptions{RetryOptions: retry})
	must(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_ = c.Close(ctx)
	})
	return c
}

// authorized is a session without the SDK, on a connection that has a token
// for everything.
func authorized(t *testing.T, b *broker, nc net.Conn) *amqp.Session {
	t.Helper()
	conn, err := amqp.NewConn(within(t), nc, &amqp.ConnOptions{SASLType: amqp.SASLTypeAnonymous()})
	must(t, err)
	s, err := conn.NewSession(within(t), nil)
	must(t, err)
	cbs, err := s.NewSender(within(t), "$cbs", nil)
	must(t, err)
	resource, expiry := url.QueryEscape("amqp://"+b.addr+"/"), fmt.Sprint(time.Now().Unix()+60)
	mac := hmac.New(sha256.New, []byte(testRule.Primary))
	mac.Write([]byte(resource + "\n" + expiry))
	signature := url.QueryEscape(base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	must(t, cbs.Send(within(t), &amqp.Message{
		Value: "SharedAccessSignature sr=" + resource + "&sig=" + signature + "&se=" + expiry + "&skn=" + testRule.Name,
		ApplicationProperties: map[string]any{
			"operation": "put-token", "type": "servicebus.windows.net:sastoken", "name": "amqp://" + b.addr + "/",
		},
	}, nil))
	return s
}

// within bounds one test's use of the network.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func sender(t *testing.T, c *azservicebus.Client) *azservicebus.Sender {
	t.Helper()
	s, err := c.NewSender("q", nil)
	must(t, err)
	return s
}

// in is a message of session s; queues without sessions take it too.
func in(body string) *azservicebus.Message {
	return &azservicebus.Message{Body: []byte(body), SessionID: new("s")}
}

func send(t *testing.T, c *azservicebus.Client, bodies ...string) {
	t.Helper()
	s := sender(t, c)
	for _, body := range bodies {
		must(t, s.SendMessage(within(t), in(body), nil))
	}
	must(t, s.Close(within(t)))
}

func receiver(t *testing.T, c *azservicebus.Client) *azservicebus.Receiver {
	t.Helper()
	r, err := c.NewReceiverForQueue("q", nil)
	must(t, err)
	return r
}

func accept(t *testing.T, c *azservicebus.Client) *azservicebus.SessionReceiver {
	t.Helper()
	r, err := c.AcceptSessionForQueue(within(t), "q", "s", nil)
	must(t, err)
	return r
}

// source is what both kinds of receivers can do.
type source interface {
	ReceiveMessages(context.Context, int, *azservicebus.ReceiveMessagesOptions) ([]*azservicebus.ReceivedMessage, error)
}

// receive collects n messages, within one call: between two the SDK releases
// what comes, and later messages may come before it then.
func receive(t *testing.T, s source, n int) []*azservicebus.ReceivedMessage {
	t.Helper()
	ctx := within(t)
	var got []*azservicebus.ReceivedMessage
	for len(got) < n {
		m, err := s.ReceiveMessages(ctx, n-len(got), &azservicebus.ReceiveMessagesOptions{TimeAfterFirstMessage: 10 * time.Second})
		if err != nil {
			t.Fatalf("after %d of %d messages: %v", len(got), n, err)
		}
		got = append(got, m...)
	}
	return got
}

// nothing checks that no message comes for a little while.
func nothing(t *testing.T, s source) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	if got, err := s.ReceiveMessages(ctx, 1, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("received %d messages, error %v; want nothing", len(got), err)
	}
}

// empty checks that the receiver's queue holds no message, locked or not.
func empty(t *testing.T, r *azservicebus.Receiver) {
	t.Helper()
	left, err := r.PeekMessages(within(t), 1, nil)
	must(t, err)
	if len(left) > 0 {
		t.Errorf("left in the queue: %q", left[0].Body)
	}
}

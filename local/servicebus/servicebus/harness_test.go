package servicebus_test

import (
	"context"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"github.com/contoso/orders/local/servicebus/servicebus"
)

// patience is how long a test waits for what is to happen.
const patience = 20 * time.Second

// start runs a broker until the test ends.
func start(t *testing.T, c servicebus.Config) *servicebus.Broker {
	t.Helper()
	b, err := servicebus.Start(context.Background(), c)
	must(t, err)
	t.Cleanup(func() { must(t, b.Close()) })
	return b
}

// client is a client that gives up at once: the first answer is what is tested.
func client(t *testing.T, b *servicebus.Broker) *azservicebus.Client {
	t.Helper()
	c, err := azservicebus.NewClientFromConnectionString(b.ConnectionString(), &azservicebus.ClientOptions{
		RetryOptions: azservicebus.RetryOptions{MaxRetries: -1},
	})
	must(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_ = c.Close(ctx) // the broker may be gone
	})
	return c
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func sender(t *testing.T, c *azservicebus.Client, queue string) *azservicebus.Sender {
	t.Helper()
	s, err := c.NewSender(queue, nil)
	must(t, err)
	return s
}

func receiver(t *testing.T, c *azservicebus.Client, queue string) *azservicebus.Receiver {
	t.Helper()
	r, err := c.NewReceiverForQueue(queue, nil)
	must(t, err)
	return r
}

func text(body string) *azservicebus.Message { return &azservicebus.Message{Body: []byte(body)} }

func one(t *testing.T, r *azservicebus.Receiver) *azservicebus.ReceivedMessage {
	t.Helper()
	got, err := r.ReceiveMessages(within(t), 1, nil)
	must(t, err)
	return got[0]
}

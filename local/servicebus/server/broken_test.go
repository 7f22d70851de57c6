package server_test

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/go-amqp"

	"github.com/contoso/orders/local/servicebus/queue"
)

// breaks are ends of a connection that no one told.
var breaks = map[string]func(*proxy){
	"ended": (*proxy).cut,
	"reset": (*proxy).reset, // as by SIGKILL with octets unread
}

// through is b by way of a proxy.
func through(t *testing.T, b *broker) (*broker, *proxy) {
	t.Helper()
	p := newProxy(t, b.addr)
	return &broker{addr: p.addr}, p
}

func TestBrokenConnectionLeavesItsMessagesLocked(t *testing.T) {
	t.Parallel()
	for name, end := range breaks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := start(t, queue.Settings{Name: "q", LockDuration: 2 * time.Second})
			c := b.client(t)
			far, proxy := through(t, b)
			send(t, c, "a", "b")
			m := receive(t, receiver(t, far.client(t)), 2)
			end(proxy)
			other := receiver(t, c)
			nothing(t, other)
			byToken := &azservicebus.ReceivedMessage{LockToken: m[0].LockToken}
			must(t, other.CompleteMessage(within(t), byToken, nil))
			got := receive(t, other, 1)[0] // once its lock has expired
			if string(got.Body) != "b" || got.DeliveryCount != 2 {
				t.Errorf("got %s, delivery count %d, want b and 2", got.Body, got.DeliveryCount)
			}
			if early := time.Until(*m[1].LockedUntil); early > 0 {
				t.Errorf("it came back %v before its lock expired", early)
			}
		})
	}
}

func TestBrokenConnectionFreesItsSessionAndChargesADelivery(t *testing.T) {
	t.Parallel()
	for name, end := range breaks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := start(t, sessions)
			c := b.client(t)
			far, proxy := through(t, b)
			send(t, c, "a")
			receive(t, accept(t, far.client(t)), 1)
			end(proxy)
			r, err := c.AcceptNextSessionForQueue(within(t), "q", nil) // long before the lock ends
			must(t, err)
			if got := receive(t, r, 1)[0]; got.DeliveryCount != 2 {
				t.Errorf("delivery count %d, want 2", got.DeliveryCount)
			}
		})
	}
}

func TestReceivedStateLeavesADeliveryToBeSettled(t *testing.T) {
	t.Parallel()
	b := start(t, queue.Settings{Name: "q"})
	c := b.client(t)
	send(t, c, "a")
	nc, err := net.Dial("tcp", b.addr)
	must(t, err)
	t.Cleanup(func() { nc.Close() })
	r, err := authorized(t, b, nc).NewReceiver(within(t), "q", &amqp.ReceiverOptions{
		SettlementMode: amqp.ReceiverSettleModeSecond.Ptr(), // settling waits for an answer
	})
	must(t, err)
	m, err := r.Receive(within(t), nil)
	must(t, err)
	const received = "\x00\x53\x15\xc0\x0d\x05\x41\x43\x40\x42" + "\x00\x53\x23\xc0\x03\x02\x43\x44"
	_, err = io.WriteString(nc, frame(0, received)) // of delivery 0, which go-amqp does not send by itself
	must(t, err)
	must(t, r.AcceptMessage(within(t), m))
	empty(t, receiver(t, c))
}

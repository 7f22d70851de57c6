package server_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/Azure/go-amqp"
)

func TestAcceptGivenUpBeforeItBeganCostsTheConnectionNothing(t *testing.T) {
	t.Parallel()
	c := start(t, sessions).client(t)
	send(t, c, "q", in("a", "1"), in("b", "2"))
	r := accept(t, c, "q", "a")
	m := receive(t, r, 1)[0]
	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := c.AcceptNextSessionForQueue(canceled, "q", nil); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v, want context.Canceled", err)
	}
	other, err := c.AcceptNextSessionForQueue(within(t), "q", nil) // ends, first of all, what was never begun
	must(t, err)
	receive(t, other, 1)
	must(t, r.CompleteMessage(within(t), m, nil))
}

func TestAcceptGivenUpWhileItIsGrantedLeavesTheSessionFree(t *testing.T) {
	t.Parallel()
	b := start(t, sessions)
	c, other := b.client(t), b.client(t)
	s := sender(t, other, "q")
	for range 50 {
		ctx, cancel := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		wg.Go(func() {
			if r, err := c.AcceptNextSessionForQueue(ctx, "q", nil); err == nil {
				must(t, r.Close(within(t)))
			}
		})
		time.Sleep(3 * time.Millisecond) // the accept gets to where it waits, which the SDK gives no hook for
		must(t, s.SendMessage(within(t), in("s", "x"), nil))
		time.AfterFunc(rand.N(time.Millisecond), cancel)
		wg.Wait()
		r, err := other.AcceptNextSessionForQueue(within(t), "q", nil)
		must(t, err)
		m := receive(t, r, 1)[0]
		if m.DeliveryCount != 1 {
			t.Fatalf("delivery count %d, want 1", m.DeliveryCount)
		}
		must(t, r.CompleteMessage(within(t), m, nil))
		must(t, r.Close(within(t)))
	}
}

// authorized connects without the Service Bus SDK, but with a token for all.
func authorized(t *testing.T, b *broker) *amqp.Session {
	t.Helper()
	nc, err := net.Dial("tcp", b.addr)
	must(t, err)
	t.Cleanup(func() { nc.Close() })
	return authorizedOn(t, b, nc)
}

func authorizedOn(t *testing.T, b *broker, nc net.Conn) *amqp.Session {
	t.Helper()
	conn, err := amqp.NewConn(within(t), nc, &amqp.ConnOptions{SASLType: amqp.SASLTypeAnonymous()})
	must(t, err)
	s, err := conn.NewSession(within(t), nil)
	must(t, err)
	cbs, err := s.NewSender(within(t), "$cbs", nil)
	must(t, err)
	everything := "amqp://" + b.addr + "/"
	must(t, cbs.Send(within(t), &amqp.Message{
		Value: signature(everything, 60),
		ApplicationProperties: map[string]any{
			"operation": "put-token", "type": "servicebus.windows.net:sastoken", "name": everything,
		},
	}, nil))
	return s
}

// session is the option of go-amqp's that asks for a session; nil: any.
func session(id any) *amqp.ReceiverOptions {
	const code = 0x137000000C
	return &amqp.ReceiverOptions{Filters: []amqp.LinkFilter{amqp.NewLinkFilter("com.microsoft:session-filter", code, id)}}
}

func TestAttachTakenBackWhileItWaitsIsAnswered(t *testing.T) {
	t.Parallel()
	s := authorized(t, start(t, sessions))
	soon, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.NewReceiver(soon, "q", session(nil)); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("error %v, want context.DeadlineExceeded", err)
	}
	r, err := s.NewReceiver(within(t), "q", session("a")) // detaches, first of all, what was given up
	must(t, err)
	must(t, r.Close(within(t)))
	must(t, s.Close(within(t)))
}

package server_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"github.com/contoso/orders/local/servicebus/amqp"
	"github.com/contoso/orders/local/servicebus/queue"
)

// peer speaks AMQP without the SDK's manners.
type peer struct {
	t      *testing.T
	nc     net.Conn
	frames *amqp.FrameReader
}

// dial opens a connection and a session on channel 0.
func dial(t *testing.T, b *broker) *peer {
	t.Helper()
	nc, err := net.Dial("tcp", b.addr)
	must(t, err)
	t.Cleanup(func() { nc.Close() })
	must(t, nc.SetDeadline(time.Now().Add(10*time.Second)))
	p := &peer{t: t, nc: nc, frames: amqp.NewFrameReader(nc, 1<<20)}
	_, err = nc.Write([]byte(amqp.ProtocolHeader))
	must(t, err)
	_, err = nc.Read(make([]byte, len(amqp.ProtocolHeader)))
	must(t, err)
	p.send(&amqp.Open{ContainerID: "peer", MaxFrameSize: 64 << 10}, nil)
	p.send(&amqp.Begin{IncomingWindow: 100, OutgoingWindow: 100}, nil)
	return p
}

func (p *peer) send(performative amqp.Performative, payload []byte) {
	p.t.Helper()
	_, err := p.nc.Write(amqp.AppendFrame(nil, amqp.FrameAMQP, 0, performative, payload))
	must(p.t, err)
}

// await reads until a performative of type T comes.
func await[T amqp.Performative](p *peer) T {
	p.t.Helper()
	for {
		f, err := p.frames.Next()
		must(p.t, err)
		got, _, err := amqp.ParsePerformative(f.Body)
		must(p.t, err)
		if wanted, ok := got.(T); ok {
			return wanted
		}
	}
}

func TestMessageThatOutgrowsTheLimitEndsItsLinkAlone(t *testing.T) {
	t.Parallel()
	p := dial(t, start(t))
	target := amqp.NewTarget("$cbs")
	p.send(&amqp.Attach{Name: "l", Target: target, InitialDeliveryCount: new(uint32(0))}, nil)
	await[*amqp.Attach](p)
	part := make([]byte, 60<<10)
	for range 20 { // 1.2 MB, of which the last parts find the link gone
		p.send(&amqp.Transfer{DeliveryID: new(uint32(0)), DeliveryTag: []byte("t"), More: true}, part)
	}
	if d := await[*amqp.Detach](p); d.Error == nil || d.Error.Condition != amqp.CondMessageSizeExceeded {
		t.Errorf("detached with %v, want %s", d.Error, amqp.CondMessageSizeExceeded)
	}
	p.send(&amqp.Detach{Closed: true}, nil)
	p.send(&amqp.Attach{Name: "l", Target: target, InitialDeliveryCount: new(uint32(0))}, nil)
	if a := await[*amqp.Attach](p); a.Target.Address() != "$cbs" {
		t.Error("the handle cannot be used again")
	}
}

func TestLinkWithoutATokenIsRefused(t *testing.T) {
	t.Parallel()
	p := dial(t, start(t, queue.Settings{Name: "q"}))
	for _, attach := range []*amqp.Attach{
		{Name: "s", Handle: 0, Target: amqp.NewTarget("q"), InitialDeliveryCount: new(uint32(0))},
		{Name: "r", Handle: 1, Role: amqp.RoleReceiver, Source: amqp.NewSource("q")},
		{Name: "m", Handle: 2, Role: amqp.RoleReceiver, Source: amqp.NewSource("q/$management")},
	} {
		p.send(attach, nil)
		if d := await[*amqp.Detach](p); d.Error == nil || d.Error.Condition != amqp.CondUnauthorizedAccess {
			t.Errorf("link %s: detached with %v, want %s", attach.Name, d.Error, amqp.CondUnauthorizedAccess)
		}
	}
}

func TestNothingIsToldOfALinkAfterItsDetach(t *testing.T) {
	t.Parallel()
	p := dial(t, start(t, queue.Settings{Name: "q"}))
	p.send(&amqp.Attach{Name: "l", Target: amqp.NewTarget("q"), InitialDeliveryCount: new(uint32(0))}, nil)
	await[*amqp.Detach](p) // refused: there is no token
	p.send(&amqp.Flow{Handle: new(uint32(0)), Echo: true}, nil)
	p.send(&amqp.End{}, nil)
	f, err := p.frames.Next()
	must(t, err)
	if got, _, err := amqp.ParsePerformative(f.Body); err != nil || fmt.Sprintf("%T", got) != "*amqp.End" {
		t.Errorf("got %T, error %v, want the end alone", got, err)
	}
}

func TestLongAddressIsRefused(t *testing.T) {
	t.Parallel()
	b := start(t)
	for _, attach := range []*amqp.Attach{
		{Name: strings.Repeat("x", 2000)},
		{Target: amqp.NewTarget(strings.Repeat("x", 2000))},
		{Role: amqp.RoleReceiver, Source: amqp.NewSource(strings.Repeat("x", 2000))},
	} {
		p := dial(t, b)
		p.send(attach, nil)
		if c := await[*amqp.Close](p); c.Error == nil || c.Error.Condition != amqp.CondInvalidField {
			t.Errorf("closed with %v, want %s", c.Error, amqp.CondInvalidField)
		}
	}
}

func TestMoreThanTheOutboxHoldsIsDelivered(t *testing.T) {
	t.Parallel()
	c := start(t, queue.Settings{Name: "q"}).client(t)
	s := sender(t, c)
	const n, size = 2000, 10_000 // 20 MB, several times what may wait to be written
	for sent := 0; sent < n; {
		batch, err := s.NewMessageBatch(within(t), nil)
		must(t, err)
		for ; sent < n; sent++ {
			m := &azservicebus.Message{Body: fmt.Appendf(nil, "%0*d", size, sent)}
			if err := batch.AddMessage(m, nil); errors.Is(err, azservicebus.ErrMessageTooLarge) {
				break
			} else {
				must(t, err)
			}
		}
		must(t, s.SendMessageBatch(within(t), batch, nil))
	}
	r, err := c.NewReceiverForQueue("q", &azservicebus.ReceiverOptions{ReceiveMode: azservicebus.ReceiveModeReceiveAndDelete})
	must(t, err)
	for i, m := range receive(t, r, n) {
		if want := fmt.Sprintf("%0*d", size, i); string(m.Body) != want {
			t.Fatalf("message %d is not the one sent", i)
		}
	}
	must(t, r.Close(context.Background()))
}

func TestTransactionsAreNotImplemented(t *testing.T) {
	t.Parallel()
	p := dial(t, start(t))
	// attach "t", handle 0, of a sender, with a coordinator for its target (§4.5.1)
	const attach = "\x00\x53\x12\xc0\x10\x07\xa1\x01t\x43\x42\x40\x40\x40" + "\x00\x53\x30\xc0\x02\x01\x40"
	_, err := p.nc.Write([]byte(frame(0, attach)))
	must(t, err)
	if d := await[*amqp.Detach](p); d.Error == nil || d.Error.Condition != amqp.CondNotImplemented {
		t.Errorf("detached with %v, want %s", d.Error, amqp.CondNotImplemented)
	}
}

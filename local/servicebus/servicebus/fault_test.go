package servicebus_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/contoso/orders/local/servicebus/fault"
	"github.com/contoso/orders/local/servicebus/queue"
	"github.com/contoso/orders/local/servicebus/servicebus"
)

var plainAndSessions = []queue.Settings{{Name: "q"}, {Name: "other"}, {Name: "s", RequiresSession: true}}

// inject starts a fault that is written as on the command line.
func inject(t *testing.T, b *servicebus.Broker, text string) fault.Active {
	t.Helper()
	f, err := fault.Parse(text)
	must(t, err)
	return b.Faults().Inject(f)
}

func TestServerBusyIsToldToSendersAndRequests(t *testing.T) {
	t.Parallel()
	b := start(t, servicebus.Config{Queues: plainAndSessions})
	c := client(t, b)
	s, r := sender(t, c, "q"), receiver(t, c, "q")
	must(t, s.SendMessage(within(t), text("a"), nil))
	m := one(t, r)

	busy, alsoBusy := inject(t, b, "server-busy?queue=q"), inject(t, b, "server-busy?queue=s")
	for name, do := range map[string]func() error{
		"send":   func() error { return s.SendMessage(within(t), text("b"), nil) },
		"renew":  func() error { return r.RenewMessageLock(within(t), m, nil) },
		"peek":   func() error { _, err := r.PeekMessages(within(t), 1, nil); return err },
		"attach": func() error { _, err := client(t, b).AcceptNextSessionForQueue(within(t), "s", nil); return err },
	} {
		if err := do(); err == nil || !strings.Contains(err.Error(), "busy") {
			t.Errorf("%s: error %v, want that the service is busy", name, err)
		}
	}
	must(t, sender(t, c, "other").SendMessage(within(t), text("x"), nil))
	b.Faults().Clear(busy.ID)
	b.Faults().Clear(alsoBusy.ID)
	must(t, r.CompleteMessage(within(t), m, nil)) // the lock was not touched
	must(t, s.SendMessage(within(t), text("b"), nil))
}

func TestFailingDiskRefusesSendsAndKeepsTheRest(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	b := start(t, servicebus.Config{Queues: plainAndSessions, Data: data})
	c := client(t, b)
	s, r := sender(t, c, "q"), receiver(t, c, "q")
	must(t, s.SendMessage(within(t), text("a"), nil))
	m := one(t, r)
	broken := inject(t, b, "fail-disk")
	if err := s.SendMessage(within(t), text("b"), nil); err == nil || !strings.Contains(err.Error(), "disk") {
		t.Errorf("error %v, want one about the disk", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := r.CompleteMessage(ctx, m, nil); err == nil {
		t.Error("a completion that is not on disk was acknowledged")
	}
	b.Faults().Clear(broken.ID)
	must(t, s.SendMessage(within(t), text("b"), nil)) // with what was left to write before it
	must(t, b.Close())

	again := start(t, servicebus.Config{Queues: plainAndSessions, Data: data})
	r = receiver(t, client(t, again), "q")
	if m := one(t, r); string(m.Body) != "b" {
		t.Errorf("received %q, want what was sent and not completed", m.Body)
	}
}

package server_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/go-amqp"

	"github.com/contoso/orders/local/servicebus/fault"
	"github.com/contoso/orders/local/servicebus/queue"
)

// patient is how the SDK's users mostly run it, but with less delay.
var patient = azservicebus.RetryOptions{MaxRetries: 5, RetryDelay: 10 * time.Millisecond, MaxRetryDelay: 50 * time.Millisecond}

func TestBusyServerIsAskedAgain(t *testing.T) {
	t.Parallel()
	b := start(t, queue.Settings{Name: "q"})
	s := sender(t, b.client(t))
	must(t, s.SendMessage(within(t), in("a"), nil))
	b.faults.Inject(fault.Fault{Kind: fault.ServerBusy, Count: 1})
	err := s.SendMessage(within(t), in("b"), nil)
	if e, ok := errors.AsType[*amqp.Error](err); !ok || e.Condition != "com.microsoft:server-busy" {
		t.Errorf("error %v, want server-busy", err)
	}
	b.faults.Inject(fault.Fault{Kind: fault.ServerBusy, Count: 2})
	send(t, b.clientWith(t, patient), "c")

	r := receiver(t, b.clientWith(t, patient))
	m := receive(t, r, 2)
	b.faults.Inject(fault.Fault{Kind: fault.ServerBusy, Count: 1})
	must(t, r.RenewMessageLock(within(t), m[0], nil))
	if left := b.faults.List(); len(left) > 0 {
		t.Errorf("faults that did not happen: %v", left)
	}
}

func TestFullQueueIsTold(t *testing.T) {
	t.Parallel()
	b := start(t, queue.Settings{Name: "q"})
	b.faults.Inject(fault.Fault{Kind: fault.RefuseSends, Queue: "q", Count: 2})
	s := sender(t, b.client(t))
	for _, send := range []func() error{
		func() error { return s.SendMessage(within(t), in("a"), nil) },
		func() error {
			_, err := s.ScheduleMessages(within(t), []*azservicebus.Message{in("a")}, time.Now().Add(time.Hour), nil)
			return err
		},
	} {
		if err := send(); err == nil || !strings.Contains(err.Error(), queue.ErrFull.Error()) {
			t.Errorf("error %v, want %v", err, queue.ErrFull)
		}
	}
	must(t, s.SendMessage(within(t), in("a"), nil))
}

func TestClientRecoversFromAnEndThatWasForced(t *testing.T) {
	t.Parallel()
	for _, kind := range []fault.Kind{fault.DetachLink, fault.DropConnection} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			b := start(t, queue.Settings{Name: "q"})
			c := b.clientWith(t, patient)
			s, r := sender(t, c), receiver(t, c)
			must(t, s.SendMessage(within(t), in("a"), nil))
			receive(t, r, 1)
			b.faults.Inject(fault.Fault{Kind: kind, Queue: "q"})
			must(t, s.SendMessage(within(t), in("b"), nil))
			for _, m := range receive(t, r, 1) { // a is locked
				if string(m.Body) != "b" {
					t.Errorf("got %s", m.Body)
				}
			}
		})
	}
}

func TestLocksAreLostOnDemand(t *testing.T) {
	t.Parallel()
	b := start(t, queue.Settings{Name: "q"})
	c := b.client(t)
	send(t, c, "a")
	r := receiver(t, c)
	m := receive(t, r, 1)[0]
	b.faults.Inject(fault.Fault{Kind: fault.LoseMessageLock, Queue: "Q"})
	err := r.CompleteMessage(within(t), m, nil)
	if e, ok := errors.AsType[*azservicebus.Error](err); !ok || e.Code != azservicebus.CodeLockLost {
		t.Errorf("error %v, want code locklost", err)
	}
	if again := receive(t, r, 1)[0]; again.DeliveryCount != 2 {
		t.Errorf("delivery count %d, want 2", again.DeliveryCount)
	}
}

func TestSessionLocksAreLostOnDemand(t *testing.T) {
	t.Parallel()
	b := start(t, sessions)
	c := b.client(t)
	send(t, c, "a")
	receive(t, accept(t, c), 1)
	b.faults.Inject(fault.Fault{Kind: fault.LoseSessionLock, Queue: "q", Session: "another"})
	if _, err := b.client(t).AcceptSessionForQueue(within(t), "q", "s", nil); err == nil {
		t.Error("the lock on a session was lost that no fault was about")
	}
	b.faults.Inject(fault.Fault{Kind: fault.LoseSessionLock, Queue: "q", Session: "s"})
	if got := receive(t, accept(t, b.client(t)), 1)[0]; got.DeliveryCount != 2 {
		t.Errorf("delivery count %d, want 2", got.DeliveryCount)
	}
}

func TestCompletedMessageIsDeliveredTwiceOnDemand(t *testing.T) {
	t.Parallel()
	b := start(t, queue.Settings{Name: "q"})
	c := b.client(t)
	send(t, c, "a")
	r := receiver(t, c)
	b.faults.Inject(fault.Fault{Kind: fault.DeliverTwice, Count: 1})
	must(t, r.CompleteMessage(within(t), receive(t, r, 1)[0], nil))
	must(t, r.CompleteMessage(within(t), receive(t, r, 1)[0], nil))
	empty(t, r)
}

func TestAnswersComeLateOnDemand(t *testing.T) {
	t.Parallel()
	b := start(t, queue.Settings{Name: "q"})
	s := sender(t, b.client(t))
	must(t, s.SendMessage(within(t), in("a"), nil))
	const delay = 300 * time.Millisecond
	b.faults.Inject(fault.Fault{Kind: fault.Delay, Delay: delay, Count: 2})
	began := time.Now()
	must(t, s.SendMessage(within(t), in("b"), nil))
	if took := time.Since(began); took < delay {
		t.Errorf("answered after %v, want %v", took, delay)
	}
	ctx, cancel := context.WithTimeout(context.Background(), delay/3)
	defer cancel()
	if err := s.SendMessage(ctx, in("c"), nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want context.DeadlineExceeded", err)
	}
	receive(t, receiver(t, b.client(t)), 3) // c was accepted all the same
}

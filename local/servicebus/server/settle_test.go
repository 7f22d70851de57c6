package server_test

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/go-amqp"
	"github.com/google/go-cmp/cmp"

	"github.com/contoso/orders/local/servicebus/queue"
)

func TestCompletedMessageIsGone(t *testing.T) {
	t.Parallel()
	c := start(t, queue.Settings{Name: "q"}).client(t)
	send(t, c, "q", text("a"))
	r := receiver(t, c, "q", nil)
	must(t, r.CompleteMessage(within(t), receive(t, r, 1)[0], nil))
	empty(t, r)
}

// empty checks that the receiver's queue holds no message, locked or not.
func empty(t *testing.T, r *azservicebus.Receiver) {
	t.Helper()
	left, err := r.PeekMessages(within(t), 1, nil)
	must(t, err)
	if len(left) > 0 {
		t.Errorf("left in the queue: %q", bodies(left))
	}
}

func TestAbandonedMessageComesBackWithACharge(t *testing.T) {
	t.Parallel()
	c := start(t, queue.Settings{Name: "q"}).client(t)
	send(t, c, "q", text("a"))
	r := receiver(t, c, "q", nil)
	must(t, r.AbandonMessage(within(t), receive(t, r, 1)[0], &azservicebus.AbandonMessageOptions{
		PropertiesToModify: map[string]any{"attempt": int64(1)},
	}))
	again := receive(t, r, 1)[0]
	if again.DeliveryCount != 2 || again.ApplicationProperties["attempt"] != int64(1) {
		t.Errorf("delivery count %d, properties %v", again.DeliveryCount, again.ApplicationProperties)
	}
}

func TestDeadLetterKeepsReasonAndDescription(t *testing.T) {
	t.Parallel()
	c := start(t, queue.Settings{Name: "q"}).client(t)
	m := text("a")
	m.ApplicationProperties = map[string]any{"kept": "yes"}
	send(t, c, "q", m)
	r := receiver(t, c, "q", nil)
	must(t, r.DeadLetterMessage(within(t), receive(t, r, 1)[0], &azservicebus.DeadLetterOptions{
		Reason: new("invalid"), ErrorDescription: new("no customer"),
		PropertiesToModify: map[string]any{"more": true},
	}))
	dead := receiver(t, c, "q", ofDeadLetters)
	got := receive(t, dead, 1)[0]
	want := map[string]any{
		"kept": "yes", "more": true, "DeadLetterReason": "invalid", "DeadLetterErrorDescription": "no customer",
	}
	if diff := cmp.Diff(want, got.ApplicationProperties); diff != "" {
		t.Error(diff)
	}
	if *got.DeadLetterReason != "invalid" || *got.DeadLetterErrorDescription != "no customer" || string(got.Body) != "a" {
		t.Errorf("reason %q, description %q, body %q", *got.DeadLetterReason, *got.DeadLetterErrorDescription, got.Body)
	}
	must(t, dead.CompleteMessage(within(t), got, nil))
}

func TestDeadLettersAreForwarded(t *testing.T) {
	t.Parallel()
	c := start(t,
		queue.Settings{Name: "q", RequiresSession: true, ForwardDeadLetters: "dead"},
		queue.Settings{Name: "dead"}).client(t)
	send(t, c, "q", in("s", "a"))
	r := accept(t, c, "q", "s")
	must(t, r.DeadLetterMessage(within(t), receive(t, r, 1)[0], &azservicebus.DeadLetterOptions{Reason: new("poison")}))
	got := receive(t, receiver(t, c, "dead", nil), 1)[0]
	if *got.DeadLetterSource != "q" || *got.DeadLetterReason != "poison" || *got.SessionID != "s" || *got.EnqueuedSequenceNumber != 1 {
		t.Errorf("source %q, reason %q, session %q, sequence in source %d",
			*got.DeadLetterSource, *got.DeadLetterReason, *got.SessionID, *got.EnqueuedSequenceNumber)
	}
	nothing(t, receiver(t, c, "q", ofDeadLetters))
}

func TestMessageIsDeadLetteredAtMaxDeliveryCount(t *testing.T) {
	t.Parallel()
	c := start(t, queue.Settings{Name: "q", MaxDeliveryCount: 2}).client(t)
	send(t, c, "q", text("a"))
	r := receiver(t, c, "q", nil)
	for range 2 {
		must(t, r.AbandonMessage(within(t), receive(t, r, 1)[0], nil))
	}
	nothing(t, r)
	if got := receive(t, receiver(t, c, "q", ofDeadLetters), 1)[0]; *got.DeadLetterReason != queue.ReasonMaxDeliveryCount {
		t.Errorf("reason %q", *got.DeadLetterReason)
	}
}

func TestExpiredMessageIsDroppedOrDeadLettered(t *testing.T) {
	t.Parallel()
	c := start(t,
		queue.Settings{Name: "drops"},
		queue.Settings{Name: "keeps", DeadLetterOnExpiry: true}).client(t)
	for _, path := range []string{"drops", "keeps"} {
		m := text("a")
		m.TimeToLive = new(50 * time.Millisecond)
		send(t, c, path, m)
	}
	got := receive(t, receiver(t, c, "keeps", ofDeadLetters), 1)[0]
	if *got.DeadLetterReason != queue.ReasonExpired {
		t.Errorf("reason %q", *got.DeadLetterReason)
	}
	nothing(t, receiver(t, c, "keeps", nil))
	nothing(t, receiver(t, c, "drops", nil))
	nothing(t, receiver(t, c, "drops", ofDeadLetters))
}

func TestReceiveAndDeleteNeedsNoSettlement(t *testing.T) {
	t.Parallel()
	c := start(t, queue.Settings{Name: "q"}).client(t)
	send(t, c, "q", text("a"), text("b"))
	r := receiver(t, c, "q", &azservicebus.ReceiverOptions{ReceiveMode: azservicebus.ReceiveModeReceiveAndDelete})
	if diff := cmp.Diff([]string{"a", "b"}, bodies(receive(t, r, 2))); diff != "" {
		t.Error(diff)
	}
	empty(t, r)
}

func TestExpiredLockChargesADelivery(t *testing.T) {
	t.Parallel()
	c := start(t, queue.Settings{Name: "q", LockDuration: time.Second}).client(t)
	send(t, c, "q", text("a"))
	r := receiver(t, c, "q", nil)
	first := receive(t, r, 1)[0]
	again := receive(t, r, 1)[0]
	if again.DeliveryCount != 2 || again.LockToken == first.LockToken {
		t.Errorf("delivery count %d, lock tokens %v and %v", again.DeliveryCount, first.LockToken, again.LockToken)
	}
	wantCode(t, r.CompleteMessage(within(t), first, nil), azservicebus.CodeLockLost)
	must(t, r.CompleteMessage(within(t), again, nil))
}

func TestRenewedLockOutlivesItsDuration(t *testing.T) {
	t.Parallel()
	c := start(t, queue.Settings{Name: "q", LockDuration: time.Second}).client(t)
	send(t, c, "q", text("a"))
	r := receiver(t, c, "q", nil)
	m := receive(t, r, 1)[0]
	first := *m.LockedUntil
	for time.Now().Before(first.Add(500 * time.Millisecond)) {
		must(t, r.RenewMessageLock(within(t), m, nil))
		time.Sleep(100 * time.Millisecond) // the lock's own time passes, which the SDK gives no hook for
	}
	must(t, r.CompleteMessage(within(t), m, nil))
	wantCode(t, r.RenewMessageLock(within(t), m, nil), azservicebus.CodeLockLost)
}

func TestReceiverThatEndsLeavesItsMessagesLocked(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*azservicebus.Receiver, *proxy) error{
		"closed": func(r *azservicebus.Receiver, _ *proxy) error { return r.Close(within(t)) },
		"ended":  func(_ *azservicebus.Receiver, p *proxy) error { p.cut(); return nil },
		"reset":  func(_ *azservicebus.Receiver, p *proxy) error { p.reset(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := start(t, queue.Settings{Name: "q", LockDuration: 2 * time.Second})
			proxy := newProxy(t, b.addr)
			through := broker{addr: proxy.addr, roots: b.roots}
			c := b.client(t)
			send(t, c, "q", text("a"), text("b"), text("c"))
			r := receiver(t, through.client(t), "q", nil)
			m := receive(t, r, 3)
			must(t, end(r, proxy))
			other := receiver(t, c, "q", nil)
			nothing(t, other)
			must(t, other.CompleteMessage(within(t), byToken(m[0]), nil))
			must(t, other.AbandonMessage(within(t), byToken(m[1]), nil))
			for _, want := range []string{"b", "c"} { // c once its lock has expired
				got := receive(t, other, 1)[0]
				if string(got.Body) != want || got.DeliveryCount != 2 {
					t.Errorf("got %s, delivery count %d, want %s and 2", got.Body, got.DeliveryCount, want)
				}
				must(t, other.CompleteMessage(within(t), got, nil))
			}
			if early := time.Until(*m[2].LockedUntil); early > 0 {
				t.Errorf("c came back %v before its lock expired", early)
			}
			empty(t, other)
		})
	}
}

func TestReleasedMessageComesBackAtOnceWithoutACharge(t *testing.T) {
	t.Parallel()
	b := start(t, queue.Settings{Name: "q"})
	c := b.client(t)
	send(t, c, "q", text("a"), text("b"))
	r, err := authorized(t, b).NewReceiver(within(t), "q", &amqp.ReceiverOptions{Credit: -1})
	must(t, err)
	must(t, r.IssueCredit(2)) // and no more, or b might come back here
	for i := range 2 {
		m, err := r.Receive(within(t), nil)
		must(t, err)
		if i == 1 {
			must(t, r.ReleaseMessage(within(t), m))
		}
	}
	must(t, r.Close(within(t)))
	other := receiver(t, c, "q", nil)
	if got := receive(t, other, 1)[0]; string(got.Body) != "b" || got.DeliveryCount != 1 {
		t.Errorf("got %s, delivery count %d", got.Body, got.DeliveryCount)
	}
	nothing(t, other)
}

func TestReceivedStateLeavesADeliveryToBeSettled(t *testing.T) {
	t.Parallel()
	b := start(t, queue.Settings{Name: "q"})
	c := b.client(t)
	send(t, c, "q", text("a"))
	nc, err := net.Dial("tcp", b.addr)
	must(t, err)
	t.Cleanup(func() { nc.Close() })
	r, err := authorizedOn(t, b, nc).NewReceiver(within(t), "q", &amqp.ReceiverOptions{
		SettlementMode: amqp.ReceiverSettleModeSecond.Ptr(), // settling waits for an answer
	})
	must(t, err)
	m, err := r.Receive(within(t), nil)
	must(t, err)
	const received = "\x00\x53\x15\xc0\x0d\x05\x41\x43\x40\x42" + "\x00\x53\x23\xc0\x03\x02\x43\x44"
	_, err = io.WriteString(nc, frame(0, received)) // of delivery 0, which go-amqp does not send by itself
	must(t, err)
	must(t, r.AcceptMessage(within(t), m))
	empty(t, receiver(t, c, "q", nil))
}

// byToken is m as the SDK settles it over $management: with its link, it would
// try the link first.
func byToken(m *azservicebus.ReceivedMessage) *azservicebus.ReceivedMessage {
	return &azservicebus.ReceivedMessage{LockToken: m.LockToken}
}

func TestMessageCanBeSettledByTokenAlone(t *testing.T) {
	t.Parallel()
	c := start(t, queue.Settings{Name: "q"}).client(t)
	send(t, c, "q", text("a"), text("b"), text("c"))
	r := receiver(t, c, "q", nil)
	m := receive(t, r, 3)
	must(t, r.CompleteMessage(within(t), byToken(m[0]), nil))
	must(t, r.DeadLetterMessage(within(t), byToken(m[1]), &azservicebus.DeadLetterOptions{Reason: new("r")}))
	must(t, r.AbandonMessage(within(t), byToken(m[2]), nil))
	if got := receive(t, r, 1)[0]; string(got.Body) != "c" || got.DeliveryCount != 2 {
		t.Errorf("got %s, delivery count %d", got.Body, got.DeliveryCount)
	}
	if got := receive(t, receiver(t, c, "q", ofDeadLetters), 1)[0]; string(got.Body) != "b" || *got.DeadLetterReason != "r" {
		t.Errorf("dead letter %s, reason %q", got.Body, *got.DeadLetterReason)
	}
	wantCode(t, r.CompleteMessage(within(t), byToken(m[0]), nil), azservicebus.CodeLockLost)
}

func TestPeekShowsMessagesWithoutLockingThem(t *testing.T) {
	t.Parallel()
	c := start(t, queue.Settings{Name: "q"}).client(t)
	send(t, c, "q", text("a"), text("b"), text("c"))
	r := receiver(t, c, "q", nil)
	receive(t, r, 1) // locked messages are shown as well
	peeked, err := r.PeekMessages(within(t), 2, nil)
	must(t, err)
	rest, err := r.PeekMessages(within(t), 5, nil) // goes on where the last one ended
	must(t, err)
	if diff := cmp.Diff([]string{"a", "b", "c"}, append(bodies(peeked), bodies(rest)...)); diff != "" {
		t.Error(diff)
	}
	receive(t, r, 2)
}

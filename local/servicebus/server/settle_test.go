package server_test

import (
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/google/go-cmp/cmp"

	"github.com/contoso/orders/local/servicebus/queue"
)

func TestCompletedMessageIsGone(t *testing.T) {
	t.Parallel()
	c := start(t, queue.Settings{Name: "q"}).client(t)
	send(t, c, "q", text("a"))
	r := receiver(t, c, "q", nil)
	must(t, r.CompleteMessage(within(t), receive(t, r, 1)[0], nil))
	must(t, r.Close(within(t)))
	nothing(t, receiver(t, c, "q", nil))
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
	must(t, r.Close(within(t)))
	nothing(t, receiver(t, c, "q", nil))
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

func TestCleanCloseReleasesWithoutACharge(t *testing.T) {
	t.Parallel()
	c := start(t, queue.Settings{Name: "q"}).client(t)
	send(t, c, "q", text("a"), text("b"), text("c"))
	r := receiver(t, c, "q", nil)
	receive(t, r, 3)
	must(t, r.Close(within(t)))
	for i, m := range receive(t, receiver(t, c, "q", nil), 3) {
		if m.DeliveryCount != 1 || *m.SequenceNumber != int64(i+1) {
			t.Errorf("message %d: delivery count %d, sequence %d", i, m.DeliveryCount, *m.SequenceNumber)
		}
	}
}

func TestMessageCanBeSettledByTokenAlone(t *testing.T) {
	t.Parallel()
	c := start(t, queue.Settings{Name: "q"}).client(t)
	send(t, c, "q", text("a"), text("b"), text("c"))
	r := receiver(t, c, "q", nil)
	m := receive(t, r, 3)
	byToken := func(m *azservicebus.ReceivedMessage) *azservicebus.ReceivedMessage {
		return &azservicebus.ReceivedMessage{LockToken: m.LockToken}
	}
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

package server_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/go-amqp"
	"github.com/google/go-cmp/cmp"

	"github.com/contoso/orders/local/servicebus/queue"
)

// both is what receivers of either kind do with deferred messages.
type both interface {
	source
	DeferMessage(context.Context, *azservicebus.ReceivedMessage, *azservicebus.DeferMessageOptions) error
	ReceiveDeferredMessages(context.Context, []int64, *azservicebus.ReceiveDeferredMessagesOptions) ([]*azservicebus.ReceivedMessage, error)
	AbandonMessage(context.Context, *azservicebus.ReceivedMessage, *azservicebus.AbandonMessageOptions) error
	CompleteMessage(context.Context, *azservicebus.ReceivedMessage, *azservicebus.CompleteMessageOptions) error
	DeadLetterMessage(context.Context, *azservicebus.ReceivedMessage, *azservicebus.DeadLetterOptions) error
	PeekMessages(context.Context, int, *azservicebus.PeekMessagesOptions) ([]*azservicebus.ReceivedMessage, error)
}

// deferred asks for deferred messages.
func deferred(t *testing.T, r both, sequences ...int64) []*azservicebus.ReceivedMessage {
	t.Helper()
	got, err := r.ReceiveDeferredMessages(within(t), sequences, nil)
	must(t, err)
	return got
}

// setAside sends messages to q and defers all of them.
func setAside(t *testing.T, c *azservicebus.Client, r both, messages ...*azservicebus.Message) {
	t.Helper()
	send(t, c, "q", messages...)
	for _, m := range receive(t, r, len(messages)) {
		must(t, r.DeferMessage(within(t), m, nil))
	}
}

func TestDeferredMessageIsReceivedByItsNumberAndSettled(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(*testing.T, *azservicebus.Client) both{
		"of a queue":   func(t *testing.T, c *azservicebus.Client) both { return receiver(t, c, "q", nil) },
		"of a session": func(t *testing.T, c *azservicebus.Client) both { return accept(t, c, "q", "s") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := start(t, queue.Settings{Name: "q", RequiresSession: name == "of a session"}).client(t)
			r := open(t, c)
			send(t, c, "q", in("s", "a"), in("s", "b"), in("s", "c"))
			first := receive(t, r, 1)[0]
			must(t, r.DeferMessage(within(t), first, &azservicebus.DeferMessageOptions{
				PropertiesToModify: map[string]any{"waits for": "payment"},
			}))
			rest := receive(t, r, 2) // what comes after it is not held up
			must(t, r.DeferMessage(within(t), rest[0], nil))
			must(t, r.CompleteMessage(within(t), rest[1], nil))
			peeked, err := r.PeekMessages(within(t), 10, nil)
			must(t, err)
			if len(peeked) != 2 || peeked[0].State != azservicebus.MessageStateDeferred {
				t.Fatalf("peeked %q, state %d", bodies(peeked), peeked[0].State)
			}

			got := deferred(t, r, 1, 2)
			a := got[0]
			if diff := cmp.Diff([]string{"a", "b"}, bodies(got)); diff != "" {
				t.Error(diff)
			}
			if a.State != azservicebus.MessageStateDeferred || a.DeliveryCount != 1 || *a.SequenceNumber != 1 ||
				a.ApplicationProperties["waits for"] != "payment" || time.Until(*a.LockedUntil) < 50*time.Second {
				t.Errorf("state %d, delivery count %d, sequence %d, properties %v, locked until %v",
					a.State, a.DeliveryCount, *a.SequenceNumber, a.ApplicationProperties, a.LockedUntil)
			}
			must(t, r.AbandonMessage(within(t), a, &azservicebus.AbandonMessageOptions{PropertiesToModify: map[string]any{"n": int64(1)}}))
			must(t, r.DeadLetterMessage(within(t), got[1], &azservicebus.DeadLetterOptions{Reason: new("unpaid")}))
			nothing(t, r)
			again := deferred(t, r, 1)[0]
			if again.DeliveryCount != 2 || again.ApplicationProperties["n"] != int64(1) {
				t.Errorf("delivery count %d, properties %v", again.DeliveryCount, again.ApplicationProperties)
			}
			must(t, r.DeferMessage(within(t), again, nil)) // by $management, for it has no link
			must(t, r.CompleteMessage(within(t), deferred(t, r, 1)[0], nil))
			_, err = r.ReceiveDeferredMessages(within(t), []int64{1}, nil)
			wantCode(t, err, azservicebus.CodeNotFound)
			dead := receive(t, receiver(t, c, "q", ofDeadLetters), 1)[0]
			if *dead.DeadLetterReason != "unpaid" || dead.State != azservicebus.MessageStateActive {
				t.Errorf("reason %q, state %d", *dead.DeadLetterReason, dead.State)
			}
		})
	}
}

func TestMessageThatIsNotDeferredIsNotFoundByItsNumber(t *testing.T) {
	t.Parallel()
	c := start(t, queue.Settings{Name: "q"}).client(t)
	r := receiver(t, c, "q", nil)
	setAside(t, c, r, text("a"))
	send(t, c, "q", text("b"))
	for _, sequences := range [][]int64{{2}, {1, 2}, {1, 99}} {
		_, err := r.ReceiveDeferredMessages(within(t), sequences, nil)
		wantCode(t, err, azservicebus.CodeNotFound)
	}
	deferred(t, r, 1) // the failures locked nothing
	_, err := r.ReceiveDeferredMessages(within(t), []int64{1}, nil)
	wantCode(t, err, azservicebus.CodeNotFound) // it is locked
}

func TestLockOnADeferredMessageExpires(t *testing.T) {
	t.Parallel()
	c := start(t, queue.Settings{Name: "q", LockDuration: time.Second}).client(t)
	r := receiver(t, c, "q", nil)
	setAside(t, c, r, text("a"))
	first := deferred(t, r, 1)[0]
	nothing(t, r)
	must(t, r.RenewMessageLock(within(t), first, nil))
	time.Sleep(time.Until(*first.LockedUntil) + 50*time.Millisecond) // the lock's own time, which the SDK gives no hook for
	wantCode(t, r.CompleteMessage(within(t), first, nil), azservicebus.CodeLockLost)
	again := deferred(t, r, 1)[0]
	if again.DeliveryCount != 2 {
		t.Errorf("delivery count %d", again.DeliveryCount)
	}
	must(t, r.CompleteMessage(within(t), again, nil))
}

func TestDeferredMessageReceivedForDeletionIsGone(t *testing.T) {
	t.Parallel()
	c := start(t, queue.Settings{Name: "q"}).client(t)
	setAside(t, c, receiver(t, c, "q", nil), text("a"), text("b"))
	r := receiver(t, c, "q", &azservicebus.ReceiverOptions{ReceiveMode: azservicebus.ReceiveModeReceiveAndDelete})
	if diff := cmp.Diff([]string{"a", "b"}, bodies(deferred(t, r, 1, 2))); diff != "" {
		t.Error(diff)
	}
	empty(t, r)
}

func TestDeferredMessageIsForItsSessionAlone(t *testing.T) {
	t.Parallel()
	c := start(t, sessions).client(t)
	r := accept(t, c, "q", "s")
	setAside(t, c, r, in("s", "a"))
	must(t, r.Close(within(t)))
	_, err := accept(t, c, "q", "other").ReceiveDeferredMessages(within(t), []int64{1}, nil)
	wantCode(t, err, azservicebus.CodeNotFound)
	again := accept(t, c, "q", "s") // with another link
	must(t, again.CompleteMessage(within(t), deferred(t, again, 1)[0], nil))
}

func TestDeadLetterCanBeDeferred(t *testing.T) {
	t.Parallel()
	c := start(t, queue.Settings{Name: "q"}).client(t)
	send(t, c, "q", text("a"))
	r := receiver(t, c, "q", nil)
	must(t, r.DeadLetterMessage(within(t), receive(t, r, 1)[0], nil))
	dead := receiver(t, c, "q", ofDeadLetters)
	must(t, dead.DeferMessage(within(t), receive(t, dead, 1)[0], nil))
	must(t, dead.CompleteMessage(within(t), deferred(t, dead, 1)[0], nil))
	empty(t, dead)
}

func TestOneAnswerHoldsNoMoreDeferredMessagesThanItsLimit(t *testing.T) {
	t.Parallel()
	c := start(t, queue.Settings{Name: "q"}).client(t)
	r := receiver(t, c, "q", nil)
	large := &azservicebus.Message{Body: bytes.Repeat([]byte("x"), 1<<20-100)}
	setAside(t, c, r, large, large, large)
	if got, err := r.ReceiveDeferredMessages(within(t), []int64{1, 2, 3}, nil); err == nil {
		t.Errorf("got %d messages, want an error for 3 MiB", len(got))
	}
	if got := deferred(t, r, 1, 2); len(got) != 2 {
		t.Errorf("got %d messages, want 2: the failure locked nothing", len(got))
	}
}

func TestBadRequestForMessagesByNumberIsToldWhy(t *testing.T) {
	t.Parallel()
	s := authorized(t, start(t, queue.Settings{Name: "q"}))
	ask, err := s.NewSender(within(t), "q/$management", nil)
	must(t, err)
	answers, err := s.NewReceiver(within(t), "q/$management", &amqp.ReceiverOptions{TargetAddress: "here"})
	must(t, err)
	unscheduled, err := amqp.NewMessage([]byte("x")).MarshalBinary()
	must(t, err)
	one := []int64{1}
	for _, test := range []struct {
		operation string
		body      map[string]any
		status    int32
		condition any
	}{
		{"receive-by-sequence-number", map[string]any{"receiver-settle-mode": uint8(1)}, 400, nil},
		{"receive-by-sequence-number", map[string]any{"sequence-numbers": one}, 400, nil},
		{"receive-by-sequence-number", map[string]any{"sequence-numbers": []string{"1"}, "receiver-settle-mode": uint8(1)}, 400, nil},
		{"receive-by-sequence-number", map[string]any{"sequence-numbers": one, "receiver-settle-mode": uint8(1)}, 404, "com.microsoft:message-not-found"},
		{"cancel-scheduled-message", map[string]any{}, 400, nil},
		{"cancel-scheduled-message", map[string]any{"sequence-numbers": one}, 404, "com.microsoft:message-not-found"},
		{"schedule-message", map[string]any{}, 400, nil},
		{"schedule-message", map[string]any{"messages": []any{"x"}}, 400, nil},
		{"schedule-message", map[string]any{"messages": []any{map[string]any{"message": unscheduled}}}, 400, nil},
	} {
		must(t, ask.Send(within(t), &amqp.Message{
			Properties:            &amqp.MessageProperties{MessageID: "1", ReplyTo: new("here")},
			ApplicationProperties: map[string]any{"operation": "com.microsoft:" + test.operation},
			Value:                 test.body,
		}, nil))
		answer, err := answers.Receive(within(t), nil)
		must(t, err)
		p := answer.ApplicationProperties
		if p["statusCode"] != test.status || p["errorCondition"] != test.condition {
			t.Errorf("%s %v: answered %v", test.operation, test.body, p)
		}
	}
}

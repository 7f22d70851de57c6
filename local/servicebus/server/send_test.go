package server_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/go-amqp"
	"github.com/google/go-cmp/cmp"

	"github.com/contoso/orders/local/servicebus/queue"
)

func TestReceivedMessageIsTheOneSent(t *testing.T) {
	t.Parallel()
	c := start(t, queue.Settings{Name: "q"}).client(t)
	sent := &azservicebus.Message{
		Body:             []byte("body"),
		MessageID:        new("id"),
		CorrelationID:    new("correlation"),
		ContentType:      new("text/plain"),
		Subject:          new("subject"),
		To:               new("to"),
		ReplyTo:          new("reply"),
		ReplyToSessionID: new("reply session"),
		PartitionKey:     new("s"),
		SessionID:        new("s"),
		TimeToLive:       new(time.Hour),
		ApplicationProperties: map[string]any{
			"text": "ü", "long": int64(-1), "double": 1.5, "bool": true,
		},
	}
	before := time.Now().Add(-time.Second)
	send(t, c, "q", sent)
	got := receive(t, receiver(t, c, "q", nil), 1)[0]
	back := got.Message()
	if diff := cmp.Diff(sent, back); diff != "" {
		t.Errorf("message differs (-sent +received):\n%s", diff)
	}
	if got.DeliveryCount != 1 || *got.SequenceNumber != 1 || got.EnqueuedTime.Before(before) || got.LockedUntil.Before(time.Now()) {
		t.Errorf("delivery count %d, sequence %d, enqueued %v, locked until %v",
			got.DeliveryCount, *got.SequenceNumber, got.EnqueuedTime, got.LockedUntil)
	}
}

func TestBatchOfManyFramesArrivesInOrder(t *testing.T) {
	t.Parallel()
	c := start(t, queue.Settings{Name: "q"}).client(t)
	s := sender(t, c, "q")
	batch, err := s.NewMessageBatch(within(t), nil)
	must(t, err)
	const n, size = 50, 10_000 // several times the frame size
	for i := range n {
		must(t, batch.AddMessage(text(fmt.Sprintf("%02d%s", i, bytes.Repeat([]byte("x"), size))), nil))
	}
	must(t, s.SendMessageBatch(within(t), batch, nil))
	for i, m := range receive(t, receiver(t, c, "q", nil), n) {
		if want := fmt.Sprintf("%02d", i); string(m.Body[:2]) != want || len(m.Body) != size+2 {
			t.Fatalf("message %d is %s… of %d bytes", i, m.Body[:2], len(m.Body))
		}
	}
}

func TestLargestMessagePassesAndALargerOneIsRefused(t *testing.T) {
	t.Parallel()
	c := start(t, queue.Settings{Name: "q"}).client(t)
	s := sender(t, c, "q")
	body := bytes.Repeat([]byte("x"), 1<<20-100)
	must(t, s.SendMessage(within(t), &azservicebus.Message{Body: body}, nil))
	if got := receive(t, receiver(t, c, "q", nil), 1)[0]; !bytes.Equal(got.Body, body) {
		t.Errorf("received %d bytes, sent %d", len(got.Body), len(body))
	}
	err := s.SendMessage(within(t), &azservicebus.Message{Body: bytes.Repeat([]byte("x"), 1<<20)}, nil)
	if !errors.Is(err, azservicebus.ErrMessageTooLarge) {
		t.Errorf("error %v, want ErrMessageTooLarge", err)
	}
}

func TestMessageWithoutASessionIsRefusedByASessionQueue(t *testing.T) {
	t.Parallel()
	c := start(t, queue.Settings{Name: "q", RequiresSession: true}).client(t)
	err := sender(t, c, "q").SendMessage(within(t), text("x"), nil)
	if e, ok := errors.AsType[*amqp.Error](err); !ok || e.Condition != amqp.ErrCondNotAllowed {
		t.Errorf("error %v, want amqp:not-allowed", err)
	}
}

func TestDuplicateIsAcceptedAndDropped(t *testing.T) {
	t.Parallel()
	c := start(t, queue.Settings{Name: "q", DuplicateWindow: time.Minute}).client(t)
	for _, m := range []struct{ id, body string }{{"1", "a"}, {"1", "b"}, {"2", "c"}} {
		send(t, c, "q", &azservicebus.Message{MessageID: &m.id, Body: []byte(m.body)})
	}
	r := receiver(t, c, "q", nil)
	got := receive(t, r, 2)
	if diff := cmp.Diff([]string{"a", "c"}, bodies(got)); diff != "" {
		t.Error(diff)
	}
	nothing(t, r)
}

func TestFullQueueRefusesMessages(t *testing.T) {
	t.Parallel()
	c := start(t, queue.Settings{Name: "q", MaxBytes: 1000}).client(t)
	err := sender(t, c, "q").SendMessage(within(t), &azservicebus.Message{Body: make([]byte, 1000)}, nil)
	if e, ok := errors.AsType[*amqp.Error](err); !ok || e.Condition != amqp.ErrCondResourceLimitExceeded {
		t.Errorf("error %v, want amqp:resource-limit-exceeded", err)
	}
}

func TestUnknownQueueIsNotFound(t *testing.T) {
	t.Parallel()
	c := start(t, queue.Settings{Name: "q"}).client(t)
	err := sender(t, c, "other").SendMessage(within(t), text("x"), nil)
	if e, ok := errors.AsType[*amqp.Error](err); !ok || e.Condition != amqp.ErrCondNotFound {
		t.Errorf("error %v, want amqp:not-found", err)
	}
}

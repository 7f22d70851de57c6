package server_test

import (
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/google/go-cmp/cmp"

	"github.com/contoso/orders/local/servicebus/queue"
)

func schedule(t *testing.T, s *azservicebus.Sender, at time.Time, messages ...*azservicebus.Message) []int64 {
	t.Helper()
	sequences, err := s.ScheduleMessages(within(t), messages, at, nil)
	must(t, err)
	return sequences
}

func TestScheduledMessagesComeAtTheirTime(t *testing.T) {
	t.Parallel()
	c := start(t, queue.Settings{Name: "q"}).client(t)
	s := sender(t, c, "q")
	at := time.Now().Add(2 * time.Second)
	field := text("by its field")
	field.ScheduledEnqueueTime = new(at.Add(100 * time.Millisecond))
	must(t, s.SendMessage(within(t), field, nil))
	if diff := cmp.Diff([]int64{2, 3}, schedule(t, s, at, text("a"), text("b"))); diff != "" {
		t.Error(diff)
	}
	r := receiver(t, c, "q", nil)
	nothing(t, r)
	send(t, c, "q", text("now"))
	got := receive(t, r, 4)
	if diff := cmp.Diff([]string{"now", "a", "b", "by its field"}, bodies(got)); diff != "" {
		t.Error(diff)
	}
	for i, m := range got[1:] {
		due := []time.Time{at, at, *field.ScheduledEnqueueTime}[i].Truncate(time.Millisecond)
		if *m.SequenceNumber != int64(5+i) || m.State != azservicebus.MessageStateActive ||
			m.EnqueuedTime.Before(due) || !m.ScheduledEnqueueTime.Equal(due) {
			t.Errorf("%s: sequence %d, state %d, enqueued %v, scheduled for %v",
				m.Body, *m.SequenceNumber, m.State, m.EnqueuedTime, m.ScheduledEnqueueTime)
		}
	}
}

func TestMessageScheduledForThePastComesAtOnce(t *testing.T) {
	t.Parallel()
	c := start(t, queue.Settings{Name: "q"}).client(t)
	schedule(t, sender(t, c, "q"), time.Now().Add(-time.Hour), text("a"))
	receive(t, receiver(t, c, "q", nil), 1)
}

func TestScheduledMessagesAreCountedAndPeeked(t *testing.T) {
	t.Parallel()
	b := start(t, queue.Settings{Name: "q"})
	c := b.client(t)
	schedule(t, sender(t, c, "q"), time.Now().Add(time.Hour), text("a"), text("b"))
	r := receiver(t, c, "q", nil)
	setAside(t, c, r, text("deferred"))
	peeked, err := r.PeekMessages(within(t), 10, nil)
	must(t, err)
	var states []azservicebus.MessageState
	for _, m := range peeked {
		states = append(states, m.State)
	}
	want := []azservicebus.MessageState{azservicebus.MessageStateScheduled, azservicebus.MessageStateScheduled, azservicebus.MessageStateDeferred}
	if diff := cmp.Diff(want, states); diff != "" {
		t.Error(diff)
	}
	counts, err := b.admin(t, testKey.Secret, "").GetQueueRuntimeProperties(within(t), "q", nil)
	must(t, err)
	if counts.ScheduledMessageCount != 2 || counts.ActiveMessageCount != 1 || counts.TotalMessageCount != 3 {
		t.Errorf("counts %+v", counts.QueueRuntimeProperties)
	}
}

func TestScheduledMessageCanBeCancelledOnce(t *testing.T) {
	t.Parallel()
	c := start(t, queue.Settings{Name: "q"}).client(t)
	s := sender(t, c, "q")
	sequences := schedule(t, s, time.Now().Add(500*time.Millisecond), text("a"), text("b"), text("c"))
	must(t, s.CancelScheduledMessages(within(t), sequences[:2], nil))
	wantCode(t, s.CancelScheduledMessages(within(t), sequences[1:], nil), azservicebus.CodeNotFound) // and not the last one either
	r := receiver(t, c, "q", nil)
	if diff := cmp.Diff([]string{"c"}, bodies(receive(t, r, 1))); diff != "" {
		t.Error(diff)
	}
	wantCode(t, s.CancelScheduledMessages(within(t), sequences[2:], nil), azservicebus.CodeNotFound)
}

func TestScheduledMessageOffersItsSessionWhenItIsDue(t *testing.T) {
	t.Parallel()
	c := start(t, sessions).client(t)
	at := time.Now().Add(500 * time.Millisecond).Truncate(time.Millisecond) // as on the wire
	schedule(t, sender(t, c, "q"), at, in("s", "a"))
	r, err := c.AcceptNextSessionForQueue(within(t), "q", nil)
	must(t, err)
	if early := time.Until(at); early > 0 || r.SessionID() != "s" {
		t.Errorf("accepted session %q, %v too early", r.SessionID(), early)
	}
	receive(t, r, 1)
}

func TestScheduledDuplicateIsAnsweredWithTheFirstOnesNumber(t *testing.T) {
	t.Parallel()
	c := start(t, queue.Settings{Name: "q", DuplicateWindow: time.Minute}).client(t)
	s := sender(t, c, "q")
	m := text("a")
	m.MessageID = new("id")
	at := time.Now().Add(time.Hour)
	first := schedule(t, s, at, m)
	if diff := cmp.Diff(first, schedule(t, s, at, m)); diff != "" {
		t.Error(diff)
	}
	must(t, s.CancelScheduledMessages(within(t), first, nil))
	empty(t, receiver(t, c, "q", nil))
}

func TestScheduledTimeOfAWrongTypeIsRefused(t *testing.T) {
	t.Parallel() // it would end in a panic of the receiving client
	c := start(t, queue.Settings{Name: "q"}).client(t)
	err := sender(t, c, "q").SendAMQPAnnotatedMessage(within(t), &azservicebus.AMQPAnnotatedMessage{
		Body:               azservicebus.AMQPAnnotatedMessageBody{Data: [][]byte{[]byte("x")}},
		MessageAnnotations: map[any]any{"x-opt-scheduled-enqueue-time": "tomorrow"},
	}, nil)
	if err == nil || !strings.Contains(err.Error(), "amqp:decode-error") { // the SDK hides its type
		t.Errorf("error %v, want amqp:decode-error", err)
	}
	empty(t, receiver(t, c, "q", nil))
}

func TestStateOfAnEarlierDeliveryIsNotSentOn(t *testing.T) {
	t.Parallel()
	c := start(t, queue.Settings{Name: "q"}).client(t)
	must(t, sender(t, c, "q").SendAMQPAnnotatedMessage(within(t), &azservicebus.AMQPAnnotatedMessage{
		Body:               azservicebus.AMQPAnnotatedMessageBody{Data: [][]byte{[]byte("x")}},
		MessageAnnotations: map[any]any{"x-opt-message-state": int32(azservicebus.MessageStateDeferred)},
	}, nil))
	if got := receive(t, receiver(t, c, "q", nil), 1)[0]; got.State != azservicebus.MessageStateActive {
		t.Errorf("state %d", got.State)
	}
}

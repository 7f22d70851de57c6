package conformance

import (
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus/admin"
	"github.com/google/go-cmp/cmp"
)

func (n *namespace) schedule(s *azservicebus.Sender, at time.Time, messages ...*azservicebus.Message) []int64 {
	n.Helper()
	sequences, err := s.ScheduleMessages(n.within(), messages, at, nil)
	n.must(err)
	if len(sequences) != len(messages) {
		n.Fatalf("%d numbers for %d messages", len(sequences), len(messages))
	}
	return sequences
}

// soon is a time that has not come when the next requests are answered, as
// precise as the wire has it.
func soon() time.Time {
	return time.Now().Add(short(2*time.Second, 10*time.Second)).Truncate(time.Millisecond)
}

func TestScheduledMessagesComeAtTheirTime(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.plain()
	s, r := n.sender(c, q), n.receiver(c, q, nil)
	n.must(s.CancelScheduledMessages(n.within(), n.schedule(s, soon(), text("attaches the sender")), nil))
	n.empty(r) // attaches the receiver
	at := soon()
	field := text("by its field")
	field.ScheduledEnqueueTime = new(at.Add(100 * time.Millisecond))
	n.must(s.SendMessage(n.within(), field, nil))
	sequences := n.schedule(s, at, text("a"), text("b"))
	n.nothing(r)
	n.must(s.SendMessage(n.within(), text("now"), nil))
	got := n.receive(r, 4)
	if diff := cmp.Diff([]string{"now", "a", "b", "by its field"}, bodies(got)); diff != "" {
		t.Fatal(diff)
	}
	clocks := short(0, 5*time.Second)
	for i, m := range got[1:] {
		due := []time.Time{at, at, *field.ScheduledEnqueueTime}[i]
		if m.State != azservicebus.MessageStateActive || m.EnqueuedTime.Before(due.Add(-clocks)) || !m.ScheduledEnqueueTime.Equal(due) {
			t.Errorf("%s: state %d, enqueued %v, scheduled for %v", m.Body, m.State, m.EnqueuedTime, m.ScheduledEnqueueTime)
		}
		// "Message sequencing and timestamps": enqueued as if at that time.
		if *m.SequenceNumber <= *got[0].SequenceNumber || *m.SequenceNumber <= sequences[1] {
			t.Errorf("%s: number %d, that of a message sent before is %d", m.Body, *m.SequenceNumber, *got[0].SequenceNumber)
		}
	}
}

func TestMessageScheduledForThePastComesAtOnce(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.plain()
	n.schedule(n.sender(c, q), time.Now().Add(-time.Hour), text("a"))
	n.receiveOne(n.receiver(c, q, nil))
}

func TestScheduledMessagesAreCountedAndPeeked(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.plain()
	sequences := n.schedule(n.sender(c, q), time.Now().Add(time.Hour), text("a"), text("b"))
	peeked, err := n.receiver(c, q, nil).PeekMessages(n.within(), 10, nil)
	n.must(err)
	if diff := cmp.Diff([]string{"a", "b"}, bodies(peeked)); diff != "" {
		t.Fatal(diff)
	}
	for i, m := range peeked {
		if m.State != azservicebus.MessageStateScheduled || *m.SequenceNumber != sequences[i] {
			t.Errorf("%s: state %d, number %d, told was %d", m.Body, m.State, *m.SequenceNumber, sequences[i])
		}
	}
	n.until("two messages are scheduled, none active", q, func(p admin.QueueRuntimeProperties) bool {
		return p.ScheduledMessageCount == 2 && p.ActiveMessageCount == 0 && p.TotalMessageCount == 2
	})
}

func TestScheduledMessageCanBeCancelledOnce(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.plain()
	s := n.sender(c, q)
	sequences := n.schedule(s, time.Now().Add(time.Hour), text("a"), text("b"), text("c"))
	n.must(s.CancelScheduledMessages(n.within(), sequences[:2], nil))
	n.wantCode(s.CancelScheduledMessages(n.within(), sequences[:1], nil), azservicebus.CodeNotFound)
	// For a request of several numbers the documentation has one status.
	if n.doubt("cancelling-all-or-none", "cancelling several messages fails as a whole") {
		n.wantCode(s.CancelScheduledMessages(n.within(), sequences[1:], nil), azservicebus.CodeNotFound)
		left, err := n.receiver(c, q, nil).PeekMessages(n.within(), 3, nil)
		n.must(err)
		if diff := cmp.Diff([]string{"c"}, bodies(left)); diff != "" {
			t.Error(diff)
		}
	}
}

func TestMessageThatIsDueCannotBeCancelled(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.plain()
	s := n.sender(c, q)
	sequences := n.schedule(s, time.Now().Add(short(300*time.Millisecond, 5*time.Second)), text("a"))
	n.receiveOne(n.receiver(c, q, nil))
	n.wantCode(s.CancelScheduledMessages(n.within(), sequences, nil), azservicebus.CodeNotFound)
}

func TestScheduledMessageOffersItsSessionWhenItIsDue(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.sessions()
	at := soon()
	n.schedule(n.sender(c, q), at, in("s", "a"))
	r := n.acceptNext(c, q)
	if early := time.Until(at); early > short(0, 5*time.Second) || r.SessionID() != "s" {
		t.Errorf("accepted session %q, %v too early", r.SessionID(), early)
	}
	n.receiveOne(r)
}

func TestTimeToLiveOfAScheduledMessageCountsFromItsTime(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.plain()
	m := text("a")
	m.TimeToLive = new(short(1500*time.Millisecond, 8*time.Second)) // over before it is due
	n.schedule(n.sender(c, q), soon(), m)
	n.receiveOne(n.receiver(c, q, nil))
}

func TestScheduledDuplicateIsDropped(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.queue(admin.QueueProperties{RequiresDuplicateDetection: new(true)})
	s := n.sender(c, q)
	m := text("a")
	m.MessageID = new("id")
	at := time.Now().Add(time.Hour)
	first := n.schedule(s, at, m)
	second := n.schedule(s, at, m)
	peeked, err := n.receiver(c, q, nil).PeekMessages(n.within(), 10, nil)
	n.must(err)
	if len(peeked) != 1 {
		t.Fatalf("%d messages are scheduled", len(peeked))
	}
	// "Duplicate detection" has only that the send succeeds.
	if n.doubt("scheduled-duplicate-has-the-firsts-number", "scheduling a duplicate tells the number of the message that it repeats") {
		if diff := cmp.Diff(first, second); diff != "" {
			t.Error(diff)
		}
	}
	if n.doubt("cancelling-keeps-the-id", "an id counts as seen though its message was cancelled") {
		n.must(s.CancelScheduledMessages(n.within(), first, nil))
		n.must(s.SendMessage(n.within(), m, nil))
		n.empty(n.receiver(c, q, nil))
	}
}

func TestScheduledTimeOfAWrongTypeIsRefused(t *testing.T) {
	n := open(t)
	n.localOnly("what Azure makes of it is not known, and a receiving SDK would panic")
	c, q := n.client(), n.plain()
	err := n.sender(c, q).SendAMQPAnnotatedMessage(n.within(), &azservicebus.AMQPAnnotatedMessage{
		Body:               azservicebus.AMQPAnnotatedMessageBody{Data: [][]byte{[]byte("x")}},
		MessageAnnotations: map[any]any{"x-opt-scheduled-enqueue-time": "tomorrow"},
	}, nil)
	n.wantText(err, "amqp:decode-error")
	n.empty(n.receiver(c, q, nil))
}

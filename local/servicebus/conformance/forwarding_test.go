package conformance

import (
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus/admin"
)

// target names a queue as the management API wants it for a forward.
func target(path string) *string { return new("sb://" + parse(under.connection).host + "/" + path) }

func TestMessagesAreForwarded(t *testing.T) {
	n := open(t)
	c := n.client()
	end := n.plain()
	middle := n.queue(admin.QueueProperties{ForwardTo: target(end)})
	q := n.queue(admin.QueueProperties{ForwardTo: target(middle)})
	m := text("a")
	m.ApplicationProperties = map[string]any{"k": "v"}
	n.send(c, q, m)
	got := n.receiveOne(n.receiver(c, end, nil))
	if string(got.Body) != "a" || got.ApplicationProperties["k"] != "v" || got.DeliveryCount != 1 {
		t.Errorf("body %s, properties %v, delivery count %d", got.Body, got.ApplicationProperties, got.DeliveryCount)
	}
	n.until("nothing is left behind", q, func(p admin.QueueRuntimeProperties) bool { return p.TotalMessageCount == 0 })
}

func TestMessagesAreForwardedIntoSessions(t *testing.T) {
	n := open(t)
	c := n.client()
	end := n.sessions()
	q := n.queue(admin.QueueProperties{ForwardTo: target(end)})
	n.send(c, q, in("s", "a"), in("s", "b"))
	n.receive(n.accept(c, end, "s"), 2)
}

func TestScheduledMessageIsForwardedWhenItIsDue(t *testing.T) {
	n := open(t)
	c := n.client()
	end := n.plain()
	q := n.queue(admin.QueueProperties{ForwardTo: target(end)})
	at := soon()
	n.schedule(n.sender(c, q), at, text("a"))
	n.receiveOne(n.receiver(c, end, nil))
	if early := time.Until(at); early > short(0, 5*time.Second) {
		t.Errorf("forwarded %v too early", early)
	}
}

func TestDeadLettersAreForwarded(t *testing.T) {
	n := open(t)
	c := n.client()
	dead := n.plain()
	q := n.queue(admin.QueueProperties{RequiresSession: new(true), ForwardDeadLetteredMessagesTo: target(dead)})
	n.send(c, q, in("s", "a"))
	r := n.accept(c, q, "s")
	m := n.receiveOne(r)
	n.must(r.DeadLetterMessage(n.within(), m, &azservicebus.DeadLetterOptions{Reason: new("poison")}))
	got := n.receiveOne(n.receiver(c, dead, nil))
	if !strings.EqualFold(*got.DeadLetterSource, q) || *got.DeadLetterReason != "poison" || *got.SessionID != "s" || *got.EnqueuedSequenceNumber != *m.SequenceNumber {
		t.Errorf("source %q, reason %q, session %q, sequence in source %d",
			*got.DeadLetterSource, *got.DeadLetterReason, *got.SessionID, *got.EnqueuedSequenceNumber)
	}
	n.nothing(n.receiver(c, q, ofDeadLetters))
}

func TestDeadLettersOfTheBrokerAreForwardedToo(t *testing.T) {
	n := open(t)
	c := n.client()
	dead := n.plain()
	q := n.queue(admin.QueueProperties{
		MaxDeliveryCount: new(int32(1)), DeadLetteringOnMessageExpiration: new(true), ForwardDeadLetteredMessagesTo: target(dead),
	})
	n.send(c, q, text("poison"))
	r := n.receiver(c, q, nil)
	n.must(r.AbandonMessage(n.within(), n.receiveOne(r), nil))
	n.send(c, q, shortLived("late"))
	afterExpiry()
	for _, m := range n.receive(n.receiver(c, dead, nil), 2) {
		want := map[string]string{"poison": "MaxDeliveryCountExceeded", "late": "TTLExpiredException"}[string(m.Body)]
		if *m.DeadLetterReason != want || m.DeliveryCount != 1 {
			t.Errorf("%s: reason %q, delivery count %d", m.Body, *m.DeadLetterReason, m.DeliveryCount)
		}
	}
}

func TestForwardedDeadLetterCanDieAgain(t *testing.T) {
	n := open(t)
	c := n.client()
	dead := n.plain()
	q := n.queue(admin.QueueProperties{ForwardDeadLetteredMessagesTo: target(dead)})
	n.send(c, q, text("a"))
	for _, path := range []string{q, dead} {
		r := n.receiver(c, path, nil)
		n.must(r.DeadLetterMessage(n.within(), n.receiveOne(r), &azservicebus.DeadLetterOptions{Reason: &path}))
	}
	got := n.receiveOne(n.receiver(c, dead, ofDeadLetters))
	if *got.DeadLetterReason != dead {
		t.Errorf("reason %q, want that of the last time", *got.DeadLetterReason)
	}
}

func TestQueueWithSessionsCannotForward(t *testing.T) {
	n := open(t)
	end, name := n.plain(), n.freeName()
	n.deleteInTheEnd(name)
	_, err := n.admin.CreateQueue(n.within(), name, &admin.CreateQueueOptions{
		Properties: &admin.QueueProperties{RequiresSession: new(true), ForwardTo: target(end)},
	})
	if statusOf(err) != 400 { // "Chaining with autoforwarding"
		t.Errorf("error %v, want status 400", err)
	}
}

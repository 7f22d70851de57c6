package conformance

import (
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/google/go-cmp/cmp"
)

func TestPeekShowsMessagesWithoutLockingThem(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.plain()
	n.send(c, q, text("a"), text("b"), text("c"))
	r := n.receiver(c, q, nil)
	locked := n.receiveOne(r) // locked messages are shown as well
	peeked, err := r.PeekMessages(n.within(), 2, nil)
	n.must(err)
	rest, err := r.PeekMessages(n.within(), 5, nil) // goes on where the last one ended
	n.must(err)
	if diff := cmp.Diff([]string{"a", "b", "c"}, append(bodies(peeked), bodies(rest)...)); diff != "" {
		t.Error(diff)
	}
	if peeked[0].LockToken != [16]byte{} || *peeked[0].SequenceNumber != *locked.SequenceNumber || peeked[0].EnqueuedTime == nil {
		t.Errorf("lock token %v, number %d", peeked[0].LockToken, *peeked[0].SequenceNumber)
	}
	for _, m := range n.receive(r, 2) {
		if m.DeliveryCount != 1 {
			t.Errorf("%s: delivery count %d: peeking counted", m.Body, m.DeliveryCount)
		}
	}
}

func TestPeekBeginsAtANumber(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.plain()
	n.send(c, q, text("a"), text("b"), text("c"))
	r := n.receiver(c, q, nil)
	peeked, err := r.PeekMessages(n.within(), 3, nil)
	n.must(err)
	from, err := r.PeekMessages(n.within(), 1, &azservicebus.PeekMessagesOptions{FromSequenceNumber: peeked[1].SequenceNumber})
	n.must(err)
	if diff := cmp.Diff([]string{"b"}, bodies(from)); diff != "" {
		t.Error(diff)
	}
	past, err := r.PeekMessages(n.within(), 1, &azservicebus.PeekMessagesOptions{FromSequenceNumber: new(*peeked[2].SequenceNumber + 1)})
	if n.must(err); len(past) > 0 {
		t.Errorf("peeked %q past the end", bodies(past))
	}
}

func TestPeekOfASessionReceiverShowsItsSessionAlone(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.sessions()
	n.send(c, q, in("a", "1"), in("b", "2"), in("a", "3"), in("b", "4"))
	r := n.accept(c, q, "a")
	first, err := r.PeekMessages(n.within(), 1, nil)
	n.must(err)
	rest, err := r.PeekMessages(n.within(), 10, nil)
	n.must(err)
	if diff := cmp.Diff([]string{"1", "3"}, append(bodies(first), bodies(rest)...)); diff != "" {
		t.Error(diff)
	}
}

func TestPeekShowsDeadLetters(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.plain()
	n.send(c, q, text("a"))
	r := n.receiver(c, q, nil)
	n.must(r.DeadLetterMessage(n.within(), n.receiveOne(r), &azservicebus.DeadLetterOptions{Reason: new("r")}))
	peeked, err := n.receiver(c, q, ofDeadLetters).PeekMessages(n.within(), 5, nil)
	n.must(err)
	if len(peeked) != 1 || *peeked[0].DeadLetterReason != "r" {
		t.Errorf("peeked %q", bodies(peeked))
	}
}

func TestPeekedMessageTellsItsDeliveries(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.plain()
	n.send(c, q, text("a"))
	r := n.receiver(c, q, nil)
	n.must(r.AbandonMessage(n.within(), n.receiveOne(r), &azservicebus.AbandonMessageOptions{PropertiesToModify: map[string]any{"k": "v"}}))
	peeked, err := r.PeekMessages(n.within(), 1, nil)
	n.must(err)
	if len(peeked) != 1 || peeked[0].DeliveryCount != 2 || peeked[0].ApplicationProperties["k"] != "v" {
		t.Errorf("peeked %q, want one with delivery count 2", bodies(peeked))
	}
}

func TestPeekOfManyMessagesNeedsSeveralCalls(t *testing.T) {
	n := open(t)
	c, q := n.client(), n.plain()
	s := n.sender(c, q)
	batch, err := s.NewMessageBatch(n.within(), nil)
	n.must(err)
	const count = 300 // one answer of Azure's holds 250
	for range count {
		n.must(batch.AddMessage(text("x"), nil))
	}
	n.must(s.SendMessageBatch(n.within(), batch, nil))
	r := n.receiver(c, q, nil)
	total := 0
	for {
		peeked, err := r.PeekMessages(n.within(), count, nil)
		n.must(err)
		if len(peeked) == 0 {
			break
		}
		total += len(peeked)
	}
	if total != count {
		t.Errorf("peeked %d of %d messages", total, count)
	}
}

package conformance

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
)

// text is a message without a session.
func text(body string) *azservicebus.Message { return &azservicebus.Message{Body: []byte(body)} }

// in is a message of a session.
func in(session, body string) *azservicebus.Message {
	return &azservicebus.Message{Body: []byte(body), SessionID: &session}
}

func (n *namespace) sender(c *azservicebus.Client, path string) *azservicebus.Sender {
	n.Helper()
	s, err := c.NewSender(path, nil)
	n.must(err)
	return s
}

func (n *namespace) send(c *azservicebus.Client, path string, messages ...*azservicebus.Message) {
	n.Helper()
	s := n.sender(c, path)
	for _, m := range messages {
		n.must(s.SendMessage(n.within(), m, nil))
	}
	n.must(s.Close(n.within()))
}

func (n *namespace) receiver(c *azservicebus.Client, path string, o *azservicebus.ReceiverOptions) *azservicebus.Receiver {
	n.Helper()
	r, err := c.NewReceiverForQueue(path, o)
	n.must(err)
	return r
}

// Options of receivers.
var (
	ofDeadLetters = &azservicebus.ReceiverOptions{SubQueue: azservicebus.SubQueueDeadLetter}
	forDeletion   = &azservicebus.ReceiverOptions{ReceiveMode: azservicebus.ReceiveModeReceiveAndDelete}
)

func (n *namespace) accept(c *azservicebus.Client, path, session string) *azservicebus.SessionReceiver {
	n.Helper()
	r, err := c.AcceptSessionForQueue(n.within(), path, session, nil)
	n.must(err)
	return r
}

func (n *namespace) acceptNext(c *azservicebus.Client, path string) *azservicebus.SessionReceiver {
	n.Helper()
	r, err := c.AcceptNextSessionForQueue(n.within(), path, nil)
	n.must(err)
	return r
}

// source is what both kinds of receivers can do.
type source interface {
	ReceiveMessages(context.Context, int, *azservicebus.ReceiveMessagesOptions) ([]*azservicebus.ReceivedMessage, error)
	PeekMessages(context.Context, int, *azservicebus.PeekMessagesOptions) ([]*azservicebus.ReceivedMessage, error)
	ReceiveDeferredMessages(context.Context, []int64, *azservicebus.ReceiveDeferredMessagesOptions) ([]*azservicebus.ReceivedMessage, error)
	CompleteMessage(context.Context, *azservicebus.ReceivedMessage, *azservicebus.CompleteMessageOptions) error
	AbandonMessage(context.Context, *azservicebus.ReceivedMessage, *azservicebus.AbandonMessageOptions) error
	DeferMessage(context.Context, *azservicebus.ReceivedMessage, *azservicebus.DeferMessageOptions) error
	DeadLetterMessage(context.Context, *azservicebus.ReceivedMessage, *azservicebus.DeadLetterOptions) error
}

// receive collects so many messages.
func (n *namespace) receive(s source, count int) []*azservicebus.ReceivedMessage {
	n.Helper()
	ctx := n.within()
	// Between two calls the SDK releases what comes, and a later message may
	// come before it then: all have to come within one.
	o := &azservicebus.ReceiveMessagesOptions{TimeAfterFirstMessage: patience() / 2}
	var got []*azservicebus.ReceivedMessage
	for len(got) < count {
		m, err := s.ReceiveMessages(ctx, min(count-len(got), 5000), o) // the SDK's limit
		if err != nil {
			n.Fatalf("after %d of %d messages: %v", len(got), count, err)
		}
		got = append(got, m...)
	}
	return got
}

func (n *namespace) receiveOne(s source) *azservicebus.ReceivedMessage {
	n.Helper()
	return n.receive(s, 1)[0]
}

// nothing checks that no message comes for a little while.
func (n *namespace) nothing(s source) {
	n.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), short(150*time.Millisecond, 2*time.Second))
	defer cancel()
	if got, err := s.ReceiveMessages(ctx, 1, nil); !errors.Is(err, context.DeadlineExceeded) {
		n.Fatalf("received %q, error %v; want nothing", bodies(got), err)
	}
}

// empty checks that the receiver's queue holds no message, locked or not.
func (n *namespace) empty(s source) {
	n.Helper()
	left, err := s.PeekMessages(n.within(), 10, &azservicebus.PeekMessagesOptions{FromSequenceNumber: new(int64(0))})
	n.must(err)
	if len(left) > 0 {
		n.Errorf("left in the queue: %q", bodies(left))
	}
}

// deferred asks for deferred messages.
func (n *namespace) deferred(s source, sequences ...int64) []*azservicebus.ReceivedMessage {
	n.Helper()
	got, err := s.ReceiveDeferredMessages(n.within(), sequences, nil)
	n.must(err)
	return got
}

// setAside sends messages and defers all of them; it tells their numbers.
func (n *namespace) setAside(c *azservicebus.Client, path string, s source, messages ...*azservicebus.Message) []int64 {
	n.Helper()
	n.send(c, path, messages...)
	var sequences []int64
	for _, m := range n.receive(s, len(messages)) {
		n.must(s.DeferMessage(n.within(), m, nil))
		sequences = append(sequences, *m.SequenceNumber)
	}
	return sequences
}

func bodies(messages []*azservicebus.ReceivedMessage) []string {
	var b []string
	for _, m := range messages {
		b = append(b, string(m.Body))
	}
	return b
}

// byToken is m as the SDK settles it over $management: with its link, it would
// try the link first.
func byToken(m *azservicebus.ReceivedMessage) *azservicebus.ReceivedMessage {
	return &azservicebus.ReceivedMessage{LockToken: m.LockToken}
}

// kinds runs a test on a queue of each kind, with a receiver for messages of
// session "s".
func kinds(t *testing.T, test func(n *namespace, c *azservicebus.Client, path string, r source)) {
	t.Run("without sessions", func(t *testing.T) {
		n := open(t)
		c, path := n.client(), n.plain()
		test(n, c, path, n.receiver(c, path, nil))
	})
	t.Run("with sessions", func(t *testing.T) {
		n := open(t)
		c, path := n.client(), n.sessions()
		test(n, c, path, n.accept(c, path, "s"))
	})
}

package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/contoso/orders/shared/fault"
)

// Sender sends to one queue. It is safe for concurrent use; concurrent sends
// share one link.
type Sender struct {
	queue  string
	client *azservicebus.Client

	mu  sync.Mutex
	sdk *azservicebus.Sender
}

// sendGrace is how long a send may take to notice that its context has ended.
const sendGrace = time.Second

// Sender returns a Sender for queue.
func (c *Client) Sender(queue string) (*Sender, error) {
	s, err := c.sdk.NewSender(queue, nil)
	if err != nil {
		return nil, classify(err, "opening sender for "+queue)
	}
	return &Sender{queue: queue, client: c.sdk, sdk: s}, nil
}

// Send sends the messages in order and returns when Service Bus has settled them
// all. After an error some may have been taken: send all again, under the same
// IDs, and duplicate detection drops those.
func (s *Sender) Send(ctx context.Context, messages ...Message) error {
	return classify(s.guarded(ctx, func(link *azservicebus.Sender) error {
		if len(messages) == 1 {
			return link.SendMessage(ctx, outgoing(messages[0]), nil)
		}
		for left := messages; len(left) > 0; {
			n, err := sendBatch(ctx, link, left)
			if err != nil {
				return err
			}
			left = left[n:]
		}
		return nil
	}), "sending to "+s.queue)
}

// guarded runs send, and does not wait for one that goes on after ctx has ended:
// go-amqp v1.7.0 has been seen to wait for ever when its connection breaks under
// a transfer. Such a send is left behind with its link, which is made anew.
func (s *Sender) guarded(ctx context.Context, send func(*azservicebus.Sender) error) error {
	s.mu.Lock()
	link := s.sdk
	s.mu.Unlock()
	result := make(chan error, 1)
	go func() { result <- send(link) }()
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
	}
	grace := time.NewTimer(sendGrace)
	defer grace.Stop()
	select {
	case err := <-result:
		return err
	case <-grace.C:
	}
	slog.ErrorContext(ctx, "send left behind: it does not end", "queue", s.queue)
	return errors.Join(ctx.Err(), s.renew(link))
}

// renew makes the link anew, unless that has been done.
func (s *Sender) renew(link *azservicebus.Sender) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sdk != link {
		return nil
	}
	fresh, err := s.client.NewSender(s.queue, nil)
	if err == nil {
		s.sdk = fresh
	}
	return err
}

// sendBatch sends as many of the messages as fit in one batch, and says how many.
func sendBatch(ctx context.Context, link *azservicebus.Sender, messages []Message) (int, error) {
	batch, err := link.NewMessageBatch(ctx, nil)
	if err != nil {
		return 0, err
	}
	for _, m := range messages {
		err := batch.AddMessage(outgoing(m), nil)
		if errors.Is(err, azservicebus.ErrMessageTooLarge) && batch.NumMessages() > 0 {
			break
		}
		if err != nil {
			return 0, err
		}
	}
	return int(batch.NumMessages()), link.SendMessageBatch(ctx, batch, nil)
}

// Close ends the link.
func (s *Sender) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	s.mu.Lock()
	link := s.sdk
	s.mu.Unlock()
	if err := link.Close(ctx); err != nil && fault.KindOf(classify(err, "")) != fault.Unavailable {
		return fmt.Errorf("closing sender for %s: %w", s.queue, err)
	}
	return nil // a link whose connection is gone needs no good-bye
}

func outgoing(m Message) *azservicebus.Message {
	return &azservicebus.Message{
		MessageID: optional(m.ID), SessionID: optional(m.SessionID), CorrelationID: optional(m.CorrelationID),
		ContentType: optional(m.ContentType), Body: m.Body,
	}
}

func incoming(m *azservicebus.ReceivedMessage) Message {
	return Message{
		ID: m.MessageID, SessionID: value(m.SessionID), CorrelationID: value(m.CorrelationID),
		ContentType: value(m.ContentType), Body: m.Body, DeliveryCount: m.DeliveryCount,
	}
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

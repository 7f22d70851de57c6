package bus

import (
	"context"
	"errors"
	"fmt"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/contoso/orders/shared/fault"
)

// Sender sends to one queue. It is safe for concurrent use; concurrent sends
// share one link.
type Sender struct {
	queue string
	sdk   *azservicebus.Sender
}

// Sender returns a Sender for queue.
func (c *Client) Sender(queue string) (*Sender, error) {
	s, err := c.sdk.NewSender(queue, nil)
	if err != nil {
		return nil, classify(err, "opening sender for "+queue)
	}
	return &Sender{queue: queue, sdk: s}, nil
}

// Send sends the messages in order and returns when Service Bus has settled them
// all. After an error some may have been taken: send all again, under the same
// IDs, and duplicate detection drops those.
func (s *Sender) Send(ctx context.Context, messages ...Message) error {
	if len(messages) == 1 {
		return classify(s.sdk.SendMessage(ctx, outgoing(messages[0]), nil), "sending to "+s.queue)
	}
	for len(messages) > 0 {
		n, err := s.sendBatch(ctx, messages)
		if err != nil {
			return classify(err, "sending to "+s.queue)
		}
		messages = messages[n:]
	}
	return nil
}

// sendBatch sends as many of the messages as fit in one batch, and says how many.
func (s *Sender) sendBatch(ctx context.Context, messages []Message) (int, error) {
	batch, err := s.sdk.NewMessageBatch(ctx, nil)
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
	return int(batch.NumMessages()), s.sdk.SendMessageBatch(ctx, batch, nil)
}

// Close ends the link.
func (s *Sender) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	if err := s.sdk.Close(ctx); err != nil && fault.KindOf(classify(err, "")) != fault.Unavailable {
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

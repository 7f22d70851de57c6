package server

import (
	"fmt"

	"github.com/contoso/orders/local/servicebus/amqp"
	"github.com/contoso/orders/local/servicebus/fault"
	"github.com/contoso/orders/local/servicebus/queue"
)

// sequenceNumbers reads the numbers of messages that a request is about.
func sequenceNumbers(body amqp.Map) ([]int64, error) {
	var sequences []int64
	for _, item := range amqp.Get[amqp.Array](body, "sequence-numbers").Items {
		n, ok := item.(int64)
		if !ok {
			return nil, errBadRequest("sequence-numbers is not an array of long")
		}
		sequences = append(sequences, n)
	}
	if len(sequences) == 0 {
		return nil, errBadRequest("sequence-numbers is missing")
	}
	return sequences, nil
}

// settleMode reads the mode to receive in. Clients do not agree on its type.
func settleMode(body amqp.Map) (queue.Mode, error) {
	v, _ := body.Lookup("receiver-settle-mode")
	switch fmt.Sprint(v) {
	case "0":
		return queue.ReceiveAndDelete, nil
	case "1":
		return queue.PeekLock, nil
	}
	return 0, errBadRequest("receiver-settle-mode is neither 0 nor 1")
}

func (m *management) receiveDeferred(request amqp.Message, body amqp.Map) (any, error) {
	sequences, err := sequenceNumbers(body)
	if err != nil {
		return nil, err
	}
	mode, err := settleMode(body)
	if err != nil {
		return nil, err
	}
	receive := m.queue.ReceiveDeferred
	if m.queue.Settings().RequiresSession {
		r, err := m.receiver(request)
		if err != nil {
			return nil, err
		}
		receive = r.ReceiveDeferred
	}
	deliveries, err := receive(mode, maxDeferredBytes, sequences...)
	if err != nil {
		return nil, err
	}
	var messages []any
	for _, d := range deliveries {
		r := rewrite(d, mode == queue.PeekLock)
		entry := amqp.Map{}
		if mode == queue.PeekLock { // clients look for the token in either place
			token := amqp.UUID(d.Token)
			r.DeliveryAnnotations = amqp.Map{{Key: amqp.Symbol(annotationLockToken), Value: token}}
			entry = append(entry, amqp.Entry{Key: "lock-token", Value: token})
		}
		content, err := r.Append(nil, d.Content)
		if err != nil {
			return nil, err
		}
		messages = append(messages, append(entry, amqp.Entry{Key: "message", Value: content}))
	}
	return amqp.Map{{Key: "messages", Value: messages}}, nil
}

// schedule submits messages, and tells their numbers once they are on disk.
func (m *management) schedule(body amqp.Map, tell func(any, error)) {
	var messages []queue.Message
	for _, item := range amqp.Get[[]any](body, "messages") {
		entry, _ := item.(amqp.Map)
		in, err := inbound(amqp.Get[[]byte](entry, "message"))
		switch {
		case err != nil:
			tell(nil, fmt.Errorf("message %d: %w", len(messages), err))
			return
		case in.EnqueueAt.IsZero():
			tell(nil, errBadRequest("a message has no "+annotationScheduled))
			return
		}
		messages = append(messages, in)
	}
	if len(messages) == 0 {
		tell(nil, errBadRequest("messages is missing"))
		return
	}
	if _, refused := m.conn.server.faults.Hit(fault.RefuseSends, m.queue.Path()); refused {
		tell(nil, queue.ErrFull)
		return
	}
	m.queue.SubmitScheduled(func(sequences []int64, err error) {
		tell(amqp.Map{{Key: "sequence-numbers", Value: sequences}}, err)
	}, messages...)
}

func (m *management) cancelScheduled(_ amqp.Message, body amqp.Map) (any, error) {
	sequences, err := sequenceNumbers(body)
	if err != nil {
		return nil, err
	}
	if err := m.queue.CancelScheduled(sequences...); err != nil {
		return nil, err
	}
	return amqp.Map{}, nil
}

package server

import (
	"encoding/hex"
	"fmt"
	"strconv"

	"github.com/contoso/orders/local/servicebus/amqp"
	"github.com/contoso/orders/local/servicebus/queue"
)

// Message annotations of Service Bus.
const (
	annotationSequence       = "x-opt-sequence-number"
	annotationSourceSequence = "x-opt-enqueue-sequence-number"
	annotationEnqueued       = "x-opt-enqueued-time"
	annotationLockedUntil    = "x-opt-locked-until"
	annotationScheduled      = "x-opt-scheduled-enqueue-time"
	annotationState          = "x-opt-message-state"
	annotationDeadSource     = "x-opt-deadletter-source"

	annotationLockToken = "x-opt-lock-token" // a delivery annotation, where there is no delivery tag
)

// inbound reads what the broker needs of an encoded message.
func inbound(encoded []byte) (queue.Message, error) {
	m, err := amqp.Inspect(encoded, annotationScheduled)
	if err != nil {
		return queue.Message{}, err
	}
	in := queue.Message{ID: idText(m.ID), SessionID: m.GroupID, TTL: m.TTL, Content: encoded}
	if m.Annotation != nil {
		at, ok := m.Annotation.(amqp.Timestamp)
		if !ok {
			return in, fmt.Errorf("%w: %s is a %T", amqp.ErrMalformed, annotationScheduled, m.Annotation)
		}
		in.EnqueueAt = at.Time()
	}
	return in, nil
}

// idText makes message ids comparable. Ids of different types are different
// (§3.2.4), so all but strings get a prefix that tells the type.
func idText(id any) string {
	switch id := id.(type) {
	case string:
		return id
	case uint64:
		return "ulong:" + strconv.FormatUint(id, 10)
	case amqp.UUID:
		return "uuid:" + hex.EncodeToString(id[:])
	case []byte:
		return "binary:" + hex.EncodeToString(id)
	}
	return ""
}

// outbound encodes a message for a consumer.
func outbound(d queue.Delivery, locked bool) ([]byte, error) {
	r := rewrite(d, locked)
	return r.Append(make([]byte, 0, len(d.Content)+256), d.Content)
}

// rewrite is what the broker tells with a message.
func rewrite(d queue.Delivery, locked bool) amqp.Rewrite {
	r := amqp.Rewrite{
		DeliveryCount: uint32(d.FailedAttempts),
		TTL:           d.TTL,
		Annotations: amqp.Map{
			{Key: amqp.Symbol(annotationSequence), Value: d.Sequence},
			{Key: amqp.Symbol(annotationEnqueued), Value: amqp.TimestampOf(d.Enqueued)},
			{Key: amqp.Symbol(annotationState), Value: int32(d.State)}, // or that of an earlier delivery would stay
		},
	}
	if locked {
		r.Annotations = append(r.Annotations,
			amqp.Entry{Key: amqp.Symbol(annotationLockedUntil), Value: amqp.TimestampOf(d.LockedUntil)})
	}
	if d.DeadLetterSource != "" {
		r.Annotations = append(r.Annotations,
			amqp.Entry{Key: amqp.Symbol(annotationDeadSource), Value: d.DeadLetterSource},
			amqp.Entry{Key: amqp.Symbol(annotationSourceSequence), Value: d.SourceSequence})
	}
	for name, v := range d.Properties {
		r.ApplicationProperties = append(r.ApplicationProperties, amqp.Entry{Key: name, Value: v})
	}
	return r
}

// settlementOf is what an outcome on a link asks the broker to do.
func settlementOf(o amqp.Outcome) (queue.Settlement, error) {
	switch o.Code {
	case amqp.CodeAccepted:
		return queue.Settlement{Outcome: queue.Complete}, nil
	case amqp.CodeReleased:
		return queue.Settlement{Outcome: queue.Release}, nil
	case amqp.CodeRejected:
		var info amqp.Map
		if o.Error != nil {
			info = o.Error.Info
		}
		properties, err := changes(info)
		return queue.Settlement{Outcome: queue.DeadLetter, Properties: properties}, err
	}
	properties, err := changes(o.Annotations)
	if o.UndeliverableHere {
		return queue.Settlement{Outcome: queue.Defer, Properties: properties}, err
	}
	return queue.Settlement{Outcome: queue.Abandon, Properties: properties}, err
}

// changes are properties to set on a message: application properties are of
// simple types (§3.2.5), and what explains a dead letter is text.
func changes(m amqp.Map) (map[string]any, error) {
	set := make(map[string]any, len(m))
	for _, e := range m {
		name, ok := e.Key.(string)
		if symbol, isSymbol := e.Key.(amqp.Symbol); isSymbol {
			name, ok = string(symbol), true
		}
		if !ok {
			return nil, fmt.Errorf("%w: property named by a %T", amqp.ErrMalformed, e.Key)
		}
		switch e.Value.(type) {
		case []any, amqp.Map, amqp.Array, amqp.Described:
			return nil, fmt.Errorf("%w: property %s is a %T", amqp.ErrMalformed, name, e.Value)
		}
		_, isText := e.Value.(string)
		if !isText && (name == queue.PropertyReason || name == queue.PropertyDescription) {
			return nil, fmt.Errorf("%w: property %s is a %T", amqp.ErrMalformed, name, e.Value)
		}
		set[name] = e.Value
	}
	return set, nil
}

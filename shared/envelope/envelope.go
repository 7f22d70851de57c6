package envelope

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/contoso/orders/shared/fault"
	"github.com/contoso/orders/shared/order"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"github.com/shopspring/decimal"
)

// ContentType is that of every message (CloudEvents JSON format §3).
const ContentType = "application/cloudevents+json"

// The event types.
const (
	TypeAccepted  = "com.contoso.order.accepted.v1"
	TypeCompleted = "com.contoso.order.completed.v1"
	TypeRejected  = "com.contoso.order.rejected.v1"
	TypeFailed    = "com.contoso.order.failed.v1"
)

const (
	specVersion = "1.0"
	dataType    = "application/json"
)

// event is a CloudEvent in structured mode.
type event struct {
	SpecVersion     string          `json:"specversion"`
	ID              string          `json:"id"`
	Source          string          `json:"source"`
	Type            string          `json:"type"`
	Subject         string          `json:"subject"`
	Time            time.Time       `json:"time"`
	DataContentType string          `json:"datacontenttype"`
	Data            json.RawMessage `json:"data"`
}

// Accepted is the data of an admitted order, as it waits in queue orders.
type Accepted struct {
	CorrelationID uuid.UUID   `json:"correlationId"`
	Customer      string      `json:"customer"` // 22 characters of base64url
	AcceptedAt    time.Time   `json:"acceptedAt"`
	Replay        int         `json:"replay,omitempty"` // 0 as first sent, n when support sends it for the nth time
	Order         order.Order `json:"order"`
}

// Outcome is the data of a decided order, as it goes to the customer.
type Outcome struct {
	CorrelationID uuid.UUID       `json:"correlationId"`
	Customer      string          `json:"customer"`
	Revision      int             `json:"revision"` // 1 at first; the highest is the latest news
	Status        order.Status    `json:"status"`   // Completed, Rejected or Failed
	OrderID       int64           `json:"orderId,omitempty"`
	Reason        string          `json:"reason,omitempty"`
	Currency      string          `json:"currency,omitempty"`
	Total         decimal.Decimal `json:"total"`
	AcceptedAt    time.Time       `json:"acceptedAt"`
	CompletedAt   time.Time       `json:"completedAt"`
}

// MessageID is the outcome's identity: its event id, and what the broker's
// duplicate detection sees.
func (o Outcome) MessageID() string {
	return fmt.Sprintf("%s/%d", o.CorrelationID, o.Revision)
}

var outcomeTypes = map[order.Status]string{
	order.Completed: TypeCompleted,
	order.Rejected:  TypeRejected,
	order.Failed:    TypeFailed,
}

// EncodeAccepted returns a as a message body. The error is a defect: a holds
// nothing that JSON cannot say.
func EncodeAccepted(a Accepted) ([]byte, error) {
	return encode(a.CorrelationID.String(), "/orders/accept", TypeAccepted, a.CorrelationID, a.AcceptedAt, a)
}

// EncodeOutcome returns o as a message body. Source is a URI reference that says
// which function speaks, for example /orders/process-session.
func EncodeOutcome(source string, o Outcome) ([]byte, error) {
	kind, ok := outcomeTypes[o.Status]
	if !ok {
		return nil, fault.New(fault.Internal, "%q is not the status of a decided order", o.Status)
	}
	return encode(o.MessageID(), source, kind, o.CorrelationID, o.CompletedAt, o)
}

func encode(id, source, kind string, subject uuid.UUID, at time.Time, data any) ([]byte, error) {
	raw, err := json.Marshal(data)
	if err != nil {
		return nil, fmt.Errorf("encoding %s: %w", kind, err)
	}
	return json.Marshal(event{
		SpecVersion: specVersion, ID: id, Source: source, Type: kind, Subject: subject.String(),
		Time: at.UTC(), DataContentType: dataType, Data: raw,
	})
}

// DecodeAccepted reads an admitted order. An error has kind Malformed or Invalid:
// trying again cannot help.
func DecodeAccepted(body []byte) (Accepted, error) {
	var a Accepted
	if err := decode(body, &a, func(t string) bool { return t == TypeAccepted }); err != nil {
		return Accepted{}, err
	}
	switch {
	case a.CorrelationID == uuid.Nil:
		return Accepted{}, fault.New(fault.Invalid, "correlationId is missing")
	case len(a.Customer) != customerLength:
		return Accepted{}, fault.New(fault.Invalid, "customer must have %d characters", customerLength)
	case a.AcceptedAt.IsZero():
		return Accepted{}, fault.New(fault.Invalid, "acceptedAt is missing")
	case len(a.Order.Lines) == 0:
		return Accepted{}, fault.New(fault.Invalid, "the order has no lines")
	case a.Replay < 0:
		return Accepted{}, fault.New(fault.Invalid, "replay must not be negative")
	}
	return a, nil
}

// DecodeOutcome reads a decided order. An error has kind Malformed or Invalid:
// trying again cannot help.
func DecodeOutcome(body []byte) (Outcome, error) {
	var o Outcome
	var kind string
	if err := decode(body, &o, func(t string) bool { kind = t; return true }); err != nil {
		return Outcome{}, err
	}
	switch {
	case o.CorrelationID == uuid.Nil:
		return Outcome{}, fault.New(fault.Invalid, "correlationId is missing")
	case len(o.Customer) != customerLength:
		return Outcome{}, fault.New(fault.Invalid, "customer must have %d characters", customerLength)
	case o.Revision < 1:
		return Outcome{}, fault.New(fault.Invalid, "revision must be 1 or more")
	case kind != outcomeTypes[o.Status]:
		return Outcome{}, fault.New(fault.Invalid, "an event of type %q cannot have status %q", kind, o.Status)
	}
	return o, nil
}

// customerLength is that of 16 bytes in base64url without padding.
const customerLength = 22

func decode(body []byte, data any, known func(kind string) bool) error {
	// encoding/json takes what others do not: bytes that are not UTF-8, and a name
	// that is given twice. The body travels on as it is, to the hub and to browsers.
	if !jsontext.Value(body).IsValid() {
		return fault.New(fault.Malformed, "the message is not JSON in UTF-8 with every name once")
	}
	var e event
	if err := json.Unmarshal(body, &e); err != nil {
		return fault.Wrap(fault.Malformed, err, "the message is not a CloudEvent in JSON")
	}
	if e.SpecVersion != specVersion {
		return fault.New(fault.Invalid, "specversion %q is not supported", e.SpecVersion)
	}
	if !known(e.Type) {
		return fault.New(fault.Invalid, "event type %q does not belong here", e.Type)
	}
	if err := json.Unmarshal(e.Data, data); err != nil {
		return fault.Wrap(fault.Malformed, err, "the data of a %s event cannot be read", e.Type)
	}
	return nil
}

package amqp

import "fmt"

// Descriptors of delivery states (§3.4) and of error (§2.8.14).
const (
	codeError    uint64 = 0x1d
	CodeReceived uint64 = 0x23 // no outcome: it says how much has arrived
	CodeAccepted uint64 = 0x24
	CodeRejected uint64 = 0x25
	CodeReleased uint64 = 0x26
	CodeModified uint64 = 0x27
)

// Error conditions (§2.8.15 to §2.8.18).
const (
	CondInternalError         Symbol = "amqp:internal-error"
	CondNotFound              Symbol = "amqp:not-found"
	CondUnauthorizedAccess    Symbol = "amqp:unauthorized-access"
	CondDecodeError           Symbol = "amqp:decode-error"
	CondResourceLimitExceeded Symbol = "amqp:resource-limit-exceeded"
	CondNotAllowed            Symbol = "amqp:not-allowed"
	CondNotImplemented        Symbol = "amqp:not-implemented"
	CondInvalidField          Symbol = "amqp:invalid-field"
	CondConnectionForced      Symbol = "amqp:connection:forced"
	CondFramingError          Symbol = "amqp:connection:framing-error"
	CondWindowViolation       Symbol = "amqp:session:window-violation"
	CondHandleInUse           Symbol = "amqp:session:handle-in-use"
	CondUnattachedHandle      Symbol = "amqp:session:unattached-handle"
	CondDetachForced          Symbol = "amqp:link:detach-forced"
	CondTransferLimitExceeded Symbol = "amqp:link:transfer-limit-exceeded"
	CondMessageSizeExceeded   Symbol = "amqp:link:message-size-exceeded"
)

// Error explains a refusal to the peer (§2.8.14).
type Error struct {
	Condition   Symbol
	Description string
	Info        Map
}

func (e *Error) Error() string { return string(e.Condition) + ": " + e.Description }

// Errorf makes an Error with a formatted description.
func Errorf(condition Symbol, format string, args ...any) *Error {
	return &Error{Condition: condition, Description: fmt.Sprintf(format, args...)}
}

func (e *Error) value() any {
	if e == nil {
		return nil
	}
	items := []any{e.Condition, e.Description}
	if len(e.Info) > 0 {
		items = append(items, e.Info)
	}
	return Described{codeError, items}
}

// ParseError reads an error value.
func ParseError(d Described) (*Error, error) {
	items, ok := d.Value.([]any)
	if code, _ := d.Descriptor.(uint64); code != codeError || !ok {
		return nil, fmt.Errorf("%w: %v where an error belongs", ErrMalformed, d.Descriptor)
	}
	l := &list{items: items}
	e := &Error{Condition: at(l, 0, Symbol("")), Description: at(l, 1, ""), Info: at(l, 2, Map(nil))}
	return e, l.err
}

// Accepted is the state of a delivery that was processed (§3.4.2).
func Accepted() *Described { return &Described{CodeAccepted, []any{}} }

// Rejected is the state of a delivery that was refused for e (§3.4.3).
func Rejected(e *Error) *Described { return &Described{CodeRejected, []any{e.value()}} }

// Outcome is a delivery state as a receiver sent it.
type Outcome struct {
	Code              uint64
	Error             *Error // of Rejected
	UndeliverableHere bool   // of Modified
	Annotations       Map    // of Modified
}

// ParseOutcome reads a terminal delivery state. A delivery settled without
// one is released: nothing says that it was processed.
func ParseOutcome(state *Described) (Outcome, error) {
	if state == nil {
		return Outcome{Code: CodeReleased}, nil
	}
	var o Outcome
	items, ok := state.Value.([]any)
	if o.Code, _ = state.Descriptor.(uint64); !ok {
		return o, fmt.Errorf("%w: %v where an outcome belongs", ErrMalformed, state.Descriptor)
	}
	l := &list{items: items}
	switch o.Code {
	case CodeAccepted, CodeReleased:
	case CodeRejected:
		o.Error = l.error(0)
	case CodeModified:
		o.UndeliverableHere, o.Annotations = at(l, 1, false), at(l, 2, Map(nil))
	default:
		return o, fmt.Errorf("%w: delivery state %#x", ErrMalformed, o.Code)
	}
	return o, l.err
}

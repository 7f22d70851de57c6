package amqp

import (
	"fmt"
	"time"
)

// Descriptors of performatives (§2.7, §5.3.3).
const (
	codeOpen           uint64 = 0x10
	codeBegin          uint64 = 0x11
	codeAttach         uint64 = 0x12
	codeFlow           uint64 = 0x13
	codeTransfer       uint64 = 0x14
	codeDisposition    uint64 = 0x15
	codeDetach         uint64 = 0x16
	codeEnd            uint64 = 0x17
	codeClose          uint64 = 0x18
	codeSASLMechanisms uint64 = 0x40
	codeSASLInit       uint64 = 0x41
	codeSASLOutcome    uint64 = 0x44
)

// A Performative is the operation a frame carries.
type Performative interface {
	fields() (descriptor uint64, items []any)
}

// Settlement modes (§2.8.2, §2.8.3).
const (
	SenderSettled        uint8 = 1
	SenderMixed          uint8 = 2
	ReceiverSettleFirst  uint8 = 0
	ReceiverSettleSecond uint8 = 1
)

// Role is the end of a link that sent a performative (§2.8.1).
type Role bool

// Values of Role.
const (
	RoleSender   Role = false
	RoleReceiver Role = true
)

type (
	// Open starts a connection (§2.7.1).
	Open struct {
		ContainerID  string
		MaxFrameSize uint32
		ChannelMax   uint16
		IdleTimeout  time.Duration // zero: none
	}

	// Begin starts a session (§2.7.2). RemoteChannel is set in an answer.
	Begin struct {
		RemoteChannel  *uint16
		NextOutgoingID uint32
		IncomingWindow uint32
		OutgoingWindow uint32
		HandleMax      uint32
	}

	// Attach starts a link (§2.7.3). A nil Source and Target in an answer
	// announce a refusal, which a Detach then explains (§2.6.3).
	Attach struct {
		Name                 string
		Handle               uint32
		Role                 Role
		SenderSettleMode     uint8
		ReceiverSettleMode   uint8
		Source, Target       *Terminus
		InitialDeliveryCount *uint32 // set when Role is RoleSender
		MaxMessageSize       uint64  // zero: no limit
		Properties           Map
	}

	// Flow updates windows and, with a Handle, a link's credit (§2.7.4).
	Flow struct {
		NextIncomingID *uint32
		IncomingWindow uint32
		NextOutgoingID uint32
		OutgoingWindow uint32
		Handle         *uint32
		DeliveryCount  *uint32
		LinkCredit     *uint32
		Drain, Echo    bool
	}

	// Transfer carries a message or a part of one (§2.7.5).
	Transfer struct {
		Handle        uint32
		DeliveryID    *uint32
		DeliveryTag   []byte
		MessageFormat *uint32
		Settled, More bool
		Aborted       bool
	}

	// Disposition tells the state of deliveries First to Last (§2.7.6).
	Disposition struct {
		Role        Role
		First, Last uint32
		Settled     bool
		State       *Described
	}

	// Detach ends a link (§2.7.7).
	Detach struct {
		Handle uint32
		Closed bool
		Error  *Error
	}

	// End ends a session (§2.7.8).
	End struct{ Error *Error }

	// Close ends a connection (§2.7.9).
	Close struct{ Error *Error }

	// SASLMechanisms offers ways to log in (§5.3.3.1).
	SASLMechanisms struct{ Mechanisms []Symbol }

	// SASLInit chooses one of them (§5.3.3.2).
	SASLInit struct{ Mechanism Symbol }

	// SASLOutcome answers the choice (§5.3.3.5).
	SASLOutcome struct{ Code uint8 }
)

// Codes of SASLOutcome (§5.3.3.6).
const (
	SASLOK   uint8 = 0
	SASLAuth uint8 = 1
)

// optional is the value p points to, or null.
func optional[T any](p *T) any {
	if p == nil {
		return nil
	}
	return *p
}

func (p *Open) fields() (uint64, []any) {
	var idle any
	if p.IdleTimeout > 0 {
		idle = uint32(p.IdleTimeout.Milliseconds())
	}
	return codeOpen, []any{p.ContainerID, nil, p.MaxFrameSize, p.ChannelMax, idle}
}

func (p *Begin) fields() (uint64, []any) {
	return codeBegin, []any{optional(p.RemoteChannel), p.NextOutgoingID, p.IncomingWindow, p.OutgoingWindow, p.HandleMax}
}

func (p *Attach) fields() (uint64, []any) {
	var properties any
	if len(p.Properties) > 0 {
		properties = p.Properties
	}
	return codeAttach, []any{
		p.Name, p.Handle, bool(p.Role), p.SenderSettleMode, p.ReceiverSettleMode,
		p.Source.value(), p.Target.value(), nil, nil, optional(p.InitialDeliveryCount),
		p.MaxMessageSize, nil, nil, properties,
	}
}

func (p *Flow) fields() (uint64, []any) {
	items := []any{
		optional(p.NextIncomingID), p.IncomingWindow, p.NextOutgoingID, p.OutgoingWindow,
		optional(p.Handle), optional(p.DeliveryCount), optional(p.LinkCredit), nil, nil, nil,
	}
	if p.Drain {
		items[8] = true
	}
	if p.Echo {
		items[9] = true
	}
	return codeFlow, items
}

func (p *Transfer) fields() (uint64, []any) {
	items := []any{p.Handle, optional(p.DeliveryID), p.DeliveryTag, optional(p.MessageFormat), p.Settled, p.More}
	if p.Aborted {
		items = append(items, nil, nil, nil, true)
	}
	return codeTransfer, items
}

func (p *Disposition) fields() (uint64, []any) {
	return codeDisposition, []any{bool(p.Role), p.First, p.Last, p.Settled, optional(p.State)}
}

func (p *Detach) fields() (uint64, []any) {
	return codeDetach, []any{p.Handle, p.Closed, p.Error.value()}
}

func (p *End) fields() (uint64, []any)   { return codeEnd, []any{p.Error.value()} }
func (p *Close) fields() (uint64, []any) { return codeClose, []any{p.Error.value()} }

func (p *SASLMechanisms) fields() (uint64, []any) { return codeSASLMechanisms, []any{p.Mechanisms} }
func (p *SASLInit) fields() (uint64, []any)       { return codeSASLInit, []any{p.Mechanism} }
func (p *SASLOutcome) fields() (uint64, []any)    { return codeSASLOutcome, []any{p.Code} }

// ParsePerformative reads a frame's body. The payload of a transfer aliases body.
func ParsePerformative(body []byte) (p Performative, payload []byte, err error) {
	d := NewDecoder(body)
	v, err := d.Value()
	if err != nil {
		return nil, nil, err
	}
	described, ok := v.(Described)
	items, isList := described.Value.([]any)
	code, isCode := described.Descriptor.(uint64)
	if !ok || !isList || !isCode {
		return nil, nil, fmt.Errorf("%w: frame body is not a performative", ErrMalformed)
	}
	l := &list{items: items}
	if p = l.performative(code); p == nil {
		return nil, nil, fmt.Errorf("%w: performative %#x", ErrMalformed, code)
	}
	if l.err != nil {
		return nil, nil, fmt.Errorf("%T: %w", p, l.err)
	}
	return p, d.Rest(), nil
}

func (l *list) performative(code uint64) Performative {
	switch code {
	case codeOpen:
		return &Open{
			ContainerID: at(l, 0, ""), MaxFrameSize: at(l, 2, ^uint32(0)), ChannelMax: at(l, 3, ^uint16(0)),
			IdleTimeout: time.Duration(at(l, 4, uint32(0))) * time.Millisecond,
		}
	case codeBegin:
		return &Begin{
			RemoteChannel: maybe[uint16](l, 0), NextOutgoingID: at(l, 1, uint32(0)),
			IncomingWindow: at(l, 2, uint32(0)), OutgoingWindow: at(l, 3, uint32(0)), HandleMax: at(l, 4, ^uint32(0)),
		}
	case codeAttach:
		return &Attach{
			Name: at(l, 0, ""), Handle: at(l, 1, uint32(0)), Role: Role(at(l, 2, false)),
			SenderSettleMode: at(l, 3, SenderMixed), ReceiverSettleMode: at(l, 4, ReceiverSettleFirst),
			Source: l.terminus(5), Target: l.terminus(6), InitialDeliveryCount: maybe[uint32](l, 9),
			MaxMessageSize: at(l, 10, uint64(0)), Properties: at(l, 13, Map(nil)),
		}
	case codeFlow:
		return &Flow{
			NextIncomingID: maybe[uint32](l, 0), IncomingWindow: at(l, 1, uint32(0)),
			NextOutgoingID: at(l, 2, uint32(0)), OutgoingWindow: at(l, 3, uint32(0)),
			Handle: maybe[uint32](l, 4), DeliveryCount: maybe[uint32](l, 5), LinkCredit: maybe[uint32](l, 6),
			Drain: at(l, 8, false), Echo: at(l, 9, false),
		}
	case codeTransfer:
		return &Transfer{
			Handle: at(l, 0, uint32(0)), DeliveryID: maybe[uint32](l, 1), DeliveryTag: at(l, 2, []byte(nil)),
			MessageFormat: maybe[uint32](l, 3), Settled: at(l, 4, false), More: at(l, 5, false), Aborted: at(l, 9, false),
		}
	case codeDisposition:
		first := at(l, 1, uint32(0))
		return &Disposition{
			Role: Role(at(l, 0, false)), First: first, Last: at(l, 2, first),
			Settled: at(l, 3, false), State: maybe[Described](l, 4),
		}
	case codeDetach:
		return &Detach{Handle: at(l, 0, uint32(0)), Closed: at(l, 1, false), Error: l.error(2)}
	case codeEnd:
		return &End{Error: l.error(0)}
	case codeClose:
		return &Close{Error: l.error(0)}
	case codeSASLInit:
		return &SASLInit{Mechanism: at(l, 0, Symbol(""))}
	}
	return nil
}

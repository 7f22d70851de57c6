package amqp

import "fmt"

// Descriptors of message sections (§3.2).
const (
	sectionHeader                uint64 = 0x70
	sectionDeliveryAnnotations   uint64 = 0x71
	sectionMessageAnnotations    uint64 = 0x72
	sectionProperties            uint64 = 0x73
	sectionApplicationProperties uint64 = 0x74
	sectionData                  uint64 = 0x75
	sectionSequence              uint64 = 0x76
	sectionValue                 uint64 = 0x77
	sectionFooter                uint64 = 0x78
)

// section is one section of an encoded message.
type section struct {
	code    uint64
	encoded []byte // descriptor and value
	value   []byte // value alone
}

// nextSection cuts the first section off b.
func nextSection(b []byte) (s section, rest []byte, err error) {
	d := NewDecoder(b)
	code, err := d.constructor()
	if err != nil {
		return s, nil, err
	}
	descriptor, err := d.Value()
	if err != nil {
		return s, nil, err
	}
	number, ok := descriptor.(uint64)
	if code != codeDescribed || !ok || number < sectionHeader || number > sectionFooter {
		return s, nil, fmt.Errorf("%w: %v where a message section belongs", ErrMalformed, descriptor)
	}
	value := d.Rest()
	if err := d.Skip(); err != nil {
		return s, nil, err
	}
	rest = d.Rest()
	return section{
		code:    number,
		encoded: b[:len(b)-len(rest)],
		value:   value[:len(value)-len(rest)],
	}, rest, nil
}

func (s section) list() (*list, error) {
	v, err := NewDecoder(s.value).Value()
	if err != nil {
		return nil, err
	}
	items, ok := v.([]any)
	if !ok {
		return nil, fmt.Errorf("%w: section %#x is a %T", ErrMalformed, s.code, v)
	}
	return &list{items: items}, nil
}

func (s section) mapping() (Map, error) {
	v, err := NewDecoder(s.value).Value()
	if err != nil || v == nil {
		return nil, err
	}
	m, ok := v.(Map)
	if !ok {
		return nil, fmt.Errorf("%w: section %#x is a %T", ErrMalformed, s.code, v)
	}
	return m, nil
}

// Message is what a node that answers requests reads of one, and writes.
type Message struct {
	ID                    any // nil, string, uint64, UUID or []byte (§3.2.4)
	CorrelationID         any
	ReplyTo               string
	ApplicationProperties Map
	Value                 any // an amqp-value body
}

// ParseMessage reads an encoded message; of its body, an amqp-value.
func ParseMessage(encoded []byte) (Message, error) {
	var m Message
	err := eachSection(encoded, m.read)
	return m, err
}

// eachSection cuts a message into its sections, which come in order and, but
// for the body's, once each (§3.2).
func eachSection(encoded []byte, f func(section) error) error {
	last := uint64(0)
	for sections := 0; len(encoded) > 0; sections++ {
		if sections > MaxValues {
			return errCount
		}
		s, rest, err := nextSection(encoded)
		if err != nil {
			return err
		}
		repeats := s.code == last && (s.code == sectionData || s.code == sectionSequence)
		if s.code <= last && !repeats {
			return fmt.Errorf("%w: section %#x after section %#x", ErrMalformed, s.code, last)
		}
		last = s.code
		if err := f(s); err != nil {
			return err
		}
		encoded = rest
	}
	return nil
}

func (m *Message) read(s section) (err error) {
	switch s.code {
	case sectionProperties:
		var l *list
		if l, err = s.list(); err != nil {
			return err
		}
		m.ID, m.CorrelationID = at[any](l, 0, nil), at[any](l, 5, nil)
		m.ReplyTo = at(l, 4, "")
		return l.err
	case sectionApplicationProperties:
		m.ApplicationProperties, err = s.mapping()
	case sectionValue:
		m.Value, err = NewDecoder(s.value).Value()
	}
	return err
}

// Append encodes m as a reply of a request-response node: correlation id,
// application properties and a value.
func (m *Message) Append(b []byte) []byte {
	b = appendDescribedList(b, sectionProperties, []any{nil, nil, nil, nil, nil, m.CorrelationID})
	b = Append(appendDescriptor(b, sectionApplicationProperties), m.ApplicationProperties)
	return Append(appendDescriptor(b, sectionValue), m.Value)
}

// SplitBatch unpacks a message of BatchFormat: each data section of it is a
// message. They alias encoded.
func SplitBatch(encoded []byte) ([][]byte, error) {
	var messages [][]byte
	for len(encoded) > 0 {
		s, rest, err := nextSection(encoded)
		if err != nil {
			return nil, err
		}
		if s.code == sectionData {
			b, err := NewDecoder(s.value).Binary()
			if err != nil {
				return nil, err
			}
			if len(messages) == MaxBatch {
				return nil, fmt.Errorf("%w: batch of more than %d messages", ErrMalformed, MaxBatch)
			}
			messages = append(messages, b)
		}
		encoded = rest
	}
	return messages, nil
}

const (
	// BatchFormat is the message format of a batch, Service Bus's own.
	BatchFormat uint32 = 0x80013700

	// MaxBatch is how many messages one batch may hold.
	MaxBatch = 1 << 14
)

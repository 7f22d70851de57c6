package amqp

import (
	"fmt"
	"time"
)

// Summary is what a broker reads of a message that it keeps.
type Summary struct {
	TTL        time.Duration // zero: not stated
	ID         any           // nil, string, uint64, UUID or []byte (§3.2.4)
	GroupID    *string
	Annotation any // the message annotation that was asked for, or nil
}

// Inspect reads what a broker needs of an encoded message, and checks that
// Rewrite will be able to read the rest. It passes over what it does not need:
// a broker meets every message here.
func Inspect(encoded []byte, annotation string) (Summary, error) {
	var m Summary
	err := eachSection(encoded, func(s section) error {
		switch s.code {
		case sectionHeader:
			return m.header(s)
		case sectionMessageAnnotations:
			return s.entries(annotation, &m.Annotation)
		case sectionProperties:
			return m.properties(s)
		case sectionApplicationProperties:
			return s.entries("", nil)
		}
		return nil
	})
	return m, err
}

func (m *Summary) header(s section) error {
	l, err := s.list()
	if err != nil {
		return err
	}
	m.TTL = time.Duration(at(l, 2, uint32(0))) * time.Millisecond
	maybe[bool](l, 0)
	maybe[uint8](l, 1)
	return l.err
}

// Positions of properties (§3.2.4).
const (
	propertyMessageID = 0
	propertyGroupID   = 10
)

func (m *Summary) properties(s section) error {
	in, n, err := s.inside(codeList0, codeList8, codeList32)
	if err != nil {
		return err
	}
	for i := range n {
		switch i {
		case propertyMessageID:
			if m.ID, err = in.Value(); err != nil {
				return err
			}
		case propertyGroupID:
			v, err := in.Value()
			if err != nil {
				return err
			}
			id, ok := v.(string)
			if !ok && v != nil {
				return fmt.Errorf("%w: group-id is a %T", ErrMalformed, v)
			}
			if ok {
				m.GroupID = &id
			}
		default:
			if err := in.Skip(); err != nil {
				return err
			}
		}
	}
	return nil
}

// entries checks the section's map, and reads the value under a key, unless
// into is nil.
func (s section) entries(key string, into *any) error {
	if len(s.value) > 0 && s.value[0] == codeNull {
		return nil
	}
	in, n, err := s.inside(0, codeMap8, codeMap32)
	if err != nil {
		return err
	}
	if n%2 != 0 {
		return fmt.Errorf("%w: map of %d items", ErrMalformed, n)
	}
	for range n / 2 {
		name, err := in.text()
		if err != nil {
			return err
		}
		if into != nil && string(name) == key {
			if *into, err = in.Value(); err != nil {
				return err
			}
			continue
		}
		if err := in.Skip(); err != nil {
			return err
		}
	}
	return nil
}

// text reads a string or symbol without copying it; of another value, which
// must be one, nil.
func (d *Decoder) text() ([]byte, error) {
	before := *d
	code, err := d.constructor()
	if err != nil {
		return nil, err
	}
	switch code {
	case codeString8, codeString32, codeSymbol8, codeSymbol32:
		return d.body(code)
	}
	*d = before
	_, err = d.Value()
	return nil, err
}

// inside opens the section's list or map: what is in it, and how many values.
func (s section) inside(empty, narrow, wide byte) (in Decoder, n int, err error) {
	d := Decoder{buf: s.value}
	code, err := d.constructor()
	if err != nil {
		return in, 0, err
	}
	if code != empty && code != narrow && code != wide || code == 0 {
		return in, 0, fmt.Errorf("%w: constructor %#02x in section %#x", ErrMalformed, code, s.code)
	}
	body, err := d.body(code)
	if err != nil || code == empty {
		return in, 0, err
	}
	in = Decoder{buf: body}
	n, err = in.count(code == wide)
	return in, n, err
}

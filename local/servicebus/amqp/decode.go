package amqp

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Limits of one Decoder.
const (
	MaxDepth  = 16      // nesting of lists, maps, arrays and described values
	MaxValues = 1 << 16 // values in all, however they nest
)

// ErrMalformed is wrapped by every decoding error.
var ErrMalformed = errors.New("malformed AMQP data")

var (
	errShort = fmt.Errorf("%w: value ends after its buffer", ErrMalformed)
	errDepth = fmt.Errorf("%w: nested deeper than %d", ErrMalformed, MaxDepth)
	errCount = fmt.Errorf("%w: more than %d values", ErrMalformed, MaxValues)
)

// A Decoder reads consecutive values from a buffer.
type Decoder struct {
	buf    []byte
	values int
	depth  int
}

// NewDecoder reads from b, which it does not change.
func NewDecoder(b []byte) *Decoder { return &Decoder{buf: b} }

// Rest is what has not been read.
func (d *Decoder) Rest() []byte { return d.buf }

// Value reads one value.
func (d *Decoder) Value() (any, error) {
	code, err := d.constructor()
	if err != nil {
		return nil, err
	}
	if code != codeDescribed {
		return d.primitive(code)
	}
	if d.depth++; d.depth > MaxDepth {
		return nil, errDepth
	}
	defer func() { d.depth-- }()
	descriptor, err := d.Value()
	if err != nil {
		return nil, err
	}
	value, err := d.Value()
	if err != nil {
		return nil, err
	}
	return Described{descriptor, value}, nil
}

// Binary reads a binary value without copying it.
func (d *Decoder) Binary() ([]byte, error) {
	code, err := d.constructor()
	if err != nil {
		return nil, err
	}
	if code != codeBinary8 && code != codeBinary32 {
		return nil, fmt.Errorf("%w: constructor %#02x where binary belongs", ErrMalformed, code)
	}
	return d.body(code)
}

// Skip passes over one value without looking inside it.
func (d *Decoder) Skip() error {
	for left := 1; left > 0; left-- {
		code, err := d.constructor()
		if err != nil {
			return err
		}
		if code == codeDescribed {
			left += 2 // its descriptor and the value itself, either described again perhaps
			continue
		}
		if _, err := d.body(code); err != nil {
			return err
		}
	}
	return nil
}

func (d *Decoder) constructor() (byte, error) {
	if d.values++; d.values > MaxValues {
		return 0, errCount
	}
	b, err := d.take(1)
	if err != nil {
		return 0, err
	}
	return b[0], nil
}

func (d *Decoder) take(n int) ([]byte, error) {
	if n < 0 || n > len(d.buf) {
		return nil, errShort
	}
	b := d.buf[:n:n]
	d.buf = d.buf[n:]
	return b, nil
}

// body takes the octets of a value. The high half of a constructor tells
// their number, so that a reader can pass over what it does not know (§1.2).
func (d *Decoder) body(code byte) ([]byte, error) {
	switch code >> 4 {
	case 0x4:
		return d.take(0)
	case 0x5:
		return d.take(1)
	case 0x6:
		return d.take(2)
	case 0x7:
		return d.take(4)
	case 0x8:
		return d.take(8)
	case 0x9:
		return d.take(16)
	case 0xa, 0xc, 0xe:
		size, err := d.take(1)
		if err != nil {
			return nil, err
		}
		return d.take(int(size[0]))
	case 0xb, 0xd, 0xf:
		size, err := d.take(4)
		if err != nil {
			return nil, err
		}
		return d.take(int(binary.BigEndian.Uint32(size)))
	}
	return nil, fmt.Errorf("%w: constructor %#02x", ErrMalformed, code)
}

func (d *Decoder) primitive(code byte) (any, error) {
	b, err := d.body(code)
	if err != nil {
		return nil, err
	}
	switch code {
	case codeList0:
		return []any{}, nil
	case codeList8, codeList32, codeMap8, codeMap32, codeArray8, codeArray32:
		return d.compound(code, b)
	}
	if v, ok := scalar(code, b); ok {
		return v, nil
	}
	return nil, fmt.Errorf("%w: constructor %#02x", ErrMalformed, code)
}

// compound decodes the inside of a list, map or array. Values read there
// count against the limits of d.
func (d *Decoder) compound(code byte, b []byte) (any, error) {
	if d.depth++; d.depth > MaxDepth {
		return nil, errDepth
	}
	in := &Decoder{buf: b, values: d.values, depth: d.depth}
	defer func() { d.depth--; d.values = in.values }()
	wide := code == codeList32 || code == codeMap32 || code == codeArray32
	n, err := in.count(wide)
	if err != nil {
		return nil, err
	}
	switch code {
	case codeList8, codeList32:
		return in.items(n, in.Value)
	case codeMap8, codeMap32:
		return in.entries(n)
	}
	return in.array(code, b, n)
}

func (d *Decoder) count(wide bool) (int, error) {
	width := 1
	if wide {
		width = 4
	}
	b, err := d.take(width)
	if err != nil {
		return 0, err
	}
	n := int(b[0])
	if wide {
		n = int(binary.BigEndian.Uint32(b))
	}
	if n < 0 || n > MaxValues-d.values {
		return 0, errCount
	}
	return n, nil
}

// items reads n values. An element may take no octets at all, so the count
// is trusted only as far as the octets or the value limit go.
func (d *Decoder) items(n int, next func() (any, error)) ([]any, error) {
	items := make([]any, 0, min(n, len(d.buf)))
	for range n {
		v, err := next()
		if err != nil {
			return nil, err
		}
		items = append(items, v)
	}
	return items, nil
}

func (d *Decoder) entries(n int) (Map, error) {
	if n%2 != 0 {
		return nil, fmt.Errorf("%w: map of %d items", ErrMalformed, n)
	}
	m := make(Map, 0, min(n/2, len(d.buf)))
	for range n / 2 {
		key, err := d.Value()
		if err != nil {
			return nil, err
		}
		value, err := d.Value()
		if err != nil {
			return nil, err
		}
		m = append(m, Entry{key, value})
	}
	return m, nil
}

func (d *Decoder) array(code byte, whole []byte, n int) (any, error) {
	element, err := d.constructor()
	if err != nil {
		return nil, err
	}
	if element == codeDescribed {
		return nil, fmt.Errorf("%w: array of described values", ErrMalformed)
	}
	items, err := d.items(n, func() (any, error) {
		if d.values++; d.values > MaxValues {
			return nil, errCount
		}
		return d.primitive(element)
	})
	if err != nil {
		return nil, err
	}
	encoded := []byte{codeArray32, 0, 0, 0, 0}
	if code == codeArray8 {
		encoded = []byte{codeArray8, byte(len(whole))}
	} else {
		binary.BigEndian.PutUint32(encoded[1:], uint32(len(whole)))
	}
	return Array{Items: items, encoded: string(append(encoded, whole...))}, nil
}

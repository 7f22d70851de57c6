package amqp

import "fmt"

// AppendList encodes values as a list after b.
func AppendList(b []byte, values ...any) []byte { return appendList(b, values) }

// Fields are the values of a list, read by position.
type Fields struct{ list list }

// ParseList reads a list that AppendList has made, of however many values: what
// was written must be readable. What comes after it is ignored.
func ParseList(b []byte) (*Fields, error) {
	d := &Decoder{buf: b, values: MaxValues - len(b)} // each takes an octet at least
	v, err := d.Value()
	if err != nil {
		return nil, err
	}
	items, ok := v.([]any)
	if !ok {
		return nil, fmt.Errorf("%w: %T where a list belongs", ErrMalformed, v)
	}
	return &Fields{list{items: items}}, nil
}

// Field is value i of a list, or T's zero value if it is null or left out.
func Field[T any](f *Fields, i int) T {
	var zero T
	return at(&f.list, i, zero)
}

// Pointer is value i of a list, or nil if it is null or left out.
func Pointer[T any](f *Fields, i int) *T { return maybe[T](&f.list, i) }

// Err is the first value that was not of the type it was read as.
func (f *Fields) Err() error { return f.list.err }

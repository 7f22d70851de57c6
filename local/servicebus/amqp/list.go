package amqp

import "fmt"

// list reads the fields of a composite value by position and keeps the first
// mistake. Fields left out at the end are null (§1.4).
type list struct {
	items []any
	err   error
}

// at is field i, or fallback if it is null.
func at[T any](l *list, i int, fallback T) T {
	if p := maybe[T](l, i); p != nil {
		return *p
	}
	return fallback
}

// maybe is field i, or nil if it is null.
func maybe[T any](l *list, i int) *T {
	if i >= len(l.items) || l.items[i] == nil {
		return nil
	}
	v, ok := l.items[i].(T)
	if !ok {
		if l.err == nil {
			l.err = fmt.Errorf("%w: field %d is a %T", ErrMalformed, i, l.items[i])
		}
		return nil
	}
	return &v
}

func (l *list) terminus(i int) *Terminus {
	d := at(l, i, Described{})
	code, _ := d.Descriptor.(uint64)
	items, ok := d.Value.([]any)
	if !ok {
		return nil
	}
	return &Terminus{code: code, items: items}
}

func (l *list) error(i int) *Error {
	d := at(l, i, Described{})
	if d.Value == nil {
		return nil
	}
	e, err := ParseError(d)
	if err != nil && l.err == nil {
		l.err = err
	}
	return e
}

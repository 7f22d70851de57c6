package registry

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/contoso/orders/shared/fault"
)

// reply reads what a script returned, value by value. The first value that is not
// what it should be is remembered, and everything read after it is zero: callers
// read all they need and then look at err once.
type reply struct {
	values []any
	err    error
}

// newReply returns a reader of an array's elements, or of a single value.
func newReply(value any) *reply {
	if values, ok := value.([]any); ok {
		return &reply{values: values}
	}
	return &reply{values: []any{value}}
}

func (r *reply) next() any {
	if len(r.values) == 0 {
		r.fail("it has too few values")
		return nil
	}
	v := r.values[0]
	r.values = r.values[1:]
	return v
}

func (r *reply) fail(why string) {
	if r.err == nil {
		r.err = fault.New(fault.Internal, "the registry's answer is not understood: %s", why)
	}
}

func (r *reply) text() string {
	s, ok := r.next().(string)
	if !ok {
		r.fail("a value is not a string")
	}
	return s
}

func (r *reply) number() int64 {
	n, ok := r.next().(int64)
	if !ok {
		r.fail("a value is not an integer")
	}
	return n
}

func (r *reply) list() *reply {
	values, ok := r.next().([]any)
	if !ok {
		r.fail("a value is not a list")
	}
	return &reply{values: values}
}

// each reads a nested list to its end with read; nil for an empty list.
func each[T any](r *reply, read func(*reply) T) []T {
	list := r.list()
	var all []T
	for len(list.values) > 0 && list.err == nil {
		all = append(all, read(list))
	}
	if list.err != nil && r.err == nil {
		r.err = list.err
	}
	return all
}

func (r *reply) connection() Connection {
	c, ok := connectionOf(r.text())
	if !ok {
		r.fail("a value is not a connection")
	}
	return c
}

func (r *reply) numbered() Numbered {
	n, ok := numberedOf(r.text())
	if !ok {
		r.fail("a value is not a numbered event")
	}
	return n
}

// numberedOf reads an element of the event list, "<number> <CloudEvent>".
func numberedOf(element string) (Numbered, bool) {
	digits, event, ok := strings.Cut(element, " ")
	number, err := strconv.ParseInt(digits, 10, 64)
	if !ok || err != nil || number < 1 {
		return Numbered{}, false
	}
	return Numbered{Number: number, Event: json.RawMessage(event)}, true
}

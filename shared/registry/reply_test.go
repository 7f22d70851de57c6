package registry

import (
	"strconv"
	"testing"

	"github.com/contoso/orders/shared/fault"
)

func TestReplyRemembersItsFirstFault(t *testing.T) {
	tests := map[string]struct {
		value any
		read  func(*reply)
	}{
		"too few values":       {[]any{"a"}, func(r *reply) { r.text(); r.text() }},
		"nothing":              {nil, func(r *reply) { r.text() }},
		"integer for a string": {[]any{int64(1)}, func(r *reply) { r.text() }},
		"string for a number":  {[]any{"1"}, func(r *reply) { r.number() }},
		"string for a list":    {[]any{"1"}, func(r *reply) { each(r, (*reply).text) }},
		"bad element":          {[]any{[]any{"a", int64(1), "b"}}, func(r *reply) { each(r, (*reply).text) }},
		"not a connection":     {[]any{"hub"}, func(r *reply) { r.connection() }},
		"not numbered":         {[]any{"{}"}, func(r *reply) { r.numbered() }},
	}
	for name, test := range tests {
		r := newReply(test.value)
		test.read(r)
		if r.err == nil || fault.KindOf(r.err) != fault.Internal {
			t.Errorf("%s: %v, want kind internal", name, r.err)
		}
	}
}

func FuzzNumbered(f *testing.F) {
	for _, seed := range []string{"1 {}", "100 ", " {}", "-1 {}", "99999999999999999999 {}", "1", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, element string) {
		n, ok := numberedOf(element)
		if !ok {
			return
		}
		if n.Number < 1 {
			t.Errorf("number %d out of %q", n.Number, element)
		}
		again, ok := numberedOf(strconv.FormatInt(n.Number, 10) + " " + string(n.Event))
		if !ok || again.Number != n.Number || string(again.Event) != string(n.Event) {
			t.Errorf("%q is read as %+v and then as %+v", element, n, again)
		}
	})
}

func FuzzConnection(f *testing.F) {
	for _, seed := range []string{"hub#1|c", "|c", "hub|", "hub", "a|b|c", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if c, ok := connectionOf(text); ok && member(c) != text {
			t.Errorf("%q is read as %+v, which is written as %q", text, c, member(c))
		}
	})
}

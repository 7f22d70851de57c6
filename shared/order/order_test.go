package order_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/contoso/orders/shared/fault"
	"github.com/contoso/orders/shared/order"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

const good = `{"currency":"EUR","lines":[{"sku":"A-1","quantity":2,"unitPrice":"9.99"},{"sku":"b_2.c","quantity":9999,"unitPrice":"0.0001"}]}`

func TestGoodOrderIsRead(t *testing.T) {
	o, err := order.Parse([]byte(good))
	if err != nil {
		t.Fatal(err)
	}
	if got := o.Total().String(); got != "20.9799" {
		t.Errorf("total = %s, want 20.9799", got)
	}
	if o.Currency != "EUR" || len(o.Lines) != 2 || o.Lines[0].SKU != "A-1" || o.Lines[1].Quantity != 9999 {
		t.Errorf("order = %+v", o)
	}
}

func lines(line string) string { return `{"currency":"EUR","lines":[` + line + `]}` }

func line(sku, quantity, price string) string {
	return lines(fmt.Sprintf(`{"sku":%s,"quantity":%s,"unitPrice":%s}`, sku, quantity, price))
}

func TestBadOrderNamesTheField(t *testing.T) {
	const sku, qty, price = `"A-1"`, `1`, `"9.99"`
	for _, tc := range []struct {
		name, body, pointer string
		kind                fault.Kind
	}{
		{"empty body", ``, "", fault.Malformed},
		{"not JSON", `order please`, "", fault.Malformed},
		{"cut short", `{"currency":"EUR"`, "", fault.Malformed},
		{"two documents", good + good, "", fault.Malformed},
		{"invalid UTF-8", "{\"currency\":\"E\xffR\"}", "", fault.Malformed},
		{"repeated member", `{"currency":"EUR","currency":"USD","lines":[]}`, "", fault.Malformed},
		{"an array", `[]`, "", fault.Invalid},
		{"null", `null`, "/currency", fault.Invalid},
		{"unknown member", `{"currency":"EUR","coupon":"X","lines":[]}`, "/coupon", fault.Invalid},
		{"other case", `{"Currency":"EUR","lines":[]}`, "/Currency", fault.Invalid},
		{"unknown member of a line", lines(`{"sku":"A","quantity":1,"unitPrice":"1","color":"red"}`), "/lines/0/color", fault.Invalid},
		{"no currency", `{"lines":[{"sku":"A","quantity":1,"unitPrice":"1"}]}`, "/currency", fault.Invalid},
		{"unknown currency", `{"currency":"EUX","lines":[{"sku":"A","quantity":1,"unitPrice":"1"}]}`, "/currency", fault.Invalid},
		{"retired currency", `{"currency":"DEM","lines":[{"sku":"A","quantity":1,"unitPrice":"1"}]}`, "/currency", fault.Invalid},
		{"lower-case currency", `{"currency":"eur","lines":[{"sku":"A","quantity":1,"unitPrice":"1"}]}`, "/currency", fault.Invalid},
		{"currency is a number", `{"currency":978,"lines":[]}`, "/currency", fault.Invalid},
		{"no lines", `{"currency":"EUR"}`, "/lines", fault.Invalid},
		{"zero lines", lines(""), "/lines", fault.Invalid},
		{"101 lines", lines(strings.Repeat(`{"sku":"A","quantity":1,"unitPrice":"1"},`, 100) + `{"sku":"A","quantity":1,"unitPrice":"1"}`), "/lines", fault.Invalid},
		{"empty sku", line(`""`, qty, price), "/lines/0/sku", fault.Invalid},
		{"sku of 65", line(`"`+strings.Repeat("a", 65)+`"`, qty, price), "/lines/0/sku", fault.Invalid},
		{"sku with a space", line(`"A 1"`, qty, price), "/lines/0/sku", fault.Invalid},
		{"sku with a line feed", line(`"A\n"`, qty, price), "/lines/0/sku", fault.Invalid},
		{"zero quantity", line(sku, `0`, price), "/lines/0/quantity", fault.Invalid},
		{"negative quantity", line(sku, `-1`, price), "/lines/0/quantity", fault.Invalid},
		{"huge quantity", line(sku, `10000`, price), "/lines/0/quantity", fault.Invalid},
		{"quantity beyond int64", line(sku, `99999999999999999999`, price), "/lines/0/quantity", fault.Invalid},
		{"fractional quantity", line(sku, `1.5`, price), "/lines/0/quantity", fault.Invalid},
		{"quantity in a string", line(sku, `"1"`, price), "/lines/0/quantity", fault.Invalid},
		{"null quantity", line(sku, `null`, price), "/lines/0/quantity", fault.Invalid},
		{"price as a number", line(sku, qty, `9.99`), "/lines/0/unitPrice", fault.Invalid},
		{"five places", line(sku, qty, `"9.99999"`), "/lines/0/unitPrice", fault.Invalid},
		{"negative price", line(sku, qty, `"-1"`), "/lines/0/unitPrice", fault.Invalid},
		{"exponent", line(sku, qty, `"1e3"`), "/lines/0/unitPrice", fault.Invalid},
		{"empty price", line(sku, qty, `""`), "/lines/0/unitPrice", fault.Invalid},
		{"leading zero", line(sku, qty, `"01"`), "/lines/0/unitPrice", fault.Invalid},
		{"total too large", line(sku, `2`, `"999999999999999.9999"`), "/lines", fault.Invalid},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := order.Parse([]byte(tc.body))
			if got := fault.KindOf(err); err == nil || got != tc.kind {
				t.Fatalf("error = %v of kind %v, want %v", err, got, tc.kind)
			}
			if tc.pointer == "" {
				return
			}
			var e *fault.Error
			errors.As(err, &e)
			if len(e.Fields) == 0 || e.Fields[0].Pointer != tc.pointer || e.Fields[0].Detail == "" {
				t.Errorf("fields = %+v, want %s first", e.Fields, tc.pointer)
			}
		})
	}
}

func TestEveryBadFieldIsNamed(t *testing.T) {
	_, err := order.Parse([]byte(`{"currency":"??","lines":[{"sku":"","quantity":0,"unitPrice":"x"}]}`))
	var e *fault.Error
	if !errors.As(err, &e) {
		t.Fatalf("error = %v", err)
	}
	var got []string
	for _, f := range e.Fields {
		got = append(got, f.Pointer)
	}
	want := []string{"/currency", "/lines/0/sku", "/lines/0/quantity", "/lines/0/unitPrice"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("pointers (-want +got):\n%s", diff)
	}
}

func parse(t *testing.T, body string) order.Order {
	t.Helper()
	o, err := order.Parse([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestHashIsOfTheMeaning(t *testing.T) {
	base := parse(t, line(`"A"`, `1`, `"9.9"`))
	if base.Hash() != parse(t, " "+line(`"A"`, `1`, `"9.90"`)+"\n").Hash() {
		t.Error("the same order in other words hashes differently")
	}
	for _, other := range []string{
		line(`"A"`, `1`, `"9.91"`), line(`"A"`, `2`, `"9.9"`), line(`"B"`, `1`, `"9.9"`),
		strings.Replace(line(`"A"`, `1`, `"9.9"`), "EUR", "USD", 1),
		lines(`{"sku":"A","quantity":1,"unitPrice":"9.9"},{"sku":"A","quantity":1,"unitPrice":"9.9"}`),
	} {
		if base.Hash() == parse(t, other).Hash() {
			t.Errorf("%s hashes like another order", other)
		}
	}
}

func TestNonceLeavesOutVersionAndTag(t *testing.T) {
	id := uuid.MustParse("12345678-9abc-8def-bfff-ffffffffffff")
	if got, want := order.NonceOf(id), int64(0x123456789abcdef); got != want {
		t.Errorf("nonce = %x, want %x", got, want)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte(`{"lines":null}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		o, err := order.Parse(body)
		if err != nil {
			if k := fault.KindOf(err); k != fault.Malformed && k != fault.Invalid {
				t.Errorf("kind %v for a bad body", k)
			}
			return
		}
		if len(o.Lines) == 0 || o.Currency == "" || o.Total().IsNegative() {
			t.Errorf("accepted %+v", o)
		}
	})
}

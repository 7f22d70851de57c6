package order

import (
	"errors"
	"fmt"
	"regexp"

	"github.com/contoso/orders/shared/fault"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/shopspring/decimal"
)

var (
	skuPattern   = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)
	pricePattern = regexp.MustCompile(`^(0|[1-9][0-9]{0,14})(\.[0-9]{1,4})?$`)
)

// document is an order as it stands in a body. Pointers tell a missing member
// from a zero one.
type document struct {
	Currency *string    `json:"currency"`
	Lines    []lineText `json:"lines"`
}

type lineText struct {
	SKU       *string `json:"sku"`
	Quantity  *int64  `json:"quantity"`
	UnitPrice *string `json:"unitPrice"`
}

// Parse reads an order from a JSON body, strictly: unknown and repeated members,
// wrong types and anything after the document are refused. The error is a
// [fault.Error]: Malformed when the body is not JSON, Invalid with one Field per
// bad value otherwise.
func Parse(body []byte) (Order, error) {
	var doc document
	if err := json.Unmarshal(body, &doc, json.RejectUnknownMembers(true)); err != nil {
		return Order{}, decodeFault(err)
	}
	var bad []fault.Field
	o := doc.check(func(pointer, format string, args ...any) {
		bad = append(bad, fault.Field{Pointer: pointer, Detail: fmt.Sprintf(format, args...)})
	})
	if len(bad) > 0 {
		return Order{}, &fault.Error{Kind: fault.Invalid, Detail: fmt.Sprintf("%d field(s) of the order are not valid", len(bad)), Fields: bad}
	}
	return o, nil
}

// decodeFault says where in the document the decoder stopped, and why, in words
// that do not change with the decoder.
func decodeFault(err error) error {
	var semantic *json.SemanticError
	if !errors.As(err, &semantic) {
		return fault.Wrap(fault.Malformed, err, "the body is not a JSON document")
	}
	detail := "must not be here"
	if !errors.Is(err, json.ErrUnknownName) {
		detail = fmt.Sprintf("a JSON %s is not allowed here", kindName(semantic.JSONKind))
	}
	return &fault.Error{
		Kind: fault.Invalid, Detail: "the body is JSON, but not an order", Err: err,
		Fields: []fault.Field{{Pointer: string(semantic.JSONPointer), Detail: detail}},
	}
}

func kindName(k jsontext.Kind) string {
	switch k {
	case 'n':
		return "null"
	case 't', 'f':
		return "boolean"
	case '"':
		return "string"
	case '0':
		return "number of this size or form"
	case '{':
		return "object"
	case '[':
		return "array"
	}
	return "value of this kind"
}

// check validates every field, reporting each bad one, and returns the order.
func (d document) check(bad func(pointer, format string, args ...any)) Order {
	var o Order
	if d.Currency == nil {
		bad("/currency", "is required")
	} else if _, ok := currencies[*d.Currency]; !ok {
		bad("/currency", "must be an active ISO 4217 code in upper case, for example EUR")
	} else {
		o.Currency = *d.Currency
	}
	if n := len(d.Lines); n < 1 || n > MaxLines {
		bad("/lines", "must have 1 to %d entries", MaxLines)
		return o
	}
	o.Lines = make([]Line, len(d.Lines))
	for i, text := range d.Lines {
		o.Lines[i] = text.check(fmt.Sprintf("/lines/%d", i), bad)
	}
	if o.Total().GreaterThan(maxTotal) {
		bad("/lines", "the total must not exceed %s", maxTotal)
	}
	return o
}

func (t lineText) check(at string, bad func(pointer, format string, args ...any)) Line {
	var l Line
	if t.SKU == nil || !skuPattern.MatchString(*t.SKU) {
		bad(at+"/sku", "must be 1 to %d characters of A-Z a-z 0-9 . _ -", MaxSKULength)
	} else {
		l.SKU = *t.SKU
	}
	if t.Quantity == nil || *t.Quantity < 1 || *t.Quantity > MaxQuantity {
		bad(at+"/quantity", "must be a whole number, 1 to %d", MaxQuantity)
	} else {
		l.Quantity = int(*t.Quantity)
	}
	if t.UnitPrice == nil || !pricePattern.MatchString(*t.UnitPrice) {
		bad(at+"/unitPrice", `must be a decimal in a string with at most %d places, for example "9.99"`, MaxPriceDecimals)
	} else {
		l.UnitPrice = decimal.RequireFromString(*t.UnitPrice) // the pattern is narrower than what it accepts
	}
	return l
}

package batch

import (
	"unicode/utf16"

	"github.com/contoso/orders/shared/fault"
	"github.com/contoso/orders/shared/order"
	"github.com/contoso/orders/shared/store"
	"github.com/shopspring/decimal"
)

const (
	customerLength = 22
	currencyLength = 3
)

// moneyLimit is the first whole number that DECIMAL(19,4) cannot hold.
var moneyLimit = decimal.New(1, 15)

// check refuses what a column cannot hold. Databases disagree here: one cuts or
// rounds in silence, another stores whatever it is given.
func check(s store.Submission) error {
	switch s.Status {
	case order.Completed, order.Rejected, order.Failed:
	default:
		return fault.New(fault.Invalid, "%q is not the status of a decided order", s.Status)
	}
	if len(s.Customer) != customerLength {
		return fault.New(fault.Invalid, "the customer must have %d characters", customerLength)
	}
	if n := utf16Length(s.Reason); n > store.MaxReason {
		return fault.New(fault.Invalid, "a reason of %d characters is over the limit of %d", n, store.MaxReason)
	}
	if len(s.Order.Currency) != currencyLength {
		return fault.New(fault.Invalid, "currency %q must have %d characters", s.Order.Currency, currencyLength)
	}
	if n := len(s.Order.Lines); n > order.MaxLines {
		return fault.New(fault.Invalid, "%d lines are over the limit of %d", n, order.MaxLines)
	}
	for i, l := range s.Order.Lines {
		switch {
		case l.SKU == "" || len(l.SKU) > order.MaxSKULength:
			return fault.New(fault.Invalid, "line %d: the sku must have 1 to %d characters", i, order.MaxSKULength)
		case l.Quantity < 1 || l.Quantity > order.MaxQuantity:
			return fault.New(fault.Invalid, "line %d: quantity %d is not from 1 to %d", i, l.Quantity, order.MaxQuantity)
		case !fitsMoney(l.UnitPrice):
			return fault.New(fault.Invalid, "line %d: unit price %s does not fit DECIMAL(19,4)", i, l.UnitPrice)
		}
	}
	if total := s.Order.Total(); !fitsMoney(total) {
		return fault.New(fault.Invalid, "total %s does not fit DECIMAL(19,4)", total)
	}
	return nil
}

func fitsMoney(d decimal.Decimal) bool {
	return !d.IsNegative() && d.LessThan(moneyLimit) && d.Equal(d.Truncate(order.MaxPriceDecimals))
}

func utf16Length(s string) (n int) {
	for _, r := range s {
		n += utf16.RuneLen(r)
	}
	return n
}

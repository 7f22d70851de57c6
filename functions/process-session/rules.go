package main

import (
	"context"
	"fmt"

	"github.com/contoso/orders/shared/envelope"
	"github.com/shopspring/decimal"
)

// rules say whether an order is completed or rejected. This file is the place for
// a business's own: anything that implements the interface will do, and
// newHandler chooses.
type rules interface {
	// decide returns "", or the reason why the order is rejected, in words for the
	// customer (store.MaxReason). An order may be asked about again, after a crash;
	// what was stored first stands. An error of kind Unavailable gives the session
	// back, to be tried again later; another one is that of a message that cannot
	// be handled.
	decide(ctx context.Context, a envelope.Accepted) (reason string, err error)
}

// valueLimit rejects orders whose total is over a limit, in whatever currency the
// order has. Zero is no limit.
type valueLimit struct{ max decimal.Decimal }

func (l valueLimit) decide(_ context.Context, a envelope.Accepted) (string, error) {
	total := a.Order.Total()
	if l.max.IsZero() || total.LessThanOrEqual(l.max) {
		return "", nil
	}
	return fmt.Sprintf("The total of %s %s is over the limit of %s %s for one order.", total, a.Order.Currency, l.max, a.Order.Currency), nil
}

package main

import (
	"errors"

	"github.com/contoso/orders/shared/bus"
	"github.com/contoso/orders/shared/httpserve"
	"github.com/contoso/orders/shared/store/open"
	"github.com/shopspring/decimal"
)

// Validate checks the limit.
func (c config) Validate() error {
	if c.MaxOrderValue.IsNegative() {
		return errors.New("MAX_ORDER_VALUE must not be negative")
	}
	return nil
}

type config struct {
	HTTP   httpserve.PrivateConfig
	Bus    bus.Config
	Store  open.Config
	Worker bus.WorkerConfig

	Queue            string `env:"ORDERS_QUEUE, default=orders" help:"session queue that orders are taken from"`
	CompletionsQueue string `env:"COMPLETIONS_QUEUE, default=order-completions" help:"queue that completion events are sent to"`

	MaxOrderValue decimal.Decimal `env:"MAX_ORDER_VALUE, default=1000000" help:"orders with a larger total, in their own currency, are rejected; 0: none"`
}

package main

import (
	"errors"
	"time"

	"github.com/contoso/orders/shared/bus"
	"github.com/contoso/orders/shared/httpserve"
	"github.com/contoso/orders/shared/identity"
	"github.com/contoso/orders/shared/registry"
)

// Validate implements the check that fn.Config calls.
func (c config) Validate() error {
	if c.SendTimeout <= 0 || c.MaxPerCustomer < 1 {
		return errors.New("SEND_TIMEOUT and MAX_PER_CUSTOMER must be positive")
	}
	return nil
}

type config struct {
	HTTP     httpserve.Config
	Token    identity.TokenConfig
	Keys     identity.KeysConfig
	Bus      bus.Config
	Registry registry.Config

	Gather bus.GatherConfig

	Queue          string        `env:"ORDERS_QUEUE, default=orders" help:"session queue that orders are sent to"`
	SendTimeout    time.Duration `env:"SEND_TIMEOUT, default=5s" help:"how long a caller waits for Service Bus before 503"`
	MaxPerCustomer int           `env:"MAX_PER_CUSTOMER, default=20" help:"orders of one customer that this replica takes at once; more are answered 429"`
}

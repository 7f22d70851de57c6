package main

import (
	"github.com/contoso/orders/shared/bus"
	"github.com/contoso/orders/shared/httpserve"
	"github.com/contoso/orders/shared/store/open"
)

type config struct {
	HTTP   httpserve.PrivateConfig
	Bus    bus.Config
	Store  open.Config
	Worker bus.WorkerConfig

	Queue            string `env:"ORDERS_QUEUE, default=orders" help:"session queue that orders are taken from"`
	CompletionsQueue string `env:"COMPLETIONS_QUEUE, default=order-completions" help:"queue that completion events are sent to"`
}

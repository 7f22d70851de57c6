package main

import (
	"time"

	"github.com/contoso/orders/shared/bus"
	"github.com/contoso/orders/shared/httpserve"
	"github.com/contoso/orders/shared/registry"
)

type config struct {
	HTTP     httpserve.PrivateConfig
	Bus      bus.Config
	Registry registry.Config
	Consumer bus.ConsumerConfig
	Hub      hubConfig

	Queue string `env:"COMPLETIONS_QUEUE, default=order-completions" help:"queue of completion events"`
}

type hubConfig struct {
	TokenFile   string        `env:"HUB_TOKEN_FILE, required" help:"file with this function's own token for the hub, kept fresh by the platform"`
	FallbackURL string        `env:"HUB_FALLBACK_URL, required" help:"push endpoint of all replicas (a name with many addresses), used while Redis is away"`
	PushTimeout time.Duration `env:"HUB_PUSH_TIMEOUT, default=2s" help:"how long one replica may take"`
}

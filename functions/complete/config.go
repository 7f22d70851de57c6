package main

import (
	"errors"
	"net/url"
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

// Validate implements the check that fn.Config calls.
func (c hubConfig) Validate() error {
	u, err := url.Parse(c.FallbackURL)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Port() == "" {
		return errors.New("HUB_FALLBACK_URL must be an http URL with a port")
	}
	if c.PushTimeout <= 0 {
		return errors.New("HUB_PUSH_TIMEOUT must be positive")
	}
	return nil
}

type hubConfig struct {
	TokenFile   string        `env:"HUB_TOKEN_FILE, required" help:"file with this function's own token for the hub, kept fresh by the platform"`
	FallbackURL string        `env:"HUB_FALLBACK_URL, required" help:"push endpoint of all replicas (a name with many addresses), used while Redis is away"`
	PushTimeout time.Duration `env:"HUB_PUSH_TIMEOUT, default=2s" help:"how long one replica may take"`
}

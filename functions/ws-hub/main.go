package main

import (
	"context"

	"github.com/contoso/orders/shared/fn"
	"github.com/contoso/orders/shared/httpserve"
	"github.com/contoso/orders/shared/registry"
	"github.com/sethvargo/go-envconfig"
)

func main() { fn.Main("ws-hub", run) }

func run(ctx context.Context, env envconfig.Lookuper) (err error) {
	var cfg config
	if err := fn.Config(ctx, env, &cfg); err != nil {
		return err
	}
	reg, err := registry.New(cfg.Registry)
	if err != nil {
		return err
	}
	defer fn.Close(&err, "registry", reg)
	h, err := newHub(ctx, cfg, reg)
	if err != nil {
		return err
	}
	return httpserve.WithPrivate(ctx, cfg.HTTP.PrivateConfig, h.run)
}

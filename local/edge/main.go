package main

import (
	"context"

	"github.com/contoso/orders/shared/fn"
	"github.com/contoso/orders/shared/httpserve"
	"github.com/contoso/orders/shared/identity"
	"github.com/sethvargo/go-envconfig"
)

func main() { fn.Main("edge", run) }

func run(ctx context.Context, env envconfig.Lookuper) error {
	var cfg config
	if err := fn.Config(ctx, env, &cfg); err != nil {
		return err
	}
	tokens, err := identity.NewVerifier(ctx, cfg.Token)
	if err != nil {
		return err
	}
	drain := httpserve.DrainConfig{DrainTimeout: drainTimeout}
	return httpserve.WithPrivate(ctx, httpserve.PrivateConfig{PrivateAddr: cfg.PrivateAddr}, func(ctx context.Context) error {
		return httpserve.Listen(ctx, drain, "public", cfg.Addr, newEdge(&cfg, tokens))
	})
}

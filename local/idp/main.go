package main

import (
	"context"

	"github.com/contoso/orders/shared/fn"
	"github.com/contoso/orders/shared/httpserve"
	"github.com/sethvargo/go-envconfig"
	"golang.org/x/sync/errgroup"
)

func main() { fn.Main("idp", run) }

func run(ctx context.Context, env envconfig.Lookuper) error {
	var cfg config
	if err := fn.Config(ctx, env, &cfg); err != nil {
		return err
	}
	key, err := openKey(cfg.DataDir)
	if err != nil {
		return err
	}
	public, err := newProvider(&cfg, key)
	if err != nil {
		return err
	}
	tokens := &mint{issuer: cfg.Issuer, key: key, life: cfg.AccessTokenLife}
	service := &serviceToken{mint: tokens, path: cfg.ServiceTokenFile}
	if err := service.write(ctx); err != nil { // before anything is told to be ready
		return err
	}
	drain := httpserve.DrainConfig{DrainTimeout: drainTimeout}
	return httpserve.WithPrivate(ctx, httpserve.PrivateConfig{PrivateAddr: cfg.PrivateAddr}, func(ctx context.Context) error {
		g, ctx := errgroup.WithContext(ctx)
		g.Go(func() error { return service.keep(ctx) })
		g.Go(func() error { return httpserve.Listen(ctx, drain, "internal", cfg.InternalAddr, tokens.handler()) })
		g.Go(func() error { return httpserve.Listen(ctx, drain, "public", cfg.Addr, public) })
		return g.Wait()
	})
}

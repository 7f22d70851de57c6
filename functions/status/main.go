// Command status answers how an order stands, at any moment: from the store, and
// where that has no row yet, from the CorrelationId itself.
package main

import (
	"context"

	"github.com/contoso/orders/shared/fn"
	"github.com/contoso/orders/shared/httpserve"
	"github.com/contoso/orders/shared/registry"
	"github.com/contoso/orders/shared/store/open"
	"github.com/sethvargo/go-envconfig"
)

func main() { fn.Main("status", run) }

func run(ctx context.Context, env envconfig.Lookuper) (err error) {
	var cfg config
	if err := fn.Config(ctx, env, &cfg); err != nil {
		return err
	}
	db, err := open.Open(ctx, cfg.Store)
	if err != nil {
		return err
	}
	defer fn.Close(&err, "store", db)
	reg, err := registry.New(cfg.Registry)
	if err != nil {
		return err
	}
	defer fn.Close(&err, "registry", reg)
	h, err := newHandler(ctx, cfg, db, reg)
	if err != nil {
		return err
	}
	return httpserve.Serve(ctx, cfg.HTTP, h.routes())
}

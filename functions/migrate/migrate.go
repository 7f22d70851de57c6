package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/contoso/orders/shared/store/open"
)

// migrate applies what is missing, with one line of log for each migration.
func migrate(ctx context.Context, cfg config) error {
	ctx, cancel := context.WithTimeout(ctx, cfg.Timeout)
	defer cancel()
	start := time.Now()
	version, err := open.Migrate(ctx, cfg.Database, func(version int64, name string, took time.Duration) {
		slog.InfoContext(ctx, "migration applied", "version", version, "name", name, "duration", took)
	})
	if err != nil {
		return err
	}
	slog.InfoContext(ctx, "schema is up to date", "database", cfg.Database, "version", version, "duration", time.Since(start))
	return nil
}

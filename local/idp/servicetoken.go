package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"
)

// What a token of the function complete says in the cluster, where Kubernetes
// projects it into a file and keeps it fresh; ws-hub lets in nobody else.
const (
	serviceSubject  = "system:serviceaccount:orders:complete"
	serviceAudience = "ws-hub"
	serviceLife     = time.Hour
)

// serviceCheck is how often the token's age is looked at. A timer of half a life
// would sleep with the laptop, and wake to a token that has long expired.
const serviceCheck = time.Minute

// serviceToken is the file, and when what is in it was made.
type serviceToken struct {
	mint    *mint
	path    string // empty for no file
	written time.Time
}

// write puts a fresh token in place of the old one.
func (t *serviceToken) write(ctx context.Context) error {
	if t.path == "" {
		return nil
	}
	token, err := t.mint.token(serviceSubject, serviceAudience, "", serviceLife)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(t.path), 0o700); err != nil {
		return fmt.Errorf("making the service token's directory: %w", err)
	}
	if err := replaceFile(t.path, []byte(token)); err != nil {
		return fmt.Errorf("writing the service token: %w", err)
	}
	t.written = time.Now().Round(0) // by the wall clock
	slog.InfoContext(ctx, "service token written", "path", t.path, "life", serviceLife.String())
	return nil
}

// keep writes the token again whenever half of its life is over, until ctx ends.
func (t *serviceToken) keep(ctx context.Context) error {
	tick := time.NewTicker(serviceCheck)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if time.Now().Round(0).Sub(t.written) < serviceLife/2 {
			continue
		}
		if err := t.write(ctx); err != nil {
			return err
		}
	}
}

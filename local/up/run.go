package main

import (
	"context"
	"fmt"
	"time"
)

// runStack runs everything until ctx ends.
func runStack(ctx context.Context, set settings, l *logs) error {
	began := time.Now()
	s, err := startStack(ctx, set, l)
	if err != nil {
		return err
	}
	defer s.stop()
	c, err := serveControl(s)
	if err != nil {
		return err
	}
	defer c.close()
	l.printf("%s", banner(s, time.Since(began)))
	select {
	case <-ctx.Done():
		l.printf("\nStopping…")
		return nil
	case err := <-s.scaling:
		s.scaling <- err
		return fmt.Errorf("the scaler ended: %w", err)
	}
}

func banner(s *stack, took time.Duration) string {
	return fmt.Sprintf(`
  Contoso Orders is running (ready in %.1f s)

    Open      %s
    Sign in   alice / orders   or   bob / orders
    Data      %s   (make clean-data forgets it)
    Stop      Ctrl-C
`, took.Seconds(), s.origin, s.dir.path)
}

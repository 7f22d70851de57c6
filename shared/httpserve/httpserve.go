// Package httpserve serves a function's HTTP: the public port that does the work
// and the private one that says how the function is.
//
// The private port answers /livez (the process runs), /readyz (it takes work; 503
// from SIGTERM on) and /metrics (Prometheus text format). It opens first and
// closes last.
//
// On SIGTERM a function becomes unready, waits DRAIN_DELAY so that load balancers
// have seen it, stops accepting, and lets the requests in hand finish within
// DRAIN_TIMEOUT. Every listener logs the constant message "listening" with its
// name and real address, so that port 0 can be used.
package httpserve

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 15 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 32 << 10
)

// PrivateConfig says where a function shows how it is.
type PrivateConfig struct {
	PrivateAddr string `env:"PRIVATE_ADDR, default=:9090" help:"address of /livez, /readyz and /metrics"`
}

// DrainConfig says how a function stops serving.
type DrainConfig struct {
	DrainDelay   time.Duration `env:"DRAIN_DELAY, default=5s" help:"wait between becoming unready and refusing work"`
	DrainTimeout time.Duration `env:"DRAIN_TIMEOUT, default=20s" help:"how long work in hand may take to finish"`
}

// Config is for a function that serves requests.
type Config struct {
	Addr string `env:"HTTP_ADDR, default=:8080" help:"address to serve on"`
	PrivateConfig
	DrainConfig
}

// Serve serves h on the public port until ctx ends and the requests in hand are
// done.
func Serve(ctx context.Context, cfg Config, h http.Handler) error {
	return WithPrivate(ctx, cfg.PrivateConfig, func(ctx context.Context) error {
		return Listen(ctx, cfg.DrainConfig, "public", cfg.Addr, h)
	})
}

// WithPrivate runs work with the private port open, until work returns.
func WithPrivate(ctx context.Context, cfg PrivateConfig, work func(context.Context) error) (err error) {
	var draining atomic.Bool
	defer context.AfterFunc(ctx, func() { draining.Store(true) })()

	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.Handler())
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if draining.Load() {
			http.Error(w, "draining", http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	// Not bound to ctx: the private port answers until the work is done.
	privateCtx, closePrivate := context.WithCancel(context.WithoutCancel(ctx))
	done, err := start(privateCtx, DrainConfig{DrainTimeout: time.Second}, "private", cfg.PrivateAddr, mux)
	if err != nil {
		closePrivate()
		return err
	}
	defer func() {
		closePrivate()
		<-done // a connection that a probe left open is no reason to fail
	}()
	return work(ctx)
}

// Listen serves h under a name until ctx ends, then drains as cfg says.
func Listen(ctx context.Context, cfg DrainConfig, name, addr string, h http.Handler) error {
	done, err := start(ctx, cfg, name, addr, h)
	if err != nil {
		return err
	}
	return <-done
}

// ListenOn is Listen on a listener that is open already, for a function that has
// to make its real address known before it serves. It closes the listener.
func ListenOn(ctx context.Context, cfg DrainConfig, name string, l net.Listener, h http.Handler) error {
	return <-serve(ctx, cfg, name, l, h)
}

// start listens at once, and serves until ctx ends and the drain is over; then
// the channel yields how it went.
func start(ctx context.Context, cfg DrainConfig, name, addr string, h http.Handler) (<-chan error, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listening for %s requests: %w", name, err)
	}
	return serve(ctx, cfg, name, l, h), nil
}

func serve(ctx context.Context, cfg DrainConfig, name string, l net.Listener, h http.Handler) <-chan error {
	slog.InfoContext(ctx, "listening", "listener", name, "addr", l.Addr().String())
	srv := &http.Server{
		Handler: h, ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeaderBytes, ErrorLog: slog.NewLogLogger(slog.Default().Handler(), slog.LevelWarn),
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()

	done := make(chan error, 1)
	go func() {
		select {
		case err := <-served:
			done <- fmt.Errorf("serving %s requests: %w", name, err)
			return
		case <-ctx.Done():
		}
		time.Sleep(cfg.DrainDelay)
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), cfg.DrainTimeout)
		defer cancel()
		err := srv.Shutdown(grace)
		if err != nil {
			_ = srv.Close() // the slowest requests are cut: the grace period is over
			err = fmt.Errorf("draining %s requests: %w", name, err)
		}
		<-served
		done <- err
	}()
	return done
}

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/kedacore/keda/v2/pkg/scalers/externalscaler"
	"github.com/sethvargo/go-envconfig"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
)

const (
	maxRequestBytes = 64 << 10 // a trigger's metadata are some hundred bytes
	// A peer that went without a word would keep its stream, and its polling of
	// Service Bus, for the two hours of gRPC's default.
	keepaliveTime    = 30 * time.Second
	keepaliveTimeout = 10 * time.Second
	drainTimeout     = pollTimeout + time.Second // a call in hand waits for one reading
	closeTimeout     = 5 * time.Second
)

// run serves until ctx ends and the calls in hand are answered.
func run(ctx context.Context, env envconfig.Lookuper, log *slog.Logger) (err error) {
	cfg, err := readConfig(ctx, env)
	if err != nil {
		return err
	}
	client, err := connect(cfg)
	if err != nil {
		return err
	}
	defer func() {
		closeCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		if closeErr := client.Close(closeCtx); closeErr != nil {
			err = errors.Join(err, fmt.Errorf("closing Service Bus client: %w", closeErr))
		}
	}()
	l, err := net.Listen("tcp", cfg.Addr)
	if err != nil {
		return fmt.Errorf("listening for KEDA: %w", err)
	}
	return serve(ctx, l, newPoller(serviceBus{client}, log), log)
}

// serve answers on l until ctx ends; it closes l. Streams end with ctx, calls get
// time to finish.
func serve(ctx context.Context, l net.Listener, p *poller, log *slog.Logger) error {
	srv := grpc.NewServer(
		grpc.MaxRecvMsgSize(maxRequestBytes),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: keepaliveTime, Timeout: keepaliveTimeout}),
	)
	externalscaler.RegisterExternalScalerServer(srv, &scaler{poller: p, stopping: ctx.Done()})
	healthy := health.NewServer()
	grpc_health_v1.RegisterHealthServer(srv, healthy)

	log.InfoContext(ctx, "listening", "listener", "grpc", "addr", l.Addr().String())
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	select {
	case err := <-served:
		return fmt.Errorf("serving KEDA: %w", err)
	case <-ctx.Done():
	}
	healthy.Shutdown()
	late := time.AfterFunc(drainTimeout, srv.Stop)
	defer late.Stop()
	srv.GracefulStop()
	if err := <-served; err != nil {
		return fmt.Errorf("serving KEDA: %w", err)
	}
	return nil
}

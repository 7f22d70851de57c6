package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"

	"github.com/contoso/orders/local/servicebus/admin"
	"github.com/contoso/orders/local/servicebus/config"
	"github.com/contoso/orders/local/servicebus/queue"
	"github.com/contoso/orders/local/servicebus/sas"
	"github.com/contoso/orders/local/servicebus/server"
)

// options are the command line.
type options struct {
	addr    string // host:port on the loopback interface; port 0 picks one
	config  string // file in the emulator's format
	certOut string // file for the TLS certificate; empty: not written
	key     sas.Key
}

// Environment variables that stand in for flags.
const (
	envKeyName = "SERVICEBUS_KEY_NAME"
	envKey     = "SERVICEBUS_KEY"
	envApp     = "APP_ENV"
)

func parse(args []string, getenv func(string) string) (options, error) {
	or := func(value, fallback string) string {
		if value == "" {
			return fallback
		}
		return value
	}
	var o options
	f := flag.NewFlagSet("servicebus", flag.ContinueOnError)
	f.StringVar(&o.addr, "addr", "127.0.0.1:5672", "`host:port` to listen on, loopback only")
	f.StringVar(&o.config, "config", "", "`file` with the queues, in the official emulator's format")
	f.StringVar(&o.certOut, "cert-out", "", "`file` to write the TLS certificate to")
	f.StringVar(&o.key.Name, "key-name", or(getenv(envKeyName), "RootManageSharedAccessKey"), "shared access key `name`, also $"+envKeyName)
	f.StringVar(&o.key.Secret, "key", or(getenv(envKey), "SAS_KEY_VALUE"), "shared access key `value`, also $"+envKey)
	if err := f.Parse(args); err != nil {
		return o, err
	}
	switch {
	case f.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q", f.Arg(0))
	case o.config == "":
		return o, errors.New("-config is required")
	case getenv(envApp) == "production":
		return o, errors.New("this broker is for development: it refuses to start with APP_ENV=production")
	}
	return o, requireLoopback(o.addr)
}

// requireLoopback refuses an address others can reach: the key is well known.
func requireLoopback(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("-addr: %w", err)
	}
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("-addr: %q is not a loopback address", addr)
}

// run serves until ctx is done.
func run(ctx context.Context, args []string, getenv func(string) string, log *slog.Logger) error {
	o, err := parse(args, getenv)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	data, err := os.ReadFile(o.config)
	if err != nil {
		return fmt.Errorf("reading configuration: %w", err)
	}
	namespace, err := config.Parse(data)
	if err != nil {
		return err
	}
	broker, err := queue.New(namespace.Queues...)
	if err != nil {
		return err
	}
	defer broker.Close()
	certificate, pem, err := server.SelfSigned()
	if err != nil {
		return err
	}
	if o.certOut != "" {
		if err := os.WriteFile(o.certOut, pem, 0o644); err != nil {
			return fmt.Errorf("writing certificate: %w", err)
		}
	}
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", o.addr)
	if err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	log.Info("listening", "addr", ln.Addr().String(), "namespace", namespace.Name,
		"queues", len(namespace.Queues), "storage", "memory only: messages are lost at exit")
	s := server.New(server.Config{
		Broker:      broker,
		Key:         o.key,
		Certificate: certificate,
		Admin:       admin.New(namespace.Name, broker, o.key),
		Log:         log,
	})
	err = s.Serve(ctx, ln)
	log.Info("stopped")
	return err
}

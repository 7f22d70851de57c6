package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"syscall"

	"github.com/contoso/orders/local/servicebus/config"
	"github.com/contoso/orders/local/servicebus/fault"
	"github.com/contoso/orders/local/servicebus/sas"
	"github.com/contoso/orders/local/servicebus/servicebus"
)

// options are the command line.
type options struct {
	servicebus.Config
	file    string // in the emulator's format; empty: config.Default
	certOut string // file for the TLS certificate; empty: not written
	keyName string
	key     string
}

// Environment variables that stand in for flags.
const (
	envKeyName = "SERVICEBUS_KEY_NAME"
	envKey     = "SERVICEBUS_KEY"
	envApp     = "APP_ENV"
)

const usage = `servicebus is a local broker that speaks Azure Service Bus's protocols: queues
with sessions, for development and tests, through the unmodified Azure SDKs.

	go run ./local/servicebus [flags]

It needs no flags: then it has the queues queue.1 and session-queue.1, in memory,
on 127.0.0.1:5672. It says how to connect as soon as it listens; Ctrl-C ends it.

`

func flags(o *options) *flag.FlagSet {
	f := flag.NewFlagSet("servicebus", flag.ContinueOnError)
	f.Usage = func() {
		fmt.Fprint(f.Output(), usage, "Flags:\n")
		f.PrintDefaults()
		fmt.Fprint(f.Output(), "\nThe manual: go doc github.com/contoso/orders/local/servicebus\n")
	}
	f.StringVar(&o.Addr, "addr", "127.0.0.1:5672", "`host:port` to listen on, loopback only; port 0 picks a free one")
	f.StringVar(&o.file, "config", "", "`file` with the queues, in the official emulator's format")
	f.StringVar(&o.Data, "data", "", "`directory` for what is to outlive the broker; without it, messages are lost at exit")
	f.StringVar(&o.certOut, "cert-out", "", "`file` to write the TLS certificate to")
	f.StringVar(&o.Control, "control", "", "`host:port` for health, metrics and faults over HTTP, loopback only")
	f.StringVar(&o.keyName, "key-name", "", "shared access key `name`; without it $"+envKeyName+", or "+servicebus.DefaultKeyName)
	f.StringVar(&o.key, "key", "", "shared access key `value`; without it $"+envKey+", or "+servicebus.DefaultKey)
	f.Func("fault", "`fault` to start with, such as 'server-busy?queue=queue.1&count=3'; may be repeated (go doc …/fault lists them)", func(text string) error {
		parsed, err := fault.Parse(text)
		o.Faults = append(o.Faults, parsed)
		return err
	})
	return f
}

func parse(args []string, getenv func(string) string) (options, error) {
	var o options
	f := flags(&o)
	if err := f.Parse(args); err != nil {
		return o, err
	}
	switch {
	case f.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q", f.Arg(0))
	case getenv(envApp) == "production":
		return o, errors.New("this broker is for development: it refuses to start with APP_ENV=production")
	}
	o.keyName = cmp.Or(o.keyName, getenv(envKeyName), servicebus.DefaultKeyName)
	o.key = cmp.Or(o.key, getenv(envKey), servicebus.DefaultKey)
	return o, nil
}

// namespace takes over what the configuration file says.
func (o *options) namespace() error {
	data := config.Default
	if o.file != "" {
		var err error
		if data, err = os.ReadFile(o.file); err != nil {
			return fmt.Errorf("reading configuration: %w", err)
		}
	}
	n, err := config.Parse(data)
	if err != nil {
		return err
	}
	key := sas.Rule{Name: o.keyName, Primary: o.key, Rights: sas.Manage | sas.Listen | sas.Send}
	o.Namespace, o.Queues = n.Name, n.Queues
	o.Rules = append([]sas.Rule{key}, n.Rules...)
	return nil
}

// run serves until ctx is done.
func run(ctx context.Context, args []string, getenv func(string) string, out output) error {
	o, err := parse(args, getenv)
	if err != nil {
		return err
	}
	if err := o.namespace(); err != nil {
		return err
	}
	o.Log = out.log
	b, err := servicebus.Start(ctx, o.Config)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%w by another program: choose another one with -addr or -control", err)
	}
	if err != nil {
		return err
	}
	if o.certOut != "" {
		if err := b.WriteCertificate(o.certOut); err != nil {
			return errors.Join(err, b.Close())
		}
	}
	storage := "memory only: messages are lost at exit; -data DIR keeps them"
	if o.Data != "" {
		storage = o.Data
	}
	attributes := []any{"addr", b.Addr(), "namespace", o.Namespace, "queues", len(b.Queues().Queues()), "storage", storage}
	if o.Control != "" {
		attributes = append(attributes, "control", b.ControlAddr())
	}
	if o.key == servicebus.DefaultKey && !out.people { // everyone knows it; another one is not for a log
		attributes = append(attributes, "connect", b.ConnectionString())
	}
	out.log.Info("listening", attributes...)
	out.greet(b.ConnectionString(), b.SecureConnectionString(), b.ControlAddr())
	err = b.Wait()
	out.log.Info("stopped")
	return err
}

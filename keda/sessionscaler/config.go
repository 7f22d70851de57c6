package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/sethvargo/go-envconfig"
)

const usage = `sessionscaler is configured by these environment variables:

  SERVICEBUS_NAMESPACE          host name of the namespace, used with the workload identity
  SERVICEBUS_CONNECTION_STRING  connection string, instead of the namespace
  SCALER_ADDR                   host:port to serve gRPC on (default :9000)

It takes no arguments, logs JSON to standard output, and ends in good order on SIGTERM.
`

type config struct {
	ConnectionString string `env:"SERVICEBUS_CONNECTION_STRING"`
	Namespace        string `env:"SERVICEBUS_NAMESPACE"`
	Addr             string `env:"SCALER_ADDR, default=:9000"`
}

// LogValue keeps the key out of logs.
func (c config) LogValue() slog.Value {
	return slog.GroupValue(slog.String("namespace", c.Namespace), slog.String("addr", c.Addr))
}

func readConfig(ctx context.Context, env envconfig.Lookuper) (config, error) {
	var c config
	if err := envconfig.ProcessWith(ctx, &envconfig.Config{Target: &c, Lookuper: env}); err != nil {
		return c, fmt.Errorf("reading configuration: %w", err)
	}
	if (c.ConnectionString == "") == (c.Namespace == "") {
		return c, errors.New("set SERVICEBUS_CONNECTION_STRING or SERVICEBUS_NAMESPACE, and not both")
	}
	return c, nil
}

// connect returns a client that connects when first used.
func connect(c config) (*azservicebus.Client, error) {
	// One retry, not none: the SDK replaces a broken connection only when it tries
	// again. More would keep KEDA waiting for an error that it can cope with.
	options := &azservicebus.ClientOptions{RetryOptions: azservicebus.RetryOptions{
		MaxRetries: 1, RetryDelay: 50 * time.Millisecond, MaxRetryDelay: 100 * time.Millisecond,
	}}
	if c.ConnectionString != "" {
		client, err := azservicebus.NewClientFromConnectionString(c.ConnectionString, options)
		if err != nil {
			return nil, errors.New("SERVICEBUS_CONNECTION_STRING is not a connection string") // the cause may quote it
		}
		return client, nil
	}
	credential, err := azidentity.NewDefaultAzureCredential(nil)
	if err != nil {
		return nil, fmt.Errorf("finding workload identity: %w", err)
	}
	client, err := azservicebus.NewClient(c.Namespace, credential, options)
	if err != nil {
		return nil, fmt.Errorf("connecting to %s: %w", c.Namespace, err)
	}
	return client, nil
}

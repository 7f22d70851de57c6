package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/go-amqp"
	"github.com/contoso/orders/shared/fault"
)

// Config says which namespace to use: by connection string (local and tests) or
// by name with the workload identity of the process (production).
type Config struct {
	ConnectionString string `env:"SERVICEBUS_CONNECTION_STRING" help:"connection string; or set SERVICEBUS_NAMESPACE"`
	Namespace        string `env:"SERVICEBUS_NAMESPACE" help:"host name of the namespace, used with the workload identity"`
}

// LogValue keeps the key out of logs.
func (c Config) LogValue() slog.Value {
	if c.ConnectionString != "" {
		return slog.StringValue("connection string")
	}
	return slog.StringValue(c.Namespace)
}

// Validate checks that exactly one way to connect is given.
func (c Config) Validate() error {
	if (c.ConnectionString == "") == (c.Namespace == "") {
		return errors.New("set SERVICEBUS_CONNECTION_STRING or SERVICEBUS_NAMESPACE, and not both")
	}
	return nil
}

// closeTimeout bounds the good-bye to the service.
const closeTimeout = 5 * time.Second

// Client is a connection to one namespace. It connects when first used.
type Client struct {
	sdk *azservicebus.Client
}

// Connect returns a Client. It does not fail while Service Bus is away.
func Connect(cfg Config) (*Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	// The SDK's own retries are short: what to do when they are used up is decided
	// above, by who knows whether a caller is waiting.
	options := &azservicebus.ClientOptions{RetryOptions: azservicebus.RetryOptions{
		MaxRetries: 3, RetryDelay: 100 * time.Millisecond, MaxRetryDelay: time.Second,
	}}
	if cfg.ConnectionString != "" {
		c, err := azservicebus.NewClientFromConnectionString(cfg.ConnectionString, options)
		if err != nil {
			return nil, errors.New("SERVICEBUS_CONNECTION_STRING is not a connection string") // the cause may quote it
		}
		return &Client{sdk: c}, nil
	}
	credential, err := azidentity.NewDefaultAzureCredential(nil)
	if err != nil {
		return nil, fmt.Errorf("finding workload identity: %w", err)
	}
	c, err := azservicebus.NewClient(cfg.Namespace, credential, options)
	if err != nil {
		return nil, fmt.Errorf("connecting to %s: %w", cfg.Namespace, err)
	}
	return &Client{sdk: c}, nil
}

// Close ends the connection and everything on it.
func (c *Client) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	if err := c.sdk.Close(ctx); err != nil {
		return fmt.Errorf("closing Service Bus client: %w", err)
	}
	return nil
}

// Message is one message, as a handler gets it or a sender sends it.
type Message struct {
	ID            string // what duplicate detection compares; at most 128 characters
	SessionID     string // "" on a queue without sessions
	CorrelationID string
	ContentType   string
	Body          []byte
	DeliveryCount uint32 // 1 at the first delivery; set on receipt
}

// classify gives an SDK error its kind. doing says what was tried.
func classify(err error, doing string) error {
	if err == nil {
		return nil
	}
	wrap := func(k fault.Kind, detail string) error {
		return fault.Wrap(k, fmt.Errorf("%s: %w", doing, err), "%s", detail)
	}
	if errors.Is(err, azservicebus.ErrMessageTooLarge) {
		return wrap(fault.TooLarge, "the message is too large for the queue")
	}
	var coded *azservicebus.Error
	if errors.As(err, &coded) {
		switch coded.Code {
		case azservicebus.CodeLockLost:
			return wrap(fault.LockLost, "the lock is lost")
		case azservicebus.CodeUnauthorizedAccess:
			return wrap(fault.Forbidden, "Service Bus refuses the credentials")
		case azservicebus.CodeNotFound:
			return wrap(fault.NotFound, "the queue does not exist")
		}
	}
	// A link that is refused at attach yields the AMQP error as it is.
	var refused *amqp.Error
	if errors.As(err, &refused) {
		switch refused.Condition {
		case amqp.ErrCondNotFound:
			return wrap(fault.NotFound, "the queue does not exist")
		case amqp.ErrCondUnauthorizedAccess:
			return wrap(fault.Forbidden, "Service Bus refuses the credentials")
		}
	}
	// What is left is transport, load or time: the SDK has already tried again, and
	// some of these errors are of unexported types, so there is no list to check.
	return &fault.Error{
		Kind: fault.Unavailable, Detail: "Service Bus cannot be reached", RetryAfter: time.Second,
		Err: fmt.Errorf("%s: %w", doing, err),
	}
}

// fatal reports whether trying again cannot help until a human has acted.
func fatal(err error) bool {
	k := fault.KindOf(err)
	return k == fault.Forbidden || k == fault.NotFound
}

// noSession reports whether the service answered that no session has messages. It
// does so a little before the caller's own deadline; a deadline that passes without
// that answer is a service that cannot be reached.
func noSession(err error) bool {
	var coded *azservicebus.Error
	return errors.As(err, &coded) && coded.Code == azservicebus.CodeTimeout
}

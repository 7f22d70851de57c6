package registry

import (
	"log/slog"
	"net/url"
	"time"

	"github.com/contoso/orders/shared/fault"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Config says where Redis is.
type Config struct {
	// URL is redis[s]://[user:password@]host[:port][/db]. It holds a password, so it
	// is kept out of logs and of JSON.
	URL string `env:"REDIS_URL, required" json:"-" help:"Redis, as redis[s]://[user:password@]host[:port][/db]"`
	// Timeout bounds every call as a whole: waiting for a connection, dialling,
	// asking, answering.
	Timeout time.Duration `env:"REDIS_TIMEOUT, default=500ms" help:"longest time that one call to Redis may take"`
}

const (
	// poolSize is the number of connections of one process. A script takes Redis
	// some 50 µs, so a handful saturates it; the rest covers the round trips.
	poolSize = 16
	// maxIdleTime is below the 10 minutes after which Azure drops a silent
	// connection without a word.
	maxIdleTime = 5 * time.Minute
)

// Validate checks the URL and the timeout. Its error never repeats the URL, nor
// what a parser said about it: a password with an unescaped slash turns up in
// both.
func (c Config) Validate() error {
	_, err := c.options()
	return err
}

// LogValue implements slog.LogValuer: the URL without its password.
func (c Config) LogValue() slog.Value {
	return slog.GroupValue(slog.String("url", c.redactedURL()), slog.Duration("timeout", c.Timeout))
}

// String implements fmt.Stringer, so that printing a struct which holds a Config
// gives no password away either.
func (c Config) String() string { return c.redactedURL() }

// GoString implements fmt.GoStringer, for the same reason.
func (c Config) GoString() string { return c.redactedURL() }

func (c Config) redactedURL() string {
	if c.Validate() != nil {
		return "(not a Redis URL)"
	}
	u, err := url.Parse(c.URL)
	if err != nil {
		return "(not a Redis URL)"
	}
	u.RawQuery = ""
	return u.Redacted()
}

func (c Config) options() (*redis.Options, error) {
	wrong := fault.New(fault.Invalid, "REDIS_URL must be redis[s]://[user:password@]host[:port][/db], with the password percent-encoded")
	u, err := url.Parse(c.URL)
	if err != nil || u.Hostname() == "" || (u.Scheme != "redis" && u.Scheme != "rediss") {
		return nil, wrong
	}
	o, err := redis.ParseURL(c.URL)
	if err != nil {
		return nil, wrong
	}
	if c.Timeout <= 0 {
		return nil, fault.New(fault.Invalid, "REDIS_TIMEOUT must be positive")
	}
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = c.Timeout, c.Timeout, c.Timeout, c.Timeout
	o.ContextTimeoutEnabled = true
	o.DialerRetries = 1
	o.MaxRetries = -1 // none: see "Errors" in the package documentation
	o.PoolSize = poolSize
	o.PipelinePoolSize = -1 // pipelines are as short as anything else here
	o.ConnMaxIdleTime = maxIdleTime
	// The plainest handshake that every server understands.
	o.Protocol = 2
	o.DisableIdentity = true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return o, nil
}

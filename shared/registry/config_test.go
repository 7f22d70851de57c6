package registry_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/contoso/orders/shared/fault"
	"github.com/contoso/orders/shared/registry"
	"github.com/contoso/orders/shared/registry/registrytest"
	"github.com/sethvargo/go-envconfig"
)

func TestConfigComesFromTheEnvironment(t *testing.T) {
	var cfg registry.Config
	env := envconfig.MapLookuper(map[string]string{"REDIS_URL": "rediss://redis.example:6380"})
	if err := envconfig.ProcessWith(t.Context(), &envconfig.Config{Target: &cfg, Lookuper: env}); err != nil {
		t.Fatal(err)
	}
	wantDiff(t, "config", registry.Config{URL: "rediss://redis.example:6380", Timeout: 500 * time.Millisecond}, cfg)
	if err := cfg.Validate(); err != nil {
		t.Error(err)
	}
}

func TestWrongConfigIsInvalidAndNotRepeated(t *testing.T) {
	for name, url := range map[string]string{
		"empty":                        "",
		"no scheme":                    "s3cret@localhost:6379",
		"another scheme":               "http://:s3cret@localhost",
		"a socket":                     "unix:///tmp/s3cret.sock",
		"no host":                      "redis://",
		"unescaped slash":              "redis://:s3c/s3cret@localhost",
		"unescaped slash after digits": "redis://:12/s3cret@localhost",
		"white space":                  "redis://:s3cret@local host",
		"no such database":             "redis://:s3cret@localhost/s3cret",
		"unknown option":               "redis://:s3cret@localhost?s3cret=1",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := registry.New(registry.Config{URL: url, Timeout: time.Second})
			wantKind(t, err, fault.Invalid)
			if err != nil && strings.Contains(err.Error(), "s3cret") {
				t.Errorf("the error repeats the secret: %v", err)
			}
		})
	}
	_, err := registry.New(registry.Config{URL: "redis://localhost"})
	wantKind(t, err, fault.Invalid)
}

func TestPasswordIsNeverPrinted(t *testing.T) {
	for _, url := range []string{
		"rediss://user:s3cret@redis.example:6380/0",
		"redis://:s3cret@redis.example?read_timeout=3",
		"redis://:12/s3cret@redis.example", // wrong, and so not shown at all
	} {
		cfg := registry.Config{URL: url, Timeout: time.Second}
		holder := struct{ Redis registry.Config }{cfg}
		var out bytes.Buffer
		for _, handler := range []slog.Handler{slog.NewJSONHandler(&out, nil), slog.NewTextHandler(&out, nil)} {
			slog.New(handler).Info("starting", "redis", cfg, "config", holder, "pointer", &cfg)
		}
		fmt.Fprintf(&out, "%v %+v %#v %s %v %+v %#v %v", cfg, cfg, cfg, cfg, holder, holder, holder, &cfg)
		if err := json.NewEncoder(&out).Encode(holder); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(out.String(), "s3cret") {
			t.Errorf("the password is printed:\n%s", out.String())
		}
		if strings.Contains(url, "/s3cret@") == strings.Contains(out.String(), "redis.example") {
			t.Errorf("the host must be shown of a good URL, and nothing of a wrong one:\n%s", out.String())
		}
	}
}

func TestWrongPasswordIsUnavailableAndNotRepeated(t *testing.T) {
	registrytest.Each(t, func(t *testing.T, s *registrytest.Server) {
		_, host, _ := strings.Cut(s.URL, "@")
		r, err := registry.New(registry.Config{URL: "redis://:s3cret@" + host, Timeout: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		err = r.Ping(t.Context())
		wantKind(t, err, fault.Unavailable)
		if err != nil && strings.Contains(err.Error(), "s3cret") {
			t.Errorf("the error repeats the password: %v", err)
		}
	})
}

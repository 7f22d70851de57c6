package main

import (
	"maps"
	"strings"
	"testing"

	"github.com/contoso/orders/shared/fn"
	"github.com/sethvargo/go-envconfig"
)

func TestConfigIsChecked(t *testing.T) {
	good := map[string]string{
		"TOKEN_ISSUER": issuer, "TOKEN_AUDIENCE": apiAudience, "TOKEN_JWKS_URL": "http://127.0.0.1:1",
		"PUSH_TOKEN_ISSUER": issuer, "PUSH_TOKEN_AUDIENCE": pushAudience, "PUSH_TOKEN_JWKS_URL": "http://127.0.0.1:1", "PUSH_TOKEN_SUBJECT": pusher,
		"CORRELATION_KEYS": correlationKey, "ALLOWED_ORIGINS": page + ",http://localhost:8080", "REDIS_URL": "redis://127.0.0.1:1",
		"PUSH_URL": "http://10.0.0.1:8081/internal/push",
	}
	for name, c := range map[string]struct{ key, value, want string }{
		"good":                       {},
		"any origin":                 {"ALLOWED_ORIGINS", "*", "ALLOWED_ORIGINS"},
		"an origin with a path":      {"ALLOWED_ORIGINS", page + "/", "ALLOWED_ORIGINS"},
		"an origin of another kind":  {"ALLOWED_ORIGINS", "ftp://shop.example", "ALLOWED_ORIGINS"},
		"a relative public URL":      {"PUBLIC_URL", "/api", "PUBLIC_URL"},
		"unreachable push address":   {"PUSH_URL", "", "PUSH_URL is needed"},
		"push address without port":  {"PUSH_ADDR", "127.0.0.1", "PUSH_ADDR"},
		"anybody may push":           {"PUSH_TOKEN_SUBJECT", "", "PUSH_TOKEN_SUBJECT"},
		"a separator in the name":    {"HOSTNAME", "hub|1", "HOSTNAME"},
		"no connection":              {"MAX_CONNECTIONS", "0", "MAX_CONNECTIONS"},
		"no time for the handshake":  {"HANDSHAKE_TIMEOUT", "0s", "HANDSHAKE_TIMEOUT"},
		"pings too rare":             {"KEEP_ALIVE", "16s", "KEEP_ALIVE"},
		"heartbeats too rare":        {"HEARTBEAT_INTERVAL", "6s", "HEARTBEAT_INTERVAL"},
		"drain longer than its time": {"DRAIN_WINDOW", "16s", "DRAIN_WINDOW"},
		"no Redis URL":               {"REDIS_URL", "memcached://x", "REDIS_URL"},
	} {
		env := maps.Clone(good)
		if c.key != "" {
			env[c.key] = c.value
		}
		var cfg config
		err := fn.Config(t.Context(), envconfig.MapLookuper(env), &cfg)
		if c.want == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one about %s", name, err, c.want)
		}
	}
}

package redis_test

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2/proto"
	"github.com/contoso/orders/local/redis"
)

const patience = 10 * time.Second

// start returns a server, and a way to give it a command and get the raw reply.
func start(t *testing.T) (*redis.Server, func(args ...string) string) {
	t.Helper()
	s, err := redis.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	c, err := proto.Dial(strings.TrimPrefix(s.URL(), "redis://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return s, func(args ...string) string {
		t.Helper()
		reply, err := c.Do(args...)
		if err != nil {
			t.Fatalf("%v: %v", args, err)
		}
		return strings.TrimSpace(reply)
	}
}

// until asks again and again, and fails when the answer is never yes.
func until(t *testing.T, what string, yes func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !yes() {
		select {
		case <-ctx.Done():
			t.Fatalf("%s: not within %v", what, patience)
		case <-tick.C:
		}
	}
}

func TestKeysExpireAsTimeGoesBy(t *testing.T) {
	_, do := start(t)
	for key, seconds := range map[string]string{"short": "1", "long": "60"} {
		if reply := do("SET", key, "x", "EX", seconds); reply != "+OK" {
			t.Fatalf("SET %s: %s", key, reply)
		}
	}
	until(t, "the key with a second to live is gone", func() bool { return do("EXISTS", "short") == ":0" })
	if do("EXISTS", "long") != ":1" {
		t.Error("the key with a minute to live is gone as well")
	}
}

func TestTimeInScriptsIsTheSystemsClock(t *testing.T) {
	_, do := start(t)
	now := func() int64 {
		reply := do("EVAL", `local t = redis.call('TIME') return t[1] * 1000 + math.floor(t[2] / 1000)`, "0")
		ms, err := strconv.ParseInt(strings.TrimPrefix(reply, ":"), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return ms
	}
	before := time.Now().UnixMilli()
	first := now()
	if after := time.Now().UnixMilli(); first < before || first > after {
		t.Errorf("TIME is %d, want %d to %d", first, before, after)
	}
	until(t, "TIME moves on", func() bool { return now() > first })
}

func TestCloseEndsEverything(t *testing.T) {
	s, do := start(t)
	if reply := do("PING"); reply != "+PONG" {
		t.Fatalf("PING: %s", reply)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	l, err := net.Listen("tcp", strings.TrimPrefix(s.URL(), "redis://"))
	if err != nil {
		t.Fatalf("the port is still taken: %v", err)
	}
	l.Close()
}

func TestTakenPortIsNamed(t *testing.T) {
	s, _ := start(t)
	addr := strings.TrimPrefix(s.URL(), "redis://")
	_, err := redis.Start(addr)
	if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), addr) {
		t.Errorf("error %v, want one that names %s and the reason", err, addr)
	}
}

func TestOnlyLoopbackIsServed(t *testing.T) {
	for _, addr := range []string{":6379", "0.0.0.0:0", "[::]:0", "192.0.2.1:0", "example.com:0", "127.0.0.1", ""} {
		if s, err := redis.Start(addr); err == nil {
			s.Close()
			t.Errorf("Start(%q) listens on %s", addr, s.URL())
		}
	}
	s, err := redis.Start("localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
}

func TestProductionIsRefused(t *testing.T) {
	t.Setenv("APP_ENV", "production")
	if s, err := redis.Start("127.0.0.1:0"); err == nil {
		s.Close()
		t.Error("it starts in production")
	}
}

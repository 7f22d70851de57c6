package registrytest

import (
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
)

const nameMini = "miniredis"

// mini is an embedded server.
type mini struct{ server *miniredis.Miniredis }

// Mini starts an embedded server. Its keys expire by FastForward alone.
func Mini(tb testing.TB) *Server {
	tb.Helper()
	m := &mini{server: miniredis.NewMiniRedis()}
	password := newPassword()
	m.server.RequireAuth(password)
	m.start(tb)
	tb.Cleanup(m.server.Close)
	return &Server{Name: nameMini, URL: address(m.server.Addr(), password), backend: m}
}

func (m *mini) start(tb testing.TB) {
	tb.Helper()
	m.server.FlushAll()
	if err := m.server.Start(); err != nil {
		tb.Fatalf("starting miniredis: %v", err)
	}
}

func (m *mini) stop(testing.TB) { m.server.Close() }

func (m *mini) fastForward(_ testing.TB, d time.Duration) { m.server.FastForward(d) }

package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/contoso/orders/local/redis"
	"github.com/contoso/orders/local/scale"
	"golang.org/x/sync/errgroup"
)

const (
	startTimeout = 30 * time.Second
	issuer       = "http://idp.contoso.localhost" // fixed: with it, every customer would change
)

// settings say where things are.
type settings struct {
	bin, data, queues, manifests, spa string
	port                              int // 0 picks one
}

// stack is the running platform.
type stack struct {
	settings
	logs *logs
	log  *slog.Logger
	dir  *dataDir

	origin   string // what the browser opens
	internal string // URL of the identity provider's endpoint that makes any token
	redis    *redis.Server
	scaler   *scale.Scaler
	scaling  chan error // yields when the scaler has ended
	endScale context.CancelFunc
	workers  *workers

	mu       sync.Mutex // functions start in parallel
	env      []string   // of every part
	services map[string]*service
	held     map[string]bool // functions that run in a foreground
}

// startStack starts everything. On an error, what was started has been stopped.
func startStack(ctx context.Context, set settings, l *logs) (s *stack, err error) {
	s = &stack{settings: set, logs: l, log: l.logger("up"), services: map[string]*service{}, held: map[string]bool{}}
	if s.dir, err = openData(set.data); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.stop()
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := s.choosePort(); err != nil {
		return s, err
	}
	for _, step := range []func(context.Context) error{s.startBackends, s.migrate, s.startFunctions, s.startScaling} {
		if err := step(ctx); err != nil {
			return s, err
		}
	}
	return s, nil
}

// choosePort settles the edge's port before anything is started, so that a taken
// one is the first thing said.
func (s *stack) choosePort() error {
	probe, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", s.port))
	if err != nil {
		return fmt.Errorf("port %d cannot be used (%w): choose another, for example make run PORT=%d", s.port, errors.Unwrap(err), s.port+1)
	}
	s.port = probe.Addr().(*net.TCPAddr).Port
	s.origin = fmt.Sprintf("http://localhost:%d", s.port)
	return probe.Close()
}

// startBackends starts what the functions lean on: broker, Redis, database URL
// and identity provider. Each that the environment names is used instead.
func (s *stack) startBackends(ctx context.Context) error {
	key, err := s.dir.correlationKey()
	if err != nil {
		return err
	}
	s.set("APP_ENV", "development")
	s.set("CORRELATION_KEYS", key)
	s.set("DRAIN_DELAY", "0s") // no load balancer has to see it
	s.set("DRAIN_TIMEOUT", "8s")
	s.set("PRIVATE_ADDR", "127.0.0.1:0")
	if os.Getenv("SERVICEBUS_CONNECTION_STRING") == "" {
		broker, err := s.launch(ctx, &service{
			name: "servicebus", pins: map[string]string{"": "-addr"},
			args: []string{"-addr", "127.0.0.1:0", "-config", s.queues, "-data", s.dir.file("servicebus"), "-cert-out", s.dir.runtime("servicebus.pem")},
		})
		if err != nil {
			return err
		}
		s.set("SERVICEBUS_CONNECTION_STRING", "Endpoint=sb://"+s.addr(broker, "")+"/;SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey=SAS_KEY_VALUE;UseDevelopmentEmulator=true")
	}
	if os.Getenv("REDIS_URL") == "" {
		if s.redis, err = redis.Start("127.0.0.1:0"); err != nil {
			return err
		}
		s.set("REDIS_URL", s.redis.URL())
	}
	if os.Getenv("DATABASE_URL") == "" {
		path, err := filepath.Abs(s.dir.file("orders.db"))
		if err != nil {
			return fmt.Errorf("finding database: %w", err)
		}
		s.set("DATABASE_URL", "sqlite://"+path)
	}
	idp, err := s.launch(ctx, &service{
		name: "idp", pins: map[string]string{"public": "IDP_ADDR", "internal": "INTERNAL_ADDR"},
		env: []string{
			"IDP_ADDR=127.0.0.1:0", "INTERNAL_ADDR=127.0.0.1:0", "IDP_ISSUER=" + issuer, "DATA_DIR=" + s.dir.path,
			"PUBLIC_URL=" + s.origin + "/idp", "PUBLIC_ORIGIN=" + s.origins(), "SERVICE_TOKEN_FILE=" + s.dir.runtime("complete.token"),
		},
	})
	if err != nil {
		return err
	}
	s.internal = "http://" + s.addr(idp, "internal")
	keys := "http://" + s.addr(idp, "public") + "/keys"
	s.set("TOKEN_ISSUER", issuer)
	s.set("TOKEN_AUDIENCE", "orders-api")
	s.set("TOKEN_JWKS_URL", keys)
	s.set("PUSH_TOKEN_ISSUER", issuer)
	s.set("PUSH_TOKEN_AUDIENCE", "ws-hub")
	s.set("PUSH_TOKEN_JWKS_URL", keys)
	s.set("PUSH_TOKEN_SUBJECT", "system:serviceaccount:orders:complete")
	return nil
}

// migrate brings the schema up to date, and waits for it.
func (s *stack) migrate(ctx context.Context) error {
	p, err := start(s.logs, s.bin, "migrate", environ(s.env))
	if err != nil {
		return err
	}
	select {
	case <-p.done:
	case <-ctx.Done():
		p.end()
	}
	if err := p.Err(); err != nil {
		return fmt.Errorf("migrating the database (its log above says why): %w", err)
	}
	return nil
}

// startFunctions starts the functions that serve requests, and the edge in front.
func (s *stack) startFunctions(ctx context.Context) error {
	group, groupCtx := errgroup.WithContext(ctx)
	var accept, status, hub *service
	group.Go(func() (err error) {
		accept, err = s.launch(groupCtx, &service{name: "accept", env: []string{"HTTP_ADDR=127.0.0.1:0"}, pins: map[string]string{"public": "HTTP_ADDR"}})
		return err
	})
	group.Go(func() (err error) {
		status, err = s.launch(groupCtx, &service{name: "status", env: []string{"HTTP_ADDR=127.0.0.1:0"}, pins: map[string]string{"public": "HTTP_ADDR"}})
		return err
	})
	group.Go(func() (err error) {
		hub, err = s.launch(groupCtx, &service{
			name: "ws-hub", pins: map[string]string{"public": "HTTP_ADDR", "push": "PUSH_ADDR"},
			env: []string{
				"HTTP_ADDR=127.0.0.1:0", "PUSH_ADDR=127.0.0.1:0", "ALLOWED_ORIGINS=" + s.origins(),
				"PUBLIC_URL=" + s.origin, "HOSTNAME=local", "DRAIN_WINDOW=1s",
			},
		})
		return err
	})
	if err := group.Wait(); err != nil {
		return err
	}
	s.set("HUB_FALLBACK_URL", "http://"+s.addr(hub, "push")+"/internal/push")
	s.set("HUB_TOKEN_FILE", s.dir.runtime("complete.token"))
	_, err := s.launch(ctx, &service{
		name: "edge", pins: map[string]string{"public": ""},
		env: []string{
			fmt.Sprintf("EDGE_ADDR=127.0.0.1:%d", s.port), "SPA_DIR=" + s.spa,
			"ACCEPT_URL=http://" + s.addr(accept, "public"), "STATUS_URL=http://" + s.addr(status, "public"),
			"HUB_URL=http://" + s.addr(hub, "public"), "IDP_URL=http://" + s.addr(s.services["idp"], "public"),
		},
	})
	return err
}

// origins are where the page may come from: the edge, and its own development
// server (npm run dev in local/spa).
func (s *stack) origins() string { return s.origin + ",http://localhost:5173" }

// startScaling starts the session scaler and what asks it: from here on, workers
// come and go.
func (s *stack) startScaling(ctx context.Context) error {
	scaler, err := s.launch(ctx, &service{name: "sessionscaler", env: []string{"SCALER_ADDR=127.0.0.1:0"}, pins: map[string]string{"grpc": "SCALER_ADDR"}})
	if err != nil {
		return err
	}
	management, err := s.management()
	if err != nil {
		return err
	}
	s.workers = &workers{stack: s, running: map[*process]bool{}}
	s.scaler, err = scale.New(scale.Options{
		Manifests: s.manifests, Launcher: s.workers, ConnectionString: s.value("SERVICEBUS_CONNECTION_STRING"),
		Management: management, ScalerAddress: s.addr(scaler, "grpc"), Log: s.logs.logger("scale"),
	})
	if err != nil {
		return err
	}
	scaleCtx, end := context.WithCancel(context.WithoutCancel(ctx))
	s.endScale, s.scaling = end, make(chan error, 1)
	go func() { s.scaling <- s.scaler.Run(scaleCtx) }()
	return nil
}

// management returns the HTTP client for the broker's management endpoint, whose
// certificate the broker has made itself.
func (s *stack) management() (*http.Client, error) {
	if s.services["servicebus"] == nil {
		return http.DefaultClient, nil
	}
	pem, err := os.ReadFile(s.dir.runtime("servicebus.pem"))
	if err != nil {
		return nil, fmt.Errorf("reading the broker's certificate: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, errors.New("the broker's certificate cannot be read")
	}
	return &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}}, nil
}

// stop ends everything, what takes work first, and waits.
func (s *stack) stop() {
	s.stopAll("edge", "accept", "status")
	if s.endScale != nil {
		s.endScale()
		if err := <-s.scaling; err != nil {
			s.log.Error("scaler ended", "error", err.Error())
		}
	}
	s.stopAll("ws-hub", "sessionscaler")
	s.stopAll("idp", "servicebus")
	if s.redis != nil {
		_ = s.redis.Close() // nothing in it lasts
	}
	s.dir.close()
}

func (s *stack) stopAll(names ...string) {
	var wait sync.WaitGroup
	for _, name := range names {
		if service := s.services[name]; service != nil {
			wait.Go(service.stop)
		}
	}
	wait.Wait()
}

// Package servicebus runs the local Service Bus inside a process: for tests of
// packages that send and receive, without a container or a second program.
//
//	b, err := servicebus.Start(ctx, servicebus.Config{
//		Queues: []queue.Settings{{Name: "orders", RequiresSession: true}},
//	})
//	…
//	defer b.Close()
//	client, err := azservicebus.NewClientFromConnectionString(b.ConnectionString(), nil)
//
// It is the same broker as the command's, whose documentation says what it
// does: go doc github.com/contoso/orders/local/servicebus.
package servicebus

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
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/contoso/orders/local/servicebus/admin"
	"github.com/contoso/orders/local/servicebus/control"
	"github.com/contoso/orders/local/servicebus/disk"
	"github.com/contoso/orders/local/servicebus/fault"
	"github.com/contoso/orders/local/servicebus/queue"
	"github.com/contoso/orders/local/servicebus/sas"
	"github.com/contoso/orders/local/servicebus/server"
)

// The key that the official emulator's users have in their connection strings.
const (
	DefaultKeyName = "RootManageSharedAccessKey"
	DefaultKey     = "SAS_KEY_VALUE"
)

// DefaultNamespace is the namespace's name where none is given.
const DefaultNamespace = "local"

// Config says what to run. The zero Config is an empty namespace in memory on
// a free port.
type Config struct {
	Addr      string           // host:port on the loopback interface; empty: a free port
	Namespace string           // its name
	Queues    []queue.Settings // to make, or to change where Data has them
	Rules     []sas.Rule       // of the namespace; none: DefaultKeyName with all rights
	Data      string           // directory for what is to last; empty: memory only
	Control   string           // host:port on the loopback interface of the control endpoint; empty: none
	Faults    []fault.Fault    // to start with
	Log       *slog.Logger     // nil: none
}

// Broker is a running broker.
type Broker struct {
	config  Config
	addr    net.Addr
	control net.Addr // nil: none
	pem     []byte

	broker *queue.Broker
	faults *fault.Set
	file   *disk.File // nil: memory only
	stop   context.CancelFunc
	done   chan struct{}
	err    error // of serving, once done
}

// Start starts a broker. It runs until ctx is done or Close is called.
func Start(ctx context.Context, c Config) (*Broker, error) {
	if c.Addr == "" {
		c.Addr = "127.0.0.1:0"
	}
	if c.Namespace == "" {
		c.Namespace = DefaultNamespace
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if len(c.Rules) == 0 {
		c.Rules = []sas.Rule{{Name: DefaultKeyName, Primary: DefaultKey, Rights: sas.Manage | sas.Listen | sas.Send}}
	}
	if err := errors.Join(requireLoopback("address", c.Addr), sas.Validate(c.Rules)); err != nil {
		return nil, err
	}
	b := &Broker{config: c, faults: new(fault.Set), done: make(chan struct{})}
	if err := b.open(); err != nil {
		return nil, err
	}
	if err := b.listen(ctx); err != nil {
		b.release()
		return nil, err
	}
	for _, f := range c.Faults {
		b.faults.Inject(f)
	}
	return b, nil
}

// requireLoopback refuses an address that others can reach: the keys are well
// known.
func requireLoopback(what, addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("%s: %q is not a loopback address", what, addr)
}

// open brings back what the data directory has.
func (b *Broker) open() (err error) {
	if b.config.Data == "" {
		b.broker, err = queue.New(b.config.Queues...)
		return err
	}
	began := time.Now()
	if b.file, err = disk.Open(b.config.Data); err != nil {
		return err
	}
	if b.broker, err = queue.Open(fault.Store{Store: b.file, Faults: b.faults}, b.config.Queues...); err != nil {
		return errors.Join(err, b.file.Close())
	}
	messages := 0
	for _, q := range b.broker.Queues() {
		c := q.Counts()
		messages += c.Active + c.Scheduled + c.DeadLetters
	}
	b.config.Log.Info("recovered", "data", b.config.Data, "messages", messages, "duration", time.Since(began))
	return nil
}

// listen serves in the background.
func (b *Broker) listen(ctx context.Context) error {
	certificate, pem, err := b.certificate()
	if err != nil {
		return err
	}
	b.pem = pem
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", b.config.Addr)
	if err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	b.addr = ln.Addr()
	s := server.New(server.Config{
		Broker:      b.broker,
		Rules:       b.rules,
		Certificate: certificate,
		Admin:       admin.New(b.config.Namespace, b.broker, b.rules),
		Faults:      b.faults,
		Log:         b.config.Log,
	})
	ctx, b.stop = context.WithCancel(ctx)
	group, ctx := errgroup.WithContext(ctx)
	if b.config.Control != "" {
		if err := b.serveControl(ctx, group, s); err != nil {
			b.stop()
			return errors.Join(err, ln.Close())
		}
	}
	group.Go(func() error { return s.Serve(ctx, ln) })
	go func() {
		b.err = errors.Join(group.Wait(), b.release())
		close(b.done)
	}()
	return nil
}

// certificate is the one in the data directory, if there is one, so that
// clients need not be told of another at each start.
func (b *Broker) certificate() (tls.Certificate, []byte, error) {
	if b.config.Data == "" {
		return server.SelfSigned()
	}
	return server.KeptCertificate(filepath.Join(b.config.Data, "certificate.pem"))
}

const controlTimeout = 10 * time.Second

func (b *Broker) serveControl(ctx context.Context, group *errgroup.Group, s *server.Server) error {
	if err := requireLoopback("control address", b.config.Control); err != nil {
		return err
	}
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", b.config.Control)
	if err != nil {
		return fmt.Errorf("listening for control: %w", err)
	}
	b.control = ln.Addr()
	source := control.Source{Broker: b.broker, Faults: b.faults, Peers: s.Peers}
	if b.file != nil {
		source.Disk = b.file.Size
	}
	web := &http.Server{Handler: control.New(source), ReadTimeout: controlTimeout, WriteTimeout: controlTimeout}
	group.Go(func() error {
		if err := web.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		return web.Close()
	})
	return nil
}

// rules are the namespace's and those of the queue that a path is of.
func (b *Broker) rules(path string) []sas.Rule {
	return append(b.config.Rules[:len(b.config.Rules):len(b.config.Rules)], b.broker.Rules(path)...)
}

// release writes what is not on disk yet and lets go of the data directory.
func (b *Broker) release() error {
	b.faults.ClearAll()
	b.broker.Close()
	if b.file == nil {
		return nil
	}
	return errors.Join(b.broker.Sync(), b.file.Close()) // what could not be written is told
}

// Close ends the broker: clients are told, what is not on disk yet is
// written. It may be called again.
func (b *Broker) Close() error {
	b.stop()
	return b.Wait()
}

// Wait returns when the broker has ended, with the reason if it was not told to.
func (b *Broker) Wait() error {
	<-b.done
	return b.err
}

// Addr is where AMQP, AMQP over TLS and HTTPS are served.
func (b *Broker) Addr() string { return b.addr.String() }

// ControlAddr is where the control endpoint is; empty: there is none.
func (b *Broker) ControlAddr() string {
	if b.control == nil {
		return ""
	}
	return b.control.String()
}

// ConnectionString connects in plain text, as to the official emulator, with
// the namespace's first key. Over TLS it is the same without
// UseDevelopmentEmulator.
func (b *Broker) ConnectionString() string {
	return b.SecureConnectionString() + ";UseDevelopmentEmulator=true"
}

// SecureConnectionString connects over TLS: the client has to trust
// CertificatePEM, and be told the server name "localhost".
func (b *Broker) SecureConnectionString() string {
	key := b.config.Rules[0]
	return fmt.Sprintf("Endpoint=sb://%s/;SharedAccessKeyName=%s;SharedAccessKey=%s", b.Addr(), key.Name, key.Primary)
}

// CertificatePEM is the certificate to trust.
func (b *Broker) CertificatePEM() []byte { return b.pem }

// Certificates is a pool with the certificate to trust.
func (b *Broker) Certificates() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(b.pem)
	return pool
}

// Queues gives the broker itself, without the network.
func (b *Broker) Queues() *queue.Broker { return b.broker }

// Faults makes the broker misbehave.
func (b *Broker) Faults() *fault.Set { return b.faults }

// WriteCertificate writes the certificate to a file.
func (b *Broker) WriteCertificate(path string) error {
	if err := os.WriteFile(path, b.pem, 0o644); err != nil {
		return fmt.Errorf("writing certificate: %w", err)
	}
	return nil
}

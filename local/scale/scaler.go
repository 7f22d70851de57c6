package scale

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"

	"github.com/contoso/orders/shared/bus/depth"
	"google.golang.org/grpc"
)

// Launcher starts processes of a function.
type Launcher interface {
	// Start starts one process. env has KEY=value pairs of the manifest's container,
	// on top of the launcher's own.
	Start(function string, env []string) (Process, error)
}

// Process is a running process. One that also has a method Err() error tells, once
// Done is closed, what it ended with; nil is an end in good order.
type Process interface {
	Done() <-chan struct{} // closed when it has ended
	Stop()                 // asks it to end (SIGTERM); does not wait
}

// Options say what to scale, and how to reach what the manifests name.
type Options struct {
	Manifests        string       // directory of the manifests
	Launcher         Launcher     // starts the processes
	ConnectionString string       // of the local Service Bus, for azure-servicebus triggers
	Management       *http.Client // trusts the local Service Bus's certificate
	ScalerAddress    string       // host:port that replaces scalerAddress of external triggers
	Log              *slog.Logger // slog.Default() if nil
}

// Scaler scales the functions that have a manifest.
type Scaler struct {
	functions []string // in the manifests' order
	workloads map[string]*workload
	scaler    *grpc.ClientConn // to the external scaler
}

// New reads and checks every manifest.
func New(o Options) (*Scaler, error) {
	manifests, err := load(o.Manifests)
	if err != nil {
		return nil, err
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	s := &Scaler{workloads: map[string]*workload{}}
	var depths *depth.Reader
	if needs(manifests, serviceBusTrigger) {
		if depths, err = depth.NewReader(o.ConnectionString, o.Management); err != nil {
			return nil, err
		}
	}
	if needs(manifests, externalTrigger) || needs(manifests, pushTrigger) {
		if o.ScalerAddress == "" {
			return nil, errors.New("manifests have external triggers, but there is no address of the scaler")
		}
		if s.scaler, err = dial(o.ScalerAddress); err != nil {
			return nil, err
		}
	}
	for _, m := range manifests {
		if s.workloads[m.function] != nil {
			return nil, fmt.Errorf("%s: function %s has two manifests", m.file, m.function)
		}
		triggers, err := s.triggers(m, depths)
		if err != nil {
			return nil, err
		}
		s.functions = append(s.functions, m.function)
		s.workloads[m.function] = newWorkload(m, triggers, o.Launcher, o.Log.With("function", m.function))
	}
	return s, nil
}

// Run scales until ctx ends; then it stops what it started and waits for it. It can
// be called once.
func (s *Scaler) Run(ctx context.Context) error {
	var running sync.WaitGroup
	for _, w := range s.workloads {
		running.Go(func() { w.run(ctx) })
	}
	running.Wait()
	if s.scaler == nil {
		return nil
	}
	if err := s.scaler.Close(); err != nil {
		return fmt.Errorf("closing connection to the scaler: %w", err)
	}
	return nil
}

// Hold stops the processes of a function and starts none: a developer runs it in
// the foreground. A function without a manifest is left alone.
func (s *Scaler) Hold(function string) { s.hold(function, true) }

// Release ends a hold.
func (s *Scaler) Release(function string) { s.hold(function, false) }

func (s *Scaler) hold(function string, held bool) {
	if w := s.workloads[function]; w != nil {
		w.held.Store(held)
		w.wake()
	}
}

// Functions returns the functions that are scaled: those that have a manifest with
// a process, a ScaledJob or a ScaledObject.
func (s *Scaler) Functions() []string { return append([]string(nil), s.functions...) }

package scale

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/kedacore/keda/v2/pkg/scalers/externalscaler"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
)

const (
	// A stream that breaks is opened again after a pause between these. KEDA waits
	// 2 to 60 s; a developer who restarts the scaler should not.
	minReconnect = 250 * time.Millisecond
	maxReconnect = 4 * time.Second
)

// dial returns a connection to the external scaler. It connects when first used.
func dial(address string) (*grpc.ClientConn, error) {
	conn, err := grpc.NewClient(address,
		grpc.WithTransportCredentials(insecure.NewCredentials()), // loopback
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: minReconnect, Multiplier: 2, Jitter: 0.2, MaxDelay: maxReconnect},
			MinConnectTimeout: time.Second,
		}))
	if err != nil {
		return nil, fmt.Errorf("connecting to scaler %s: %w", address, err)
	}
	return conn, nil
}

// external is a trigger that another process answers for.
type external struct {
	title  string
	ref    *externalscaler.ScaledObjectRef
	client externalscaler.ExternalScalerClient
}

func newExternal(name, function string, metadata map[string]string, conn *grpc.ClientConn) *external {
	return &external{
		title:  name,
		ref:    &externalscaler.ScaledObjectRef{Name: function, Namespace: "local", ScalerMetadata: metadata},
		client: externalscaler.NewExternalScalerClient(conn),
	}
}

func (t *external) name() string { return t.title }

// read asks for the metric and for activity, in KEDA's order.
func (t *external) read(ctx context.Context) (reading, error) {
	specs, err := t.client.GetMetricSpec(ctx, t.ref)
	if err != nil {
		return reading{}, fmt.Errorf("asking for the metric's target: %w", err)
	}
	if len(specs.MetricSpecs) != 1 {
		return reading{}, fmt.Errorf("the scaler has %d metrics, want 1", len(specs.MetricSpecs))
	}
	spec := specs.MetricSpecs[0]
	r := reading{target: spec.TargetSizeFloat}
	if r.target <= 0 {
		r.target = float64(spec.TargetSize)
	}
	if r.target <= 0 {
		return reading{}, fmt.Errorf("the target of metric %s is not positive", spec.MetricName)
	}
	metrics, err := t.client.GetMetrics(ctx, &externalscaler.GetMetricsRequest{ScaledObjectRef: t.ref, MetricName: spec.MetricName})
	if err != nil {
		return reading{}, fmt.Errorf("asking for metric %s: %w", spec.MetricName, err)
	}
	for _, m := range metrics.MetricValues {
		if m.MetricValueFloat > 0 {
			r.value += m.MetricValueFloat
		} else {
			r.value += float64(m.MetricValue)
		}
	}
	is, err := t.client.IsActive(ctx, t.ref)
	if err != nil {
		return reading{}, fmt.Errorf("asking whether the trigger is active: %w", err)
	}
	r.active = is.Result
	r.reason = t.words(spec.MetricName, r.value)
	return r, nil
}

func (t *external) words(metric string, value float64) string {
	if strings.HasPrefix(metric, "sessions-") {
		return plural(int64(value), "session") + " with backlog"
	}
	return fmt.Sprintf("%s is %v", metric, value)
}

// externalPush is an external trigger that also says when it becomes active.
type externalPush struct{ *external }

// watch keeps a stream open. That the scaler is away is logged by the polls, which
// ask the same one.
func (t externalPush) watch(ctx context.Context, active func()) {
	wait := minReconnect
	for ctx.Err() == nil {
		if err := t.stream(ctx, active); errors.Is(err, io.EOF) {
			wait = minReconnect
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		wait = min(2*wait, maxReconnect)
	}
}

func (t externalPush) stream(ctx context.Context, active func()) error {
	stream, err := t.client.StreamIsActive(ctx, t.ref)
	if err != nil {
		return err
	}
	for {
		res, err := stream.Recv()
		if err != nil {
			return err
		}
		if res.Result { // false is ignored, as KEDA does
			active()
		}
	}
}

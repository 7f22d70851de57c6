package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/contoso/orders/shared/bus"
	"github.com/contoso/orders/shared/bustest"
	"github.com/kedacore/keda/v2/pkg/scalers/externalscaler"
	"github.com/sethvargo/go-envconfig"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

func TestMain(m *testing.M) { bustest.Main(m) }

// patience is how long a test waits for what is to happen.
const patience = 10 * time.Second

// rig is a running scaler and a connection to it, as KEDA has one.
type rig struct {
	externalscaler.ExternalScalerClient
	conn *grpc.ClientConn
	stop func()     // as SIGTERM does; may be called again
	done chan error // how run ended
}

// start starts a scaler; it ends with the test.
func start(t *testing.T, connectionString string) *rig {
	t.Helper()
	logs, out := io.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	r := &rig{stop: cancel, done: make(chan error, 1)}
	env := envconfig.MapLookuper(map[string]string{"SERVICEBUS_CONNECTION_STRING": connectionString, "SCALER_ADDR": "127.0.0.1:0"})
	go func() {
		defer close(r.done)
		err := run(ctx, env, slog.New(slog.NewJSONHandler(out, nil)))
		_ = out.CloseWithError(err)
		r.done <- err
	}()
	t.Cleanup(func() {
		cancel()
		for range r.done { // until run has ended
		}
	})
	var line struct{ Msg, Listener, Addr string }
	if err := json.NewDecoder(bufio.NewReader(logs)).Decode(&line); err != nil || line.Msg != "listening" || line.Listener != "grpc" {
		t.Fatalf("the first line of the log is %+v (%v), want the address", line, err)
	}
	go func() { _, _ = io.Copy(io.Discard, logs) }()
	conn, err := grpc.NewClient(line.Addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	r.conn, r.ExternalScalerClient = conn, externalscaler.NewExternalScalerClient(conn)
	return r
}

// trigger is a reference with metadata for queue orders and pairs of more.
func trigger(pairs ...string) *externalscaler.ScaledObjectRef {
	m := map[string]string{"scalerAddress": "sessionscaler:9000", "queueName": "orders"}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return &externalscaler.ScaledObjectRef{Name: "worker", Namespace: "default", ScalerMetadata: m}
}

// ask returns what KEDA would find out in one poll.
func (r *rig) ask(t *testing.T, ref *externalscaler.ScaledObjectRef) (sessions float64, active bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	req := &externalscaler.GetMetricsRequest{ScaledObjectRef: ref, MetricName: "sessions-orders"}
	metrics, err := r.GetMetrics(ctx, req)
	if err != nil {
		t.Fatal(err)
	}
	is, err := r.IsActive(ctx, ref)
	if err != nil {
		t.Fatal(err)
	}
	return metrics.MetricValues[0].MetricValueFloat, is.Result
}

// fill sends count messages, spread over sessions, to queue orders.
func fill(t *testing.T, b *bustest.Broker, sessions, count int) {
	t.Helper()
	messages := make([]bus.Message, count)
	for i := range messages {
		messages[i] = bus.Message{ID: fmt.Sprint(i), SessionID: fmt.Sprintf("s%d", i%sessions), Body: []byte("{}")}
	}
	sender, err := b.Connect(t).Sender("orders")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sender.Close() }()
	if err := sender.Send(t.Context(), messages...); err != nil {
		t.Fatal(err)
	}
}

package main

import (
	"context"
	"errors"
	"io"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/contoso/orders/shared/bus"
	"github.com/contoso/orders/shared/bustest"
	"github.com/google/go-cmp/cmp"
	"github.com/kedacore/keda/v2/pkg/scalers/externalscaler"
	"github.com/sethvargo/go-envconfig"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"
)

func TestSessionsAreCountedNotMessages(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name               string
		sessions, messages int
		metadata           []string
		want               float64
		active             bool
	}{
		{name: "an empty queue", want: 0, active: false},
		{name: "620 messages of one session", sessions: 1, messages: 620, want: 1, active: true},
		{name: "seven sessions", sessions: 7, messages: 20, want: 7, active: true},
		{name: "as many as the activation threshold", sessions: 3, messages: 3, metadata: []string{"activationSessions", "3"}, want: 3, active: false},
		{name: "one more than the activation threshold", sessions: 4, messages: 4, metadata: []string{"activationSessions", "3"}, want: 4, active: true},
		{name: "more than a page of them", sessions: 230, messages: 230, want: 230, active: true},
		{name: "more than the maximum", sessions: 230, messages: 230, metadata: []string{"maxSessions", "150"}, want: 150, active: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			broker := bustest.Start(t, bustest.Orders("PT30S")...)
			if c.messages > 0 {
				fill(t, broker, c.sessions, c.messages)
			}
			got, active := start(t, broker.ConnectionString()).ask(t, trigger(c.metadata...))
			if got != c.want || active != c.active {
				t.Errorf("%v sessions, active %v, want %v, %v", got, active, c.want, c.active)
			}
		})
	}
}

// A session that is worked on must stay in the count: KEDA subtracts the worker
// that has it, and would otherwise miss one that waits.
func TestLockedSessionsStillCount(t *testing.T) {
	t.Parallel()
	broker := bustest.Start(t, bustest.Orders("PT30S")...)
	fill(t, broker, 2, 2)
	r := start(t, broker.ConnectionString())
	settings := bus.WorkerConfig{Slots: 2, BatchSize: 10, IdleExit: 1500 * time.Millisecond, MaxHold: time.Minute, BatchTimeout: time.Minute, DrainTimeout: time.Second}
	var locked float64
	err := broker.Connect(t).WorkSessions(t.Context(), "orders", settings, func(_ context.Context, batch []bus.Message) ([]error, error) {
		if batch[0].SessionID == "s0" {
			locked, _ = r.ask(t, trigger())
		}
		return make([]error, len(batch)), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if locked < 1 {
		t.Errorf("while a session was locked, %v counted", locked)
	}
	// A reading is shared for a while, so this asks until a new one is made.
	eventually(t, "the count is 0", func() bool { n, active := r.ask(t, trigger()); return n == 0 && !active })
}

func TestTheSpecNamesTheMetricAndItsTargetWithoutAskingServiceBus(t *testing.T) {
	t.Parallel()
	r := start(t, nobody)
	got, err := r.GetMetricSpec(t.Context(), trigger("sessionsPerReplica", "4"))
	if err != nil {
		t.Fatal(err)
	}
	want := &externalscaler.GetMetricSpecResponse{MetricSpecs: []*externalscaler.MetricSpec{
		{MetricName: "sessions-orders", TargetSizeFloat: 4},
	}}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("spec (-want +got):\n%s", diff)
	}
}

// nobody is a connection string for a port where nothing listens.
const nobody = "Endpoint=sb://127.0.0.1:1/;SharedAccessKeyName=k;SharedAccessKey=a2V5;UseDevelopmentEmulator=true"

func TestAwayIsUnavailableAndBackIsANumber(t *testing.T) {
	t.Parallel()
	broker := bustest.Start(t, bustest.Orders("PT30S")...)
	fill(t, broker, 2, 2)
	r := start(t, broker.ConnectionString())
	if n, _ := r.ask(t, trigger()); n != 2 {
		t.Fatalf("%v sessions at first, want 2", n)
	}
	broker.Stop(t)
	away := func() bool {
		_, err := r.IsActive(t.Context(), trigger())
		return status.Code(err) == codes.Unavailable
	}
	eventually(t, "the answer is Unavailable", away)
	if !away() {
		t.Error("an error was answered once, and then a number")
	}
	broker.Restart(t) // empty
	eventually(t, "the count is back", func() bool {
		is, err := r.IsActive(t.Context(), trigger())
		return err == nil && !is.Result
	})
}

func TestTheEndIsInGoodOrderAlsoWhileServiceBusIsAway(t *testing.T) {
	t.Parallel()
	broker := bustest.Start(t, bustest.Orders("PT30S")...)
	r := start(t, broker.ConnectionString())
	r.ask(t, trigger())
	broker.Stop(t)
	r.stop()
	if err := <-r.done; err != nil {
		t.Errorf("the scaler ended with %v", err)
	}
}

func TestAMissingQueueIsNotFound(t *testing.T) {
	t.Parallel()
	r := start(t, bustest.Start(t, bustest.Orders("PT30S")...).ConnectionString())
	if _, err := r.IsActive(t.Context(), trigger("queueName", "none")); status.Code(err) != codes.NotFound {
		t.Errorf("error = %v, want NotFound", err)
	}
}

func TestAStreamAnnouncesTheEdgeAndEndsAtShutdown(t *testing.T) {
	t.Parallel()
	broker := bustest.Start(t, bustest.Orders("PT30S")...)
	r := start(t, broker.ConnectionString())
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	stream, err := r.StreamIsActive(ctx, trigger())
	if err != nil {
		t.Fatal(err)
	}
	fill(t, broker, 1, 3)
	if res, err := stream.Recv(); err != nil || !res.Result {
		t.Fatalf("the stream yielded %v, %v, want active", res, err)
	}
	r.stop()
	if res, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("after SIGTERM the stream yielded %v, %v, want its end", res, err)
	}
	if err := <-r.done; err != nil {
		t.Errorf("the scaler ended with %v", err)
	}
}

func TestABadTriggerIsToldWhichKey(t *testing.T) {
	t.Parallel()
	r := start(t, nobody)
	for key, metadata := range map[string]map[string]string{
		"queueName":          {"scalerAddress": "x"},
		"queueNam":           {"queueName": "orders", "queueNam": "orders"},
		"sessionsPerReplica": {"queueName": "orders", "sessionsPerReplica": "0"},
		"maxSessions":        {"queueName": "orders", "maxSessions": "many"},
		"activationSessions": {"queueName": "orders", "activationSessions": "-1"},
		"less than max":      {"queueName": "orders", "activationSessions": "10", "maxSessions": "10"},
	} {
		ref := &externalscaler.ScaledObjectRef{ScalerMetadata: maps.Clone(metadata)}
		_, isErr := r.IsActive(t.Context(), ref)
		_, specErr := r.GetMetricSpec(t.Context(), ref)
		_, metricsErr := r.GetMetrics(t.Context(), &externalscaler.GetMetricsRequest{ScaledObjectRef: ref})
		stream, err := r.StreamIsActive(t.Context(), ref)
		if err != nil {
			t.Fatal(err)
		}
		_, streamErr := stream.Recv()
		for call, err := range map[string]error{"IsActive": isErr, "GetMetricSpec": specErr, "GetMetrics": metricsErr, "StreamIsActive": streamErr} {
			if status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), key) {
				t.Errorf("%s with %v: %v, want InvalidArgument naming %s", call, metadata, err, key)
			}
		}
	}
}

func TestAnUnknownMetricIsRefused(t *testing.T) {
	t.Parallel()
	r := start(t, nobody)
	_, err := r.GetMetrics(t.Context(), &externalscaler.GetMetricsRequest{ScaledObjectRef: trigger(), MetricName: "messages"})
	if status.Code(err) != codes.InvalidArgument {
		t.Errorf("error = %v, want InvalidArgument", err)
	}
}

func TestHealthIsServedAlsoWhileServiceBusIsAway(t *testing.T) {
	t.Parallel()
	res, err := grpc_health_v1.NewHealthClient(start(t, nobody).conn).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{})
	if err != nil || res.Status != grpc_health_v1.HealthCheckResponse_SERVING {
		t.Errorf("health is %v, %v", res, err)
	}
}

func TestConfigurationIsChecked(t *testing.T) {
	for _, env := range []map[string]string{
		{},
		{"SERVICEBUS_NAMESPACE": "a", "SERVICEBUS_CONNECTION_STRING": "b"},
	} {
		if _, err := readConfig(t.Context(), envconfig.MapLookuper(env)); err == nil || !strings.Contains(err.Error(), "SERVICEBUS_NAMESPACE") {
			t.Errorf("with %v the error is %v, want one naming the variables", env, err)
		}
	}
	_, err := connect(config{ConnectionString: "Endpoint=secret"})
	if err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("error = %v, want one without the connection string", err)
	}
}

// eventually asks until cond holds.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-deadline:
			t.Fatalf("in %v it did not come about that %s", patience, what)
		case <-tick.C:
		}
	}
}

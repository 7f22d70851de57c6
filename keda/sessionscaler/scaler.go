package main

import (
	"context"
	"time"

	"github.com/kedacore/keda/v2/pkg/scalers/externalscaler"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// streamInterval is how often a stream looks whether its queue has become active.
const streamInterval = time.Second

// scaler answers KEDA. It implements externalscaler.ExternalScalerServer.
type scaler struct {
	externalscaler.UnimplementedExternalScalerServer
	poller   *poller
	stopping <-chan struct{} // closed when streams have to end
}

// IsActive reports whether more than activationSessions have a backlog.
func (s *scaler) IsActive(ctx context.Context, ref *externalscaler.ScaledObjectRef) (*externalscaler.IsActiveResponse, error) {
	m, err := parseMetadata(ref.GetScalerMetadata())
	if err != nil {
		return nil, err
	}
	n, err := s.poller.sessions(ctx, m)
	if err != nil {
		return nil, err
	}
	return &externalscaler.IsActiveResponse{Result: n > m.activationSessions}, nil
}

// GetMetricSpec names the metric and says how much of it one replica handles.
func (s *scaler) GetMetricSpec(_ context.Context, ref *externalscaler.ScaledObjectRef) (*externalscaler.GetMetricSpecResponse, error) {
	m, err := parseMetadata(ref.GetScalerMetadata())
	if err != nil {
		return nil, err
	}
	return &externalscaler.GetMetricSpecResponse{MetricSpecs: []*externalscaler.MetricSpec{
		{MetricName: m.metricName(), TargetSizeFloat: float64(m.sessionsPerReplica)},
	}}, nil
}

// GetMetrics returns the number of sessions with backlog.
func (s *scaler) GetMetrics(ctx context.Context, req *externalscaler.GetMetricsRequest) (*externalscaler.GetMetricsResponse, error) {
	m, err := parseMetadata(req.GetScaledObjectRef().GetScalerMetadata())
	if err != nil {
		return nil, err
	}
	if req.GetMetricName() != m.metricName() {
		return nil, status.Errorf(codes.InvalidArgument, "metric %q is unknown, the trigger has %s", req.GetMetricName(), m.metricName())
	}
	n, err := s.poller.sessions(ctx, m)
	if err != nil {
		return nil, err
	}
	return &externalscaler.GetMetricsResponse{MetricValues: []*externalscaler.MetricValue{
		{MetricName: m.metricName(), MetricValueFloat: float64(n)},
	}}, nil
}

// StreamIsActive says true at each change from inactive to active. A new stream
// starts as inactive: whoever opens it knows nothing yet.
func (s *scaler) StreamIsActive(ref *externalscaler.ScaledObjectRef, stream grpc.ServerStreamingServer[externalscaler.IsActiveResponse]) error {
	m, err := parseMetadata(ref.GetScalerMetadata())
	if err != nil {
		return err
	}
	ctx := stream.Context()
	ticker := time.NewTicker(streamInterval)
	defer ticker.Stop()
	for active := false; ; {
		// Without a reading nothing is known to have changed; the poller logs it.
		if n, err := s.poller.sessions(ctx, m); err == nil {
			was := active
			active = n > m.activationSessions
			if active && !was {
				if err := stream.Send(&externalscaler.IsActiveResponse{Result: true}); err != nil {
					return err
				}
			}
		}
		select {
		case <-s.stopping:
			return nil
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

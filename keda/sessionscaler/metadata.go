package main

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// defaultMaxSessions keeps a queue with a great many sessions from being paged
// through at every poll for a number that nobody scales to.
const defaultMaxSessions = 1000

// metadata is what a trigger asks for; see the package documentation.
type metadata struct {
	queue              string
	sessionsPerReplica int
	activationSessions int
	maxSessions        int
}

// parseMetadata reads a trigger's metadata. Its errors are for the caller as they
// are: InvalidArgument, naming the key.
func parseMetadata(raw map[string]string) (metadata, error) {
	m := metadata{sessionsPerReplica: 1, maxSessions: defaultMaxSessions}
	for _, key := range slices.Sorted(maps.Keys(raw)) {
		var err error
		switch value := raw[key]; key {
		case "queueName":
			m.queue = value
		case "sessionsPerReplica":
			m.sessionsPerReplica, err = atLeast(1, key, value)
		case "activationSessions":
			m.activationSessions, err = atLeast(0, key, value)
		case "maxSessions":
			m.maxSessions, err = atLeast(1, key, value)
		case "scalerAddress", "enableTLS", "unsafeSsl": // KEDA's own: how to reach this server
		default:
			err = status.Errorf(codes.InvalidArgument, "metadata key %s is unknown", key)
		}
		if err != nil {
			return metadata{}, err
		}
	}
	if m.queue == "" {
		return metadata{}, status.Error(codes.InvalidArgument, "metadata key queueName is missing")
	}
	if m.activationSessions >= m.maxSessions {
		return metadata{}, status.Errorf(codes.InvalidArgument,
			"metadata key activationSessions must be less than maxSessions (%d), or nothing ever becomes active", m.maxSessions)
	}
	return m, nil
}

func atLeast(least int, key, value string) (int, error) {
	n, err := strconv.ParseInt(value, 10, 32)
	if err != nil || int(n) < least {
		return 0, status.Errorf(codes.InvalidArgument, "metadata key %s must be a whole number of at least %d, got %q", key, least, value)
	}
	return int(n), nil
}

// metricName is part of a path of the Kubernetes API, so it has no slash; KEDA
// replaces these characters in the names of its own metrics, too.
func (m metadata) metricName() string {
	return "sessions-" + strings.NewReplacer("/", "-", ".", "-").Replace(m.queue)
}

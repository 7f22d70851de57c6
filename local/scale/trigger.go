package scale

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/contoso/orders/shared/bus/depth"
	"github.com/kedacore/keda/v2/apis/keda/v1alpha1"
)

// The types of triggers that are understood.
const (
	externalTrigger   = "external"
	pushTrigger       = "external-push"
	serviceBusTrigger = "azure-servicebus"
)

// trigger is asked at every poll.
type trigger interface {
	name() string
	read(ctx context.Context) (reading, error)
}

// watcher is a trigger that also speaks up by itself.
type watcher interface {
	// watch calls active whenever the trigger becomes active, until ctx ends.
	watch(ctx context.Context, active func())
}

// reading is a trigger's answer to one poll.
type reading struct {
	value  float64 // of the metric
	target float64 // what one replica handles of it
	active bool
	reason string // the value in words
}

func needs(manifests []manifest, kind string) bool {
	for _, m := range manifests {
		for _, t := range m.triggers {
			if t.Type == kind {
				return true
			}
		}
	}
	return false
}

// triggers makes the triggers of a manifest.
func (s *Scaler) triggers(m manifest, depths *depth.Reader) ([]trigger, error) {
	var list []trigger
	for i, spec := range m.triggers {
		name := triggerName(spec, i)
		switch spec.Type {
		case externalTrigger:
			list = append(list, newExternal(name, m.function, spec.Metadata, s.scaler))
		case pushTrigger:
			list = append(list, externalPush{newExternal(name, m.function, spec.Metadata, s.scaler)})
		case serviceBusTrigger:
			t, err := newServiceBus(name, spec, depths)
			if err != nil {
				return nil, fmt.Errorf("%s: trigger %s: %w", m.file, name, err)
			}
			list = append(list, t)
		default:
			return nil, fmt.Errorf("%s: trigger %s: type %s is not supported here", m.file, name, spec.Type)
		}
	}
	return list, nil
}

// serviceBus is KEDA's azure-servicebus trigger on a queue.
type serviceBus struct {
	title      string
	queue      string
	messages   int64 // one replica handles
	activation int64 // active with more
	depths     *depth.Reader
}

func newServiceBus(name string, spec v1alpha1.ScaleTriggers, depths *depth.Reader) (*serviceBus, error) {
	t := &serviceBus{title: name, queue: spec.Metadata["queueName"], depths: depths}
	if t.queue == "" {
		return nil, errors.New("metadata key queueName is missing")
	}
	var err error
	if t.messages, err = whole(spec.Metadata, "messageCount", 5, 1); err != nil { // KEDA's default
		return nil, err
	}
	if t.activation, err = whole(spec.Metadata, "activationMessageCount", 0, 0); err != nil {
		return nil, err
	}
	return t, nil
}

func whole(metadata map[string]string, key string, otherwise, least int64) (int64, error) {
	text, ok := metadata[key]
	if !ok {
		return otherwise, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < least {
		return 0, fmt.Errorf("metadata key %s must be a whole number of at least %d, got %q", key, least, text)
	}
	return n, nil
}

func (t *serviceBus) name() string { return t.title }

func (t *serviceBus) read(ctx context.Context) (reading, error) {
	n, err := t.depths.Active(ctx, t.queue)
	if err != nil {
		return reading{}, err
	}
	return reading{
		value: float64(n), target: float64(t.messages), active: n > t.activation,
		reason: fmt.Sprintf("%s in %s", plural(n, "message"), t.queue),
	}, nil
}

func plural(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

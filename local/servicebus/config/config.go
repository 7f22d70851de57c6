// Package config reads the queues a broker starts with, in the format of the
// official Azure Service Bus emulator: UserConfig.Namespaces[].Queues[], each
// with Name and Properties, durations in ISO 8601. There is one namespace.
//
// Topics, and properties that this broker does not act on, are refused rather
// than ignored. Errors name the queue and the property.
//
// Source: Microsoft, "Overview of the Azure Service Bus emulator",
// https://learn.microsoft.com/azure/service-bus-messaging/overview-emulator.
package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/contoso/orders/local/servicebus/iso8601"
	"github.com/contoso/orders/local/servicebus/queue"
)

// Namespace is what a file describes.
type Namespace struct {
	Name   string
	Queues []queue.Settings
}

type file struct {
	UserConfig struct {
		Namespaces []namespace
		Logging    struct{ Type string } // the emulator's own; of no effect here
	}
}

type namespace struct {
	Name   string
	Queues []struct {
		Name       string
		Properties json.RawMessage // decoded queue by queue, so that errors name theirs
	}
	Topics []json.RawMessage
}

type properties struct {
	RequiresSession                     bool
	RequiresDuplicateDetection          bool
	DuplicateDetectionHistoryTimeWindow string
	LockDuration                        string
	MaxDeliveryCount                    *int
	DefaultMessageTimeToLive            string
	DeadLetteringOnMessageExpiration    bool
	ForwardTo                           string
	ForwardDeadLetteredMessagesTo       string
}

// defaultDuplicateWindow is Azure's, for a queue that asks for duplicate
// detection and names no window.
const defaultDuplicateWindow = 10 * time.Minute

// Parse reads a file. Whether forwards lead to queues, and not in a ring, is
// for queue.New to check.
func Parse(data []byte) (Namespace, error) {
	var f file
	if err := decode(data, &f); err != nil {
		return Namespace{}, fmt.Errorf("reading configuration: %w", err)
	}
	if n := len(f.UserConfig.Namespaces); n != 1 {
		return Namespace{}, fmt.Errorf("UserConfig.Namespaces: %d namespaces, want one", n)
	}
	in := f.UserConfig.Namespaces[0]
	if len(in.Topics) > 0 {
		return Namespace{}, fmt.Errorf("namespace %q: Topics: topics are not supported, only queues", in.Name)
	}
	out := Namespace{Name: in.Name}
	for _, q := range in.Queues {
		var p properties
		if len(q.Properties) > 0 {
			if err := decode(q.Properties, &p); err != nil {
				return Namespace{}, fmt.Errorf("queue %q: Properties: %w", q.Name, err)
			}
		}
		s, err := p.settings(q.Name)
		if err != nil {
			return Namespace{}, fmt.Errorf("queue %q: %w", q.Name, err)
		}
		out.Queues = append(out.Queues, s)
	}
	return out, nil
}

// decode reads exactly one JSON value, all of whose fields are known.
func decode(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one JSON value")
	}
	return nil
}

func (p properties) settings(name string) (queue.Settings, error) {
	s := queue.Settings{
		Name:               name,
		RequiresSession:    p.RequiresSession,
		DeadLetterOnExpiry: p.DeadLetteringOnMessageExpiration,
		ForwardTo:          p.ForwardTo,
		ForwardDeadLetters: p.ForwardDeadLetteredMessagesTo,
	}
	if p.MaxDeliveryCount != nil {
		if s.MaxDeliveryCount = *p.MaxDeliveryCount; s.MaxDeliveryCount < 1 {
			return s, fmt.Errorf("MaxDeliveryCount: %d is not positive", s.MaxDeliveryCount)
		}
	}
	window := defaultDuplicateWindow
	for _, d := range []struct {
		field string
		text  string
		into  *time.Duration
	}{
		{"LockDuration", p.LockDuration, &s.LockDuration},
		{"DefaultMessageTimeToLive", p.DefaultMessageTimeToLive, &s.DefaultTTL},
		{"DuplicateDetectionHistoryTimeWindow", p.DuplicateDetectionHistoryTimeWindow, &window},
	} {
		if d.text == "" {
			continue
		}
		v, err := iso8601.Parse(d.text)
		if err != nil {
			return s, fmt.Errorf("%s: %q: %w", d.field, d.text, err)
		}
		if v <= 0 {
			return s, fmt.Errorf("%s: %q is not positive", d.field, d.text)
		}
		*d.into = v
	}
	if p.RequiresDuplicateDetection {
		s.DuplicateWindow = window
	}
	return s, nil
}

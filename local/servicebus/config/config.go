package config

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/contoso/orders/local/servicebus/iso8601"
	"github.com/contoso/orders/local/servicebus/queue"
	"github.com/contoso/orders/local/servicebus/sas"
)

// Default is a file with two queues to try things with, "queue.1" as in the
// emulator's own default and "session-queue.1", which requires sessions.
//
//go:embed default.json
var Default []byte

// Namespace is what a file describes.
type Namespace struct {
	Name   string
	Rules  []sas.Rule // good for all queues
	Queues []queue.Settings
}

type file struct {
	UserConfig struct {
		Namespaces []namespace
		Logging    json.RawMessage // the emulator's own
	}
}

type namespace struct {
	Name   string
	Queues []struct {
		Name       string
		Properties json.RawMessage // decoded queue by queue, so that errors name theirs
	}
	Topics             []json.RawMessage
	AuthorizationRules []rule
}

type properties struct {
	RequiresSession                     bool
	RequiresDuplicateDetection          bool
	DuplicateDetectionHistoryTimeWindow string
	LockDuration                        string
	MaxDeliveryCount                    *int64
	DefaultMessageTimeToLive            string
	DeadLetteringOnMessageExpiration    bool
	ForwardTo                           string
	ForwardDeadLetteredMessagesTo       string

	EnablePartitioning        bool
	MaxSizeInMegabytes        *int64
	MaxMessageSizeInKilobytes *int64
	Status                    queue.Status
	AutoDeleteOnIdle          string
	UserMetadata              string
	EnableBatchedOperations   *bool
	AuthorizationRules        []rule
}

type rule struct {
	KeyName      string
	PrimaryKey   string
	SecondaryKey string
	Rights       []string
}

// byteOrderMark begins what some editors write.
var byteOrderMark = []byte("\ufeff")

// Parse reads a file. Whether forwards lead to queues, and not in a ring, is
// for queue.New to check, and so are limits.
func Parse(data []byte) (Namespace, error) {
	var f file
	if err := decode(bytes.TrimPrefix(data, byteOrderMark), &f); err != nil {
		return Namespace{}, fmt.Errorf("reading configuration: %w", err)
	}
	if n := len(f.UserConfig.Namespaces); n != 1 {
		return Namespace{}, fmt.Errorf("UserConfig.Namespaces: %d namespaces, want one", n)
	}
	in := f.UserConfig.Namespaces[0]
	if len(in.Topics) > 0 {
		return Namespace{}, fmt.Errorf("namespace %q: Topics: topics are not supported, only queues: remove them", in.Name)
	}
	rules, err := rules(in.AuthorizationRules)
	if err != nil {
		return Namespace{}, fmt.Errorf("namespace %q: %w", in.Name, err)
	}
	out := Namespace{Name: in.Name, Rules: rules}
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
		Name:                name,
		RequiresSession:     p.RequiresSession,
		DetectDuplicates:    p.RequiresDuplicateDetection,
		Partitioned:         p.EnablePartitioning,
		DeadLetterOnExpiry:  p.DeadLetteringOnMessageExpiration,
		ForwardTo:           p.ForwardTo,
		ForwardDeadLetters:  p.ForwardDeadLetteredMessagesTo,
		Status:              p.Status,
		UserMetadata:        p.UserMetadata,
		UnbatchedOperations: p.EnableBatchedOperations != nil && !*p.EnableBatchedOperations,
	}
	if err := errors.Join(p.numbers(&s), p.durations(&s)); err != nil {
		return s, err
	}
	var err error
	s.Rules, err = rules(p.AuthorizationRules)
	return s, err
}

func (p properties) numbers(s *queue.Settings) error {
	for _, n := range []struct {
		field string
		value *int64
		set   func(int64)
	}{
		{"MaxDeliveryCount", p.MaxDeliveryCount, func(n int64) { s.MaxDeliveryCount = int(n) }},
		{"MaxSizeInMegabytes", p.MaxSizeInMegabytes, func(n int64) { s.MaxBytes = n << 20 }},
		{"MaxMessageSizeInKilobytes", p.MaxMessageSizeInKilobytes, func(n int64) { s.MaxMessageBytes = int(n) << 10 }},
	} {
		if n.value == nil {
			continue
		}
		if *n.value < 1 || *n.value > math.MaxInt32 {
			return fmt.Errorf("%s: %d is not between 1 and %d", n.field, *n.value, math.MaxInt32)
		}
		n.set(*n.value)
	}
	return nil
}

func (p properties) durations(s *queue.Settings) error {
	for _, d := range []struct {
		field string
		text  string
		parse func(string) (time.Duration, error)
		into  *time.Duration
	}{
		{"LockDuration", p.LockDuration, iso8601.ParsePositive, &s.LockDuration},
		{"DuplicateDetectionHistoryTimeWindow", p.DuplicateDetectionHistoryTimeWindow, iso8601.ParsePositive, &s.DuplicateWindow},
		{"DefaultMessageTimeToLive", p.DefaultMessageTimeToLive, iso8601.ParseLimit, &s.DefaultTTL},
		{"AutoDeleteOnIdle", p.AutoDeleteOnIdle, iso8601.ParseLimit, &s.AutoDelete},
	} {
		if d.text == "" {
			continue
		}
		v, err := d.parse(d.text)
		if err != nil {
			return fmt.Errorf("%s: %q: %w", d.field, d.text, err)
		}
		*d.into = v
	}
	return nil
}

func rules(list []rule) ([]sas.Rule, error) {
	var out []sas.Rule
	for _, r := range list {
		rights, err := sas.ParseRights(r.Rights)
		if err != nil {
			return nil, fmt.Errorf("AuthorizationRules: rule %q: Rights: %w", r.KeyName, err)
		}
		if strings.TrimSpace(r.PrimaryKey) == "" {
			return nil, fmt.Errorf("AuthorizationRules: rule %q: PrimaryKey: it is empty", r.KeyName)
		}
		out = append(out, sas.Rule{Name: r.KeyName, Primary: r.PrimaryKey, Secondary: r.SecondaryKey, Rights: rights})
	}
	if err := sas.Validate(out); err != nil {
		return nil, fmt.Errorf("AuthorizationRules: %w", err)
	}
	return out, nil
}

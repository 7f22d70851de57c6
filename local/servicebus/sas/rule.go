package sas

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Rights are what a rule allows. They are a set.
type Rights uint8

// Rights, as Azure has them.
const (
	Send Rights = 1 << iota
	Listen
	Manage
)

var names = []struct {
	right Rights
	name  string
}{{Manage, "Manage"}, {Listen, "Listen"}, {Send, "Send"}}

// Has says whether all of want are in r.
func (r Rights) Has(want Rights) bool { return r&want == want }

// Names lists the rights in Azure's words and order.
func (r Rights) Names() []string {
	var list []string
	for _, n := range names {
		if r.Has(n.right) {
			list = append(list, n.name)
		}
	}
	return list
}

// ParseRights reads rights in Azure's words.
func ParseRights(list []string) (Rights, error) {
	var r Rights
next:
	for _, text := range list {
		for _, n := range names {
			if n.name == text {
				r |= n.right
				continue next
			}
		}
		return 0, fmt.Errorf("right %q: want Send, Listen or Manage", text)
	}
	return r, nil
}

// MaxRules is how many rules a namespace or a queue may have, as on Azure.
const MaxRules = 12

// Rule is a shared access authorization rule: a name, two keys that can be
// changed in turn, and what either allows.
type Rule struct {
	Name      string
	Primary   string
	Secondary string
	Rights    Rights
	Created   time.Time
	Modified  time.Time
}

// LogValue keeps the keys out of logs.
func (r Rule) LogValue() slog.Value { return slog.StringValue(r.Name) }

// WithDefaults is r with keys made up where it has none.
func (r Rule) WithDefaults(now time.Time) Rule {
	for _, key := range []*string{&r.Primary, &r.Secondary} {
		if *key == "" {
			var b [32]byte
			_, _ = rand.Read(b[:]) // never fails (crypto/rand)
			*key = base64.StdEncoding.EncodeToString(b[:])
		}
	}
	if r.Created.IsZero() {
		r.Created = now
	}
	if r.Modified.IsZero() {
		r.Modified = now
	}
	return r
}

// Validate refuses what Azure refuses: a rule without a name or rights, Manage
// without the other two, too many rules, names used twice.
func Validate(rules []Rule) error {
	if len(rules) > MaxRules {
		return fmt.Errorf("%d authorization rules, at most %d are allowed", len(rules), MaxRules)
	}
	seen := make(map[string]bool)
	for _, r := range rules {
		switch {
		case r.Name == "":
			return errors.New("an authorization rule has no KeyName")
		case seen[r.Name]:
			return fmt.Errorf("authorization rule %q: its name is used twice", r.Name)
		case r.Rights == 0:
			return fmt.Errorf("authorization rule %q: it has no rights", r.Name)
		case r.Rights.Has(Manage) && !r.Rights.Has(Send|Listen):
			return fmt.Errorf("authorization rule %q: Manage needs Send and Listen too", r.Name)
		}
		seen[r.Name] = true
	}
	return nil
}

package sas_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/contoso/orders/local/servicebus/sas"
)

func TestRightsHaveAzuresNames(t *testing.T) {
	for rights := sas.Rights(0); rights <= all; rights++ {
		back, err := sas.ParseRights(rights.Names())
		if err != nil || back != rights {
			t.Errorf("%v is read as %v, %v", rights.Names(), back.Names(), err)
		}
	}
	if diff := cmp.Diff([]string{"Manage", "Listen", "Send"}, all.Names()); diff != "" {
		t.Error(diff)
	}
	twice, err := sas.ParseRights([]string{"Send", "Listen", "Send"})
	if err != nil || twice != sas.Send|sas.Listen {
		t.Errorf("rights %v, error %v: they are a set", twice.Names(), err)
	}
	for _, name := range []string{"", "send", "Read", "Send "} {
		if rights, err := sas.ParseRights([]string{"Listen", name}); err == nil || rights != 0 {
			t.Errorf("%q: rights %v, error %v", name, rights.Names(), err)
		}
	}
}

func TestRulesAzureRefusesAreRefused(t *testing.T) {
	many := func(n int) (rules []sas.Rule) {
		for i := range n {
			rules = append(rules, sas.Rule{Name: fmt.Sprint("rule", i), Rights: sas.Send})
		}
		return rules
	}
	for name, test := range map[string]struct {
		rules []sas.Rule
		want  string // in the error; empty: none
	}{
		"none":                  {nil, ""},
		"as many as allowed":    {many(sas.MaxRules), ""},
		"too many":              {many(sas.MaxRules + 1), "13"},
		"no name":               {[]sas.Rule{{Rights: sas.Send}}, "KeyName"},
		"no rights":             {[]sas.Rule{{Name: "r"}}, `"r"`},
		"a name twice":          {append(many(2), many(1)...), `"rule0"`},
		"names that differ":     {[]sas.Rule{{Name: "r", Rights: sas.Send}, {Name: "R", Rights: sas.Send}}, ""},
		"everything":            {[]sas.Rule{{Name: "r", Rights: all}}, ""},
		"manage alone":          {[]sas.Rule{{Name: "r", Rights: sas.Manage}}, "Manage"},
		"manage without send":   {[]sas.Rule{{Name: "r", Rights: sas.Manage | sas.Listen}}, "Manage"},
		"manage without listen": {[]sas.Rule{{Name: "r", Rights: sas.Manage | sas.Send}}, "Manage"},
	} {
		t.Run(name, func(t *testing.T) {
			err := sas.Validate(test.rules)
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("error %v, want one about %q", err, test.want)
			}
		})
	}
}

func TestMissingKeysAndTimesAreMadeUp(t *testing.T) {
	a, b := sas.Rule{Name: "r"}.WithDefaults(now), sas.Rule{Name: "r"}.WithDefaults(now)
	seen := make(map[string]bool)
	for _, key := range []string{a.Primary, a.Secondary, b.Primary, b.Secondary} {
		if raw, err := base64.StdEncoding.DecodeString(key); err != nil || len(raw) != 32 || seen[key] {
			t.Errorf("key %q is no base64 of 32 random octets, error %v", key, err)
		}
		seen[key] = true
	}
	if !a.Created.Equal(now) || !a.Modified.Equal(now) {
		t.Errorf("created %v, modified %v; want %v", a.Created, a.Modified, now)
	}

	full := sas.Rule{Name: "r", Primary: "p", Secondary: "s", Rights: sas.Send, Created: now, Modified: now}
	if diff := cmp.Diff(full, full.WithDefaults(now.Add(time.Hour))); diff != "" {
		t.Errorf("what there was has changed: %s", diff)
	}
}

func TestKeysAreNotLogged(t *testing.T) {
	var out bytes.Buffer
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "rule", root)
	if strings.Contains(out.String(), root.Primary) || !strings.Contains(out.String(), root.Name) {
		t.Errorf("logged %s", &out)
	}
}

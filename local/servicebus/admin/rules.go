package admin

import (
	"encoding/xml"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/contoso/orders/local/servicebus/sas"
)

// An authorization rule in a description is
//
//	<AuthorizationRule i:type="SharedAccessAuthorizationRule">
//	  <ClaimType>SharedAccessKey</ClaimType>
//	  <ClaimValue>None</ClaimValue>
//	  <Rights><AccessRights>Listen</AccessRights>…</Rights>
//	  <CreatedTime>…</CreatedTime>
//	  <ModifiedTime>…</ModifiedTime>
//	  <KeyName>…</KeyName>
//	  <PrimaryKey>…</PrimaryKey>
//	  <SecondaryKey>…</SecondaryKey>
//	</AuthorizationRule>
//
// Only KeyName and Rights are needed. A rule keeps its keys and its time of
// creation when an update leaves them out; otherwise they are made up.
const ruleType, claimType, claimValue = "SharedAccessAuthorizationRule", "SharedAccessKey", "None"

type writtenRule struct {
	Type         string `xml:"i:type,attr"`
	ClaimType    string
	ClaimValue   string
	Rights       struct{ AccessRights []string }
	CreatedTime  string `xml:",omitempty"`
	ModifiedTime string `xml:",omitempty"`
	KeyName      string
	PrimaryKey   string
	SecondaryKey string `xml:",omitempty"`
}

func written(r sas.Rule) writtenRule {
	w := writtenRule{
		Type: ruleType, ClaimType: claimType, ClaimValue: claimValue,
		KeyName: r.Name, PrimaryKey: r.Primary, SecondaryKey: r.Secondary,
	}
	w.Rights.AccessRights = r.Rights.Names()
	if !r.Created.IsZero() { // a rule from a configuration file has no times
		w.CreatedTime = precise(r.Created)
	}
	if !r.Modified.IsZero() {
		w.ModifiedTime = precise(r.Modified)
	}
	return w
}

type readRule struct {
	Type         string `xml:"http://www.w3.org/2001/XMLSchema-instance type,attr"`
	ClaimType    string
	ClaimValue   string
	Rights       []string `xml:"Rights>AccessRights"`
	CreatedTime  string
	ModifiedTime string
	KeyName      string
	PrimaryKey   string
	SecondaryKey string
	Unknown      *stranger `xml:",any"`
}

// stranger is an element that should not be there. Many leave room for one.
type stranger struct{ XMLName xml.Name }

// readRules reads the content of AuthorizationRules, which is not nil even if
// there are none.
func readRules(d *xml.Decoder, start xml.StartElement) ([]sas.Rule, error) {
	var list struct {
		AuthorizationRule []readRule
		Unknown           *stranger `xml:",any"`
	}
	if err := d.DecodeElement(&list, &start); err != nil {
		return nil, err
	}
	if list.Unknown != nil {
		return nil, fmt.Errorf("AuthorizationRules: element %s is not known", list.Unknown.XMLName.Local)
	}
	rules := make([]sas.Rule, 0, min(len(list.AuthorizationRule), sas.MaxRules))
	for _, in := range list.AuthorizationRule {
		r, err := in.rule()
		if err != nil {
			return nil, fmt.Errorf("AuthorizationRules: rule %q: %w", in.KeyName, err)
		}
		rules = append(rules, r)
	}
	return rules, nil
}

func (in readRule) rule() (r sas.Rule, err error) {
	if in.Unknown != nil {
		return r, fmt.Errorf("element %s is not known", in.Unknown.XMLName.Local)
	}
	if kind := in.Type[strings.LastIndex(in.Type, ":")+1:]; kind != "" && kind != ruleType {
		return r, fmt.Errorf("type %s is not supported, only %s", kind, ruleType)
	}
	r = sas.Rule{Name: in.KeyName, Primary: in.PrimaryKey, Secondary: in.SecondaryKey}
	if r.Rights, err = sas.ParseRights(in.Rights); err != nil {
		return r, err
	}
	if r.Created, err = readTime(in.CreatedTime); err != nil {
		return r, fmt.Errorf("CreatedTime: %w", err)
	}
	if r.Modified, err = readTime(in.ModifiedTime); err != nil {
		return r, fmt.Errorf("ModifiedTime: %w", err)
	}
	return r, nil
}

// readTime reads a time, which .NET may write without its zone.
func readTime(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t, err = time.Parse("2006-01-02T15:04:05", text)
	}
	return t.UTC(), err
}

// completed gives rules what they lack: from those of the same name that there
// were before, or new.
func completed(rules, had []sas.Rule, now time.Time) []sas.Rule {
	out := make([]sas.Rule, 0, len(rules)) // never nil: no rules are meant when none are given
	for _, r := range rules {
		if i := slices.IndexFunc(had, func(h sas.Rule) bool { return h.Name == r.Name }); i >= 0 {
			before := had[i]
			for _, f := range []struct{ text, was *string }{{&r.Primary, &before.Primary}, {&r.Secondary, &before.Secondary}} {
				if *f.text == "" {
					*f.text = *f.was
				}
			}
			if r.Created.IsZero() {
				r.Created = before.Created
			}
		}
		out = append(out, r.WithDefaults(now))
	}
	return out
}

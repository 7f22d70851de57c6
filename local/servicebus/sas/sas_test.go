package sas_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/contoso/orders/local/servicebus/sas"
)

// A token of key "SAS_KEY_VALUE" for amqp://localhost:5672/orders until
// 2030-01-01, computed with OpenSSL.
const token = "SharedAccessSignature sr=amqp%3a%2f%2flocalhost%3a5672%2forders&sig=Ef1N9plnVeJuWDWeB0sIXkT7%2fDV%2bqLw1Qs5dZ%2f46J5Q%3d&se=1893456000&skn=RootManageSharedAccessKey"

const all = sas.Send | sas.Listen | sas.Manage

var (
	now  = time.Date(2029, 12, 31, 0, 0, 0, 0, time.UTC)
	root = sas.Rule{Name: "RootManageSharedAccessKey", Primary: "SAS_KEY_VALUE", Secondary: "another", Rights: all}
)

func only(rules ...sas.Rule) func(string) []sas.Rule {
	return func(string) []sas.Rule { return rules }
}

// sign makes a token good for an hour after now.
func sign(resource, rule, key string) string {
	r, expiry := url.QueryEscape(resource), fmt.Sprint(now.Add(time.Hour).Unix())
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(r + "\n" + expiry))
	signature := base64.StdEncoding.EncodeToString(mac.Sum(nil))
	return "SharedAccessSignature sr=" + r + "&sig=" + url.QueryEscape(signature) + "&se=" + expiry + "&skn=" + url.QueryEscape(rule)
}

func TestGoodTokenCoversItsResourceUntilItExpires(t *testing.T) {
	claim, err := sas.Verify(token, now, only(root))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{
		"orders": true, "/Orders/": true, "orders/$management": true,
		"": false, "orders-dead": false, "other": false,
	} {
		if got := claim.Covers(path, sas.Send, now); got != want {
			t.Errorf("Covers(%q) = %t", path, got)
		}
	}
	if claim.Covers("orders", sas.Send, claim.Expires) {
		t.Error("the claim is still good when it expires")
	}
}

func TestTokenOfANamespaceCoversEverything(t *testing.T) {
	for _, resource := range []string{"sb://localhost/", "https://localhost:5672", "localhost", "http://localhost/?api-version=2021-05"} {
		claim, err := sas.Verify(sign(resource, root.Name, root.Primary), now, only(root))
		if err != nil || !claim.Covers("any/$management", all, now) || !claim.Covers("", all, now) {
			t.Errorf("%s: claim %+v, error %v", resource, claim, err)
		}
	}
}

func TestAClaimHasTheRightsOfItsRule(t *testing.T) {
	for _, rights := range []sas.Rights{sas.Send, sas.Listen, sas.Send | sas.Listen, all} {
		rule := sas.Rule{Name: "r", Primary: "p", Rights: rights}
		claim, err := sas.Verify(sign("sb://h/q", "r", "p"), now, only(rule))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []sas.Rights{sas.Send, sas.Listen, sas.Manage, sas.Send | sas.Listen, all} {
			if got := claim.Covers("q", want, now); got != (rights&want == want) {
				t.Errorf("a rule with %v covers %v: %t", rights.Names(), want.Names(), got)
			}
		}
	}
}

func TestEitherKeyOfARuleSigns(t *testing.T) {
	for key, want := range map[string]error{root.Primary: nil, root.Secondary: nil, "a third": sas.ErrSignature, "": sas.ErrSignature} {
		if _, err := sas.Verify(sign("sb://h/q", root.Name, key), now, only(root)); !errors.Is(err, want) {
			t.Errorf("key %q: error %v, want %v", key, err, want)
		}
	}
	without := sas.Rule{Name: root.Name, Primary: "p", Rights: all}
	if _, err := sas.Verify(sign("sb://h/q", root.Name, ""), now, only(without)); !errors.Is(err, sas.ErrSignature) {
		t.Errorf("error %v: a key that a rule does not have must not sign", err)
	}
}

func TestAQueuesRuleIsGoodForItsQueueOnly(t *testing.T) {
	rulesFor := func(path string) []sas.Rule {
		if path == "q" || strings.HasPrefix(path, "q/") {
			return []sas.Rule{{Name: "own", Primary: "q's", Rights: sas.Listen}, root}
		}
		return []sas.Rule{root}
	}
	for name, test := range map[string]struct {
		token string
		want  error
	}{
		"its queue":                {sign("sb://h/Q", "own", "q's"), nil},
		"within its queue":         {sign("sb://h/q/$management", "own", "q's"), nil},
		"another queue":            {sign("sb://h/other", "own", "q's"), sas.ErrSignature},
		"the namespace":            {sign("sb://h/", "own", "q's"), sas.ErrSignature},
		"the namespace's rule":     {sign("sb://h/q", root.Name, root.Primary), nil},
		"keys of two rules, mixed": {sign("sb://h/q", "own", root.Primary), sas.ErrSignature},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := sas.Verify(test.token, now, rulesFor); !errors.Is(err, test.want) {
				t.Errorf("error %v, want %v", err, test.want)
			}
		})
	}
}

func TestBadTokenIsRefused(t *testing.T) {
	for name, test := range map[string]struct {
		token string
		now   time.Time
		want  error
	}{
		"expired":            {token, now.AddDate(0, 0, 1), sas.ErrExpired},
		"another resource":   {strings.Replace(token, "orders", "others", 1), now, sas.ErrSignature},
		"a later expiry":     {strings.Replace(token, "se=1", "se=2", 1), now, sas.ErrSignature},
		"another rule":       {strings.Replace(token, "skn=Root", "skn=Other", 1), now, sas.ErrSignature},
		"no rule":            {strings.Replace(token, "&skn=", "&sko=", 1), now, sas.ErrSignature},
		"no signature":       {strings.Replace(token, "sig=", "sog=", 1), now, sas.ErrSignature},
		"no expiry":          {strings.Replace(token, "&se=", "&so=", 1), now, sas.ErrMalformed},
		"no number":          {strings.Replace(token, "&se=", "&se=x", 1), now, sas.ErrMalformed},
		"no resource":        {strings.Replace(token, "sr=", "so=", 1), now, sas.ErrMalformed},
		"a broken resource":  {strings.Replace(token, "sr=", "sr=%zz", 1), now, sas.ErrMalformed},
		"a broken rule":      {token + "%zz", now, sas.ErrMalformed},
		"another scheme":     {"Bearer x", now, sas.ErrMalformed},
		"no scheme":          {strings.TrimPrefix(token, "SharedAccessSignature "), now, sas.ErrMalformed},
		"nothing":            {"", now, sas.ErrMalformed},
		"an endless one":     {token + strings.Repeat("&x", 10_000), now, sas.ErrMalformed},
		"a broken signature": {strings.Replace(token, "sig=", "sig=!", 1), now, sas.ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			claim, err := sas.Verify(test.token, test.now, only(root))
			if !errors.Is(err, test.want) || claim != (sas.Claim{}) {
				t.Errorf("claim %+v, error %v; want %v", claim, err, test.want)
			}
		})
	}
}

func FuzzVerify(f *testing.F) {
	f.Add(token)
	f.Add(strings.Replace(token, "skn=R", "skn=r", 1))
	f.Add("SharedAccessSignature sr=%2f&sig=&se=-1&skn=")
	f.Fuzz(func(t *testing.T, text string) {
		claim, err := sas.Verify(text, now, only(root))
		if (err == nil) != claim.Rights.Has(all) {
			t.Errorf("claim %+v with error %v", claim, err)
		}
		if diff := cmp.Diff(strings.ToLower(strings.Trim(claim.Path, "/")), claim.Path); diff != "" {
			t.Errorf("path: %s", diff)
		}
	})
}

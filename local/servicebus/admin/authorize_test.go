package admin_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/contoso/orders/local/servicebus/queue"
	"github.com/contoso/orders/local/servicebus/sas"
)

var ownRule = sas.Rule{Name: "own", Primary: "own key", Rights: everything}

func own(name string) queue.Settings { return queue.Settings{Name: name, Rules: []sas.Rule{ownRule}} }

func TestTokensAreChecked(t *testing.T) {
	const (
		read    = "Manage,EntityRead claims required for this operation."
		written = "Authorization failed for specified action: Manage,EntityWrite."
		deleted = "Authorization failed for specified action: Manage,EntityDelete."
	)
	listen := sign("https://broker:5672/", listenRule, time.Hour)
	for name, test := range map[string]struct {
		method, url, token string
		want               string
	}{
		"none":                   {"GET", "/a", "", "MissingToken"},
		"no signature":           {"GET", "/a", "Bearer x", "MalformedToken"},
		"expired":                {"GET", "/a", sign("https://broker:5672/", rootRule, -time.Minute), "ExpiredToken"},
		"another key":            {"GET", "/a", sign("https://broker:5672/", sas.Rule{Name: "root", Primary: "x"}, time.Hour), "InvalidSignature"},
		"for another":            {"GET", "/a", rootToken("https://broker:5672/b"), "InvalidAudience"},
		"another queue's":        {"GET", "/a", sign("https://broker:5672/b", ownRule, time.Hour), "InvalidSignature"},
		"a queue's, for a list":  {"GET", "/$Resources/Queues", sign("https://broker:5672/own", ownRule, time.Hour), "InvalidAudience"},
		"a queue's, for itself":  {"GET", "/$Resources/Queues", sign("https://broker:5672/$Resources/Queues", ownRule, time.Hour), "InvalidSignature"},
		"listen, get":            {"GET", "/a", listen, read},
		"listen, list":           {"GET", "/$Resources/Queues", listen, read},
		"listen, list of topics": {"GET", "/$Resources/Topics", listen, read},
		"listen, namespace":      {"GET", "/$namespaceinfo", listen, read},
		"listen, create":         {"PUT", "/x", listen, written},
		"listen, delete":         {"DELETE", "/a", listen, deleted},
		"listen, delete nothing": {"DELETE", "/x", listen, deleted},
	} {
		t.Run(name, func(t *testing.T) {
			f := start(t, nil, queue.Settings{Name: "a"}, queue.Settings{Name: "b"}, own("own"))
			c := call{method: test.method, url: test.url + version, body: described(""), headers: map[string]string{"Authorization": test.token}}
			refused(t, c.to(f), http.StatusUnauthorized, test.want)
		})
	}
}

func TestAnyGoodTokenLearnsThatAQueueIsMissing(t *testing.T) {
	f := start(t, nil)
	listen := sign("https://broker:5672/", listenRule, time.Hour)
	refused(t, call{method: "GET", url: "/x" + version, headers: map[string]string{"Authorization": listen}}.to(f), http.StatusNotFound)
}

func TestAQueuesOwnRuleManagesIt(t *testing.T) {
	f := start(t, nil, own("q"))
	headers := map[string]string{"Authorization": sign("https://broker:5672/q"+version, ownRule, time.Hour), "If-Match": "*"}
	for _, c := range []call{
		{method: "GET", url: "/q" + version, headers: headers},
		{method: "DELETE", url: "/q" + version, headers: headers},
	} {
		if w := c.to(f); w.Code != http.StatusOK {
			t.Errorf("%s: status %d: %s", c.method, w.Code, w.Body)
		}
	}
}

func TestForwardingNeedsATokenForTheTarget(t *testing.T) {
	const (
		forward = "ServiceBusSupplementaryAuthorization"
		dead    = "ServiceBusDlqSupplementaryAuthorization"
	)
	to := rootToken("https://broker:5672/own")
	for name, test := range map[string]struct {
		element string
		headers map[string]string
		status  int
		want    string
	}{
		"none":                   {"ForwardTo", nil, 401, "ForwardTo: ServiceBusSupplementaryAuthorization: MissingToken"},
		"none, of dead letters":  {"ForwardDeadLetteredMessagesTo", nil, 401, "ForwardDeadLetteredMessagesTo: ServiceBusDlqSupplementaryAuthorization: MissingToken"},
		"in the other's header":  {"ForwardTo", map[string]string{dead: to}, 401, "MissingToken"},
		"for another queue":      {"ForwardTo", map[string]string{forward: rootToken("https://broker:5672/q")}, 401, "InvalidAudience"},
		"expired":                {"ForwardTo", map[string]string{forward: sign("https://broker:5672/own", rootRule, -time.Hour)}, 401, "ExpiredToken"},
		"to listen":              {"ForwardTo", map[string]string{forward: sign("https://broker:5672/own", listenRule, time.Hour)}, 401, "Manage"},
		"good":                   {"ForwardTo", map[string]string{forward: to}, 201, ""},
		"good, of dead letters":  {"ForwardDeadLetteredMessagesTo", map[string]string{dead: to}, 201, ""},
		"of the target's rule":   {"ForwardTo", map[string]string{forward: sign("sb://broker:5672/own", ownRule, time.Hour)}, 201, ""},
		"for a bare name, by Go": {"ForwardTo", map[string]string{forward: rootToken("own")}, 201, ""},
	} {
		t.Run(name, func(t *testing.T) {
			for _, target := range []string{"own", "sb://broker:5672/own", "https://elsewhere/own/"} {
				f := start(t, nil, own("own"))
				w := call{method: "PUT", url: "/q" + version, headers: test.headers, body: described("<" + test.element + ">" + target + "</" + test.element + ">")}.to(f)
				if test.status != http.StatusCreated {
					refused(t, w, test.status, "SubCode=40100. Unauthorized.", test.want)
				} else if w.Code != test.status {
					t.Errorf("%s: status %d: %s", target, w.Code, w.Body)
				}
			}
		})
	}
}

package admin_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/contoso/orders/local/servicebus/admin"
	"github.com/contoso/orders/local/servicebus/queue"
	"github.com/contoso/orders/local/servicebus/sas"
)

const everything = sas.Manage | sas.Listen | sas.Send

var (
	rootRule   = sas.Rule{Name: "root", Primary: "root's key", Rights: everything}
	listenRule = sas.Rule{Name: "listen", Primary: "listen's key", Rights: sas.Listen}
)

// A fixture is a broker and its administration.
type fixture struct {
	broker *queue.Broker
	http.Handler
}

func start(t *testing.T, store queue.Store, settings ...queue.Settings) *fixture {
	t.Helper()
	b, err := queue.Open(store, settings...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return &fixture{broker: b, Handler: admin.New("home", b, func(path string) []sas.Rule {
		return append(b.Rules(path), rootRule, listenRule)
	})}
}

func (f *fixture) queue(t *testing.T, name string) *queue.Queue {
	t.Helper()
	q, err := f.broker.Queue(name)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// sign makes a token for a URL.
func sign(target string, rule sas.Rule, good time.Duration) string {
	resource, expiry := url.QueryEscape(target), fmt.Sprint(time.Now().Add(good).Unix())
	mac := hmac.New(sha256.New, []byte(rule.Primary))
	mac.Write([]byte(resource + "\n" + expiry))
	return "SharedAccessSignature sr=" + resource + "&sig=" +
		url.QueryEscape(base64.StdEncoding.EncodeToString(mac.Sum(nil))) + "&se=" + expiry + "&skn=" + rule.Name
}

func rootToken(target string) string { return sign(target, rootRule, time.Hour) }

const version = "?api-version=2024-05"

// A call is a request with a token for everything, unless headers say
// otherwise.
type call struct {
	method, url string
	body        string
	headers     map[string]string
}

func (c call) to(h http.Handler) *httptest.ResponseRecorder {
	var body io.Reader
	if c.body != "" {
		body = strings.NewReader(c.body)
	}
	r := httptest.NewRequest(c.method, "https://broker:5672"+c.url, body)
	r.Header.Set("Authorization", rootToken("https://broker:5672/"))
	for name, value := range c.headers {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

const serviceBus = "http://schemas.microsoft.com/netservices/2010/10/servicebus/connect"

// described is an entry with a description of a queue.
func described(elements string) string {
	return `<entry xmlns="http://www.w3.org/2005/Atom"><content type="application/xml"><QueueDescription xmlns="` +
		serviceBus + `" xmlns:i="http://www.w3.org/2001/XMLSchema-instance">` + elements + `</QueueDescription></content></entry>`
}

// refused checks that an answer is an error in the API's form.
func refused(t *testing.T, w *httptest.ResponseRecorder, status int, details ...string) {
	t.Helper()
	var e struct {
		XMLName xml.Name `xml:"Error"`
		Code    int
		Detail  string
	}
	err := xml.Unmarshal(w.Body.Bytes(), &e)
	if err != nil || w.Code != status || e.Code != status {
		t.Errorf("status %d, body %s, error %v; want %d", w.Code, w.Body, err, status)
	}
	if kind := w.Header().Get("Content-Type"); kind != "application/xml; charset=utf-8" {
		t.Errorf("content type %q", kind)
	}
	for _, detail := range append(details, "TrackingId:", "SystemTracker:broker:5672:", "Timestamp:") {
		if !strings.Contains(e.Detail, detail) {
			t.Errorf("detail %q does not have %q", e.Detail, detail)
		}
	}
}

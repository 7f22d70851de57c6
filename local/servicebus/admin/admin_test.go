package admin_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"fmt"
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

var key = sas.Key{Name: "k", Secret: "s"}

// sign makes a token for a URL, good for an hour.
func sign(target string) string {
	resource, expiry := url.QueryEscape(target), fmt.Sprint(time.Now().Add(time.Hour).Unix())
	mac := hmac.New(sha256.New, []byte(key.Secret))
	mac.Write([]byte(resource + "\n" + expiry))
	return "SharedAccessSignature sr=" + resource + "&sig=" +
		url.QueryEscape(base64.StdEncoding.EncodeToString(mac.Sum(nil))) + "&se=" + expiry + "&skn=" + key.Name
}

func request(t *testing.T, method, path, token string) *httptest.ResponseRecorder {
	t.Helper()
	b, err := queue.New(queue.Settings{Name: "a"}, queue.Settings{Name: "b"}, queue.Settings{Name: "c"})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	q, err := b.Queue("a")
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Send(queue.Message{Content: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(method, "https://localhost:5672"+path, nil)
	r.Header.Set("Authorization", token)
	w := httptest.NewRecorder()
	admin.New("n", b, key).ServeHTTP(w, r)
	return w
}

func TestCountsAreInTheirOwnNamespace(t *testing.T) {
	w := request(t, http.MethodGet, "/A", sign("https://localhost:5672/a?api-version=2024-05"))
	var e struct {
		Title  string `xml:"http://www.w3.org/2005/Atom title"`
		Active int    `xml:"content>QueueDescription>CountDetails>ActiveMessageCount"`
	}
	if err := xml.Unmarshal(w.Body.Bytes(), &e); err != nil || w.Code != http.StatusOK || e.Title != "a" || e.Active != 1 {
		t.Errorf("status %d, entry %+v, error %v", w.Code, e, err)
	}
	const element = `<ActiveMessageCount xmlns="http://schemas.microsoft.com/netservices/2011/06/servicebus">1<`
	if !strings.Contains(w.Body.String(), element) {
		t.Errorf("no %s in\n%s", element, w.Body)
	}
}

func TestListIsPaged(t *testing.T) {
	all := sign("https://localhost:5672/")
	for query, want := range map[string]int{
		"": 3, "?$top=2": 2, "?$skip=2": 1, "?$skip=5": 0, "?$skip=1&$top=1": 1,
	} {
		w := request(t, http.MethodGet, "/$Resources/Queues"+query, all)
		if got := strings.Count(w.Body.String(), "<entry "); got != want {
			t.Errorf("%q lists %d queues, want %d", query, got, want)
		}
	}
	if w := request(t, http.MethodGet, "/$Resources/Queues?$skip=-1", all); w.Code != http.StatusBadRequest {
		t.Errorf("status %d for a negative $skip", w.Code)
	}
}

func TestRefusalsAreInTheAPIsForm(t *testing.T) {
	all := sign("https://localhost:5672/")
	for name, test := range map[string]struct {
		method, path, token string
		want                int
	}{
		"no token":          {http.MethodGet, "/a", "", http.StatusUnauthorized},
		"token for another": {http.MethodGet, "/a", sign("https://localhost:5672/b"), http.StatusUnauthorized},
		"no such queue":     {http.MethodGet, "/x", all, http.StatusNotFound},
		"create":            {http.MethodPut, "/x", all, http.StatusNotImplemented},
		"delete":            {http.MethodDelete, "/a", all, http.StatusNotImplemented},
	} {
		t.Run(name, func(t *testing.T) {
			w := request(t, test.method, test.path, test.token)
			var e struct {
				XMLName xml.Name `xml:"Error"`
				Code    int
				Detail  string
			}
			err := xml.Unmarshal(w.Body.Bytes(), &e)
			if err != nil || w.Code != test.want || e.Code != test.want || e.Detail == "" {
				t.Errorf("status %d, body %+v, error %v; want %d", w.Code, e, err, test.want)
			}
		})
	}
}

package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
)

func TestRequestReachesItsUpstream(t *testing.T) {
	b := newBench(t, nil, nil)
	bearer := "Bearer " + b.token(t, "alice", nil)
	for _, tt := range []struct{ method, path, upstream, sees string }{
		{"POST", "/v1/orders", "accept", "/v1/orders"},
		{"GET", "/v1/orders?limit=5&cursor=x", "status", "/v1/orders?limit=5&cursor=x"},
		{"HEAD", "/v1/orders", "status", "/v1/orders"},
		{"GET", "/v1/orders/0190-a", "status", "/v1/orders/0190-a"},
		{"POST", "/hub/negotiate?negotiateVersion=1", "hub", "/hub/negotiate?negotiateVersion=1"},
		{"OPTIONS", "/hub/negotiate", "hub", "/hub/negotiate"},
		{"POST", "/hub/t/negotiate?negotiateVersion=1", "hub", "/hub/t/negotiate?negotiateVersion=1"},
		{"OPTIONS", "/hub/t/negotiate", "hub", "/hub/t/negotiate"},
		{"GET", "/hub/t?access_token=a.b.c", "hub", "/hub/t?access_token=a.b.c"},
		{"GET", "/idp/keys", "idp", "/keys"},
		{"GET", "/idp/.well-known/openid-configuration", "idp", "/.well-known/openid-configuration"},
		{"POST", "/idp/token", "idp", "/token"},
		{"GET", "/idp/authorize?a=b%20c", "idp", "/authorize?a=b%20c"},
	} {
		res, body := b.do(t, tt.method, tt.path, "", "Authorization", bearer)
		r, _, _ := b.last()
		if res.StatusCode != http.StatusOK || r == nil {
			t.Errorf("%s %s: %s %s", tt.method, tt.path, res.Status, body)
			continue
		}
		if r.Header.Get("X-Upstream") != tt.upstream || r.Method != tt.method || r.URL.String() != tt.sees {
			t.Errorf("%s %s: %s saw %s %s", tt.method, tt.path, r.Header.Get("X-Upstream"), r.Method, r.URL)
		}
		if r.Header.Get("Authorization") != bearer {
			t.Errorf("%s %s: the token was not passed on", tt.method, tt.path)
		}
	}
}

func TestWhatHasNoRouteReachesNobody(t *testing.T) {
	b := newBench(t, nil, nil)
	b.file(t, indexFile, "the app")
	bearer := "Bearer " + b.token(t, "alice", nil)
	for _, path := range []string{
		"/v1", "/v1/", "/v1/orders/", "/v1/orders/a/b", "/v1/internal", "/hub", "/hub/", "/hub/x", "/hub/t/", "/hub/t/x", "/idp",
		"/internal/push", "/livez", "/readyz", "/metrics", "/V1/orders", "/assets/none.js",
	} {
		res, body := b.do(t, "GET", path, "", "Authorization", bearer)
		wantProblem(t, path, res, body, http.StatusNotFound)
		// What a browser goes to below the app's own paths is the app, and no more.
		res, body = b.do(t, "GET", path, "", "Authorization", bearer, "Accept", "text/html")
		if res.StatusCode != http.StatusNotFound && body != "the app" {
			t.Errorf("%s as a page: %s %s", path, res.Status, body)
		}
	}
	if r, _, n := b.last(); n != 0 {
		t.Errorf("an upstream saw %s", r.URL)
	}
}

func TestWrongMethodIsToldTheRightOnes(t *testing.T) {
	b := newBench(t, nil, nil)
	for _, tt := range [][3]string{
		{"DELETE", "/v1/orders", "GET, POST, HEAD"}, {"POST", "/v1/orders/a", "GET, HEAD"}, {"GET", "/hub/negotiate", "OPTIONS, POST"},
		{"POST", "/hub/t", "GET, HEAD"}, {"POST", "/", "GET, HEAD"}, {"PUT", "/config.json", "GET, HEAD"}, {"POST", "/internal/push", "GET, HEAD"},
	} {
		res, body := b.do(t, tt[0], tt[1], "")
		wantProblem(t, tt[1], res, body, http.StatusMethodNotAllowed)
		if got := res.Header.Get("Allow"); got != tt[2] {
			t.Errorf("%s %s: Allow = %q, want %q", tt[0], tt[1], got, tt[2])
		}
	}
	if _, _, n := b.last(); n != 0 {
		t.Error("an upstream was asked")
	}
}

// raw sends a request line as it is; [http.Client] would tidy it up.
func (b *bench) raw(t *testing.T, line string, headers ...string) (*http.Response, string) {
	t.Helper()
	conn, err := net.Dial("tcp", b.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: edge\r\nConnection: close\r\n%s\r\n", line, strings.Join(append(headers, ""), "\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

func TestPathThatIsNotPlainIsRefused(t *testing.T) {
	b := newBench(t, nil, nil)
	bearer := "Authorization: Bearer " + b.token(t, "alice", nil)
	for _, target := range []string{
		"/v1/../internal/push", "/v1/orders/../../internal/push", "/v1/orders/..", "/v1/orders/%2e%2e/internal", "/v1/orders/.%2E/x",
		"/v1/orders/%2Fetc", "/v1/orders/a%2fb", "/v1//orders", "//internal/push", "///v1/orders", "/./v1/orders", "/v1/%6frders",
		"/idp/../v1/orders", "/idp//keys", "/idp/%2e%2e/metrics", "/hub/t/..%2f..%2finternal", `/v1/orders/..\..\internal`, `\v1\orders`,
		"/v1/orders/a%00b", "/%2e%2e/%2e%2e/etc/passwd", "*", "v1/orders", "http://accept.internal/../v1/orders",
	} {
		for _, method := range []string{"GET", "POST", "OPTIONS"} {
			res, body := b.raw(t, method+" "+target, bearer)
			// Some have no business in a request line at all: the server says so.
			if res.StatusCode != http.StatusBadRequest && res.StatusCode != http.StatusNotFound && (target != "*" || res.StatusCode != http.StatusOK) {
				t.Errorf("%s %s: %s %s", method, target, res.Status, body)
			}
		}
	}
	if r, _, n := b.last(); n != 0 {
		t.Errorf("%s saw %s", r.Header.Get("X-Upstream"), r.URL)
	}
}

func FuzzOnlyPlainPathsPass(f *testing.F) {
	for _, target := range []string{"/", "//", "/v1/orders", "/idp/", "/a%20b", "/v1/../x", "//x", "/%2e%2e/x", "/a%2fb", `/a\b`, "/a%00", "/a;b?c=%2e"} {
		f.Add(target)
	}
	f.Fuzz(func(t *testing.T, target string) {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			return
		}
		passed := false
		r := &http.Request{Method: http.MethodGet, URL: u, Header: http.Header{}}
		plainPaths(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { passed = true })).ServeHTTP(httptest.NewRecorder(), r)
		if !passed {
			return
		}
		segments := strings.Split(strings.TrimPrefix(u.EscapedPath(), "/"), "/")
		for i, escaped := range segments {
			segment, err := url.PathUnescape(escaped)
			if err != nil || segment == "." || segment == ".." || (segment == "" && i < len(segments)-1) || strings.ContainsAny(segment, "/\\\x00") {
				t.Errorf("%q passes with segment %q", target, segment)
			}
		}
	})
}

func TestWebSocketPassesThrough(t *testing.T) {
	up := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	b := newBench(t, nil, func(w http.ResponseWriter, r *http.Request) {
		conn, err := up.Upgrade(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		for {
			kind, text, err := conn.ReadMessage()
			if err != nil {
				return
			}
			if err := conn.WriteMessage(kind, append([]byte("hub: "), text...)); err != nil {
				return
			}
		}
	})
	conn, res, err := websocket.DefaultDialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(b.URL, "http")+"/hub/t?id=1&access_token=a.b.c",
		http.Header{"Origin": {b.URL}, "X-Forwarded-For": {"6.6.6.6"}})
	if err != nil {
		t.Fatal(err, res)
	}
	defer conn.Close()
	for _, text := range []string{"one", "two"} {
		if err := conn.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
			t.Fatal(err)
		}
		_, got, err := conn.ReadMessage()
		if err != nil || string(got) != "hub: "+text {
			t.Fatalf("got %q, %v", got, err)
		}
	}
	r, _, _ := b.last()
	if r.URL.Query().Get("access_token") != "a.b.c" || r.Header.Get("Origin") != b.URL || r.Header.Get("X-Forwarded-For") != "127.0.0.1" {
		t.Errorf("the hub saw %s %v", r.URL, r.Header)
	}
}

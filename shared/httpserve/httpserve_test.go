package httpserve_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/contoso/orders/shared/httpserve"
)

// addresses collects what listeners log.
type addresses struct {
	mu    sync.Mutex
	buf   bytes.Buffer
	found chan [2]string
}

func (a *addresses) Write(p []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.buf.Write(p)
	var line struct{ Msg, Listener, Addr string }
	if json.Unmarshal(p, &line) == nil && line.Msg == "listening" {
		a.found <- [2]string{line.Listener, line.Addr}
	}
	return len(p), nil
}

func serve(t *testing.T, h http.Handler) (public, private string, stop context.CancelFunc, done <-chan error) {
	t.Helper()
	logs := &addresses{found: make(chan [2]string, 2)}
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewJSONHandler(logs, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })

	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- httpserve.Serve(ctx, httpserve.Config{
			Addr:          "127.0.0.1:0",
			PrivateConfig: httpserve.PrivateConfig{PrivateAddr: "127.0.0.1:0"},
			DrainConfig:   httpserve.DrainConfig{DrainTimeout: 5 * time.Second},
		}, h)
	}()
	for range 2 {
		switch l := <-logs.found; l[0] {
		case "public":
			public = "http://" + l[1]
		case "private":
			private = "http://" + l[1]
		}
	}
	t.Cleanup(cancel)
	return public, private, cancel, ended
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

func TestRequestInHandFinishesWhileUnready(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	public, private, stop, done := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(entered)
		<-release
		_, _ = io.WriteString(w, "finished")
	}))
	if code, _ := get(t, private+"/readyz"); code != http.StatusNoContent {
		t.Errorf("readyz = %d before the end, want 204", code)
	}
	answer := make(chan string, 1)
	go func() {
		_, body := get(t, public)
		answer <- body
	}()
	<-entered
	stop()
	for { // becoming unready is asynchronous
		if code, _ := get(t, private+"/readyz"); code == http.StatusServiceUnavailable {
			break
		}
	}
	if code, _ := get(t, private+"/livez"); code != http.StatusNoContent {
		t.Errorf("livez = %d while draining, want 204", code)
	}
	close(release)
	if got := <-answer; got != "finished" {
		t.Errorf("answer = %q: the request in hand was cut", got)
	}
	if err := <-done; err != nil {
		t.Errorf("Serve: %v", err)
	}
}

func TestMetricsAreOnThePrivatePortOnly(t *testing.T) {
	public, private, _, _ := serve(t, http.NotFoundHandler())
	if code, body := get(t, private+"/metrics"); code != http.StatusOK || !strings.Contains(body, "go_goroutines") {
		t.Errorf("private /metrics = %d", code)
	}
	if code, _ := get(t, public+"/metrics"); code != http.StatusNotFound {
		t.Errorf("public /metrics = %d, want 404", code)
	}
}

func TestTakenPortIsSaid(t *testing.T) {
	_, private, _, _ := serve(t, http.NotFoundHandler())
	err := httpserve.WithPrivate(t.Context(), httpserve.PrivateConfig{PrivateAddr: strings.TrimPrefix(private, "http://")},
		func(context.Context) error { t.Error("work ran without its port"); return nil })
	if err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("error = %v", err)
	}
}

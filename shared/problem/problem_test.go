package problem_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/contoso/orders/shared/fault"
	"github.com/contoso/orders/shared/problem"
	"github.com/google/go-cmp/cmp"
)

func serve(t *testing.T, err error) (*http.Response, problem.Details) {
	t.Helper()
	w := httptest.NewRecorder()
	problem.Handler(func(http.ResponseWriter, *http.Request) error { return err }).
		ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/v1/orders", nil))
	res := w.Result()
	var d problem.Details
	if err := json.NewDecoder(res.Body).Decode(&d); err != nil {
		t.Fatalf("body is not JSON: %v", err)
	}
	return res, d
}

func TestEveryKindHasAnAnswer(t *testing.T) {
	for k := fault.Internal; k <= fault.LockLost; k++ {
		res, d := serve(t, fault.New(k, "said plainly"))
		if res.StatusCode < 400 || d.Status != res.StatusCode || d.Title == "" || d.Type == "" {
			t.Errorf("%v: status %d, body %+v", k, res.StatusCode, d)
		}
		if got := res.Header.Get("Content-Type"); got != problem.ContentType {
			t.Errorf("%v: content type %q", k, got)
		}
	}
}

func TestEachBadFieldIsNamed(t *testing.T) {
	fields := []fault.Field{{Pointer: "/lines/0/quantity", Detail: "must be 1 to 9999"}}
	res, d := serve(t, &fault.Error{Kind: fault.Invalid, Detail: "1 field is not valid", Fields: fields})
	if res.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("status = %d, want 422", res.StatusCode)
	}
	if diff := cmp.Diff(fields, d.Errors); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
}

func TestInternalDetailIsHidden(t *testing.T) {
	for _, err := range []error{
		errors.New("password=hunter2"),
		fault.Wrap(fault.Internal, errors.New("password=hunter2"), "password=hunter2"),
		fault.Wrap(fault.Unavailable, errors.New("password=hunter2"), "the queue is away"),
	} {
		w := httptest.NewRecorder()
		problem.Write(w, httptest.NewRequest(http.MethodGet, "/", nil), err)
		if strings.Contains(w.Body.String(), "hunter2") {
			t.Errorf("the cause is shown: %s", w.Body)
		}
	}
}

func TestRetryAfterIsWholeSecondsRoundedUp(t *testing.T) {
	res, _ := serve(t, &fault.Error{Kind: fault.Unavailable, RetryAfter: 1500 * time.Millisecond})
	if got := res.Header.Get("Retry-After"); got != "2" {
		t.Errorf("Retry-After = %q, want 2", got)
	}
}

func TestPanicIsAnsweredAsInternal(t *testing.T) {
	w := httptest.NewRecorder()
	problem.Handler(func(http.ResponseWriter, *http.Request) error { panic("password=hunter2") }).
		ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "hunter2") {
		t.Errorf("status %d, body %s", w.Code, w.Body)
	}
}

func TestUnknownPathsAndMethodsAreProblems(t *testing.T) {
	for want, h := range map[int]http.Handler{http.StatusNotFound: problem.NotFound, http.StatusMethodNotAllowed: problem.MethodNotAllowed} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
		if w.Code != want || w.Header().Get("Content-Type") != problem.ContentType {
			t.Errorf("status %d, content type %q; want %d", w.Code, w.Header().Get("Content-Type"), want)
		}
	}
}

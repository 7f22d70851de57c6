package admin

import (
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/contoso/orders/local/servicebus/queue"
)

// A failure is an error with its answer.
type failure struct {
	status int
	detail string
}

func (f *failure) Error() string { return f.detail }

func fail(status int, format string, args ...any) error {
	return &failure{status, fmt.Sprintf(format, args...)}
}

func invalid(format string, args ...any) error {
	return fail(http.StatusBadRequest, "SubCode=40000. Bad Request. "+format, args...)
}

// failed gives the broker's errors about a queue their answers. Nil stays nil.
func failed(err error, path string) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, queue.ErrNotFound):
		return fail(http.StatusNotFound, "SubCode=40400. Not Found. There is no queue %q.%s", path, hint(path))
	case errors.Is(err, queue.ErrExists):
		return fail(http.StatusConflict, "SubCode=40900. Conflict. %v", err)
	case errors.Is(err, queue.ErrInvalid):
		return invalid("%v", err)
	case errors.Is(err, queue.ErrClosed):
		return fail(http.StatusServiceUnavailable, "The broker is closing: %v", err)
	}
	return fail(http.StatusInternalServerError, "SubCode=50000. Internal Server Error. %s: %v", path, err)
}

// hint says what may have been looked for in vain.
func hint(path string) string {
	if strings.Contains(strings.ToLower(path)+"/", "/subscriptions/") {
		return " And " + noTopics + "."
	}
	return ""
}

type errorBody struct {
	XMLName xml.Name `xml:"Error"`
	Code    int
	Detail  string
}

// refusal is the answer for an error, which is a failure.
func refusal(r *http.Request, err error) answer {
	status := http.StatusInternalServerError
	var f *failure
	if errors.As(err, &f) {
		status = f.status
	}
	detail := fmt.Sprintf("%s TrackingId:%s_G0, SystemTracker:%s:%s, Timestamp:%s", err.Error(), uuid.NewString(),
		r.Host, strings.Trim(r.URL.Path, "/"), time.Now().UTC().Format("2006-01-02T15:04:05"))
	return answer{status, "application/xml; charset=utf-8", errorBody{Code: status, Detail: strings.ToValidUTF8(detail, "?")}}
}

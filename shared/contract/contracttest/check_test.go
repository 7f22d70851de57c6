package contracttest

import (
	"net/http"
	"strings"
	"testing"
)

const (
	id       = "5f1d7a84-2b3c-8e10-9c4d-0a1b2c3d4e5f"
	accepted = `{"correlationId":"` + id + `","status":"accepted","statusUrl":"/v1/orders/` + id + `"}`
	missing  = `{"type":"urn:contoso:orders:problem:not-found","title":"Not found","status":404}`
)

// taken is a good answer to POST /v1/orders, with headers in pairs changed; ""
// removes one.
func taken(status int, headers ...string) *http.Response {
	h := http.Header{
		"Location": {"/v1/orders/" + id}, "Retry-After": {"1"}, "Cache-Control": {"no-store"}, "Content-Type": {"application/json"}, "Date": {"now"},
	}
	for i := 0; i < len(headers); i += 2 {
		if h.Set(headers[i], headers[i+1]); headers[i+1] == "" {
			h.Del(headers[i])
		}
	}
	return &http.Response{StatusCode: status, Header: h}
}

func TestAnswerThatIsInTheContractPasses(t *testing.T) {
	Check(t, http.MethodPost, "/v1/orders", taken(http.StatusAccepted), []byte(accepted))
}

func TestAnswerThatIsNotInTheContractFails(t *testing.T) {
	for name, tc := range map[string]struct {
		method, path string
		res          *http.Response
		body, want   string
	}{
		"status code":      {"POST", "/v1/orders", taken(201), accepted, "no such status code"},
		"new header":       {"POST", "/v1/orders", taken(202, "X-Trace", "1"), accepted, "X-Trace"},
		"no header":        {"POST", "/v1/orders", taken(202, "Location", ""), accepted, "Location is missing"},
		"header not valid": {"POST", "/v1/orders", taken(202, "Location", "/elsewhere"), accepted, "Location"},
		"header no number": {"POST", "/v1/orders", taken(202, "Retry-After", "soon"), accepted, "Retry-After"},
		"header too small": {"POST", "/v1/orders", taken(202, "Retry-After", "0"), accepted, "Retry-After"},
		"content type":     {"POST", "/v1/orders", taken(202, "Content-Type", "text/html"), accepted, "text/html"},
		"no content type":  {"POST", "/v1/orders", taken(202, "Content-Type", ""), accepted, "content type"},
		"new member":       {"POST", "/v1/orders", taken(202), strings.Replace(accepted, "{", `{"gift":true,`, 1), "gift"},
		"no member":        {"POST", "/v1/orders", taken(202), `{}`, "missing"},
		"bad value":        {"POST", "/v1/orders", taken(202), strings.Replace(accepted, `"accepted"`, `"done"`, 1), "status"},
		"bad format":       {"POST", "/v1/orders", taken(202), strings.Replace(accepted, id, "42", 1), "correlationId"},
		"no JSON":          {"POST", "/v1/orders", taken(202), `accepted`, "invalid character"},
		"path served":      {"GET", "/v2/orders", taken(200), accepted, "neither path nor method"},
		"method served":    {"DELETE", "/v1/orders/" + id, taken(204), "", "neither path nor method"},
		"405 unexplained":  {"DELETE", "/v1/orders", taken(405), missing, "Allow"},
		"404 of no form":   {"GET", "/v2/orders", taken(404), "not found", "invalid character"},
		"body of a 304":    {"GET", "/v1/orders", notModified(), accepted, "no body"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := answer(tc.method, tc.path, tc.res, []byte(tc.body)); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error = %v, want one with %q", err, tc.want)
			}
		})
	}
}

func notModified() *http.Response {
	return &http.Response{StatusCode: http.StatusNotModified, Header: http.Header{
		"Etag": {`"x"`}, "Cache-Control": {"private, no-cache"}, "Vary": {"Authorization"},
	}}
}

func TestRefusalOfWhatIsNotInTheContractPasses(t *testing.T) {
	Check(t, http.MethodGet, "/v2/orders", taken(http.StatusNotFound), []byte(missing))
	Check(t, http.MethodGet, "/v1/orders", notModified(), nil)
}

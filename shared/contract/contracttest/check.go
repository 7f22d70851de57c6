// Package contracttest fails tests whose messages are not in the contract. It is
// for tests alone.
//
// Object schemas that are open in the contract, so that members can be added, are
// closed here: a member that the code sends has to be listed.
package contracttest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/contoso/orders/shared/contract"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// framing are the headers that any answer may have: HTTP's own, and not promises
// of an API. Content-Type is checked with the body.
var framing = []string{"Connection", "Content-Length", "Content-Type", "Date", "Transfer-Encoding", "X-Content-Type-Options"}

// Check fails the test unless the answer to a request is in openapi.yaml: the
// path and method, the status code, each header and the body. A path or method
// that is not there has to be refused. Path is the request's own, without a query.
func Check(t testing.TB, method, path string, res *http.Response, body []byte) {
	t.Helper()
	if err := answer(method, path, res, body); err != nil {
		t.Errorf("%s %s: %d is against the contract: %v\n%s", method, path, res.StatusCode, err, body)
	}
}

// Validate fails the test unless a JSON text is valid under a schema, given as the
// schema's file, and a JSON Pointer in it after "#" where it is not the whole.
func Validate(t testing.TB, schema string, text []byte) {
	t.Helper()
	if err := Valid(schema, text); err != nil {
		t.Errorf("against the contract: %v\n%s", err, text)
	}
}

// Valid returns what is wrong with a JSON text under a schema, given as for
// [Validate].
func Valid(schema string, text []byte) error {
	d, err := load()
	if err != nil {
		return err
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	file, pointer, _ := strings.Cut(schema, "#")
	p, err := d.at(contract.SchemaDir+"/"+file, pointer)
	if err != nil {
		return err
	}
	return d.validate(p, value)
}

// answer is Check without a test.
func answer(method, path string, res *http.Response, body []byte) error {
	d, err := load()
	if err != nil {
		return err
	}
	operation, found, err := d.operation(method, path)
	switch {
	case err != nil:
		return err
	case !found:
		return refused(res, body)
	}
	responses, _, err := d.child(operation, "responses")
	if err != nil {
		return err
	}
	response, found, err := d.child(responses, strconv.Itoa(res.StatusCode))
	switch {
	case err != nil:
		return err
	case !found:
		return fmt.Errorf("%s has no such status code", responses)
	}
	if err := d.headers(response, res.Header); err != nil {
		return err
	}
	return d.body(response, method, res.Header.Get("Content-Type"), body)
}

// operation returns what the contract says of a method at a path.
func (d *documents) operation(method, path string) (operation place, found bool, err error) {
	paths, err := d.at(contract.OpenAPI, "/paths")
	if err != nil {
		return place{}, false, err
	}
	for _, template := range paths.members() {
		if !matches(template, path) {
			continue
		}
		item, _, err := d.child(paths, template)
		if err != nil {
			return place{}, false, err
		}
		return d.child(item, strings.ToLower(method))
	}
	return place{}, false, nil
}

// matches says whether a path is one of a template's: /v1/orders/{correlationId}.
func matches(template, path string) bool {
	want, got := strings.Split(template, "/"), strings.Split(path, "/")
	return slices.EqualFunc(want, got, func(want, got string) bool {
		return want == got || strings.HasPrefix(want, "{") && got != ""
	})
}

// refused checks the answer to what the contract does not have.
func refused(res *http.Response, body []byte) error {
	if res.StatusCode != http.StatusNotFound && res.StatusCode != http.StatusMethodNotAllowed {
		return fmt.Errorf("%s has neither path nor method, or not this one", contract.OpenAPI)
	}
	if res.StatusCode == http.StatusMethodNotAllowed && res.Header.Get("Allow") == "" {
		return errors.New("405 without Allow (RFC 9110 §15.5.6)")
	}
	return Valid("problem.json", body)
}

// headers checks those sent against those of a response: each is known and valid,
// and none that is required is missing.
func (d *documents) headers(response place, sent http.Header) error {
	known, _, err := d.child(response, "headers")
	if err != nil {
		return err
	}
	listed := map[string]bool{}
	for _, name := range known.members() {
		listed[http.CanonicalHeaderKey(name)] = true
		header, _, err := d.child(known, name)
		if err != nil {
			return err
		}
		values := sent.Values(name)
		if len(values) == 0 {
			if object, _ := header.node.(map[string]any); object["required"] == true {
				return fmt.Errorf("header %s is missing", name)
			}
			continue
		}
		if err := d.header(header, strings.Join(values, ", ")); err != nil {
			return fmt.Errorf("header %s: %w", name, err)
		}
	}
	for name := range sent {
		if !listed[name] && !slices.Contains(framing, name) {
			return fmt.Errorf("header %s is not in %s", name, response)
		}
	}
	return nil
}

// header checks a value against its schema, as the type that the schema asks for.
func (d *documents) header(header place, text string) error {
	schema, found, err := d.child(header, "schema")
	switch {
	case err != nil:
		return err
	case !found:
		return fmt.Errorf("%s has no schema", header)
	}
	var value any = text
	if object, _ := schema.node.(map[string]any); object["type"] == "integer" {
		value = json.Number(text)
		if _, err := strconv.ParseInt(text, 10, 64); err != nil {
			return err
		}
	}
	return d.validate(schema, value)
}

// body checks the content type of an answer, and the body where it is JSON.
func (d *documents) body(response place, method, contentType string, body []byte) error {
	content, found, err := d.child(response, "content")
	switch {
	case err != nil:
		return err
	case !found && len(body) > 0:
		return fmt.Errorf("%s has no body", response)
	case !found:
		return nil
	}
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return fmt.Errorf("content type %q: %w", contentType, err)
	}
	kind, found, err := d.child(content, media)
	switch {
	case err != nil:
		return err
	case !found:
		return fmt.Errorf("%s has no %s", content, media)
	}
	if method == http.MethodHead { // as GET, and no body (RFC 9110 §9.3.2)
		return nil
	}
	schema, _, err := d.child(kind, "schema")
	if err != nil {
		return err
	}
	if !strings.HasSuffix(media, "json") {
		return d.validate(schema, string(body))
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return err
	}
	return d.validate(schema, value)
}

package contracttest

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/contoso/orders/shared/contract"
)

// Members fails the test unless the struct v and a schema, given as for
// [Validate], have the same members, at every depth, and the schema requires none
// that v may leave out. So a new field fails until it is in the contract, and a
// member of the contract that nothing sends fails too.
func Members(t testing.TB, schema string, v any) {
	t.Helper()
	d, err := load()
	if err != nil {
		t.Fatal(err)
	}
	file, pointer, _ := strings.Cut(schema, "#")
	p, err := d.at(contract.SchemaDir+"/"+file, pointer)
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range d.compare(p, reflect.TypeOf(v)) {
		t.Error(err)
	}
}

var (
	jsonMarshaler = reflect.TypeFor[json.Marshaler]()
	textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()
)

// compare returns how a schema and a type differ.
func (d *documents) compare(p place, typ reflect.Type) (differences []error) {
	switch {
	case typ.Implements(jsonMarshaler) || typ.Implements(textMarshaler): // its own form, for the goldens to show
		return nil
	case typ.Kind() == reflect.Pointer:
		return d.compare(p, typ.Elem())
	case typ.Kind() == reflect.Slice:
		items, found, err := d.child(p, "items")
		if err != nil || !found {
			return []error{fmt.Errorf("%s has no items: %v", p, err)}
		}
		return d.compare(items, typ.Elem())
	case typ.Kind() != reflect.Struct:
		return nil
	}
	properties, _, err := d.child(p, "properties")
	if err != nil {
		return []error{err}
	}
	required, _ := p.node.(map[string]any)["required"].([]any)
	sent := map[string]bool{}
	for field := range typ.Fields() {
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "" || name == "-" {
			continue
		}
		sent[name] = true
		member, found, err := d.child(properties, name)
		switch {
		case err != nil:
			differences = append(differences, err)
			continue
		case !found:
			differences = append(differences, fmt.Errorf("%s lacks %s, which %s has", p, name, typ))
			continue
		case strings.HasPrefix(options, "omit") && slices.Contains(required, any(name)):
			differences = append(differences, fmt.Errorf("%s requires %s, which %s may leave out", p, name, typ))
		}
		differences = append(differences, d.compare(member, field.Type)...)
	}
	for _, name := range properties.members() {
		if !sent[name] {
			differences = append(differences, fmt.Errorf("%s has %s, which %s lacks", p, name, typ))
		}
	}
	return differences
}

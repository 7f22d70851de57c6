package contracttest

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/contoso/orders/shared/contract"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// specification compiles a schema under testdata.
func specification(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(name, ".gz") {
		r, err := gzip.NewReader(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		if raw, err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	tree, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("specification:///"+name, tree); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("specification:///" + name)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func TestDocumentsAreWhatTheirSpecificationsSay(t *testing.T) {
	for document, by := range map[string]string{contract.OpenAPI: "openapi-3.1.json", contract.AsyncAPI: "asyncapi-3.0.0.json.gz"} {
		tree, err := Tree(document)
		if err != nil {
			t.Fatal(err)
		}
		schema := specification(t, by)
		if err := schema.Validate(tree); err != nil {
			t.Errorf("%s: %v", document, err)
		}
		object := tree.(map[string]any)
		object["colour"] = "red"
		if schema.Validate(tree) == nil {
			t.Errorf("%s checks nothing: it takes a member that is not allowed", by)
		}
	}
}

// walk calls visit with every node of every document, except what examples hold.
func walk(t *testing.T, visit func(d *documents, p place)) {
	t.Helper()
	d, err := load()
	if err != nil {
		t.Fatal(err)
	}
	var in func(p place)
	in = func(p place) {
		visit(d, p)
		switch n := p.node.(type) {
		case map[string]any:
			for name, child := range n {
				if name != "examples" && name != "example" {
					in(place{p.document, p.pointer + "/" + escape.Replace(name), child})
				}
			}
		case []any:
			for i, child := range n {
				in(place{p.document, p.pointer + "/" + strconv.Itoa(i), child})
			}
		}
	}
	for document, tree := range d.trees {
		in(place{document: document, node: tree})
	}
}

func TestEveryReferenceResolves(t *testing.T) {
	n := 0
	walk(t, func(d *documents, p place) {
		object, _ := p.node.(map[string]any)
		if _, ok := object["$ref"].(string); !ok {
			return
		}
		n++
		if _, err := d.follow(p); err != nil {
			t.Error(err)
		}
	})
	if n < 100 {
		t.Errorf("%d references were looked at", n)
	}
}

// isSchema says whether p is a schema: a whole file, one of its definitions, or
// the schema of a body, header, parameter or message.
func isSchema(p place) bool {
	parent := p.pointer[:max(strings.LastIndex(p.pointer, "/"), 0)]
	if strings.HasPrefix(p.document, contract.SchemaDir+"/") {
		return p.pointer == "" || strings.HasSuffix(parent, "/$defs")
	}
	return strings.HasSuffix(p.pointer, "/schema")
}

// A schema that breaks the rules of 2020-12 does not compile.
func TestEverySchemaCompiles(t *testing.T) {
	n := 0
	walk(t, func(d *documents, p place) {
		if !isSchema(p) {
			return
		}
		n++
		if _, err := d.compiler.Compile(p.url()); err != nil {
			t.Errorf("%s: %v", p, err)
		}
	})
	if n < 50 {
		t.Errorf("%d schemas were looked at", n)
	}
}

func TestEveryExampleIsValid(t *testing.T) {
	n := 0
	check := func(d *documents, schema place, example any) {
		t.Helper()
		n++
		if err := d.validate(schema, example); err != nil {
			t.Errorf("example of %s: %v", schema, err)
		}
	}
	walk(t, func(d *documents, p place) {
		object, _ := p.node.(map[string]any)
		if list, ok := object["examples"].([]any); ok && isSchema(p) {
			for _, example := range list {
				check(d, p, example)
			}
		}
		schema, ok := object["schema"]
		if !ok {
			return
		}
		at := place{p.document, p.pointer + "/schema", schema}
		if example, ok := object["example"]; ok {
			check(d, at, example)
		}
		named, _ := object["examples"].(map[string]any)
		for _, example := range named {
			check(d, at, example.(map[string]any)["value"])
		}
	})
	if n < 40 {
		t.Errorf("%d examples were looked at", n)
	}
}

func TestEveryBodyHasAnExample(t *testing.T) {
	walk(t, func(_ *documents, p place) {
		object, _ := p.node.(map[string]any)
		content, _ := object["content"].(map[string]any)
		for media, kind := range content {
			kind := kind.(map[string]any)
			if kind["example"] == nil && kind["examples"] == nil {
				t.Errorf("%s, %s: no example", p, media)
			}
		}
	})
}

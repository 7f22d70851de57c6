package contracttest

import (
	"bytes"
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"strings"
	"sync"

	"github.com/contoso/orders/shared/contract"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"sigs.k8s.io/yaml"
)

// base is where the documents stand for the compiler. Nothing is fetched from it.
const base = "contract:///"

// documents are those of the contract, ready to validate against.
type documents struct {
	mu       sync.Mutex // the compiler is not safe for concurrent use
	compiler *jsonschema.Compiler
	trees    map[string]any // by path; as the compiler sees them
}

// load reads the contract once for all tests of a binary.
var load = sync.OnceValues(func() (*documents, error) {
	d := &documents{compiler: jsonschema.NewCompiler(), trees: map[string]any{}}
	d.compiler.DefaultDraft(jsonschema.Draft2020)
	d.compiler.AssertFormat()
	err := fs.WalkDir(contract.Files, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		tree, err := Tree(name)
		if err != nil {
			return err
		}
		tighten(tree)
		d.trees[name] = tree
		return d.compiler.AddResource(base+name, tree)
	})
	return d, err
})

// Tree returns a document of the contract as [jsonschema.UnmarshalJSON] does. A
// member that is there twice is an error.
func Tree(name string) (any, error) {
	raw, err := contract.Files.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var strict any
	if err := yaml.UnmarshalStrict(raw, &strict); err != nil { // JSON is YAML
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if raw, err = yaml.YAMLToJSON(raw); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return jsonschema.UnmarshalJSON(bytes.NewReader(raw))
}

// tighten closes every object schema that lists its members and says nothing of
// others. Conditions and refinements have no type of their own, and stay open.
func tighten(node any) {
	switch n := node.(type) {
	case map[string]any:
		_, listed := n["properties"].(map[string]any)
		_, said := n["additionalProperties"]
		if listed && !said && n["type"] == "object" {
			n["additionalProperties"] = false
		}
		for _, child := range n {
			tighten(child)
		}
	case []any:
		for _, child := range n {
			tighten(child)
		}
	}
}

// validate checks a value against the schema at p.
func (d *documents) validate(p place, value any) error {
	d.mu.Lock()
	schema, err := d.compiler.Compile(p.url())
	d.mu.Unlock()
	if err != nil {
		return err
	}
	return schema.Validate(value)
}

// place is a node of a document and where it is.
type place struct {
	document string
	pointer  string
	node     any
}

func (p place) String() string { return p.document + "#" + p.pointer }

// url is the place as the compiler names it.
func (p place) url() string {
	return base + p.document + "#" + (&url.URL{Fragment: p.pointer}).EscapedFragment()
}

// at returns a node by its document and JSON Pointer.
func (d *documents) at(document, pointer string) (place, error) {
	node, ok := d.trees[document]
	if !ok {
		return place{}, fmt.Errorf("there is no document %s", document)
	}
	for _, token := range strings.Split(pointer, "/")[1:] {
		object, isObject := node.(map[string]any)
		if node, ok = object[unescape.Replace(token)]; !isObject || !ok {
			return place{}, fmt.Errorf("%s has nothing at %s", document, pointer)
		}
	}
	return place{document: document, pointer: pointer, node: node}, nil
}

var (
	escape   = strings.NewReplacer("~", "~0", "/", "~1")
	unescape = strings.NewReplacer("~1", "/", "~0", "~")
)

// child returns a member, with a reference followed. ok is false without it.
func (d *documents) child(p place, name string) (child place, ok bool, err error) {
	object, _ := p.node.(map[string]any)
	node, ok := object[name]
	if !ok {
		return place{}, false, nil
	}
	child, err = d.follow(place{document: p.document, pointer: p.pointer + "/" + escape.Replace(name), node: node})
	return child, err == nil, err
}

// follow returns where a reference leads, and p when it is none.
func (d *documents) follow(p place) (place, error) {
	for range 8 { // deep enough, and no circle goes on for ever
		object, _ := p.node.(map[string]any)
		ref, isRef := object["$ref"].(string)
		if !isRef {
			return p, nil
		}
		file, pointer, _ := strings.Cut(ref, "#")
		if file = path.Join(path.Dir(p.document), file); strings.HasPrefix(ref, "#") {
			file = p.document
		}
		next, err := d.at(file, pointer)
		if err != nil {
			return place{}, fmt.Errorf("%s: $ref %s: %w", p, ref, err)
		}
		p = next
	}
	return place{}, fmt.Errorf("%s: references lead in a circle", p)
}

// members returns the names of an object's members.
func (p place) members() []string {
	object, _ := p.node.(map[string]any)
	names := make([]string, 0, len(object))
	for name := range object {
		names = append(names, name)
	}
	return names
}

package mssql

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/sqlc-dev/teesql/parser"
)

// node is one of a syntax tree, as Microsoft's ScriptDOM names its parts.
type node map[string]any

func parse(sql string) (node, error) {
	script, err := parser.Parse(context.Background(), strings.NewReader(sql))
	if err != nil {
		return nil, err
	}
	text, err := parser.MarshalScript(script)
	if err != nil {
		return nil, err
	}
	var root node
	return root, json.Unmarshal([]byte(text), &root)
}

func (n node) kind() string { s, _ := n["$type"].(string); return s }

func (n node) child(path ...string) node {
	for _, name := range path {
		next, _ := n[name].(map[string]any)
		n = next
	}
	return n
}

func (n node) list(name string) (nodes []node) {
	items, _ := n[name].([]any)
	for _, item := range items {
		if m, ok := item.(map[string]any); ok {
			nodes = append(nodes, m)
		}
	}
	return nodes
}

func (n node) text(path ...string) string {
	n, last := n.child(path[:len(path)-1]...), path[len(path)-1]
	s, _ := n[last].(string)
	return s
}

// children are the nodes right below, in the order of their names.
func (n node) children() (nodes []node) {
	for _, name := range slices.Sorted(maps.Keys(n)) {
		if m := n.child(name); m != nil {
			nodes = append(nodes, m)
		}
		nodes = append(nodes, n.list(name)...)
	}
	return nodes
}

// find returns the nodes of a kind, itself and those at any depth.
func (n node) find(kind string) (found []node) {
	if n.kind() == kind {
		found = append(found, n)
	}
	for _, child := range n.children() {
		found = append(found, child.find(kind)...)
	}
	return found
}

// column is how a table declares one.
type column struct {
	dataType  string // as DECIMAL(19,4)
	collation string
	required  bool // NOT NULL, and neither IDENTITY nor DEFAULT
}

type table map[string]column

func dataType(n node) string {
	var sizes []string
	for _, p := range n.list("Parameters") {
		sizes = append(sizes, p.text("Value"))
	}
	name := strings.ToUpper(n.text("Name", "BaseIdentifier", "Value"))
	if len(sizes) == 0 {
		return name
	}
	return name + "(" + strings.Join(sizes, ",") + ")"
}

// tableOf reads a TableDefinition.
func tableOf(definition node) table {
	t := table{}
	for _, c := range definition.list("ColumnDefinitions") {
		isRequired := c.child("IdentityOptions") == nil && c.child("DefaultConstraint") == nil
		for _, constraint := range c.list("Constraints") {
			isRequired = isRequired && constraint["Nullable"] != true
		}
		t[c.text("ColumnIdentifier", "Value")] = column{
			dataType: dataType(c.child("DataType")), collation: c.text("Collation", "Value"), required: isRequired,
		}
	}
	return t
}

// objectName is schema.name, or name.
func objectName(n node) string {
	name := n.text("BaseIdentifier", "Value")
	if schema := n.text("SchemaIdentifier", "Value"); schema != "" {
		return schema + "." + name
	}
	return name
}

// schemaOf reads what migrations create, and adds what others do.
func schemaOf(migrations []node) map[string]table {
	schema := map[string]table{
		"sys.databases":        {"name": {}, "is_read_committed_snapshot_on": {}, "compatibility_level": {}},
		"dbo.goose_db_version": {"version_id": {}, "is_applied": {}},
	}
	for _, m := range migrations {
		for _, create := range m.find("CreateTableStatement") {
			schema[objectName(create.child("SchemaObjectName"))] = tableOf(create.child("Definition"))
		}
	}
	return schema
}

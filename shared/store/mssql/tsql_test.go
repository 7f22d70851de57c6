package mssql

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// scope is which tables a part of a text may name, and how.
type scope struct {
	outer   *scope
	aliases map[string]table
}

func (s *scope) find(alias string) (table, bool) {
	for ; s != nil; s = s.outer {
		if t, ok := s.aliases[alias]; ok {
			return t, true
		}
	}
	return nil, false
}

// checker looks at one text and notes what is wrong with it.
type checker struct {
	schema    map[string]table
	variables map[string]bool  // parameters and DECLAREs, and whether each is used
	tables    map[string]table // table variables
	problems  []string
}

func (c *checker) problem(format string, args ...any) {
	c.problems = append(c.problems, fmt.Sprintf(format, args...))
}

// check returns what is wrong with the names in a text. Declared are its
// parameters, as "@name type, ...".
func check(schema map[string]table, root node, declared string) []string {
	c := &checker{schema: schema, variables: map[string]bool{}, tables: map[string]table{}}
	for parameter := range strings.SplitSeq(declared, ",") {
		if name, _, ok := strings.Cut(parameter, " "); ok {
			c.variables[name] = false
		}
	}
	for _, d := range root.find("DeclareVariableElement") {
		c.variables[d.text("VariableName", "Value")] = false
	}
	for _, d := range root.find("DeclareTableVariableBody") {
		name := d.text("VariableName", "Value")
		c.tables[name] = tableOf(d.child("Definition"))
		c.variables[name] = false
	}
	c.walk(root, nil)
	for _, name := range slices.Sorted(maps.Keys(c.variables)) {
		if !c.variables[name] {
			c.problem("%s is never used", name)
		}
	}
	return c.problems
}

func (c *checker) walk(n node, s *scope) {
	switch n.kind() {
	case "QuerySpecification", "UpdateSpecification", "DeleteSpecification":
		s = &scope{outer: s, aliases: map[string]table{}}
		for _, ref := range n.child("FromClause").list("TableReferences") {
			c.bring(ref, s)
		}
		if target := n.child("Target"); target != nil {
			c.target(target, s)
		}
	case "InsertSpecification":
		c.insert(n, s)
		c.outputs(n, c.tableOf(n.child("Target"), nil), s)
		c.walk(n.child("InsertSource"), s)
		return
	case "SelectStarExpression":
		c.problem("a * in place of the names of columns")
	case "OutputIntoClause":
		return // with its statement
	case "DeclareTableVariableBody", "CreateTableStatement", "CreateIndexStatement", "SchemaDeclarationItemOpenjson":
		return
	case "VariableReference":
		c.variable(n.text("Name"))
	case "ExecuteParameter": // its Variable is the procedure's
		c.walk(n.child("ParameterValue"), s)
		return
	case "FunctionCall":
		if strings.EqualFold(n.text("FunctionName", "Value"), "COUNT") {
			return
		}
	case "OrderByClause":
		c.orderBy(n, s)
		return
	case "BinaryQueryExpression":
		c.union(n)
	case "ColumnReferenceExpression":
		c.columnRef(n, s)
		return
	}
	if n.kind() == "UpdateSpecification" || n.kind() == "DeleteSpecification" {
		target, _ := s.find("")
		c.outputs(n, target, s)
		for _, set := range n.list("SetClauses") {
			name := columnName(set.child("Column"))
			if _, ok := target[name]; !ok {
				c.problem("SET %s, which is no column of the table", name)
			}
			c.walk(set.child("NewValue"), s)
		}
		for _, part := range []string{"FromClause", "WhereClause", "TopRowFilter"} {
			c.walk(n.child(part), s)
		}
		return
	}
	for _, child := range n.children() {
		c.walk(child, s)
	}
}

func (c *checker) variable(name string) {
	if _, ok := c.variables[name]; !ok {
		c.problem("%s is neither a parameter nor declared", name)
		return
	}
	c.variables[name] = true
}

// bring adds the tables of FROM to a scope.
func (c *checker) bring(ref node, s *scope) {
	switch ref.kind() {
	case "QualifiedJoin", "UnqualifiedJoin":
		c.bring(ref.child("FirstTableReference"), s)
		c.bring(ref.child("SecondTableReference"), s)
	default:
		alias := ref.text("Alias", "Value")
		if alias == "" {
			alias = objectName(ref.child("SchemaObject"))
		}
		s.aliases[alias] = c.tableOf(ref, s)
	}
}

// tableOf returns the table that a reference names.
func (c *checker) tableOf(ref node, s *scope) table {
	switch ref.kind() {
	case "VariableTableReference":
		name := ref.text("Variable", "Name")
		c.variable(name)
		t, ok := c.tables[name]
		if !ok {
			c.problem("%s is no table", name)
		}
		return t
	case "OpenJsonTableReference":
		t := table{}
		for _, item := range ref.list("SchemaDeclarationItems") {
			t[item.text("ColumnDefinition", "ColumnIdentifier", "Value")] = column{}
		}
		return t
	case "NamedTableReference":
		name := objectName(ref.child("SchemaObject"))
		if t, ok := s.find(name); ok {
			return t
		}
		t, ok := c.schema[name]
		if !ok {
			c.problem("there is no table %s; a name says its schema", name)
		}
		return t
	}
	c.problem("a table reference of kind %s", ref.kind())
	return nil
}

// target makes the table that is changed known as "", and by its name where FROM
// has not.
func (c *checker) target(ref node, s *scope) {
	t := c.tableOf(ref, s)
	s.aliases[""] = t
}

// insert compares the columns with the values.
func (c *checker) insert(n node, s *scope) {
	t := c.tableOf(n.child("Target"), s)
	given := map[string]bool{}
	for _, ref := range n.list("Columns") {
		name := columnName(ref)
		if _, ok := t[name]; !ok {
			c.problem("INSERT into column %s, which is not there", name)
		}
		given[name] = true
	}
	for name, column := range t {
		if column.required && !given[name] {
			c.problem("INSERT without the required column %s", name)
		}
	}
	if columns, values := len(n.list("Columns")), len(n.child("InsertSource", "Select").list("SelectElements")); columns != values {
		c.problem("INSERT of %d values into %d columns", values, columns)
	}
}

// outputs checks OUTPUT ... INTO.
func (c *checker) outputs(n node, target table, s *scope) {
	out := n.child("OutputIntoClause")
	if out == nil {
		return
	}
	into := c.tableOf(out.child("IntoTable"), s)
	s = &scope{outer: s, aliases: map[string]table{"INSERTED": target, "DELETED": target}}
	columns, values := out.list("IntoTableColumns"), out.list("SelectColumns")
	if len(columns) != len(values) {
		c.problem("OUTPUT of %d values into %d columns", len(values), len(columns))
	}
	for _, ref := range columns {
		if _, ok := into[columnName(ref)]; !ok {
			c.problem("OUTPUT into column %s, which is not there", columnName(ref))
		}
	}
	for _, value := range values {
		c.walk(value, s)
	}
}

// union compares how many columns both sides have.
func (c *checker) union(n node) {
	first, second := n.child("FirstQueryExpression"), n.child("SecondQueryExpression")
	if a, b := len(first.list("SelectElements")), len(second.list("SelectElements")); a != b {
		c.problem("UNION of %d and %d columns", a, b)
	}
	names := &scope{aliases: map[string]table{"": {}}}
	for _, element := range first.list("SelectElements") {
		names.aliases[""][outputName(element)] = column{}
	}
	c.walk(n.child("OrderByClause"), names)
	delete(n, "OrderByClause")
}

func outputName(element node) string {
	if name := element.text("ColumnName", "Value"); name != "" {
		return name
	}
	return columnName(element.child("Expression"))
}

// orderBy also refuses to sort by a uniqueidentifier.
func (c *checker) orderBy(n node, s *scope) {
	for _, ref := range n.find("ColumnReferenceExpression") {
		if t := c.columnRef(ref, s); t.dataType == "UNIQUEIDENTIFIER" {
			c.problem("ORDER BY %s, whose last six bytes sort first", columnName(ref))
		}
	}
}

func columnName(ref node) string {
	parts := ref.child("MultiPartIdentifier").list("Identifiers")
	if len(parts) == 0 {
		return ""
	}
	return parts[len(parts)-1].text("Value")
}

func (c *checker) columnRef(ref node, s *scope) column {
	if ref.text("ColumnType") != "Regular" {
		c.problem("a %s in place of the names of columns", ref.text("ColumnType"))
		return column{}
	}
	parts := ref.child("MultiPartIdentifier").list("Identifiers")
	var alias string
	switch len(parts) {
	case 1: // of the table that is changed, or of a UNION's result
	case 2:
		alias = parts[0].text("Value")
	default:
		c.problem("a column with %d parts to its name", len(parts))
		return column{}
	}
	t, ok := s.find(alias)
	if !ok {
		c.problem("no table is called %q here, for column %s", alias, columnName(ref))
		return column{}
	}
	col, ok := t[columnName(ref)]
	if !ok {
		c.problem("%s.%s is not there", alias, columnName(ref))
	}
	return col
}

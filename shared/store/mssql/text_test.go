package mssql

import (
	"go/ast"
	goparser "go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/contoso/orders/shared/store"
	"github.com/contoso/orders/shared/store/internal/batch"
	"github.com/contoso/orders/shared/store/storetest"
	"github.com/google/go-cmp/cmp"
)

// Texts are all the T-SQL of the program, with the parameters that the driver
// declares for each; the wire tests compare those with what it does declare.
var Texts = map[string]struct{ SQL, Declared string }{
	"assertSQL": {assertSQL, "@table nvarchar(20)"},
	"pingSQL":   {pingSQL, "@after bigint"},
	"saveSQL":   {saveSQL, "@batch nvarchar(max)"},
	"getSQL":    {getSQL, "@customer varchar(22),@nonce bigint"},
	"listSQL":   {listSQL, "@customer varchar(22),@before bigint,@limit bigint"},
	"purgeSQL":  {purgeSQL, "@cutoff varchar(23),@limit bigint"},
	"eraseSQL":  {eraseSQL, "@customer varchar(22),@limit bigint"},
	"lockSQL":   {lockSQL, "@resource varchar(14),@wait bigint"},
	"unlockSQL": {unlockSQL, "@resource varchar(14)"},
}

// allowed are the kinds of statements in them. The parser takes leftover words for
// labels, so what is not here is most likely a mistake in writing.
var allowed = map[string]bool{
	"PredicateSetStatement": true, "SetCommandStatement": true, "SetVariableStatement": true,
	"DeclareVariableStatement": true, "DeclareTableVariableStatement": true,
	"SelectStatement": true, "InsertStatement": true, "UpdateStatement": true, "DeleteStatement": true,
	"BeginTransactionStatement": true, "CommitTransactionStatement": true, "RollbackTransactionStatement": true,
	"IfStatement": true, "WhileStatement": true, "BeginEndBlockStatement": true, "TryCatchStatement": true, "ThrowStatement": true,
	"ExecuteStatement": true,
}

var allowedInMigrations = map[string]bool{"CreateTableStatement": true, "CreateIndexStatement": true}

func parsed(t *testing.T, sql string) node {
	t.Helper()
	root, err := parse(sql)
	if err != nil {
		t.Fatalf("%v in\n%s", err, sql)
	}
	return root
}

// statements are those of all depths.
func statements(n node) (found []node) {
	if strings.HasSuffix(n.kind(), "Statement") {
		found = append(found, n)
	}
	for _, child := range n.children() {
		found = append(found, statements(child)...)
	}
	return found
}

func migrations(t *testing.T) (roots []node) {
	t.Helper()
	names, err := fs.Glob(files, "migrations/*.sql")
	if err != nil || len(names) == 0 {
		t.Fatalf("migrations %v, error %v", names, err)
	}
	for _, name := range names {
		text, err := files.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		_, up, ok := strings.Cut(string(text), "-- +goose Up")
		if !ok || strings.Contains(up, "+goose Down") {
			t.Errorf("%s must go up, and only up", name)
		}
		roots = append(roots, parsed(t, up))
	}
	return roots
}

func TestEveryTextIsKnownToTheseTestsAndReadToItsEnd(t *testing.T) {
	looksLikeSQL := regexp.MustCompile(`(?s)^\s*(SET|DECLARE|SELECT|INSERT|UPDATE|DELETE|EXEC|CREATE|ALTER|DROP|MERGE|WITH|IF)\s.*`)
	found := map[string]bool{}
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := goparser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ValueSpec:
				if name := n.Names[0].Name; strings.HasSuffix(name, "SQL") {
					found[name] = true
					return false
				}
			case *ast.SelectorExpr:
				if slices.Contains([]string{"GetContext", "QueryRow", "QueryRowContext", "QueryRowx", "QueryRowxContext"}, n.Sel.Name) {
					t.Errorf("%s: %s leaves the end of an answer unread, and the driver may cancel it", name, n.Sel.Name)
				}
			case *ast.BasicLit:
				if text, _ := strconv.Unquote(n.Value); n.Kind == token.STRING && looksLikeSQL.MatchString(text) {
					t.Errorf("%s: a text that is no constant called ...SQL: %s", name, n.Value)
				}
			}
			return true
		})
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(Texts)), slices.Sorted(maps.Keys(found))); diff != "" {
		t.Errorf("texts (-tested +written):\n%s", diff)
	}
}

func TestEveryNameIsInTheSchema(t *testing.T) {
	schema := schemaOf(migrations(t))
	for name, text := range Texts {
		for _, problem := range check(schema, parsed(t, text.SQL), text.Declared) {
			t.Errorf("%s: %s", name, problem)
		}
	}
}

func TestWrongNamesAreSeen(t *testing.T) {
	schema := schemaOf(migrations(t))
	for says, sql := range map[string]string{
		"no table dbo.order_line":         `SELECT o.OrderId FROM dbo.order_line AS o WHERE o.OrderId = @p`,
		"no table orders":                 `SELECT o.OrderId FROM orders AS o WHERE o.OrderId = @p`,
		"o.Id is not there":               `SELECT o.Id FROM dbo.orders AS o WHERE o.OrderId = @p`,
		`no table is called "x"`:          `SELECT o.OrderId FROM dbo.orders AS o WHERE x.OrderId = @p`,
		`no table is called ""`:           `SELECT OrderId FROM dbo.orders AS o WHERE o.OrderId = @p`,
		"@q is neither":                   `SELECT o.OrderId FROM dbo.orders AS o WHERE o.OrderId = @p + @q`,
		"@p is never used":                `SELECT o.OrderId FROM dbo.orders AS o`,
		"l.Foo is not there":              `SELECT 1 FROM dbo.orders AS o WHERE EXISTS (SELECT 1 FROM dbo.order_lines AS l WHERE l.Foo = o.OrderId + @p)`,
		"a * in place":                    `SELECT * FROM dbo.orders AS o WHERE o.OrderId = @p`,
		"whose last six bytes":            `SELECT o.OrderId FROM dbo.orders AS o WHERE o.OrderId = @p ORDER BY o.CorrelationId`,
		"required column UnitPrice":       `INSERT INTO dbo.order_lines (OrderId, LineNumber, Sku, Quantity) SELECT @p, 1, '', 1`,
		"INSERT of 1 values into 3":       `INSERT INTO dbo.order_tombstones (Customer, Nonce, PurgedAt) SELECT @p`,
		"column Foo, which is not there":  `INSERT INTO dbo.order_tombstones (Customer, Nonce, Foo) SELECT '', @p, 2`,
		"SET Foo, which is no column":     `UPDATE o SET Foo = @p FROM dbo.orders AS o`,
		"UNION of 1 and 2":                `SELECT o.Nonce FROM dbo.orders AS o UNION ALL SELECT @p, 2`,
		"INSERTED.Foo is not there":       `DECLARE @t TABLE (A INT NULL); UPDATE o SET Revision = @p OUTPUT INSERTED.Foo INTO @t (A) FROM dbo.orders AS o`,
		"OUTPUT into column B":            `DECLARE @t TABLE (A INT NULL); UPDATE o SET Revision = @p OUTPUT INSERTED.Nonce INTO @t (B) FROM dbo.orders AS o`,
		"@t.B is not there":               `DECLARE @t TABLE (A INT NULL); SELECT [@t].B FROM @t AS [@t] WHERE [@t].A = @p`,
		"a column with 3 parts":           `SELECT dbo.orders.OrderId FROM dbo.orders WHERE dbo.orders.Nonce = @p`,
		"a table reference of kind Query": `SELECT x.Y FROM (SELECT 1 AS Y) AS x WHERE x.Y = @p`,
	} {
		problems := check(schema, parsed(t, sql), "@p bigint")
		if !slices.ContainsFunc(problems, func(p string) bool { return strings.Contains(p, says) }) {
			t.Errorf("%s\nproblems %q, want %q", sql, problems, says)
		}
	}
}

func TestOnlyExpectedStatementsAreUsed(t *testing.T) {
	for name, text := range Texts {
		for _, s := range statements(parsed(t, text.SQL)) {
			if !allowed[s.kind()] {
				t.Errorf("%s has a %s", name, s.kind())
			}
		}
	}
	for _, m := range migrations(t) {
		for _, s := range statements(m) {
			if !allowedInMigrations[s.kind()] {
				t.Errorf("a migration has a %s", s.kind())
			}
		}
	}
	leftover := parsed(t, `SELECT 1 FROM dbo.orders AS o WHERE o.OrderId = @p garbage: `)
	if slices.IndexFunc(statements(leftover), func(s node) bool { return !allowed[s.kind()] }) < 0 {
		t.Error("leftover words are not seen")
	}
}

// answers reports whether a statement returns a result set.
func answers(s node) bool {
	query := s.child("QueryExpression")
	return s.kind() == "SelectStatement" && len(query.find("SelectSetVariable")) == 0
}

func TestEveryTextHasOneResultSetAndItIsLast(t *testing.T) {
	for name, text := range Texts {
		root := parsed(t, text.SQL)
		var n int
		for _, s := range statements(root) {
			if answers(s) {
				n++
			}
		}
		top := root.list("Batches")[0].list("Statements")
		if n != 1 || !answers(top[len(top)-1]) || len(root.list("Batches")) != 1 {
			t.Errorf("%s has %d result sets, want one, and as its last statement", name, n)
		}
	}
}

func TestEveryTextHasAParameter(t *testing.T) {
	for name, text := range Texts {
		if !strings.HasPrefix(text.Declared, "@") {
			t.Errorf("%s has none: an error in it would hang the next call (go-mssqldb issue 407)", name)
		}
	}
}

// settings returns what the SET statements at the start of a text turn on.
func settings(root node) map[string]bool {
	on := map[string]bool{}
	for _, s := range root.list("Batches")[0].list("Statements") {
		switch s.kind() {
		case "PredicateSetStatement":
			on[s.text("Options")] = s["IsOn"] == true
		case "SetCommandStatement":
			for _, command := range s.list("Commands") {
				on[command.text("CommandType")] = true
			}
		default:
			return on
		}
	}
	return on
}

func TestScriptsThatWriteAbortAsAWholeAndWaitForLocksOnlySoLong(t *testing.T) {
	for name, text := range Texts {
		root := parsed(t, text.SQL)
		on, kinds := settings(root), map[string]bool{}
		for _, s := range statements(root) {
			kinds[s.kind()] = true
		}
		if kinds["BeginTransactionStatement"] != (kinds["UpdateStatement"] || kinds["DeleteStatement"] || kinds["InsertStatement"]) {
			t.Errorf("%s writes outside a transaction, or begins one to read", name)
		}
		if kinds["BeginTransactionStatement"] && (!on["XactAbort"] || !on["LockTimeout"] || !kinds["CommitTransactionStatement"]) {
			t.Errorf("%s: XACT_ABORT, LOCK_TIMEOUT or COMMIT is missing; it has %v", name, on)
		}
		if len(root.list("Batches")[0].list("Statements")) > 1 && !on["NoCount"] {
			t.Errorf("%s sends counts of rows: NOCOUNT is missing", name)
		}
	}
}

func TestNoTextLocksRangesOrReadsWhatIsNotCommitted(t *testing.T) {
	for name, text := range Texts {
		root := parsed(t, text.SQL)
		for _, hint := range root.find("TableHint") {
			if kind := hint.text("HintKind"); !slices.Contains([]string{"UpdLock", "Rowlock", "ReadPast"}, kind) {
				t.Errorf("%s has the hint %s", name, kind)
			}
		}
	}
	// MERGE and SET TRANSACTION ISOLATION LEVEL are not among the allowed statements.
	for _, sql := range []string{
		`MERGE dbo.orders WITH (HOLDLOCK) AS o USING dbo.order_tombstones AS i ON o.Nonce = i.Nonce WHEN NOT MATCHED THEN INSERT (Nonce) VALUES (i.Nonce);`,
		`SET TRANSACTION ISOLATION LEVEL SERIALIZABLE;`,
	} {
		root, err := parse(sql)
		if s := statements(root); err == nil && (len(s) == 0 || allowed[s[0].kind()]) {
			t.Errorf("%s would pass", sql)
		}
	}
}

func TestOnlyTheLocksAreExecuted(t *testing.T) {
	want := map[string]string{"lockSQL": "sp_getapplock", "unlockSQL": "sp_releaseapplock"}
	for name, text := range Texts {
		for _, e := range parsed(t, text.SQL).find("ExecuteStatement") {
			names := e.find("ProcedureReference")
			if len(names) != 1 || objectName(names[0].child("Name")) != want[name] {
				t.Errorf("%s executes something", name)
			}
			if e.child("ExecuteSpecification", "Variable") == nil {
				t.Errorf("%s drops the return code, which is all that tells whether the lock was given", name)
			}
		}
	}
}

func TestDuplicateKeyIsTriedAgainInTheScript(t *testing.T) {
	root := parsed(t, saveSQL)
	catch := root.find("TryCatchStatement")
	if len(catch) != 1 {
		t.Fatalf("%d TRY", len(catch))
	}
	var numbers []string
	for _, in := range catch[0].child("CatchStatements").find("InPredicate") {
		for _, value := range in.list("Values") {
			numbers = append(numbers, value.text("Value"))
		}
	}
	if diff := cmp.Diff([]string{"2601", "2627"}, numbers); diff != "" || len(catch[0].child("CatchStatements").find("ThrowStatement")) != 1 {
		t.Errorf("errors that are tried again (-want +got):\n%s", diff)
	}
}

const binary = "Latin1_General_100_BIN2"

func TestTextColumnsTellUpperFromLowerCase(t *testing.T) {
	roots := migrations(t)
	for _, text := range Texts {
		roots = append(roots, parsed(t, text.SQL))
	}
	for _, root := range roots {
		for _, definition := range root.find("TableDefinition") {
			for name, c := range tableOf(definition) {
				isText := strings.HasPrefix(c.dataType, "VARCHAR") || strings.HasPrefix(c.dataType, "CHAR")
				if isText != (c.collation == binary) {
					t.Errorf("column %s %s has collation %q", name, c.dataType, c.collation)
				}
			}
		}
	}
}

// A table variable's column must be the table's own, or a comparison converts one
// of the two, and a value may be cut.
func TestTableVariablesHaveTheTypesOfTheTables(t *testing.T) {
	columns := table{}
	for _, m := range migrations(t) {
		for _, definition := range m.find("TableDefinition") {
			maps.Copy(columns, tableOf(definition))
		}
	}
	for name, text := range Texts {
		for _, definition := range parsed(t, text.SQL).find("TableDefinition") {
			for column, c := range tableOf(definition) {
				want, ok := columns[column]
				if ok && (c.dataType != want.dataType || c.collation != want.collation) {
					t.Errorf("%s: %s is %+v, and %+v in the table", name, column, c, want)
				}
			}
		}
	}
}

func TestNothingIsKeyedOnAUniqueIdentifier(t *testing.T) {
	roots := migrations(t)
	schema := schemaOf(roots)
	for _, root := range roots {
		for _, create := range root.find("CreateTableStatement") {
			for _, key := range create.find("ColumnWithSortOrder") {
				refuseGUID(t, schema[objectName(create.child("SchemaObjectName"))], key)
			}
		}
		for _, create := range root.find("CreateIndexStatement") {
			on, ok := schema[objectName(create.child("OnName"))]
			if !ok {
				t.Errorf("an index on %s, which is not there", objectName(create.child("OnName")))
			}
			for _, key := range create.list("Columns") {
				refuseGUID(t, on, key)
			}
			for _, ref := range create.list("IncludeColumns") {
				if _, ok := on[columnName(ref)]; !ok {
					t.Errorf("an index includes %s, which is not there", columnName(ref))
				}
			}
		}
	}
}

func refuseGUID(t *testing.T, of table, key node) {
	t.Helper()
	name := columnName(key.child("Column"))
	if c, ok := of[name]; !ok || c.dataType == "UNIQUEIDENTIFIER" {
		t.Errorf("a key on %s %s", name, c.dataType)
	}
}

func TestScriptReadsWhatTheBatchWrites(t *testing.T) {
	b, err := batch.New([]store.Submission{storetest.Submission(storetest.Customer())})
	if err != nil {
		t.Fatal(err)
	}
	input, err := b.JSON()
	if err != nil {
		t.Fatal(err)
	}
	written := map[string]bool{}
	for _, m := range regexp.MustCompile(`"(\w+)":`).FindAllStringSubmatch(input, -1) {
		written[m[1]] = true
	}
	read := map[string]bool{}
	for _, item := range parsed(t, saveSQL).find("SchemaDeclarationItemOpenjson") {
		read[strings.TrimPrefix(item.text("Mapping", "Value"), "$.")] = true
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(written)), slices.Sorted(maps.Keys(read))); diff != "" {
		t.Errorf("names (-written +read):\n%s", diff)
	}
}

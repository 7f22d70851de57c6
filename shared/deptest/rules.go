// Package deptest holds the rules of who may import whom, as data, each with its
// reason. Its test reads the import graph with `go list` and names every import
// that breaks one.
package deptest

import (
	"slices"
	"strings"
)

// Module is the path of this module.
const Module = "github.com/contoso/orders"

// Rule says what packages may import, or may not.
type Rule struct {
	Name string
	// From matches the importing package, Import the imported one: a path relative
	// to the module ("shared/bus"), or a full one ("github.com/redis/go-redis"),
	// which also matches what is below it.
	From, Import []string
	// Except lists importing packages that may all the same, AllowImport imports
	// that are fine.
	Except, AllowImport []string
	// Linked also looks at what is imported indirectly. Tests are left out, except
	// where Tests is set.
	Linked, Tests bool
	Why           string
}

// Rules are the rules of this project.
var Rules = []Rule{
	{
		Name: "functions stand alone", From: []string{"functions"}, Import: []string{"functions", "keda", "local", "infra"}, Tests: true,
		Why: "each function is built, deployed and reasoned about by itself; what two need is in shared",
	},
	{
		Name: "shared packages are siblings", From: []string{"shared"}, Import: []string{"shared"},
		AllowImport: []string{"shared/fault", "shared/order", "shared/envelope", "shared/telemetry"},
		Except:      []string{"shared/bustest"},
		Why:         "a package of shared can be read, tested and replaced without the others; wiring is a main's job",
	},
	{
		Name: "shared leans on nothing of ours", From: []string{"shared"}, Import: []string{"functions", "keda", "local"},
		Why: "what everything leans on must not lean back",
	},
	{
		Name: "fault is at the bottom", From: []string{"shared/fault"}, Import: []string{"github.com", "golang.org", "go.opentelemetry.io", "k8s.io"},
		Why: "everything imports it, so whatever it imported would be everywhere",
	},
	{
		Name: "Service Bus has one owner", From: []string{"*"}, Import: []string{"github.com/Azure/azure-sdk-for-go/sdk/messaging", "github.com/Azure/go-amqp"},
		Except: []string{"shared/bus", "keda/sessionscaler"},
		Why:    "settlement, locks and retries follow one set of rules; the session scaler is for anyone, so it has its own",
	},
	{
		Name: "SQL has one owner", From: []string{"*"}, Import: []string{"github.com/jmoiron/sqlx", "github.com/microsoft/go-mssqldb", "modernc.org/sqlite", "github.com/pressly/goose", "database/sql"},
		Except: []string{"shared/store"},
		Why:    "what is stored, and how, is known in one place",
	},
	{
		Name: "Redis has one owner", From: []string{"*"}, Import: []string{"github.com/redis/go-redis"}, Except: []string{"shared/registry"},
		Why: "keys, scripts and time to live are one format, described once",
	},
	{
		Name: "WebSockets have one owner", From: []string{"*"}, Import: []string{"github.com/olahol/melody", "github.com/gorilla/websocket"}, Except: []string{"functions/ws-hub"},
		Why: "the hub's protocol layer is ours, and in one place",
	},
	{
		Name: "routing is the HTTP functions' own", From: []string{"*"}, Import: []string{"github.com/julienschmidt/httprouter"}, Except: []string{"functions"},
		Why: "shared serves handlers and does not know their paths",
	},
	{
		Name: "JWT has one owner", From: []string{"*"}, Import: []string{"github.com/golang-jwt/jwt", "github.com/MicahParks"}, Except: []string{"shared/identity", "local/idp"},
		Why: "how a token is checked is decided once",
	},
	{
		Name: "Kubernetes stays at the edge of the tree", From: []string{"*"}, Import: []string{"github.com/kedacore/keda", "k8s.io", "sigs.k8s.io/controller-runtime"},
		Except: []string{"keda", "infra", "local/scale"},
		Why:    "it is some 475 packages; only what reads manifests or speaks KEDA's protocol needs it",
	},
	{
		Name: "local starts functions, and never links them", From: []string{"local"}, Import: []string{"functions"}, Tests: true,
		Why: "a laptop must run the binaries that production runs",
	},
	{
		Name: "the local broker shares no code", From: []string{"local/servicebus"}, Import: []string{"shared", "functions", "keda"}, Tests: true,
		Why: "one bug must not sit on both sides of the wire, where the tests could not see it",
	},
	{
		Name: "the session scaler is for anyone", From: []string{"keda/sessionscaler"}, Import: []string{"shared", "functions", "local"},
		Why: "it can be lifted out as it is by those who use nothing else of this project",
	},
	{
		Name: "T-SQL is parsed in tests alone", From: []string{"*"}, Import: []string{"github.com/sqlc-dev/teesql"},
		Why: "the server parses what it is sent; a second parser in production would only disagree with it",
	},
	{
		Name: "the contract is checked in tests alone", From: []string{"*"}, Import: []string{"github.com/santhosh-tekuri/jsonschema", "shared/contract/contracttest"},
		Except: []string{"shared/contract/contracttest"},
		Why:    "the code is the first to check what it takes and sends; the contract describes it, and the tests hold the two together",
	},
	{
		Name: "functions are lean", From: []string{"functions"}, Linked: true,
		Import: []string{"testing", "local", "keda", "k8s.io", "github.com/kedacore/keda", "shared/bustest", "shared/store/storetest", "shared/store/mssql/internal/tdstest", "shared/registry/registrytest", "shared/contract/contracttest", "shared/deptest"},
		Why:    "a binary in production holds nothing of tests, of laptops or of Kubernetes' machinery",
	},
}

// Package is what `go list` says of one.
type Package struct {
	ImportPath   string
	Imports      []string
	TestImports  []string
	XTestImports []string
	Deps         []string
}

// Broken is one import that breaks a rule.
type Broken struct {
	Rule          Rule
	From, Imports string
}

// Check returns every import of the packages that breaks a rule.
func Check(rules []Rule, packages []Package) []Broken {
	var broken []Broken
	for _, p := range packages {
		from := relative(p.ImportPath)
		for _, r := range rules {
			if !matchesAny(from, r.From) || matchesAny(from, r.Except) {
				continue
			}
			imports := p.Imports
			if r.Linked {
				imports = p.Deps
			}
			if r.Tests {
				imports = slices.Concat(imports, p.TestImports, p.XTestImports)
			}
			for _, i := range imports {
				to := relative(i)
				if matchesAny(to, r.Import) && !matchesAny(to, r.AllowImport) && family(to) != family(from) {
					broken = append(broken, Broken{Rule: r, From: from, Imports: to})
				}
			}
		}
	}
	return broken
}

// family is the unit inside which packages import each other freely: the first
// two elements of a path within the module, as shared/store or functions/accept.
func family(path string) string {
	parts := strings.SplitN(path, "/", 3)
	return strings.Join(parts[:min(len(parts), 2)], "/")
}

func relative(path string) string { return strings.TrimPrefix(path, Module+"/") }

func matchesAny(path string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		return pattern == "*" || path == pattern || strings.HasPrefix(path, pattern+"/")
	})
}

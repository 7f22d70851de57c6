package deptest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"testing"

	"github.com/contoso/orders/shared/deptest"
)

// list reads the module's packages.
func list(t *testing.T) []deptest.Package {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,TestImports,XTestImports,Deps", deptest.Module+"/...")
	var errOut bytes.Buffer
	cmd.Stderr = &errOut
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, errOut.String())
	}
	var packages []deptest.Package
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p deptest.Package
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}

func TestImportsFollowTheRules(t *testing.T) {
	packages := list(t)
	if len(packages) < 10 {
		t.Fatalf("go list found %d packages: the rules were checked on nothing", len(packages))
	}
	for _, b := range deptest.Check(deptest.Rules, packages) {
		t.Errorf("%s imports %s, against the rule %q: %s", b.From, b.Imports, b.Rule.Name, b.Rule.Why)
	}
}

func TestEveryRuleHasAReasonAndCanBeBroken(t *testing.T) {
	for _, r := range deptest.Rules {
		if r.Why == "" || r.Name == "" {
			t.Errorf("rule %+v has no name or no reason", r)
		}
		from := r.From[0]
		if from == "*" {
			from = "local/some"
		}
		if from == "functions" || from == "local" || from == "shared" {
			from += "/some"
		}
		for _, i := range r.Import {
			p := deptest.Package{ImportPath: deptest.Module + "/" + from, Imports: []string{i + "/other"}, Deps: []string{i + "/other"}}
			if len(deptest.Check([]deptest.Rule{r}, []deptest.Package{p})) == 0 {
				t.Errorf("rule %q lets %s import %s", r.Name, from, i)
			}
		}
	}
}

func TestExceptionsAndFamiliesMayPass(t *testing.T) {
	for _, p := range []deptest.Package{
		{ImportPath: deptest.Module + "/shared/bus/depth", Imports: []string{"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus/admin"}},
		{ImportPath: deptest.Module + "/shared/store/sqlite", Imports: []string{deptest.Module + "/shared/store", "github.com/jmoiron/sqlx"}},
		{ImportPath: deptest.Module + "/shared/bus", Imports: []string{deptest.Module + "/shared/fault"}},
	} {
		if broken := deptest.Check(deptest.Rules, []deptest.Package{p}); len(broken) > 0 {
			t.Errorf("%s: %+v", p.ImportPath, broken)
		}
	}
}

package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "holdfast"

// rule says what the packages of a tree may import besides the standard library.
// An entry that ends in "/..." stands for a tree, one that begins with our module
// for that package only, any other for a module.
type rule struct {
	tree string // one package, or a tree if it ends in "/..."
	may  []string
	why  string
}

// rules has the more particular trees first: the first that fits counts.
var rules = []rule{
	{
		"holdfast/session/wire",
		[]string{"github.com/go-json-experiment/json"},
		"the protocol is for clients in any setting: the standard library, and the JSON library that is part of it from Go 1.27 on",
	},
	{
		"holdfast/transport/netsim", nil,
		"a network for the tests of any program: the standard library only",
	},
	{
		"holdfast/transport",
		[]string{"github.com/coder/websocket", "github.com/cenkalti/backoff/v4"},
		"a socket knows bytes, never chat",
	},
	{
		"holdfast/session",
		[]string{"github.com/cenkalti/backoff/v4", "holdfast/transport", "holdfast/session/wire", "go.etcd.io/bbolt", "golang.org/x/sys"},
		"people import the client: it must not bring the server or a screen along",
	},
	{
		"holdfast/server/servertest",
		[]string{"holdfast/server", "holdfast/server/history", "holdfast/transport/netsim"},
		"a server for the tests of who imports the client or the server",
	},
	{
		"holdfast/server/history", nil,
		"a store keeps lines and knows nothing of the wire; who imports the server gets no storage engine that it did not ask for",
	},
	{
		"holdfast/server/history/historytest",
		[]string{"holdfast/server/history"},
		"what every engine must pass, whoever wrote it",
	},
	{
		"holdfast/server/history/disk",
		[]string{"holdfast/server/history", "github.com/cockroachdb/pebble/v2"},
		"an engine of its own, for those who name it",
	},
	{
		"holdfast/server",
		[]string{
			"holdfast/transport", "holdfast/session/wire", "holdfast/server/history",
			"golang.org/x/time", "github.com/prometheus/client_golang",
		},
		"the server shares the protocol with the client, never its code",
	},
	{
		"holdfast/cmd/...",
		[]string{
			"holdfast/transport", "holdfast/session", "holdfast/session/wire", "holdfast/server",
			"holdfast/server/history", "holdfast/server/history/disk", "holdfast/cmd/...", "github.com/urfave/cli/v2", "github.com/peterh/liner",
			"github.com/mattn/go-runewidth", "golang.org/x/term", "golang.org/x/sys",
		},
		"the command has all of ours but the test tools",
	},
	{"holdfast/e2e/...", []string{"..."}, "tests may use anything"},
}

// testsMay is what every test may import on top of its package's rule.
var testsMay = []string{
	"holdfast/e2e/...",
	"holdfast/server", // for the session's tests: a client is nothing without one
	"holdfast/server/history/historytest",
	"holdfast/server/servertest",
	"holdfast/transport/netsim",
	"github.com/anishathalye/porcupine",
	"github.com/coder/websocket",   // peers that behave as no client of ours would
	"github.com/creachadair/jrpc2", // a protocol that is not ours, over a Conn
	"github.com/creack/pty",
	"github.com/gorilla/websocket", // a peer from another family
	"github.com/hinshun/vt10x",
	"github.com/nats-io/nats-server/v2",
	"github.com/rogpeppe/go-internal",
	"go.uber.org/goleak",
	"golang.org/x/time",
	"pgregory.net/rapid",
}

// topLevel is all that the root of the repository holds, besides dot-files.
var topLevel = []string{"LICENSE", "README.md", "cmd", "e2e", "go.mod", "go.sum", "server", "session", "transport"}

// goPackage is what go list tells of a package.
type goPackage struct {
	ImportPath   string
	Dir          string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

// listPackages asks for ours. Packages that do not compile are listed too.
func listPackages(t *testing.T) (packages []goPackage) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=ImportPath,Dir,Imports,TestImports,XTestImports", "./...")
	cmd.Dir = ".."
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.Bytes())
	}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal("go list:", err)
		}
		packages = append(packages, p)
	}
}

func TestImports(t *testing.T) {
	packages := listPackages(t)
	if len(packages) < 5 {
		t.Fatalf("go list found only %d packages", len(packages))
	}
	for _, p := range packages {
		for _, complaint := range checkImports(p) {
			t.Error(complaint)
		}
	}
}

func TestTopLevel(t *testing.T) {
	entries, err := os.ReadDir("..")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if name := e.Name(); !isTopLevel(name) {
			t.Errorf("%s: the top level holds only %v and dot-files", name, topLevel)
		}
	}
}

func isTopLevel(name string) bool {
	return strings.HasPrefix(name, ".") || slices.Contains(topLevel, name)
}

// checkImports returns what is wrong with the direct imports of p.
func checkImports(p goPackage) (complaints []string) {
	i := slices.IndexFunc(rules, func(r rule) bool { return fits(r.tree, p.ImportPath) })
	if i < 0 {
		return []string{fmt.Sprintf("%s: no rule says what it may import; add one to rules", p.ImportPath)}
	}
	r := rules[i]
	for _, path := range p.Imports {
		if !allowed(path, r.may) {
			complaints = append(complaints, fmt.Sprintf("%s imports %s; it may import the standard library and %v: %s",
				p.ImportPath, path, r.may, r.why))
		}
	}
	may := slices.Concat(r.may, testsMay, []string{p.ImportPath})
	for _, path := range slices.Concat(p.TestImports, p.XTestImports) {
		if !allowed(path, may) {
			complaints = append(complaints, fmt.Sprintf("a test of %s imports %s; it may import the standard library and %v: %s",
				p.ImportPath, path, may, r.why))
		}
	}
	return complaints
}

func allowed(path string, may []string) bool {
	return isStandard(path) || slices.ContainsFunc(may, func(m string) bool { return fits(m, path) })
}

// isStandard relies on module paths having a dot in their first element, except ours.
func isStandard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".") && first != module && first != "C"
}

// fits reports whether the entry of a list stands for path, too.
func fits(entry, path string) bool {
	if entry == "..." || entry == path {
		return true
	}
	tree, isTree := strings.CutSuffix(entry, "/...")
	if !isTree && strings.HasPrefix(entry, module+"/") {
		return false
	}
	return path == tree || strings.HasPrefix(path, tree+"/")
}

// TestImportRulesBite plants imports that must be complained about, and some that
// must not.
func TestImportRulesBite(t *testing.T) {
	good := []goPackage{
		{ImportPath: "holdfast/session/wire", Imports: []string{"encoding/json", "github.com/go-json-experiment/json/jsontext"}, TestImports: []string{"pgregory.net/rapid"}},
		{
			ImportPath: "holdfast/server", Imports: []string{"holdfast/session/wire", "golang.org/x/time/rate"},
			XTestImports: []string{"holdfast/server", "holdfast/transport/netsim"},
		},
		{ImportPath: "holdfast/cmd/holdfast/internal/lineui", Imports: []string{"github.com/peterh/liner", "holdfast/session"}},
		{ImportPath: "holdfast/e2e/faultproxy", Imports: []string{"example.org/anything"}},
	}
	for _, p := range good {
		if complaints := checkImports(p); complaints != nil {
			t.Errorf("good imports: %q", complaints)
		}
	}
	bad := []goPackage{
		{ImportPath: "holdfast/server", Imports: []string{"holdfast/session"}},
		{ImportPath: "holdfast/server", TestImports: []string{"holdfast/session"}},
		{ImportPath: "holdfast/session", Imports: []string{"holdfast/server"}},
		{ImportPath: "holdfast/session", Imports: []string{"holdfast/server/history"}},
		{ImportPath: "holdfast/session", Imports: []string{"holdfast/transport/netsim"}},
		{ImportPath: "holdfast/session", Imports: []string{"pgregory.net/rapid"}},
		{ImportPath: "holdfast/session/wire", Imports: []string{"github.com/coder/websocket"}},
		{ImportPath: "holdfast/session", Imports: []string{"github.com/go-json-experiment/json"}},
		{ImportPath: "holdfast/server/history", Imports: []string{"holdfast/session/wire"}},
		{ImportPath: "holdfast/server/history", XTestImports: []string{"holdfast/server/history/disk"}},
		{ImportPath: "holdfast/server", XTestImports: []string{"holdfast/server/history/disk"}},
		{ImportPath: "holdfast/server/history", Imports: []string{"github.com/cockroachdb/pebble/v2"}},
		{ImportPath: "holdfast/transport", Imports: []string{"github.com/coder/websocketish"}},
		{ImportPath: "holdfast/transport", Imports: []string{"C"}},
		{ImportPath: "holdfast/transport", XTestImports: []string{"example.org/assert"}},
		{ImportPath: "holdfast/cmd/holdfast", Imports: []string{"holdfast/e2e/oracle"}},
		{ImportPath: "holdfast/journal"},
		{ImportPath: "holdfast"},
	}
	for _, p := range bad {
		if complaints := checkImports(p); len(complaints) != 1 || !strings.Contains(complaints[0], p.ImportPath) {
			t.Errorf("%+v: %q; want one complaint", p, complaints)
		}
	}
	for name, want := range map[string]bool{"go.mod": true, ".github": true, "Makefile": false, "internal": false} {
		if isTopLevel(name) != want {
			t.Errorf("isTopLevel(%q) = %v", name, !want)
		}
	}
}

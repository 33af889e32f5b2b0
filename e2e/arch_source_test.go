package e2e

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Files that may do what others may not. An entry that ends in a slash stands for
// a directory and all below it.
var (
	// mayStart lists who makes a context that no caller hands down: those whose
	// lives no caller's call spans.
	mayStart = []string{
		"cmd/",
		"e2e/bot/", // a program, too
		"server/house.go",
		"server/history/",
		"session/client.go",
		"transport/", // a Conn ends by its own timers, not by contexts
	}

	// mayGo lists who starts goroutines with a bare go. Everybody else uses
	// sync.WaitGroup.Go, and waits.
	mayGo = []string{
		"cmd/holdfast/input.go",         // a read of stdin can't be interrupted
		"cmd/holdfast/internal/lineui/", // likewise; and the painter, awaited by channels
		"server/history/disk/disk.go",   // the committer, awaited by a channel that closing needs too
		"server/history/memory.go",      // likewise
	}

	// maySleep lists tests whose sleeps wait for nothing: they type and chat at a
	// person's pace.
	maySleep = []string{
		"cmd/holdfast/internal/lineui/child_test.go",
		"cmd/holdfast/internal/lineui/diff_test.go",
	}

	// mayExit lists who ends the process, has flags, and words for fatal errors.
	mayExit = []string{"cmd/"}

	// needNoDoc lists who has exported names that no other module can see.
	needNoDoc = []string{"e2e/"}
)

const maxLines = 400

func TestSource(t *testing.T) {
	files := 0
	for _, p := range listPackages(t) {
		names, err := filepath.Glob(filepath.Join(p.Dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			src, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			inModule := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
			for _, complaint := range checkSource(path.Join(inModule, filepath.Base(name)), src) {
				t.Error(complaint)
			}
			files++
		}
	}
	if files < 20 {
		t.Fatalf("found only %d files", files)
	}
}

// source is one file under examination.
type source struct {
	name       string // from the root of the repository, with slashes
	set        *token.FileSet
	file       *ast.File
	imports    map[string]string // of each name in the file, the import path it stands for
	complaints []string
}

// checkSource returns what is wrong with the file.
func checkSource(name string, src []byte) []string {
	s := &source{name: name, set: token.NewFileSet(), imports: make(map[string]string)}
	if lines := bytes.Count(src, []byte("\n")); lines > maxLines {
		s.complain(token.NoPos, "has %d lines, more than %d", lines, maxLines)
	}
	file, err := parser.ParseFile(s.set, name, src, parser.ParseComments)
	if err != nil {
		return append(s.complaints, err.Error())
	}
	s.file = file
	for _, spec := range file.Imports {
		p, _ := strconv.Unquote(spec.Path.Value)
		local := path.Base(p)
		if spec.Name != nil {
			local = spec.Name.Name
		}
		s.imports[local] = p
	}
	test := strings.HasSuffix(name, "_test.go")
	ast.Inspect(file, func(n ast.Node) bool {
		s.checkNode(n, test)
		return true
	})
	if _, has := s.imports["flag"]; has && !test && !s.in(mayExit) {
		s.complain(token.NoPos, "imports flag; only %v may", mayExit)
	}
	if !test && !s.in(needNoDoc) && !strings.Contains("/"+name, "/internal/") {
		s.checkDocs()
	}
	return s.complaints
}

func (s *source) complain(pos token.Pos, format string, args ...any) {
	where := s.name
	if pos.IsValid() {
		where = fmt.Sprintf("%s:%d", s.name, s.set.Position(pos).Line)
	}
	s.complaints = append(s.complaints, where+" "+fmt.Sprintf(format, args...))
}

func (s *source) in(list []string) bool {
	return slices.ContainsFunc(list, func(entry string) bool {
		return entry == s.name || strings.HasSuffix(entry, "/") && strings.HasPrefix(s.name, entry)
	})
}

func (s *source) checkNode(n ast.Node, test bool) {
	switch n := n.(type) {
	case *ast.GoStmt:
		if !test && !s.in(mayGo) {
			s.complain(n.Pos(), "has a bare go statement; start goroutines with sync.WaitGroup.Go")
		}
	case *ast.SelectorExpr:
		if ident, ok := n.X.(*ast.Ident); ok && s.imports[ident.Name] != "" {
			s.checkUse(n, s.imports[ident.Name]+"."+n.Sel.Name, test)
		}
	}
}

// checkUse judges the use of a name of another package.
func (s *source) checkUse(n ast.Node, used string, test bool) {
	_, bubble := s.imports["synctest"]
	switch used {
	case "time.Sleep":
		if !test {
			s.complain(n.Pos(), "uses time.Sleep, which nothing can interrupt; only tests in a bubble may")
		} else if !bubble && !s.in(maySleep) {
			s.complain(n.Pos(), "uses time.Sleep without testing/synctest: a test that waits for real time is slow or wrong")
		}
	case "os.Exit", "log.Fatal", "log.Fatalf", "log.Fatalln":
		if !test && !s.in(mayExit) {
			s.complain(n.Pos(), "uses %s; only %v may", used, mayExit)
		}
	case "context.Background", "context.TODO":
		if !test && !s.in(mayStart) {
			s.complain(n.Pos(), "uses %s; take the caller's context, or add the file to mayStart with a reason in its comment", used)
		}
	}
}

// checkDocs wants a comment on every exported name.
func (s *source) checkDocs() {
	for _, decl := range s.file.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if d.Name.IsExported() && hasExportedReceiver(d) && d.Doc == nil && !(d.Recv != nil && sayThemselves[d.Name.Name]) {
				s.complain(d.Pos(), "%s has no doc comment", d.Name.Name)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				s.checkSpec(d, spec)
			}
		}
	}
}

// sayThemselves are methods whose meaning the standard library gives.
var sayThemselves = map[string]bool{"Error": true, "String": true}

// checkSpec accepts for a constant, variable or type the comment of its group,
// its own, or one at the end of its line.
func (s *source) checkSpec(d *ast.GenDecl, spec ast.Spec) {
	var names []*ast.Ident
	documented := d.Doc != nil
	switch spec := spec.(type) {
	case *ast.TypeSpec:
		names = []*ast.Ident{spec.Name}
		documented = documented || spec.Doc != nil || spec.Comment != nil
	case *ast.ValueSpec:
		names = spec.Names
		documented = documented || spec.Doc != nil || spec.Comment != nil
	}
	for _, name := range names {
		if name.IsExported() && !documented {
			s.complain(name.Pos(), "%s has no doc comment", name.Name)
		}
	}
}

// hasExportedReceiver is true for functions, too.
func hasExportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	for t := d.Recv.List[0].Type; ; {
		switch of := t.(type) {
		case *ast.StarExpr:
			t = of.X
		case *ast.IndexExpr:
			t = of.X
		case *ast.IndexListExpr:
			t = of.X
		case *ast.Ident:
			return of.IsExported()
		default:
			return true
		}
	}
}

// TestSourceRulesBite plants code that must be complained about, and some that
// must not.
func TestSourceRulesBite(t *testing.T) {
	const doc = "package p\nimport (\"os\"; \"time\"; \"context\"; \"log\"; \"sync\")\n"
	for _, c := range []struct {
		name, src, want string // what the one complaint has; empty: none
	}{
		{"transport/a.go", doc + "func f(wg *sync.WaitGroup) { wg.Go(func() {}) }", ""},
		{"transport/a.go", doc + "func f() { go f() }", "bare go"},
		{"transport/a_test.go", doc + "func f() { go f() }", ""},
		{"transport/a.go", doc + "func f() { os.Exit(1) }", "os.Exit"},
		{"cmd/holdfast/a.go", doc + "func f() { os.Exit(1) }", ""},
		{"server/a.go", doc + "func f() { log.Fatalf(`x`) }", "log.Fatalf"},
		{"server/a.go", "package p\nimport \"flag\"", "flag"},
		{"server/a.go", "package p\nimport std \"context\"\nvar ctx = std.Background()", "context.Background"},
		{"server/a.go", doc + "func f() { context.TODO() }", "context.TODO"},
		{"server/a.go", doc + "type time2 struct{ Sleep func() }", ""},
		{"server/a.go", doc + "func f() { time.Sleep(1) }", "time.Sleep"},
		{"server/a_test.go", doc + "func f() { time.Sleep(1) }", "time.Sleep"},
		{"server/a_test.go", doc + "import \"testing/synctest\"\nfunc f() { time.Sleep(1) }", ""},
		{"server/a.go", doc + "func F() {}", "F has no doc"},
		{"server/a.go", doc + "// F does.\nfunc F() {}", ""},
		{"server/a.go", doc + "// T is.\ntype T[K any] struct{}\nfunc (t *T[K]) M() {}", "M has no doc"},
		{"server/a.go", doc + "type t struct{}\nfunc (*t) M() {}", ""},
		{"server/a.go", doc + "type t[K any] struct{}\nfunc (*t[K]) M() {}", ""},
		{"server/a.go", doc + "type T int", "T has no doc"},
		{"server/a.go", doc + "var (\n\ta = 1\n\tB = 2\n)", "B has no doc"},
		{"server/a.go", doc + "const (\n\tA = 1 // is one\n\n\t// B is two.\n\tB = 2\n)", ""},
		{"e2e/faultproxy/a.go", doc + "type T int", ""},
		{"cmd/holdfast/internal/x/a.go", doc + "type T int", ""},
		{"server/a.go", "package p" + strings.Repeat("\n", maxLines), ""},
		{"server/a_test.go", "package p" + strings.Repeat("\n", maxLines+1), "lines"},
		{"server/a.go", "package", "expected"},
	} {
		complaints := checkSource(c.name, []byte(c.src))
		switch {
		case c.want == "" && complaints != nil:
			t.Errorf("%s: %q; want none\n%s", c.name, complaints, c.src)
		case c.want != "" && (len(complaints) != 1 || !strings.Contains(complaints[0], c.want) || !strings.HasPrefix(complaints[0], c.name)):
			t.Errorf("%s: %q; want one with %q\n%s", c.name, complaints, c.want, c.src)
		}
	}
}

package overlay_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/e2e/overlay"
)

// module makes a program of two files.
func module(t *testing.T) (root string) {
	t.Helper()
	root = t.TempDir()
	for name, text := range map[string]string{
		"go.mod":    "module example\n\ngo 1.26\n",
		"main.go":   "package main\n\nimport \"example/p\"\n\nfunc main() { print(p.Word()) }\n",
		"p/word.go": "package p\n\nfunc Word() string {\n\tw := \"good\"\n\treturn w\n}\n",
	} {
		name = filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// TestBuild changes a program and adds a file to it, and runs it with the list and
// without.
func TestBuild(t *testing.T) {
	t.Parallel()
	root := module(t)
	files, err := overlay.Patch(root,
		overlay.Edit{File: "p/word.go", Find: `"good"`, Replace: `"bad"`},
		overlay.Before("p/word.go", "return w", "w = more(w); "),
		overlay.After("p/word.go", `"bad"`, ` + "!"`), // what the first one left
	)
	if err != nil {
		t.Fatal(err)
	}
	files["p/more.go"] = "package p\n\nfunc more(w string) string { return w + \" news\" }\n"
	list, err := overlay.Write(t.TempDir(), root, files)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		want string
	}{{[]string{"run", "-overlay", list, "."}, "bad! news"}, {[]string{"run", "."}, "good"}} {
		cmd := exec.Command("go", c.args...)
		cmd.Dir = root
		if out, err := cmd.CombinedOutput(); err != nil || string(out) != c.want {
			t.Errorf("go %v: %q, %v; want %q", c.args, out, err, c.want)
		}
	}
}

func TestPatchRefuses(t *testing.T) {
	t.Parallel()
	root := module(t)
	for _, c := range []struct {
		edit overlay.Edit
		want string
	}{
		{overlay.Edit{File: "p/word.go", Find: "gone"}, "0 times"},
		{overlay.Edit{File: "p/word.go", Find: "w"}, "times"},
		{overlay.Edit{File: "p/word.go"}, "times"},
		{overlay.Edit{File: "p/none.go", Find: "w"}, "none.go"},
	} {
		if files, err := overlay.Patch(root, c.edit); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %q, %v; want an error with %q", c.edit, files, err, c.want)
		}
	}
}

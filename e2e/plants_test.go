package e2e

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"holdfast/e2e/overlay"
)

var chaosPlants = flag.Bool("chaos.plants", false, "have TestPlants build each planted bug and run the test that must catch it")

// plant is a bug, and who must catch it.
type plant struct {
	name  string
	by    test
	edits []overlay.Edit
}

// test is a test of ours and its flags.
type test struct {
	dir  string // from the module's root
	name string
	args []string
}

// simulation is the test for what breaks a promise: 200 worlds at most, in which so
// many hours pass.
func simulation(hours string) test {
	return test{"e2e", "TestSim", []string{"-sim.seeds=200", "-sim.failfast", "-sim.hours=" + hours, "-holdfast=none"}}
}

// by is a test for what the simulation can't see, because a client makes up for it or
// because it is no promise to users. It needs no real binary.
func by(dir, name string) test {
	k := test{dir: dir, name: name}
	if dir == "e2e" {
		k.args = []string{"-holdfast=none"}
	}
	return k
}

// withBinary is a test with the real binary, which is built with the planted bug, too.
func withBinary(name string) test { return test{dir: "e2e", name: name} }

// plantLimit is how long a plant's test may run. One that hangs has caught nothing.
const plantLimit = 4 * time.Minute

// TestPlants plants bugs, one at a time, and sees to it that a test catches each. So
// it tests the tests. Without -chaos.plants it only looks whether the plants still fit
// the source.
func TestPlants(t *testing.T) {
	t.Parallel()
	for _, p := range plants {
		t.Run(p.name, func(t *testing.T) {
			files, err := overlay.Patch("..", p.edits...)
			if err != nil {
				t.Fatal(err)
			}
			if !p.by.exists(t) {
				t.Fatalf("%s has no test %s", p.by.dir, p.by.name)
			}
			if *chaosPlants {
				t.Parallel()
				figure("planted bugs", p.name, 0)
				p.by.mustFail(t, files)
				figure("planted bugs", p.name, 1)
			}
		})
	}
}

func (k test) exists(t *testing.T) bool {
	t.Helper()
	names, err := filepath.Glob(filepath.Join("..", k.dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(src, []byte("\nfunc "+k.name+"(t *testing.T)")) {
			return true
		}
	}
	return false
}

// mustFail builds and runs the test with files in the place of the real ones.
func (k test) mustFail(t *testing.T, files map[string]string) {
	t.Helper()
	dir := t.TempDir()
	list, err := overlay.Write(dir, "..", files)
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "program.test")
	build := exec.Command("go", "test", "-c", "-overlay", list, "-ldflags=-w", "-o", program, "./"+k.dir)
	build.Dir = ".."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("a planted bug must compile: %v\n%s", err, out)
	}
	run := exec.Command(program, append([]string{
		"-test.run=^" + k.name + "$", "-test.failfast", fmt.Sprint("-test.timeout=", plantLimit),
	}, k.args...)...)
	run.Dir = filepath.Join("..", k.dir)
	run.Env = append(os.Environ(), "TMPDIR="+dir, "GOFLAGS=-overlay="+list) // for a binary that the test builds
	began := time.Now()
	out, err := run.CombinedOutput()
	took := time.Since(began).Round(time.Millisecond)
	_, ended := errors.AsType[*exec.ExitError](err)
	switch {
	case err == nil:
		t.Errorf("survived %s, which took %v", k.name, took)
	case !ended || !caught(out):
		t.Errorf("%s did not come to a verdict: %v\n%s", k.name, err, out)
	default:
		t.Logf("caught in %v: %s", took, firstComplaint(out))
	}
}

// caught reports whether a test has failed, or panicked for another reason than time.
func caught(out []byte) bool {
	return !bytes.Contains(out, []byte("panic: test timed out")) &&
		(bytes.Contains(out, []byte("--- FAIL: ")) || bytes.Contains(out, []byte("\nFAIL\n")) ||
			bytes.Contains(out, []byte("panic: ")) || bytes.Contains(out, []byte("fatal error: ")))
}

var (
	failure   = regexp.MustCompile(`(?m)^ *--- FAIL: (\S+)`)
	complaint = regexp.MustCompile(`(?m)^ *(\S+_test\.go:\d+: .*(\n *\t.*)?|panic: .*|fatal error: .*)`)
)

// firstComplaint is what a person wants to see of a failed test's output.
func firstComplaint(out []byte) (text string) {
	for _, m := range failure.FindAllSubmatch(out, 3) {
		text = string(m[1]) // the last is the innermost
	}
	text += ": " + strings.Join(strings.Fields(string(complaint.Find(out))), " ")
	return text[:min(len(text), 300)]
}

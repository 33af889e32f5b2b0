package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// diskPrefix begins the names of the directories below which disks are mounted; the
// number of the process follows, so that a later run finds what a killed one left.
const diskPrefix = "holdfast-disk-"

// diskDir makes a directory for mounts and their images, in memory if there is such a
// place: faults are to cost time, not waiting for a real disk.
func diskDir(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		lacks(t, "needs root to mount a disk")
	}
	base := "/dev/shm"
	if syscall.Access(base, 2) != nil { // write
		base = os.TempDir()
	}
	sweepDisks()
	dir, err := os.MkdirTemp(base, fmt.Sprintf("%s%d-", diskPrefix, os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("remove the disk: %v", err)
		}
	})
	return dir
}

// sweepDisks unmounts and removes the disks of test processes that are no more.
func sweepDisks() {
	mounts, _ := os.ReadFile("/proc/self/mounts")
	for line := range strings.Lines(string(mounts)) {
		at := strings.Fields(line)[1]
		dir := filepath.Dir(at)
		var pid int
		if n, _ := fmt.Sscanf(filepath.Base(dir), diskPrefix+"%d-", &pid); n != 1 {
			continue
		}
		if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			_ = syscall.Unmount(at, syscall.MNT_DETACH)
			_ = os.RemoveAll(dir)
		}
	}
}

// mounted has what is mounted at dir unmounted when the test ends.
func mounted(t *testing.T, dir string) {
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil && !errors.Is(err, syscall.EINVAL) {
			t.Errorf("unmount %s: %v", dir, err)
		}
	})
}

// tool runs a program that the system has.
func tool(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

// needTool skips a test that needs a program which is not there.
func needTool(t *testing.T, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		lacks(t, "needs %s: %v", name, err)
	}
}

package e2e

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"testing"
)

var (
	full       = flag.Bool("full", false, "the whole programme: what can't run here fails instead of being skipped, and every counter must come to its least")
	reportFile = flag.String("report", "", "append the figures of this run to this file, one \"section<TAB>what<TAB>number\" a line")
)

// lacks skips a test that can't run here, which only -full forbids.
func lacks(t *testing.T, format string, args ...any) {
	t.Helper()
	if *full {
		t.Fatalf("-full: "+format, args...)
	}
	t.Skipf(format, args...)
}

// figures are what the tests of this run did and met, for people to read.
var figures = struct {
	sync.Mutex
	sections map[string]map[string]int
}{sections: map[string]map[string]int{}}

// figure adds n to what a section reports. Zero declares it, so that it is seen not
// to have happened.
func figure(section, what string, n int) {
	figures.Lock()
	defer figures.Unlock()
	if figures.sections[section] == nil {
		figures.sections[section] = map[string]int{}
	}
	figures.sections[section][what] += n
}

// writeFigures appends them to the report.
func writeFigures() error {
	figures.Lock()
	defer figures.Unlock()
	if *reportFile == "" {
		return nil
	}
	f, err := os.OpenFile(*reportFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	for _, section := range slices.Sorted(maps.Keys(figures.sections)) {
		of := figures.sections[section]
		for _, what := range slices.Sorted(maps.Keys(of)) {
			fmt.Fprintf(f, "%s\t%s\t%d\n", section, what, of[what])
		}
	}
	return f.Close()
}

// Package property runs a check of rapid's in a bubble of fake time.
package property

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"
)

// Check runs one check of rapid's in a bubble: a failure must not end the goroutine
// that rapid goes on to shrink it on.
func Check(t *testing.T, rt *rapid.T, check func(t *testing.T)) {
	t.Helper()
	var failure any
	failed := false
	var wg sync.WaitGroup
	wg.Go(func() {
		synctest.Test(t, func(t *testing.T) {
			defer func() { failure, failed = recover(), t.Failed() }()
			check(t)
		})
	})
	wg.Wait()
	if fmt.Sprintf("%T", failure) == "rapid.invalidData" {
		panic(failure) // from another line than failures: rapid tells panics apart by that
	}
	if failure != nil {
		panic(failure)
	}
	if failed {
		rt.Fatal("failed in the bubble, see above")
	}
}

package transport_test

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain catches what outlives the tests that are not in bubbles; a bubble
// does not end before its goroutines have.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

package session_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// children are what this test binary can be run as, by SESSION_TEST_CHILD, where there
// are signals to kill it. They take the state directory and the server's URL.
var children = map[string]func() int{}

// TestMain also runs the children of the tests that need a process of its own: one
// that can be killed, or whose files may not grow.
func TestMain(m *testing.M) {
	if child := children[os.Getenv("SESSION_TEST_CHILD")]; child != nil {
		os.Exit(child())
	}
	goleak.VerifyTestMain(m)
}

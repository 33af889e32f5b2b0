//go:build race

package e2e

// raceEnabled has the real binary built like the tests.
const raceEnabled = true

package historytest

import (
	"testing"

	"holdfast/server/history"
)

// Engine makes stores of one kind, for one test at a time.
type Engine struct {
	// Open makes a new store, and has it closed when the test ends.
	Open func(t *testing.T) history.Store

	// Reopen closes s, unless it is nil and was closed before, and opens what the last
	// store that Open made has left. Nil means that nothing outlives a store.
	Reopen func(t *testing.T, s history.Store) history.Store
}

// Run runs all tests on e, each as a subtest.
func Run(t *testing.T, e Engine) {
	for _, c := range []struct {
		name    string
		reopens bool // and has nothing to say of other engines
		test    func(*testing.T, Engine)
	}{
		{"Order", false, testOrder},
		{"LineIsKeptWhole", false, testLineIsKeptWhole},
		{"MarksAndVoids", false, testMarksAndVoids},
		{"Before", false, testBefore},
		{"Retention", false, testRetention},
		{"MarkTTL", false, testMarkTTL},
		{"TrimStops", false, testTrimStops},
		{"OpenOnce", false, testOpenOnce},
		{"CloseWaitsForLines", false, testCloseWaitsForLines},
		{"Concurrent", false, testConcurrent},
		{"TrimUnderReaders", false, testTrimUnderReaders},
		{"Claims", false, testClaims},
		{"ClaimHasOneWinner", false, testClaimHasOneWinner},
		{"ServerSeed", false, testServerSeed},
		{"Members", false, testMembers},
		{"MembersOfAnotherRoom", true, testMembersOfAnotherRoom},
		{"Said", false, testSaid},
		{"Start", false, testStart},
		{"UnknownPastShowsSome", false, testUnknownPastShowsSome},
		{"CursorShape", false, testCursorShape},
		{"ResumeAcrossEpochs", true, testResumeAcrossEpochs},
	} {
		if c.reopens && e.Reopen == nil {
			continue
		}
		t.Run(c.name, func(t *testing.T) { c.test(t, e) })
	}
}

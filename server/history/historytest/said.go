package historytest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"holdfast/server/history"
)

// A line is found by its key, its user's and its room's, for as long as marks live.
func testSaid(t *testing.T, e Engine) {
	s := e.Open(t)
	p, other := Record(t, s, "general"), Record(t, s, "gen")
	now := time.Now()
	for i := range 600 { // more than one chunk of a trim
		line := p.Line("s", "old")
		line.Once, line.At = fmt.Sprint("old", i), now.Add(-history.MarkTTL+time.Minute)
		noError(t, p.Append(line))
	}
	line := p.Line("s", "new")
	line.Once = "new"
	noError(t, p.Append(line))
	void := p.Line("old5", "blank") // a source by the name of a key
	void.Kind = history.KindVoid
	noError(t, p.Append(void))
	p.Wait(602)
	check := func(now time.Time, log history.Log, user, once string, want bool) {
		t.Helper()
		got, err := log.Said(user, once, now)
		noError(t, err)
		equal(t, fmt.Sprint(user, " said ", once), got, want)
	}
	all := func(now time.Time, old bool) {
		t.Helper()
		check(now, p, "ana", "old0", old)
		check(now, p, "ana", "old599", old)
		check(now, p, "ana", "new", true)
		check(now, p, "an", "anew", false)
		check(now, p, "bob", "new", false)
		check(now, p, "ana", "", false)
		check(now, other, "ana", "new", false)
	}
	all(now, true)
	all(now.Add(2*time.Minute), false)
	noError(t, s.Trim(t.Context(), history.Retention{Lines: 1}, now))
	all(now, true) // it does not matter whether the line is still there
	noError(t, s.Trim(t.Context(), history.Retention{}, now.Add(2*time.Minute)))
	all(now, false)
	source, err := p.Source("ana", "old5")
	noError(t, err)
	equal(t, "refusal", source.Voids[1], "blank")
	if e.Reopen != nil {
		s = e.Reopen(t, s)
		p, other = Record(t, s, "general"), Record(t, s, "gen")
		all(now, false)
	}
	noError(t, p.Close())
	if _, err := p.Said("ana", "new", now); !errors.Is(err, history.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

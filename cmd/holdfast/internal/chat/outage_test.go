package chat_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/server"
	"holdfast/server/history"
)

// summary waits for a line that begins and ends so.
func (s *screen) summary(begins, ends string) {
	s.t.Helper()
	s.until(begins+"..."+ends, func() bool {
		return slices.ContainsFunc(s.printed, func(l string) bool { return strings.HasPrefix(l, begins) && strings.HasSuffix(l, ends) })
	})
}

// once checks that each line stands there once.
func (s *screen) once(lines ...string) {
	s.t.Helper()
	for _, l := range lines {
		if n := s.count(l); n != 1 {
			s.t.Errorf("%q stands %d times:\n%s", l, n, strings.Join(s.all(), "\n"))
		}
	}
}

// TestOutage is what a user sees of a server that is away for 40 s.
func TestOutage(t *testing.T) {
	in(t, func(w *world) {
		ana, bob := w.joined("ana"), w.joined("bob")
		ana.types("hello")
		bob.shows("ana: hello")
		ana.shows("ana: hello")
		ana.prompts("[general]    >")
		began := time.Now()
		w.cut("ana")
		ana.row("reconnecting in")
		ana.prompts("[offline]    >")
		ana.types("first")
		ana.types("/me waves")
		ana.noRow("first")
		ana.row("  · ana: first")
		ana.row("  · * ana waves")
		ana.row("2 lines kept")
		ana.row("last contact")
		ana.row("connection refused")
		bob.types("from bob")
		pass(40*time.Second - time.Since(began))
		w.mend()
		bob.shows("ana: first", "* ana waves")
		ana.shows("-- 1 new while you were away --", "bob: from bob", "-- live --", "ana: first", "* ana waves")
		ana.summary("-- reconnected after ", ", 2 sent, 1 missed --")
		ana.noRows()
		ana.prompts("[general]    >")
		ana.once("ana: first", "* ana waves", "bob: from bob")
		pass(time.Minute)
		told := slices.DeleteFunc(ana.all(), func(l string) bool { return !strings.Contains(l, "connected after") })
		if len(told) != 1 {
			t.Errorf("told %q", told)
		}
	})
}

// TestSilence: a link that died without a word is doubted when an answer is late, and
// the outage counts from the last that was heard.
func TestSilence(t *testing.T) {
	in(t, func(w *world) {
		ana := w.joined("ana")
		ana.types("before")
		ana.shows("ana: before")
		w.net.Partition("ana", true)
		began := time.Now()
		pass(time.Second)
		ana.types("into the void")
		pass(1500 * time.Millisecond)
		ana.noRow("last contact")
		ana.row("last contact 4 s ago")
		ana.row("  · ana: into the void")
		ana.prompts("[general]    >")
		ana.row("reconnecting now")
		ana.row("no answer")
		pass(20 * time.Second)
		w.net.Partition("ana", false)
		ana.shows("ana: into the void")
		ana.summary("-- reconnected after ", ", 1 sent --")
		elapsed := time.Since(began).Seconds()
		var told float64
		for _, l := range ana.all() {
			_, _ = fmt.Sscanf(l, "-- reconnected after %f s", &told) // of other lines nothing
		}
		if told < elapsed-3 {
			t.Errorf("told of %v s, %v s after the last contact", told, elapsed)
		}
		ana.once("ana: into the void")
	})
}

// TestNoMark: an ack that comes in time leaves no trace.
func TestNoMark(t *testing.T) {
	in(t, func(w *world) {
		ana := w.joined("ana")
		for range 5 {
			ana.types("quick")
			for range 40 {
				pass(10 * time.Millisecond)
				ana.with(func() {
					if len(ana.rows) > 0 {
						t.Fatalf("rows %q", ana.rows)
					}
				})
			}
		}
		w.cut("ana") // for less than anybody notices
		w.mend()
		pass(10 * time.Second)
		for _, l := range ana.all() {
			if strings.Contains(l, "reconnected") {
				t.Errorf("a blink was told: %q", l)
			}
		}
	})
}

// TestKept: lines of an earlier process wait below the messages as if typed now, and a
// first connection that takes long is told of.
func TestKept(t *testing.T) {
	in(t, func(w *world) {
		w.net.SetDown("server", true)
		ana := w.join("ana", "", nil)
		for _, text := range []string{"1", "2", "3", "4", "5", "6", "7"} {
			ana.types(text)
		}
		ana.row("  · ana: 5")
		ana.row("  · 2 more; /outbox lists them")
		ana.types("/quit")
		ana.types("/quit")
		if err := ana.leaves(); !strings.Contains(err.Error(), "7") {
			t.Errorf("left with %v", err)
		}
		ana = w.join("ana", ana.dir, nil)
		ana.row("  · ana: 1")
		ana.row("7 lines kept")
		pass(9500 * time.Millisecond)
		w.mend()
		ana.shows("-- you are ana in general; /help lists commands", "ana: 1", "ana: 7")
		ana.summary("-- connected after ", ", 7 sent --")
	})
}

// TestReplay: what an earlier chat has shown comes without a mark, what is new between
// two. On a slow link nothing is held back for long.
func TestReplay(t *testing.T) {
	in(t, func(w *world) {
		ana, bob := w.joined("ana"), w.joined("bob")
		bob.types("one, ana")
		ana.shows("! bob: one, ana")
		ana.rang(1)
		ana.types("/quit")
		if err := ana.leaves(); err != nil {
			t.Error(err)
		}
		bob.types("two")
		bob.types("three")
		bob.shows("bob: three")
		ana = w.join("ana", ana.dir, nil)
		ana.shows("! bob: one, ana", "-- 2 new while you were away --", "bob: two", "bob: three", "-- you are ana in general; /help lists commands")
		ana.once("! bob: one, ana", "bob: two", "bob: three")
		ana.rang(0)
		cem := w.join("cem", "", nil)
		cem.shows("-- 3 said before you came --", "bob: one, ana", "bob: three")
	})
}

// TestGap: lines that the server no longer has are counted.
func TestGap(t *testing.T) {
	inWith(t, &server.Options{Keep: history.Retention{Lines: 5}}, func(w *world) {
		ana, bob := w.joined("ana"), w.joined("bob")
		w.cut("ana")
		ana.row("reconnecting")
		for _, text := range []string{"1", "2", "3", "4", "5", "6", "7", "8"} {
			bob.types(text)
		}
		bob.shows("bob: 8")
		pass(2 * time.Minute) // the server tidies up
		w.mend()
		ana.shows("-- 5 new while you were away --", "-- 3 lines can no longer be shown", "bob: 4", "bob: 8", "-- live --")
		ana.summary("-- reconnected after 2 min", ", 5 missed --")
	})
}

package chat_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"holdfast/cmd/holdfast/internal/chat"
	"holdfast/session"
)

// few begins with the last two lines only.
func few(_ *chat.Options, o *session.Options) { o.Backlog = 2 }

// TestHistory goes back, some lines at a time, and says where the room began.
func TestHistory(t *testing.T) {
	in(t, func(w *world) {
		bob := w.joined("bob")
		for i := range 30 {
			bob.types(fmt.Sprint("line ", i))
		}
		bob.shows("bob: line 29")
		ana := w.join("ana", "", few)
		ana.shows("-- 2 said before you came --", "bob: line 28", "bob: line 29", "-- you are ana in general; /help lists commands")
		ana.types("/history")
		ana.shows("-- 20 earlier lines --", "bob: line 8", "bob: line 27", "-- end of earlier lines --")
		ana.types("/history")
		ana.shows("-- 8 earlier lines, from the first of general --", "bob: line 0", "bob: line 7")
		ana.types("/history")
		ana.shows("-- there are no lines before these in general")
		for i := range 30 {
			ana.once(fmt.Sprint("bob: line ", i))
		}
		ana.types("/clear")
		ana.types("/history")
		ana.shows("<clear>", "-- 20 earlier lines --", "bob: line 10", "bob: line 29", "-- end of earlier lines --")
		for range 2 { // by number it is always the last ones
			ana.types("/history 2")
			ana.shows("-- the last 2 lines --", "bob: line 28", "bob: line 29", "-- end of earlier lines --")
		}
		ana.types("/history 1000")
		ana.shows("-- the last 30 lines, from the first of general --", "bob: line 0", "bob: line 29")
		ana.types("/history -3")
		ana.types("/history soon")
		ana.shows(`-- "-3" is neither a number of lines nor a time like 1h or 30m`, `-- "soon" is neither a number of lines nor a time like 1h or 30m`)
	})
}

// TestHistorySince goes back in time, past those who are ignored.
func TestHistorySince(t *testing.T) {
	in(t, func(w *world) {
		bob, eve := w.joined("bob"), w.joined("eve")
		bob.types("long ago")
		pass(time.Hour)
		bob.types("today")
		bob.shows("bob: today")
		eve.types("spam")
		bob.shows("eve: spam")
		bob.types("just now")
		bob.types("now")
		bob.shows("bob: now")
		ana := w.join("ana", "", few)
		ana.shows("bob: now", "-- you are ana in general; /help lists commands")
		ana.types("/ignore eve")
		ana.types("/history 30m")
		for range 2 { // also what is on the screen
			ana.shows("-- 3 lines of the last 30m --", "bob: today", "bob: just now", "bob: now", "-- end of earlier lines --")
			ana.types("/history 30m")
		}
		ana.types("/history 1ms")
		ana.shows("-- there are no lines of the last 1ms in general")
		ana.types("/history 2h")
		ana.shows("-- 4 lines of the last 2h --", "bob: long ago")
		w.cut("ana")
		ana.row("reconnecting")
		ana.types("/history")
		ana.shows("-- earlier lines are on the server, and it is out of reach; try again when you are online")
	})
}

// TestHistoryFar: somebody who is ignored does not end it early.
func TestHistoryFar(t *testing.T) {
	in(t, func(w *world) {
		bob, eve := w.joined("bob"), w.joined("eve")
		bob.types("too old")
		pass(2 * time.Hour)
		for i := range 250 {
			bob.types(fmt.Sprint("line ", i))
		}
		bob.shows("bob: line 249")
		eve.types("spam")
		bob.shows("eve: spam")
		bob.types("now")
		bob.types("and now")
		bob.shows("bob: and now")
		ana := w.join("ana", "", few)
		ana.shows("bob: and now", "-- you are ana in general; /help lists commands")
		ana.types("/ignore eve")
		ana.types("/history 1h")
		ana.shows("-- 252 lines of the last 1h --", "bob: line 0", "bob: line 249", "-- end of earlier lines --")
	})
}

// TestSearch finds the newest lines with some text, however far back.
func TestSearch(t *testing.T) {
	in(t, func(w *world) {
		bob := w.joined("bob")
		bob.types("a Needle")
		for i := range 250 {
			bob.types(fmt.Sprint("hay ", i))
		}
		bob.types("two needles")
		bob.shows("bob: two needles")
		ana := w.join("ana", "", few)
		ana.shows("-- you are ana in general; /help lists commands")
		ana.types("/search needle")
		ana.shows(`-- 2 lines with "needle" --`, "bob: a Needle", "bob: two needles", "-- end of earlier lines --")
		ana.types("/search HAY")
		ana.shows(`-- 20 lines with "HAY", of the last 200 --`, "bob: hay 230", "bob: hay 249")
		ana.types("/search pin")
		ana.shows(`-- 0 lines with "pin"`)
		ana.types("/quit") // what asks the server does not keep the user
		if err := ana.leaves(); err != nil {
			t.Error(err)
		}
	})
}

// TestOutbox lists what waits, and throws some of it away.
func TestOutbox(t *testing.T) {
	in(t, func(w *world) {
		ana, bob := w.joined("ana"), w.joined("bob")
		ana.types("/outbox")
		ana.shows("-- nothing waits: all is on the server's disk")
		w.cut("ana")
		ana.row("reconnecting")
		ana.types("one")
		ana.types("/me waits")
		ana.types("/msg bob three")
		pass(2500 * time.Millisecond)
		ana.types("/outbox list")
		ana.shows("-- 1. 2 s ago in general: ana: one", "-- 2. 2 s ago in general: * ana waits", "-- 3. 2 s ago in general: ana -> bob: three")
		ana.types("/outbox drop 4")
		ana.types("/outbox drop 2")
		ana.shows("-- there is no line 4; /outbox lists them", "-- 1 line thrown away")
		ana.noRow("* ana waits")
		w.mend()
		bob.shows("ana: one", "ana -> bob: three")
		pass(time.Minute)
		if n := bob.count("* ana waits"); n != 0 {
			t.Error("bob sees what was thrown away")
		}
		for _, l := range ana.all() {
			if len(l) > 11 && l[:11] == "-- not sent" {
				t.Errorf("said %q of what the user threw away", l)
			}
		}
		ana.types("/outbox drop all")
		ana.shows("-- nothing waits: all is on the server's disk")
	})
}

// TestDropAll: what is thrown away goes at once. If a stale line went first, those
// behind it would be on their way.
func TestDropAll(t *testing.T) {
	in(t, func(w *world) {
		ana := w.join("ana", "", func(_ *chat.Options, o *session.Options) { o.StaleAfter = 10 * time.Minute })
		ana.shows("-- you are ana in general; /help lists commands")
		bob := w.joined("bob")
		ana.shows("-- bob joined general")
		w.cut("ana")
		ana.row("reconnecting")
		ana.types("stale")
		pass(20 * time.Minute)
		for i := range 300 {
			ana.types(fmt.Sprint("fresh ", i))
		}
		w.mend()
		ana.row("1 line was typed long ago")
		ana.types("/outbox drop all")
		ana.shows("-- 301 lines thrown away")
		ana.types("after")
		bob.shows("ana: after")
		for _, l := range bob.all() {
			if strings.Contains(l, "fresh") {
				t.Fatalf("bob sees %q", l)
			}
		}
	})
}

// TestStale: lines that were typed long ago wait for a word.
func TestStale(t *testing.T) {
	for _, c := range []struct{ answer, last string }{{"/outbox send", "ana: two"}, {"/outbox drop all", "ana: three"}} {
		t.Run(c.answer, func(t *testing.T) {
			in(t, func(w *world) {
				ana := w.join("ana", "", func(_ *chat.Options, o *session.Options) { o.StaleAfter = 10 * time.Minute })
				ana.shows("-- you are ana in general; /help lists commands")
				bob := w.joined("bob")
				ana.shows("-- bob joined general")
				w.cut("ana")
				ana.row("reconnecting")
				ana.types("one")
				ana.types("two")
				pass(20 * time.Minute)
				w.mend()
				ana.shows("-- 2 lines were typed long ago, 20 min; /outbox send lets them go, /outbox drop all throws them away")
				ana.row("2 lines were typed long ago: /outbox send or /outbox drop all")
				ana.summary("-- reconnected after 20 min", ", 2 still kept --")
				ana.types(c.answer)
				ana.types("three")
				bob.shows(c.last)
				ana.noRows()
			})
		})
	}
}

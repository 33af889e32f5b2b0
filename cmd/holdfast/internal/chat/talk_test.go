package chat_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/cmd/holdfast/internal/chat"
	"holdfast/cmd/holdfast/internal/look"
	"holdfast/session"
)

// TestLines: how messages look without colours.
func TestLines(t *testing.T) {
	in(t, func(w *world) {
		late := time.FixedZone("", -60) // the world begins a minute before a new year
		ana := w.join("ana", "", func(o *chat.Options, _ *session.Options) { o.Look.Zone = late })
		ana.shows("-- you are ana in general; /help lists commands")
		bob := w.joined("bob")
		bob.types("plain")
		bob.types("two\nlines")
		bob.types("/me waves")
		bob.types("hi Ana")
		bob.types("banana")
		ana.shows("bob: plain", "bob: two", "        │ lines", "* bob waves", "! bob: hi Ana", "bob: banana")
		bob.shows("bob: hi Ana")
		if !slices.Contains(ana.all(), "23:59 bob: banana") {
			t.Errorf("times are missing: %q", ana.all())
		}
		pass(time.Minute)
		bob.types("happy new year")
		ana.shows("-- Sat 1 Jan 2000", "bob: happy new year")
		ascii := w.join("cem", "", func(o *chat.Options, _ *session.Options) { o.ASCII, o.Look.Zone = true, late })
		ascii.shows("-- Fri 31 Dec 1999", "bob: two", "        | lines", "-- Sat 1 Jan 2000", "bob: happy new year")
		w.cut("cem")
		ascii.row("reconnecting")
		ascii.prompts("[offline]    >")
		ascii.types("waits for a long time to come")
		ascii.row("  . cem: waits")
		ascii.with(func() { ascii.cols = 30 })
		ascii.until("an ellipsis", func() bool {
			return slices.ContainsFunc(ascii.rows, func(r string) bool { return len(r) == 29 && strings.HasSuffix(r, "...") })
		})
	})
}

// TestColours: names have colours of their own, what matters is bold, what is old is
// dim, and all that is told by colour is told without.
func TestColours(t *testing.T) {
	in(t, func(w *world) {
		bob := w.joined("bob")
		tune := func(o *chat.Options, _ *session.Options) {
			o.Look.Color, o.Highlight = true, []string{"station"}
		}
		ana := w.join("ana", "", tune)
		ana.until("joined", func() bool { return len(ana.printed) > 0 })
		bob.types("plain")
		bob.types("at the Station")
		name := look.Look{Color: true}.Paint(look.StyleOf("bob"), "bob:")
		const stamp = "\x1b[2m00:00\x1b[0m "
		ana.shows(stamp+name+" plain", stamp+"\x1b[1m! \x1b[0m"+name+" at the Station")
		ana.types("mine")
		ana.shows(stamp + "ana: mine")
		w.cut("ana")
		ana.types("waits")
		ana.row("\x1b[2m  · ana: waits\x1b[0m")
		ana.row("\x1b[33mreconnecting")
		ana.until("prompt", func() bool { return strings.HasPrefix(ana.prompt, "\x1b[33m[offline]    > ") })
		ana.types("/nonsense")
		ana.until("in red", func() bool {
			return slices.ContainsFunc(ana.printed, func(l string) bool { return strings.HasPrefix(l, "\x1b[31m-- no command /nonsense") })
		})
		w.mend()
		ana.shows(stamp + "ana: waits")
		ana.types("/quit")
		_ = ana.leaves()
		ana = w.join("ana", ana.dir, tune)
		ana.shows("\x1b[2m00:00 bob: plain\x1b[0m", "\x1b[2m00:00 ! bob: at the Station\x1b[0m")
	})
}

// TestBell rings for what was asked for, and never for what comes late.
func TestBell(t *testing.T) {
	for bell, want := range map[chat.Bell]int{chat.Off: 0, chat.Mention: 1, chat.DM: 0, chat.All: 2, "": 1} {
		t.Run(string(bell), func(t *testing.T) {
			in(t, func(w *world) {
				bob := w.joined("bob")
				bob.types("ana, come")
				bob.shows("bob: ana, come")
				ana := w.join("ana", "", func(o *chat.Options, _ *session.Options) { o.Bell = bell })
				ana.shows("! bob: ana, come", "-- you are ana in general; /help lists commands")
				bob.types("hello")
				bob.types("ana!")
				ana.shows("bob: hello", "! bob: ana!")
				ana.types("I am ana")
				ana.shows("ana: I am ana")
				ana.rang(want)
			})
		})
	}
}

// TestHostile: nothing of what others send reaches the terminal as it is.
func TestHostile(t *testing.T) {
	in(t, func(w *world) {
		ana, bob := w.joined("ana"), w.joined("bob")
		bob.types("a\u202eb\u200b\n00:00 eve: forged\n-- forged")
		ana.shows("bob: ab", "        │ 00:00 eve: forged", "        │ -- forged")
		bob.types("/search \u202e")
		bob.types("/nonsense\u202e")
		bob.types("/whois \u009b31m")
		bob.types("/join \x1b[2J")
		bob.types("/bell \u009b")
		bob.types("/outbox drop \u009b")
		bob.types("/help \u009b")
		bob.types("/history \u009b")
		pass(time.Minute)
		for _, l := range bob.all() {
			if strings.ContainsAny(l, "\x1b\u202e\u009b\u200b") {
				t.Errorf("%q reached the terminal", l)
			}
		}
	})
}

// TestPaste: what was pasted is neither run nor sent in masses unasked.
func TestPaste(t *testing.T) {
	in(t, func(w *world) {
		ana := w.joined("ana")
		ana.pastes("/quit")
		ana.shows("-- pasted: Enter runs /quit, anything else does not")
		ana.ctrlC()
		ana.shows("-- not done; Up brings it back")
		ana.pastes("/me waves")
		ana.types("")
		ana.shows("* ana waves")
		const six = "1\n2\n3\n4\n5\n6"
		ana.pastes(six)
		ana.shows("-- that has 6 lines: Enter sends them, anything else does not")
		ana.types("no")
		ana.shows("-- not done; Up brings it back", "ana: no")
		ana.types(six)
		ana.types("")
		ana.shows("ana: 1")
		ana.pastes("1\n2\n3\n4\n5\n")
		ana.shows("ana: 1", "        │ 5")
		ana.pastes("copied\n\n")
		ana.types("behind it")
		ana.shows("ana: copied", "ana: behind it")
		if l := ana.all(); untimed(l[len(l)-2]) != "ana: copied" {
			t.Errorf("the end of what was pasted was sent: %q", l)
		}
		ana.pastes("/version\n")
		ana.shows("-- pasted: Enter runs /version, anything else does not")
		ana.types("no")
		for _, line := range []string{"/quit\n/quit", "/me waves\nand smiles", " /quit"} {
			ana.pastes(line)
			ana.shows("-- not sent: a command is one line and begins with /; to say this as text, begin it with //; Up brings it back")
		}
		ana.recalls(six, " /quit")
		pass(time.Minute)
		ana.once("* ana waves")
	})
}

// TestRefused: a line that can't be sent says why and is not lost.
func TestRefused(t *testing.T) {
	in(t, func(w *world) {
		ana := w.joined("ana")
		long := strings.Repeat("x", 5000)
		ana.types(long)
		ana.shows("-- not sent: line has 5000 bytes, more than 4096; Up brings it back, to be sent in pieces")
		ana.types("a\x01b")
		ana.shows("-- not sent: line holds the control character U+0001; Up brings it back")
		ana.recalls(long, "a\x01b")
	})
}

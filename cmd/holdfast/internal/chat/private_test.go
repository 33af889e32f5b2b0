package chat_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/cmd/holdfast/internal/chat"
	"holdfast/cmd/holdfast/internal/look"
	"holdfast/session"
)

// TestPrivate: two see it, marked on both sides, and /reply answers the last.
func TestPrivate(t *testing.T) {
	in(t, func(w *world) {
		ana, bob, cem := w.joined("ana"), w.joined("bob"), w.joined("cem")
		ana.types("/msg BOB psst  you")
		ana.shows("ana -> bob: psst  you")
		bob.shows("ana -> bob: psst  you")
		bob.types("/reply what?")
		ana.shows("bob -> ana: what?")
		cem.types("/msg ana me too")
		ana.shows("cem -> ana: me too")
		pass(time.Minute)
		ana.types("/reply to whom?")
		cem.shows("ana -> cem: to whom?")
		ana.types("/msg nobody hello")
		ana.until("refused", func() bool { return strings.HasPrefix(ana.printed[len(ana.printed)-2], "-- not sent: ") })
		if l := ana.all(); !strings.HasSuffix(l[len(l)-2], "; /who tells who is here, Up brings the line back") || l[len(l)-1] != "-- /msg nobody hello" {
			t.Errorf("refused with %q", l[len(l)-2:])
		}
		ana.rang(2)
		bob.rang(1)
		w.cut("ana")
		ana.row("reconnecting")
		ana.types("/msg bob kept")
		ana.row("  · ana -> bob: kept")
		ana.types("/reply kept too")
		ana.row("  · ana -> cem: kept too")
		pass(time.Minute)
		w.mend()
		bob.shows("ana -> bob: kept")
		cem.shows("ana -> cem: kept too")
		ana.shows("ana -> bob: kept", "ana -> cem: kept too")
		ana.once("ana -> bob: kept", "ana -> cem: kept too")
		for _, l := range cem.all() {
			if strings.Contains(l, "bob: ") {
				t.Errorf("cem sees %q", l)
			}
		}
	})
}

// TestReplyToWhom: a line that lands while the user answers another does not redirect
// the answer.
func TestReplyToWhom(t *testing.T) {
	in(t, func(w *world) {
		ana, bob, cem := w.joined("ana"), w.joined("bob"), w.joined("cem")
		bob.types("/msg ana first")
		ana.shows("bob -> ana: first")
		ana.types("/reply at once")
		bob.shows("ana -> bob: at once")
		pass(time.Minute)
		began := time.Now()
		pass(10 * time.Second)
		cem.types("/msg ana second")
		ana.shows("cem -> ana: second")
		pass(10 * time.Second)
		const text = "/reply not yours"
		ana.press(key{line: text, began: began})
		const asks = "-- not sent: cem has just written to you alone, and bob before; /msg NAME TEXT says whom you mean, and Up brings the line back"
		ana.shows(asks)
		ana.recalls(text)
		ana.types("/reply yours")
		cem.shows("ana -> cem: yours")
		bob.types("/msg ana third")
		ana.shows("bob -> ana: third")
		ana.types("/reply too soon")
		ana.shows(strings.NewReplacer("bob", "cem", "cem", "bob").Replace(asks))
		pass(2 * time.Second)
		ana.pastes("/reply now yours")
		ana.types("")
		bob.shows("ana -> bob: now yours")
		ana.tell(session.Message{From: "cem", To: "anna", Text: "for another", At: time.Now()})
		pass(2 * time.Second)
		ana.types("/reply still yours")
		bob.shows("ana -> bob: still yours")
	})
}

// TestPrivateRefused: a private line that nobody takes comes back as one. Up and Enter
// do not say it to all, and no file keeps it.
func TestPrivateRefused(t *testing.T) {
	in(t, func(w *world) {
		ana := w.joined("ana")
		ana.types("/msg nobody psst")
		ana.shows("-- /msg nobody psst")
		ana.until("recalled", func() bool { return ana.history[len(ana.history)-1] == "/msg nobody psst" && len(ana.history) > 1 })
		ana.types("/quit")
		_ = ana.leaves()
		if kept, err := os.ReadFile(filepath.Join(ana.dir, "history")); err != nil || strings.Contains(string(kept), "psst") {
			t.Errorf("kept %q, %v", kept, err)
		}
	})
}

// TestPrivateElsewhere: a private line goes through the room that both are in.
func TestPrivateElsewhere(t *testing.T) {
	in(t, func(w *world) {
		ana, bob := w.joined("ana"), w.joined("bob")
		bob.types("/join random")
		bob.shows("-- you are bob in random; /help lists commands")
		bob.types("/msg ana psst")
		ana.shows("bob -> ana: psst")
		bob.shows("#general bob -> ana: psst")
		ana.types("/reply yes?")
		bob.shows("#general ana -> bob: yes?")
	})
}

// TestPrivateColour: a private line is told from others by its look too.
func TestPrivateColour(t *testing.T) {
	in(t, func(w *world) {
		bob := w.joined("bob")
		ana := w.join("ana", "", func(o *chat.Options, _ *session.Options) { o.Look = look.Look{Color: true} })
		ana.until("joined", func() bool { return len(ana.printed) > 0 })
		bob.types("/msg ana psst")
		ana.shows("\x1b[1mbob -> ana: \x1b[0mpsst")
	})
}

// TestDM rings for private lines alone.
func TestDM(t *testing.T) {
	in(t, func(w *world) {
		bob := w.joined("bob")
		ana := w.join("ana", "", func(o *chat.Options, _ *session.Options) { o.Bell = chat.DM })
		ana.shows("-- you are ana in general; /help lists commands")
		bob.types("ana!")
		bob.types("/msg ana psst")
		ana.shows("! bob: ana!", "bob -> ana: psst")
		ana.rang(1)
	})
}

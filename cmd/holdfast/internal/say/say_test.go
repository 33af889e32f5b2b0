package say_test

import (
	"slices"
	"testing"
	"time"

	"holdfast/cmd/holdfast/internal/say"
	"holdfast/session"
	"holdfast/session/wire"
)

func TestMessage(t *testing.T) {
	for _, c := range []struct {
		m    session.Message
		want []string
	}{
		{session.Message{From: "ana", Text: "hi"}, []string{"ana: hi"}},
		{session.Message{From: "ana", Text: "waves", Kind: wire.KindAction}, []string{"* ana waves"}},
		{session.Message{From: "ana", To: "bob", Text: "psst", Kind: wire.KindPrivate}, []string{"ana -> bob: psst"}},
		{session.Message{From: "ana", Text: "one\nbob: two\n\nthree"}, []string{"ana: one", "  | bob: two", "  | ", "  | three"}},
		{session.Message{From: "a\x1b[2J", To: "b\u202e", Text: "\u009b1m"}, []string{"a␛[2J -> b: \ufffd1m"}},
	} {
		if got := say.Message(c.m); !slices.Equal(got, c.want) {
			t.Errorf("%+v: %q, want %q", c.m, got, c.want)
		}
	}
}

func TestPresence(t *testing.T) {
	p := session.Presence{Joined: []string{"ana", "bob\x07"}, Left: []string{"cem", "ana"}}
	if got := say.Presence(p, "general", "ana", true); got != nil {
		t.Errorf("at first: %q", got)
	}
	if got, want := say.Presence(p, "general", "ana", false), []string{"bob␇ joined general", "cem left general"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestGap(t *testing.T) {
	for want, g := range map[string]session.Gap{
		"1 line can no longer be shown":      {Lost: 1, Reason: wire.ReasonExpired},
		"1,234 lines can no longer be shown": {Lost: 1234, Reason: wire.ReasonExpired},
		"some lines can no longer be shown":  {Lost: -1, Reason: wire.ReasonExpired},
		"the server went back to an older copy of this room: some of what you saw is not there any more": {Lost: -1, Reason: wire.ReasonDiverged},
	} {
		if got := say.Gap(g); got != want {
			t.Errorf("%+v: %q, want %q", g, got, want)
		}
	}
}

func TestNumbers(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{say.Ago(0), "0 s"},
		{say.Ago(59 * time.Second), "59 s"},
		{say.Ago(61 * time.Second), "1 min"},
		{say.Ago(125 * time.Minute), "2 h 5 min"},
		{say.Millis(time.Microsecond), "under 1 ms"},
		{say.Millis(1700 * time.Microsecond), "2 ms"},
		{say.Count(0, "line"), "0 lines"},
		{say.Count(1, "line"), "1 line"},
		{say.Number(999), "999"},
		{say.Number(1000), "1,000"},
		{say.Number(1234567), "1,234,567"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}

package chat

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/session"
	"holdfast/transport/netsim"
)

// window is a terminal that has a size and nothing else.
type window struct {
	Terminal
	cols int
}

func (w window) Size() (cols, rows int) { return w.cols, 24 }

// offline runs a test with a chat that has no server.
func offline(t *testing.T, test func(c *Chat, s *session.Session)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := netsim.New(1, nil)
		s, err := session.Open("ws://server", &session.Options{Room: "general", Name: "ana", Dir: t.TempDir(), HTTPClient: n.Client("ana")})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			_ = s.Close()
			_ = n.Close()
			time.Sleep(time.Second) // net/http lets a dial that was given up run on for a moment
		}()
		c, err := New(s, Options{})
		if err != nil {
			t.Fatal(err)
		}
		c.term = window{cols: 80}
		test(c, s)
	})
}

// TestLanded: a line that stands in its place does not wait as well, though its ack is
// not here yet.
func TestLanded(t *testing.T) {
	offline(t, func(c *Chat, s *session.Session) {
		id, err := s.Send("one", "two")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		rows := func() []string {
			list := c.stands()
			for i := range list {
				list[i].hideLanded()
			}
			return c.waitingRows(list, 80)
		}
		if got := rows(); len(got) != 2 {
			t.Errorf("rows %q", got)
		}
		c.event(c.here, session.Message{Room: "general", From: "ana", Text: "one", ID: id, Own: true, Seq: 1})
		if got := rows(); len(got) != 1 || got[0] != "  · ana: two" {
			t.Errorf("rows %q", got)
		}
	})
}

// TestNames: a server that lists members who could not be called so gets none of them
// into the line: there they could begin a command.
func TestNames(t *testing.T) {
	offline(t, func(c *Chat, _ *session.Session) {
		c.event(c.here, session.Presence{Here: []string{"/quit", "ana", "bob", "bob /quit", "\x1b[2J"}})
		if _, got, _ := c.Complete("", 0); len(got) != 1 || got[0] != "bob: " {
			t.Errorf("offers %q", got)
		}
	})
}

// TestSettle: the line that ends an outage waits for receipts, which come a little later
// than the outbox is empty, or it would count too few.
func TestSettle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &Chat{term: window{}, outage: &outage{since: time.Now().Add(-time.Minute)}, rooms: []*room{{state: session.Online, level: true}}}
		if got := c.settle(nil); got != nil {
			t.Errorf("at once: %q", got)
		}
		time.Sleep(quietTime - 1)
		var s shown
		c.receipt(c.rooms[0], session.Receipt{}, &s)
		time.Sleep(quietTime - 1)
		if got := c.settle(nil); got != nil {
			t.Errorf("right after an ack: %q", got)
		}
		time.Sleep(time.Nanosecond)
		if got := c.settle(nil); len(got) != 1 || got[0] != "-- reconnected after 1 min, 1 sent --" {
			t.Errorf("in the end: %q", got)
		}
	})
}

// TestWorst: of several rooms the one that is worst off is told of, once.
func TestWorst(t *testing.T) {
	offline(t, func(c *Chat, s *session.Session) {
		c.o.Describe = error.Error
		at := func(st session.Status) standing { return standing{room: &room{s: s, level: true}, Status: st} }
		fine := at(session.Status{State: session.Online})
		held := at(session.Status{State: session.Online, Held: "storage"})
		off := at(session.Status{State: session.Waiting, Attempt: 3, Err: session.ErrClosed})
		for _, c2 := range []struct {
			list []standing
			want string
		}{
			{[]standing{fine, fine}, ""},
			{[]standing{fine, held}, "the server can't store lines just now: its disk may be full"},
			{[]standing{fine, held, off, off, held}, "reconnecting now · session: closed · attempt 3"},
		} {
			if got := strings.Join(c.linkRow(c2.list), c.signs.bar); got != c2.want {
				t.Errorf("%q, want %q", got, c2.want)
			}
		}
		for cols, want := range map[int]string{
			47: "reconnecting now · session: closed · attempt 3", 46: "reconnecting now · session: closed · attempt 3", 45: "reconnecting now · session: closed",
			33: "reconnecting now", 15: "reconnecting n…", 0: "reconnecting now · session: closed · attempt 3",
		} {
			if got := c.fitting(c.linkRow([]standing{off}), cols); got != want {
				t.Errorf("%d columns: %q, want %q", cols, got, want)
			}
		}
	})
}

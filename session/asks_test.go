package session_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"testing"
	"time"

	"holdfast/server"
	"holdfast/session"
	"holdfast/session/wire"
	"holdfast/transport/netsim"
)

// A private line waits in the outbox as any other, is shown to the two, and moves no
// one else's view.
func TestSendTo(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		dir := t.TempDir()
		ana := openAs(t, n, "ana", in(dir))
		if _, err := ana.SendTo("not a name", "psst"); !refusedAs(err, wire.RefusedUnknown) {
			t.Errorf("to no name: %v", err)
		}
		if _, err := ana.SendTo("bob", " "); !refusedAs(err, wire.RefusedBlank) {
			t.Errorf("blank: %v", err)
		}
		for _, say := range []func() (session.ID, error){ // nobody serves yet
			func() (session.ID, error) { return ana.Send("one") },
			func() (session.ID, error) { return ana.SendTo("Bob", "psst", "and") },
			func() (session.ID, error) { return ana.Send("two") },
		} {
			_, err := say()
			must(t, err)
		}
		if err := ana.Close(); !errors.Is(err, session.ErrUnsent) {
			t.Fatal(err)
		}
		serve(t, n, nil)
		bob, eve := follow(openAs(t, n, "bob", nil)), follow(openAs(t, n, "eve", nil))
		awaitState(t, bob, session.Online)
		awaitState(t, eve, session.Online)
		ana = openAs(t, n, "ana", in(dir)) // the next process
		tape := follow(ana)
		equal(t, "ana's", texts(t, tape, 4), []string{"one", "psst", "and", "two"})
		equal(t, "eve's", texts(t, eve, 2), []string{"one", "two"})
		await[session.Message](t, bob)
		for _, want := range []string{"psst", "and"} {
			if m := await[session.Message](t, bob); m.Text != want || m.Kind != wire.KindPrivate || m.From != "ana" || m.To != "bob" || m.Own {
				t.Errorf("bob was shown %+v", m)
			}
		}
		id, err := ana.SendTo("nobody", "psst")
		must(t, err)
		r := awaitThat(t, tape, func(r session.Receipt) bool { return r.ID == id })
		if r.Err == nil || r.Err.Code != wire.RefusedUnknown || r.Err.Text != "psst" {
			t.Errorf("to nobody: %+v", r)
		}
	})
}

func refusedAs(err error, code string) bool {
	var bad *session.TextError
	return errors.As(err, &bad) && bad.Code == code
}

// Who is away is told to all, and told again by each connection, for as long as it is so.
func TestSetAway(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		serve(t, n, nil)
		ana, bob := openAs(t, n, "ana", nil), openAs(t, n, "bob", nil)
		tape := follow(ana)
		away := func(want map[string]string) {
			t.Helper()
			p := awaitThat(t, tape, func(p session.Presence) bool { return p.Away != nil })
			if !maps.Equal(p.Away, want) {
				t.Fatalf("away are %v, want %v", p.Away, want)
			}
		}
		if err := bob.SetAway("two\nlines"); err == nil {
			t.Error("two lines are taken")
		}
		must(t, bob.SetAway("at lunch")) // before it is connected, perhaps
		away(map[string]string{"bob": "at lunch"})
		must(t, bob.SetAway(""))
		away(map[string]string{})
		must(t, bob.SetAway("asleep"))
		away(map[string]string{"bob": "asleep"})
		n.Partition("bob", true)
		awaitThat(t, tape, func(p session.Presence) bool { return slices.Contains(p.Left, "bob") })
		n.Partition("bob", false)
		awaitThat(t, tape, func(p session.Presence) bool { return slices.Contains(p.Joined, "bob") })
		away(map[string]string{"bob": "asleep"})
		must(t, bob.Close())
		p := awaitThat(t, tape, func(p session.Presence) bool { return slices.Contains(p.Left, "bob") })
		if p.Away == nil || len(p.Away) > 0 {
			t.Errorf("bob left, and away are %v", p.Away)
		}
	})
}

func TestHistory(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		s := openAs(t, n, "ana", nil)
		tape := follow(s)
		ctx := t.Context()
		if _, _, err := s.History(ctx, 0, 10); !errors.Is(err, session.ErrOffline) {
			t.Errorf("without a server: %v", err)
		}
		for _, limit := range []int{0, 201} {
			if _, _, err := s.History(ctx, 0, limit); !errors.Is(err, session.ErrOption) {
				t.Errorf("limit %d: %v", limit, err)
			}
		}
		serve(t, n, nil)
		all := numbered("m", 1, 7)
		send(t, s, all...)
		var own []session.Message
		for range all {
			own = append(own, await[session.Message](t, tape))
		}
		page := func(before uint64, limit int, wantEnd bool, want []string) {
			t.Helper()
			lines, end, err := s.History(ctx, before, limit)
			must(t, err)
			var got []string
			for _, m := range lines {
				got = append(got, m.Text)
				if !m.Own || !m.Replayed || m.From != "ana" || m.Seq == 0 {
					t.Errorf("%+v", m)
				}
			}
			equal(t, fmt.Sprint(limit, " before ", before), got, want)
			if end != wantEnd {
				t.Errorf("%d before %d: end %v", limit, before, end)
			}
		}
		page(0, 3, false, all[4:])
		page(own[4].Seq, 3, false, all[1:4])
		page(own[1].Seq, 3, true, all[:1])
		page(own[0].Seq, 3, true, nil)
	})
}

// A request dies with its connection, or when its caller has enough of waiting; a page
// of nothing but voids is passed over.
func TestHistoryOfAStrangeServer(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		srv := scripted(t, n)
		s := open(t, n, nil)
		tape := follow(s)
		p := srv.join()
		awaitState(t, tape, session.Online)
		type answer struct {
			lines []session.Message
			end   bool
			err   error
		}
		answers := make(chan answer, 1)
		ask := func(ctx context.Context) *wire.History {
			go func() {
				lines, end, err := s.History(ctx, 0, 5)
				answers <- answer{lines, end, err}
			}()
			return expect[*wire.History](p)
		}
		q := ask(t.Context())
		p.send(&wire.Page{ID: "another"}, &wire.Page{ID: q.ID, Events: []wire.Event{{Seq: 9, Kind: wire.KindVoid}}})
		q = expect[*wire.History](p)
		if q.Before != 9 {
			t.Errorf("went on before %d", q.Before)
		}
		p.send(&wire.Page{ID: q.ID, Events: batch("", "", 7, 8).Events}, &wire.Page{ID: q.ID, End: true})
		if a := <-answers; a.err != nil || len(a.lines) != 2 || a.end {
			t.Errorf("%+v", a)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		q = ask(ctx)
		if a := <-answers; !errors.Is(a.err, context.DeadlineExceeded) {
			t.Errorf("%+v", a)
		}
		p.send(&wire.Page{ID: q.ID}) // late, and of no use to anyone
		ask(t.Context())
		p.drop()
		if a := <-answers; !errors.Is(a.err, session.ErrOffline) {
			t.Errorf("%+v", a)
		}
	})
}

// Remove is for moderators, and for those alone.
func TestRemove(t *testing.T) {
	bubble(t, func(t *testing.T, n *netsim.Net) {
		serve(t, n, &server.Options{Authorize: func(_ *http.Request, _, name string) (server.Grant, error) {
			if name == "ana" {
				return server.Grant{Rights: server.Read | server.Write | server.Moderate}, nil
			}
			return server.Grant{}, nil
		}})
		ana, eve := open(t, n, nil), openAs(t, n, "eve", nil)
		anas, eves := follow(ana), follow(eve)
		if err := ana.Remove("eve", ""); !errors.Is(err, session.ErrNotModerator) {
			t.Errorf("before there is a connection: %v", err)
		}
		awaitState(t, anas, session.Online)
		awaitState(t, eves, session.Online)
		pass(time.Second)
		if err := eve.Remove("ana", ""); !errors.Is(err, session.ErrNotModerator) || !ana.Status().Moderator {
			t.Errorf("by somebody else: %v", err)
		}
		if err := ana.Remove("eve", "two\nlines"); err == nil {
			t.Error("a reason of two lines")
		}
		must(t, ana.Remove("Eve", "no ads here"))
		if r := rejectedWith(t, eve, eves, wire.Forbidden); r.Message != "no ads here" {
			t.Errorf("was told %q", r.Message)
		}
		awaitThat(t, anas, func(p session.Presence) bool { return contains(p.Left, "eve") })
	})
}

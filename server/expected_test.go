package server_test

import (
	"fmt"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/server"
	"holdfast/server/history"
	"holdfast/session/wire"
)

// remembered is a store in which an earlier server has noted members, and which was closed
// at that time.
type remembered struct {
	history.Store
	closed time.Time
}

func (r remembered) Members() (map[string][]string, time.Time) {
	m, _ := r.Store.Members()
	return m, r.closed
}

func remember(closed time.Time, members map[string][]string) remembered {
	store := history.Memory()
	for room, users := range members {
		store.NoteMembers(room, users, nil)
	}
	return remembered{store, closed}
}

func (w *world) wantNoted(store history.Store, want map[string][]string) {
	w.Helper()
	if got, _ := store.Members(); !reflect.DeepEqual(got, want) {
		w.Errorf("noted: %v, want %v", got, want)
	}
}

// TestExpectedBack: who was a member when the last server on this store ended lingers in
// this one. Who comes back is no news, who does not has left.
func TestExpectedBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := remember(time.Now().Add(-time.Minute), map[string][]string{"general": {"ana", "bob", "cem"}, "empty": {"dora"}, "late": {"dora"}})
		run(t, &server.Options{Linger: time.Minute}, store, func(w *world) {
			pass(10 * time.Second)
			ana := w.join("general", "ana")
			if got := fmt.Sprint(ana.roster()); got != "[ana bob cem]" {
				t.Errorf("ana comes back to %s", got)
			}
			if n := w.srv.Users(); n != 1 {
				t.Errorf("%d users are connected", n)
			}
			bob := w.join("general", "bob")
			w.join("general", "dora")
			pass(40 * time.Second)
			if late := w.join("late", "eve"); fmt.Sprint(late.roster()) != "[dora eve]" {
				t.Errorf("late: %v", late.roster())
			}
			pass(9 * time.Second)
			want(ana, joined("dora"))
			pass(3 * time.Second) // the time runs from the start, however late a room is opened
			want(ana, joined("dora"), left("cem"))
			want(bob, joined("dora"), left("cem"))
			w.wantNoted(store, map[string][]string{"general": {"ana", "bob", "dora"}, "late": {"eve"}})
			if late := w.join("empty", "ana"); fmt.Sprint(late.roster()) != "[ana]" {
				t.Errorf("in an empty room: %v", late.roster())
			}
		})
	})
}

// TestNotExpectedBack: nobody is, where nobody lingers, or after a long time without a
// server.
func TestNotExpectedBack(t *testing.T) {
	for name, c := range map[string]struct {
		linger time.Duration
		closed time.Duration
	}{
		"no linger":   {-1, time.Second},
		"a long time": {0, 2 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := remember(time.Now().Add(-c.closed), map[string][]string{"general": {"bob"}, "other": {"bob"}})
				run(t, &server.Options{Linger: c.linger}, store, func(w *world) {
					pass(time.Second)
					if ana := w.join("general", "ana"); fmt.Sprint(ana.roster()) != "[ana]" {
						t.Errorf("in general: %v", ana.roster())
					}
					w.wantNoted(store, map[string][]string{"general": {"ana"}})
				})
			})
		})
	}
}

// TestNoted: members are noted as they come and go, and those who have left before the
// server ends, be it just before or while it does, are not expected back.
func TestNoted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := history.Memory()
		run(t, nil, store, func(w *world) {
			w.join("general", "ana")
			w.join("general", "bob")
			w.join("general", "cem").drop() // lingers
			w.join("general", "eve").write(&wire.Bye{})
			w.join("other", "dora").write(&wire.Bye{})
			synctest.Wait()
			w.wantNoted(store, map[string][]string{"general": {"ana", "bob", "cem"}})
			pass(time.Minute / 2)
			fred := w.join("general", "fred")
			pass(time.Second)
			fred.write(&wire.Bye{})
			back := w.join("general", "gus")
			back.write(&wire.Bye{})
			w.join("general", "gus")
			pass(time.Millisecond)
		})
		w := &world{T: t}
		w.wantNoted(store, map[string][]string{"general": {"ana", "bob", "cem", "gus"}})
	})
}

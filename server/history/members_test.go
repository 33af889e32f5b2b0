package history_test

import (
	"reflect"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestMembers: who is where is remembered, also by the next opening.
func TestMembers(t *testing.T) {
	each(t, false, func(t *testing.T, e engine) {
		s := e.open(t)
		want := func(what string, want map[string][]string) {
			t.Helper()
			if got, _ := s.Members(); !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %v, want %v", what, got, want)
			}
		}
		want("at first", map[string][]string{})
		s.NoteMembers("general", []string{"eve", "ana", "bob"}, nil)
		s.NoteMembers("gen", []string{"cem"}, nil)
		s.NoteMembers("general", nil, nil)
		s.NoteMembers("general", []string{"dia"}, []string{"ana", "nobody"})
		s.NoteMembers("other", []string{"ana"}, nil)
		s.NoteMembers("other", nil, []string{"ana"})
		now := map[string][]string{"general": {"bob", "dia", "eve"}, "gen": {"cem"}}
		want("noted", now)
		list, closed := s.Members()
		list["general"][0] = "changed"
		if !closed.IsZero() {
			t.Errorf("closed at %v", closed)
		}
		want("noted, and given away", now)
		if e.reopen == nil {
			return
		}
		s = e.reopen(t, s)
		want("opened again", now)
		s.NoteMembers("gen", nil, []string{"cem"})
		s = e.reopen(t, s)
		want("and again", map[string][]string{"general": {"bob", "dia", "eve"}})
		if _, closed = s.Members(); time.Since(closed) > time.Minute {
			t.Errorf("closed at %v", closed)
		}
	})
}

// TestMembersOfAnotherRoom: keys of rooms whose names begin alike, or that hold what ends a
// name, do not mix.
func TestMembersOfAnotherRoom(t *testing.T) {
	each(t, true, func(t *testing.T, e engine) {
		s := e.open(t)
		s.NoteMembers("a", []string{"bc"}, nil)
		s.NoteMembers("ab", []string{"c"}, nil)
		s.NoteMembers("a\x00b", []string{"c"}, nil)
		s = e.reopen(t, s)
		if got, _ := s.Members(); !reflect.DeepEqual(got, map[string][]string{"a": {"bc"}, "ab": {"c"}}) {
			t.Errorf("%v", got)
		}
	})
}

// TestMembersAfterCrash: a store that was not closed knows its members as of its last
// batch, and of no time when it was closed.
func TestMembersAfterCrash(t *testing.T) {
	fs := vfs.NewCrashableMem()
	s := openDisk(t, "history", fs)
	s.NoteMembers("general", []string{"ana"}, nil)
	noError(t, s.Close())
	s = openDisk(t, "history", fs)
	p := record(t, s, "general")
	s.NoteMembers("general", []string{"bob"}, []string{"ana"})
	noError(t, p.Append(p.line("s", "a line goes with it")))
	p.wait(1)
	s = openDisk(t, "history", fs.CrashClone(vfs.CrashCloneCfg{}))
	got, closed := s.Members()
	if !reflect.DeepEqual(got, map[string][]string{"general": {"bob"}}) || !closed.IsZero() {
		t.Errorf("%v, closed at %v", got, closed)
	}
}

// TestMembersOnFullDisk: what is noted while there is too little room is written when there
// is enough: the last word on each member, and no more.
func TestMembersOnFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := newSmallDisk(64<<20, syscall.ENOSPC)
		s := openDisk(t, "h", disk)
		s.NoteMembers("general", []string{"ana", "bob"}, nil)
		p := record(t, s, "general")
		p.sayN(1)
		disk.fill()
		p.sayN(1)
		looked()
		refused(t, p)
		for range 1000 {
			s.NoteMembers("general", []string{"cem", "bob"}, []string{"ana"})
			s.NoteMembers("general", []string{"ana"}, []string{"bob"})
		}
		looked()
		disk.clear()
		refused(t, p)
		looked()
		p.sayN(1)
		noError(t, s.Close())
		s = openDisk(t, "h", disk)
		if got, _ := s.Members(); !reflect.DeepEqual(got, map[string][]string{"general": {"ana", "cem"}}) {
			t.Errorf("%v", got)
		}
		noError(t, s.Close())
	})
}

package historytest

import (
	"reflect"
	"testing"
	"time"
)

// TestMembers: who is where is remembered, also by the next opening.
func testMembers(t *testing.T, e Engine) {
	s := e.Open(t)
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
	if e.Reopen == nil {
		return
	}
	s = e.Reopen(t, s)
	want("opened again", now)
	s.NoteMembers("gen", nil, []string{"cem"})
	s = e.Reopen(t, s)
	want("and again", map[string][]string{"general": {"bob", "dia", "eve"}})
	if _, closed = s.Members(); time.Since(closed) > time.Minute {
		t.Errorf("closed at %v", closed)
	}
}

// TestMembersOfAnotherRoom: keys of rooms whose names begin alike, or that hold what ends a
// name, do not mix.
func testMembersOfAnotherRoom(t *testing.T, e Engine) {
	s := e.Open(t)
	s.NoteMembers("a", []string{"bc"}, nil)
	s.NoteMembers("ab", []string{"c"}, nil)
	s.NoteMembers("a\x00b", []string{"c"}, nil)
	s = e.Reopen(t, s)
	if got, _ := s.Members(); !reflect.DeepEqual(got, map[string][]string{"a": {"bc"}, "ab": {"c"}}) {
		t.Errorf("%v", got)
	}
}

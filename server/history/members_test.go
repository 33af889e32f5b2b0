package history_test

import (
	"reflect"
	"testing"
)

// TestMembers: who is where is remembered, also by the next opening.
func TestMembers(t *testing.T) {
	each(t, false, func(t *testing.T, e engine) {
		s := e.open(t)
		want := func(what string, want map[string][]string) {
			t.Helper()
			if got := s.Members(); !reflect.DeepEqual(got, want) {
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
		s.Members()["general"][0] = "changed"
		want("noted, and given away", now)
		if e.reopen == nil {
			return
		}
		s = e.reopen(t, s)
		want("opened again", now)
		s.NoteMembers("gen", nil, []string{"cem"})
		s = e.reopen(t, s)
		want("and again", map[string][]string{"general": {"bob", "dia", "eve"}})
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
		if got, want := s.Members(), (map[string][]string{"a": {"bc"}, "ab": {"c"}}); !reflect.DeepEqual(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	})
}

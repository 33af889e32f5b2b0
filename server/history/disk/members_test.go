package disk_test

import (
	"reflect"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/cockroachdb/pebble/v2/vfs"

	"holdfast/server/history/historytest"
)

// TestMembersAfterCrash: a store that was not closed knows its members as of its last
// batch, and of no time when it was closed.
func TestMembersAfterCrash(t *testing.T) {
	fs := vfs.NewCrashableMem()
	s := openDisk(t, "history", fs)
	s.NoteMembers("general", []string{"ana"}, nil)
	noError(t, s.Close())
	s = openDisk(t, "history", fs)
	p := historytest.Record(t, s, "general")
	s.NoteMembers("general", []string{"bob"}, []string{"ana"})
	noError(t, p.Append(p.Line("s", "a line goes with it")))
	p.Wait(1)
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
		drive := newSmallDisk(64<<20, syscall.ENOSPC)
		s := openDisk(t, "h", drive)
		s.NoteMembers("general", []string{"ana", "bob"}, nil)
		p := historytest.Record(t, s, "general")
		p.SayN(1)
		drive.fill()
		p.SayN(1)
		looked()
		refused(t, p)
		for range 1000 {
			s.NoteMembers("general", []string{"cem", "bob"}, []string{"ana"})
			s.NoteMembers("general", []string{"ana"}, []string{"bob"})
		}
		looked()
		drive.clear()
		refused(t, p)
		looked()
		p.SayN(1)
		noError(t, s.Close())
		s = openDisk(t, "h", drive)
		if got, _ := s.Members(); !reflect.DeepEqual(got, map[string][]string{"general": {"ana", "cem"}}) {
			t.Errorf("%v", got)
		}
		noError(t, s.Close())
	})
}

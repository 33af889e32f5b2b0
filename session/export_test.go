package session

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"testing"

	"go.etcd.io/bbolt"
)

// Aside returns the refused lines, as JSON, in all slots under a state directory.
func Aside(t testing.TB, dir string) (list []string) {
	eachSlot(t, dir, func(tx *bbolt.Tx) error {
		return tx.Bucket(asideBucket).ForEach(func(_, v []byte) error {
			list = append(list, string(v))
			return nil
		})
	})
	return list
}

// Outbox returns the unsent lines of all slots under a state directory that no
// session has open, each as "source n text".
func Outbox(t testing.TB, dir string) (list []string) {
	eachSlot(t, dir, func(tx *bbolt.Tx) error {
		st, err := (&slot{db: tx.DB()}).load()
		for _, room := range slices.Sorted(maps.Keys(st.rooms)) {
			for _, l := range st.rooms[room].lines {
				list = append(list, fmt.Sprint(l.ID.Source, " ", l.ID.N, " ", l.Text))
			}
		}
		return err
	})
	return list
}

// Break takes the file from under a session, as a disk that fails does.
func Break(s *Session) error { return s.client.keeper.slot.db.Close() }

func eachSlot(t testing.TB, dir string, f func(*bbolt.Tx) error) {
	t.Helper()
	for _, path := range Files(t, dir) {
		db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: 1, ReadOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		if err := db.View(f); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// Files returns the slots under a state directory.
func Files(t testing.TB, dir string) []string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(dir, "*", "*", "*", "*.db"))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

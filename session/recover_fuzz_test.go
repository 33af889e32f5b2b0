package session

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// paintSlot makes a state file with lines that wait, one that was refused, pages that
// are free, and a cursor.
func paintSlot(t *testing.T) {
	dir := t.TempDir()
	im := &slotImage
	use(t, dir, false, func(k *desk) {
		for i := range 9 {
			add(t, k, fmt.Sprint("line ", i))
		}
		im.before = k.out.all()
		k.noteAcked(k.out.ack(im.before[0].ID.Source, 3))
		k.noteRefused(ownRoom, k.out.refuse(im.before[5].ID)[0], RefusedError{Code: "blank"})
		k.notePoint(ownRoom, point{"cursor", 7})
		add(t, k, "the last")
		im.lines = k.out.all()
	})
	var err error
	if im.file, err = os.ReadFile(filepath.Join(dir, "0.db")); err != nil {
		t.Fatal(err)
	}
}

var slotImage = struct {
	sync.Once
	file   []byte
	lines  []Line // that wait
	before []Line // that waited before the last write
	sync.Mutex
	seen map[[2]int]bool
}{seen: map[[2]int]bool{}}

// A state file that was cut, or of which a sector never got to the disk, opens with the
// lines that it has, or with those that it had one write before, or says that it can't,
// when it is opened or written to; and what is written behind them stays. Flipped bits are for
// TestFlippedBits: here they could have the library follow a wrong length far out of the
// file, which takes its time.
//
// Opening takes a millisecond, so places near to one another count as one, and what this
// process has seen is not tried again.
func FuzzSlotRecovery(f *testing.F) {
	f.Add([]byte{cut, 0x20, 0})
	f.Add([]byte{unwritten, 0x30, 0})
	f.Fuzz(func(t *testing.T, in []byte) {
		slotImage.Do(func() { paintSlot(t) })
		if len(in) < 3 {
			return
		}
		kind := in[0] % 2
		at := int(binary.BigEndian.Uint16(in[1:])) % len(slotImage.file) &^ (map[byte]int{cut: 8, unwritten: 512}[kind] - 1)
		slotImage.Lock()
		known := slotImage.seen[[2]int{int(kind), at}]
		slotImage.seen[[2]int{int(kind), at}] = true
		slotImage.Unlock()
		if known {
			return
		}
		b := bytes.Clone(slotImage.file)
		if kind == cut {
			b = b[:at]
		} else {
			clear(b[at : at+512])
		}
		path := filepath.Join(t.TempDir(), "0.db")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		recoverSlot(t, filepath.Dir(path), len(b) == 0)
	})
}

const (
	cut       = iota // at a place
	unwritten        // a sector of zeros
)

func recoverSlot(t *testing.T, dir string, empty bool) {
	s, err := openSlot(dir, false, false)
	if err != nil {
		return
	}
	st := contentsOf(t, s)
	lines, before := slotImage.lines, slotImage.before
	if empty { // it is new
		lines, before = nil, nil
	}
	if !slices.Equal(st.lines, lines) && !slices.Equal(st.lines, before) {
		t.Fatalf("holds %v, want %v or %v", said(st.lines), said(lines), said(before))
	}
	k := newDesk(s, st.lines, &Options{MaxLines: 100, MaxBytes: 1 << 20})
	go k.run()
	if _, err := k.say("more", strings.Repeat("x", 4000)); err != nil {
		if closed := k.close(); !errors.Is(err, errDamaged) || !errors.Is(closed, errDamaged) {
			t.Fatalf("%v, %v; want that it is damaged", err, closed)
		}
		return
	}
	if err := k.close(); err != nil {
		t.Fatal(err)
	}
	use(t, dir, false, func(k *desk) {
		if got := k.out.all(); len(got) != len(st.lines)+2 || !slices.Equal(got[:len(st.lines)], st.lines) {
			t.Fatalf("holds %v after two more, and held %v", said(got), said(st.lines))
		}
	})
}

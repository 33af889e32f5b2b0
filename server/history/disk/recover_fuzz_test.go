package disk_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"holdfast/server/history"
	"holdfast/server/history/disk"
	"holdfast/server/history/historytest"
)

// image is a directory as a store left it, and what the store had told by then.
type image struct {
	files map[string][]byte
	names []string
	told  []history.Entry
}

// paintImage lets a store live through two openings, so that some lines are in tables
// and some in the log, and copies its files as a power cut would leave them.
func paintImage(t *testing.T) *image {
	fs := vfs.NewCrashableMem()
	im := &image{files: map[string][]byte{}}
	for round := range 2 {
		s, err := disk.Open("h", &disk.Options{FS: fs})
		noError(t, err)
		p := historytest.Record(t, s, "general")
		for i := range 12 {
			line := history.Line{User: "ana", Source: "s", N: uint64(12*round + i + 1), Text: fmt.Sprint("line ", i), At: disk.FromMillis(1e12)}
			if i%5 == 4 {
				line.Kind, line.Text = history.KindVoid, "blank"
			}
			noError(t, p.Append(line))
			im.told = append(im.told, p.Wait(i + 1)[i])
		}
		if round == 1 {
			fs = fs.CrashClone(vfs.CrashCloneCfg{})
		}
		noError(t, s.Close())
	}
	var err error
	im.names, err = fs.List("h")
	noError(t, err)
	slices.Sort(im.names)
	for _, name := range im.names {
		f, err := fs.Open("h/" + name)
		noError(t, err)
		im.files[name], err = io.ReadAll(f)
		noError(t, err)
		noError(t, f.Close())
	}
	return im
}

// damage is one thing that happened to one file.
type damage struct {
	file byte
	kind byte // what: see spoil
	at   uint16
	bits byte
}

// spoil returns what is left of a file: cut, with bits flipped, or with zeros to the
// end of the block, as a disk shows what never got to it. ok is false if that changes
// nothing.
func (d damage) spoil(b []byte) (left []byte, ok bool) {
	if int(d.at) >= len(b) {
		return b, false
	}
	left = bytes.Clone(b)
	switch d.kind % 3 {
	case 0:
		left = left[:d.at]
	case 1:
		left[d.at] ^= d.bits
	case 2:
		clear(left[d.at:min((int(d.at)|4095)+1, len(b))])
	}
	return left, !bytes.Equal(left, b)
}

var painted = struct {
	sync.Once
	*image
	sync.Mutex
	seen map[damage]bool
}{seen: map[damage]bool{}}

// A store whose files were cut or changed opens, or says that it can't. What it then
// holds is a run of what was said from the first line on, under the numbers that were
// told; the marks fit; it goes on from there; and readers who know more are told so.
//
// Opening takes a millisecond, and there are not many kinds of damage to so small a
// store: what this process has seen is not tried again.
func FuzzRecovery(f *testing.F) {
	for _, seed := range [][]byte{{0, 0, 0, 100, 0}, {1, 1, 0, 40, 8}, {2, 2, 0, 9, 0}, {4, 1, 0, 200, 1}, {6, 0, 1, 0, 0}, {3, 1, 2, 9, 255}} {
		f.Add(seed)
	}
	for file := range byte(8) { // one is the manifest: Pebble takes a bad last record for an unfinished one
		f.Add([]byte{file, 1, 0, 74, 0})
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		painted.Do(func() { painted.image = paintImage(t) })
		if len(in) < 5 {
			return
		}
		d := damage{in[0] % byte(len(painted.names)), in[1] % 3, binary.BigEndian.Uint16(in[2:]), in[4]}
		name := painted.names[d.file]
		d.at %= uint16(len(painted.files[name]) + 1)
		if d.bits = 1 << (d.bits % 2 * 7); d.kind != 1 { // the lowest bit or the highest
			d.bits = 0
		}
		painted.Lock()
		known := painted.seen[d]
		painted.seen[d] = true
		painted.Unlock()
		left, changed := d.spoil(painted.files[name])
		if known || !changed {
			return
		}
		fs := vfs.NewMem()
		noError(t, fs.MkdirAll("h", 0o700))
		for _, n := range painted.names {
			b := painted.files[n]
			if n == name {
				b = left
			}
			w, err := fs.Create("h/"+n, vfs.WriteCategoryUnspecified)
			noError(t, err)
			_, err = w.Write(b)
			noError(t, err)
			noError(t, w.Close())
		}
		recoverFrom(t, fs, painted.told)
	})
}

// recoverFrom opens what is left and judges it. Any error is fine, a lie is not.
func recoverFrom(t *testing.T, fs vfs.FS, told []history.Entry) {
	s, err := disk.Open("h", &disk.Options{FS: fs, MinFree: -1})
	if err != nil {
		return
	}
	defer s.Close()
	heard := make(chan []history.Entry, 1)
	log, err := s.Open("general", func(lines []history.Entry) { heard <- lines })
	if err != nil {
		return
	}
	have, err := log.Read(0, 1000)
	if err != nil {
		return
	}
	end := len(have)
	if end > len(told) || !slices.Equal(have, told[:end]) {
		t.Fatalf("of %d lines that were told, %d are shown, and they are not the first: %+v", len(told), len(have), have)
	}
	source, err := log.Source("ana", "s")
	if err != nil {
		return
	}
	voids := 0
	for _, e := range have {
		if e.Kind == history.KindVoid {
			voids++
		}
	}
	if source.Mark != uint64(end) || len(source.Voids) != voids {
		t.Fatalf("%+v with %d lines, %d of them refused", source, len(have), voids)
	}
	start, err := log.Start(told[len(told)-1].Cursor, 0)
	if err == nil && start.Resumed != (end == len(told)) {
		t.Fatalf("a reader of %d lines, with %d here: %+v", len(told), len(have), start)
	}
	if log.Append(history.Line{User: "ana", Source: "s", N: source.Mark + 1, Text: "more", At: time.Now()}) != nil {
		return
	}
	select {
	case lines := <-heard:
		if len(lines) != 1 || lines[0].Seq != uint64(end+1) {
			t.Fatalf("the next line after %d is %+v", end, lines)
		}
	case <-s.Failed():
	case <-time.After(20 * time.Second):
		t.Fatal("a line is neither stored nor refused")
	}
}

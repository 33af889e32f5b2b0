package session

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
)

// desk is a keeper and the one room that it writes for.
type desk struct {
	*keeper
	pen *pen
	out *outbox
}

func newDesk(s *slot, lines []Line, o *Options) *desk {
	d := &desk{keeper: newKeeper(s, o), out: newOutbox(lines, 0, func() {})}
	d.pen = &pen{room: ownRoom, source: randomID(12), out: d.out, feed: newFeed(point{}, 1, true, func() {})}
	return d
}

func (d *desk) say(texts ...string) (ID, error) { return d.add(d.pen, draft{texts: texts}) }

// contents is what a slot held when it was opened.
type contents struct {
	roomState
	device string
}

func contentsOf(t *testing.T, s *slot) contents {
	t.Helper()
	st, err := s.load()
	if err != nil {
		t.Fatal(err)
	}
	return contents{*st.room(ownRoom), st.device}
}

// use opens a slot, lets f work with its keeper, and closes it.
func use(t *testing.T, dir string, fresh bool, f func(*desk)) contents {
	t.Helper()
	s, err := openSlot(dir, fresh, false)
	if err != nil {
		t.Fatal(err)
	}
	state := contentsOf(t, s)
	d := newDesk(s, state.lines, &Options{MaxLines: 10_000, MaxBytes: 8 << 20})
	go d.run()
	defer func() {
		if err := d.close(); err != nil {
			t.Error(err)
		}
	}()
	f(d)
	return state
}

func add(t *testing.T, d *desk, texts ...string) ID {
	t.Helper()
	id, err := d.say(texts...)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func said(lines []Line) (list []string) {
	for _, l := range lines {
		list = append(list, l.Text)
	}
	return list
}

func TestSlotsAreLockedAndTakenOver(t *testing.T) {
	dir := t.TempDir()
	use(t, dir, false, func(a *desk) {
		a.notePoint(ownRoom, point{"c", 1})
		first := add(t, a, "a1", "a2")
		use(t, dir, false, func(b *desk) {
			if a.slot.number != 0 || b.slot.number != 1 {
				t.Errorf("slots %d and %d", a.slot.number, b.slot.number)
			}
			add(t, b, "b1")
			use(t, dir, false, func(c *desk) { add(t, c, "c1") })
			c := use(t, dir, false, func(k *desk) {}) // the free one, not b's
			if !slices.Equal(said(c.lines), []string{"c1"}) {
				t.Errorf("third slot: %v", said(c.lines))
			}
		})
		if first.N != 1 {
			t.Errorf("first line %v", first)
		}
	})
	// The one with the cursor is taken; the others' lines move in, with their numbers.
	state := use(t, dir, false, func(k *desk) {
		if k.slot.number != 0 {
			t.Errorf("slot %d", k.slot.number)
		}
	})
	if got := said(state.lines); !slices.Equal(got, []string{"a1", "a2", "b1", "c1"}) || state.lines[2].ID.N != 1 || state.point != (point{"c", 1}) {
		t.Errorf("after all: %v, %+v", got, state.point)
	}
	for n := range 3 {
		s, err := lockSlot(dir, n)
		if err != nil {
			t.Fatal(err)
		}
		if st := contentsOf(t, s); (len(st.lines) > 0) != (n == 0) {
			t.Errorf("slot %d holds %v", n, said(st.lines))
		}
		_ = s.db.Close()
	}
}

func TestAdoptionCutShort(t *testing.T) {
	dir := t.TempDir()
	use(t, dir, false, func(a *desk) {
		use(t, dir, false, func(b *desk) { add(t, b, "b1", "b2") })
		add(t, a, "a1")
	})
	one, err := lockSlot(dir, 1)
	if err != nil {
		t.Fatal(err)
	}
	copied, err := os.ReadFile(one.path)
	_ = one.db.Close()
	if err != nil {
		t.Fatal(err)
	}
	before := use(t, dir, false, func(*desk) {})
	if err := os.WriteFile(one.path, copied, 0o600); err != nil { // as if the second write had not been
		t.Fatal(err)
	}
	after := use(t, dir, false, func(*desk) {})
	if got := said(after.lines); !slices.Equal(got, []string{"a1", "b1", "b2"}) || !slices.Equal(ids(before.lines), ids(after.lines)) {
		t.Errorf("once more: %v", got)
	}
}

func TestFreshLeavesTheCursorAlone(t *testing.T) {
	dir := t.TempDir()
	use(t, dir, false, func(k *desk) { k.notePoint(ownRoom, point{"c", 1}) })
	use(t, dir, true, func(k *desk) {
		if k.slot.number != 1 {
			t.Errorf("a fresh session took slot %d", k.slot.number)
		}
		state := use(t, dir, false, func(k *desk) {})
		if state.point.cursor != "c" {
			t.Errorf("the cursor was not free: %+v", state.point)
		}
		add(t, k, "from a script")
	})
	use(t, dir, true, func(k *desk) {
		if k.slot.number != 1 {
			t.Errorf("a fresh session took slot %d", k.slot.number)
		}
	})
}

func TestNewerFormatIsRefused(t *testing.T) {
	dir := t.TempDir()
	use(t, dir, false, func(k *desk) {
		err := k.slot.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(metaBucket).Put(formatKey, []byte("3")) })
		if err != nil {
			t.Error(err)
		}
	})
	_, err := openSlot(dir, false, false)
	if err == nil || !strings.Contains(err.Error(), "newer") || !strings.Contains(err.Error(), filepath.Join(dir, "0.db")) {
		t.Errorf("error: %v", err)
	}
}

func TestDamagedFile(t *testing.T) {
	for name, damage := range map[string]func([]byte) []byte{
		"text":    func([]byte) []byte { return []byte("hello") },
		"cut":     func(b []byte) []byte { return b[:8192] },
		"cut odd": func(b []byte) []byte { return b[:20_000] },
		"zeros":   func(b []byte) []byte { clear(b[8192:]); return b },
		"heads":   func(b []byte) []byte { clear(b[:8192]); return b },
		"noise": func(b []byte) []byte {
			for i := range b[8192:] {
				b[8192+i] = 0xa5
			}
			return b
		},
		"a line": func(b []byte) []byte {
			return []byte(strings.ReplaceAll(string(b), `{"source"`, `{!source"`))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			use(t, dir, false, func(k *desk) {
				for i := range 60 {
					add(t, k, fmt.Sprintf("line %0200d", i))
				}
			})
			path := filepath.Join(dir, "0.db")
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, damage(b), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := openSlot(dir, false, false); !errors.Is(err, errDamaged) || !strings.Contains(err.Error(), path) {
				t.Errorf("error: %v", err)
			}
		})
	}
}

// TestFlippedBits: a bit that flips in a line, the cursor, the device or what they stand
// under shows when the file is opened: no other word is sent, and none is missing.
func TestFlippedBits(t *testing.T) {
	dir := t.TempDir()
	use(t, dir, false, func(k *desk) {
		add(t, k, "first line", "second line")
		k.notePoint(ownRoom, point{"cursor-of-mine", 7})
	})
	path := filepath.Join(dir, "0.db")
	s, err := openSlot(dir, false, false)
	if err != nil {
		t.Fatal(err)
	}
	st := contentsOf(t, s)
	if err := s.db.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, what := range []string{"meta", "outbox", "first line", "second line", "cursor-of-mine", st.device, "device", "point", "sum", "format", string(be(st.lines[0].key)) + `{"source"`} {
		found := 0
		for at := 0; ; at++ { // in all pages, also those that are not used any more
			i := strings.Index(string(whole[at:]), what)
			if i < 0 {
				break
			}
			at += i
			found++
			for bit := range 8 * len(what) {
				b := slices.Clone(whole)
				b[at+bit/8] ^= 1 << (bit % 8)
				dir := t.TempDir() // a file that the library panicked over stays locked
				if err := os.WriteFile(filepath.Join(dir, "0.db"), b, 0o600); err != nil {
					t.Fatal(err)
				}
				s, err := openSlot(dir, false, false)
				if err != nil {
					continue // found
				}
				if got := contentsOf(t, s); !reflect.DeepEqual(got, st) {
					t.Errorf("bit %d of %q: %q at %v", bit, what, said(got.lines), got.point)
				}
				_ = s.db.Close()
			}
		}
		if found == 0 {
			t.Errorf("%q is not in the file", what)
		}
	}
}

// TestFormerFormat: a file without a sum is taken as it is, and has one from then on.
func TestFormerFormat(t *testing.T) {
	dir := t.TempDir()
	use(t, dir, false, func(k *desk) {
		add(t, k, "old")
		k.flush()
		err := k.slot.db.Update(func(tx *bbolt.Tx) error {
			meta := tx.Bucket(metaBucket)
			return errors.Join(meta.Put(formatKey, []byte("1")), meta.Delete(sumKey))
		})
		if err != nil {
			t.Fatal(err)
		}
	})
	st := use(t, dir, false, func(k *desk) { add(t, k, "new") })
	if got := said(st.lines); !slices.Equal(got, []string{"old"}) {
		t.Errorf("held %q", got)
	}
	path := filepath.Join(dir, "0.db")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(string(b), `"text":"old"`, `"text":"odd"`)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openSlot(dir, false, false); !errors.Is(err, errDamaged) {
		t.Errorf("error: %v", err)
	}
}

// A process that was killed right after it had made the file leaves an empty one.
func TestEmptyFileIsNew(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "0.db"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	use(t, dir, false, func(k *desk) { add(t, k, "a1") })
}

func TestMakeDir(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b", "c")
	for range 2 {
		if err := makeDir(dir); err != nil {
			t.Fatal(err)
		}
	}
	if fi, err := os.Stat(filepath.Dir(dir)); err != nil || runtime.GOOS != "windows" && fi.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", fi.Mode(), err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := makeDir(filepath.Join(file, "d")); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("under a file: %v", err)
	}
}

func TestIdentity(t *testing.T) {
	dir := t.TempDir()
	key := func(dir, host string) string {
		t.Helper()
		id, err := readIdentity(dir, host)
		if err != nil {
			t.Fatal(err)
		}
		if id.former != "" {
			t.Error("a new user has a secret of before there were key pairs")
		}
		return string(id.key)
	}
	a := key(dir, "chat.example")
	if key(dir, "chat.example") != a || key(dir, "other.example") == a || key(t.TempDir(), "chat.example") == a {
		t.Error("keys are not one for each directory and host")
	}
	fi, err := os.Stat(filepath.Join(dir, keyFile))
	if err != nil || runtime.GOOS != "windows" && fi.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", fi.Mode(), err)
	}
	host := map[string]string{}
	for _, url := range []string{"ws://localhost:1", "ws://127.0.0.1:2", "wss://[::1]", "ws://LOCALHOST", "ws://127.9.9.9"} {
		at, err := locate(url)
		if err != nil {
			t.Fatal(err)
		}
		host[at.host] = at.addr
	}
	if len(host) != 1 {
		t.Errorf("loopback goes by %v", host)
	}
	for _, text := range []string{"", "short", strings.Repeat("!", 43)} {
		if err := os.WriteFile(filepath.Join(dir, keyFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readIdentity(dir, "h"); err == nil || !strings.Contains(err.Error(), "damaged") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestLocate(t *testing.T) {
	for _, bad := range []string{"", "chat.example", "http://h", "ws://", "ws://u:p@h", "ws://h?q=1", "ws://h#f", "ws://:80"} {
		if at, err := locate(bad); err == nil {
			t.Errorf("%q gives %+v", bad, at)
		}
	}
	at, err := locate("wss://Chat.Example:443/base/")
	if err != nil || at.room("general", "ana") != "wss://Chat.Example:443/base/chat/general/ana" || hostHeader(at.url) != "chat.example" || at.host != "chat.example" || strings.ContainsAny(at.addr, "/:") {
		t.Errorf("%+v, %v", at, err)
	}
}

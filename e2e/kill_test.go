package e2e

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"holdfast/e2e/oracle"
)

var chaosKills = flag.Int("chaos.kills", 6, "how many processes TestKills kills")

// TestKills kills the server and clients with -9, any of them at any moment, while
// all clients talk, and starts each again at once.
func TestKills(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var o oracle.Oracle
	var talkers []*talker
	for _, name := range []string{"ana", "ben", "cem", "dia"} {
		k := newTalker(t, &o, name, oracle.View{Omit: name})
		k.join(w, "all") // and leave, so that everybody has a cursor on disk
		k.say()
		k.leave()
		k.join(w, "none")
		talkers = append(talkers, k)
	}
	began, victims := time.Now(), []string{}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for next := time.Now(); len(victims) < *chaosKills; <-tick.C {
		for _, k := range talkers {
			k.say()
		}
		if time.Now().Before(next) {
			continue
		}
		if i := rand.IntN(len(talkers) + 2); i < len(talkers) {
			talkers[i].p.kill()
			talkers[i].bury()
			talkers[i].join(w, "none")
			victims = append(victims, "client")
		} else {
			w.crash()
			victims = append(victims, "server")
		}
		if len(victims)%50 == 0 {
			for _, k := range talkers {
				k.hear()
			}
			if err := o.Check(w.log("general")); err != nil {
				t.Fatalf("after %d kills: %v", len(victims), err)
			}
		}
		next = time.Now().Add(time.Duration(rand.IntN(200)) * time.Millisecond)
	}
	took := time.Since(began)
	part(t, talkers)
	log := w.log("general")
	if err := o.CheckLive(log); err != nil {
		t.Error(err)
	}
	for _, v := range victims {
		figure("kills", v, 1)
	}
	t.Logf("%d kills, %.1f a second, %d lines in the log, %+v", len(victims), float64(len(victims))/took.Seconds(), len(log), o.Counts())
}

// part lets everybody say one more line and hear that of all others, and leave.
func part(t *testing.T, talkers []*talker) {
	t.Helper()
	for _, k := range talkers {
		k.say()
	}
	for _, k := range talkers {
		for _, other := range talkers {
			if k != other {
				k.p.out.await(t, other.name+": "+other.typed[len(other.typed)-1])
			}
		}
		k.leave()
	}
}

// talker is a user whose client may be killed at any moment, and tells the oracle what
// follows from that. What was typed may have been taken or not; but what is in the
// dead client's outbox must come.
type talker struct {
	t     *testing.T
	o     *oracle.Oracle
	name  string
	home  string
	said  int
	sure  map[string]bool // lines that must come into the log
	p     *process
	typed []string // into p
	heard int      // of p's lines the oracle knows so many
}

func newTalker(t *testing.T, o *oracle.Oracle, name string, view oracle.View) *talker {
	o.Reader(name, view)
	return &talker{t: t, o: o, name: name, home: t.TempDir(), sure: map[string]bool{}}
}

// join starts the talker's client.
func (k *talker) join(w *world, history string) {
	k.t.Helper()
	k.run(start(k.t, k.home, "join", "general", "--as", k.name, "--server", w.url(), "--history", history))
}

// run makes p the talker's client.
func (k *talker) run(p *process) { k.p, k.typed, k.heard = p, nil, 0 }

// say types a line.
func (k *talker) say() {
	k.said++
	line := fmt.Sprintf("%s %d", k.name, k.said)
	k.o.Tried(k.name, line)
	k.typed = append(k.typed, line)
	_, _ = io.WriteString(k.p.stdin, line+"\n") // it may just have died
}

// hear tells the oracle what the client printed since the last time. Its own lines are
// not printed, save those of a predecessor that died before they came back to it.
func (k *talker) hear() {
	lines := said(k.p.out.all())
	for _, l := range lines[k.heard:] {
		if from, text, _ := strings.Cut(l, ": "); from != k.name {
			k.o.Saw(k.name, 0, from, text)
		}
	}
	k.heard = len(lines)
}

// bury waits until the client is dead, finds out what it leaves behind, and reports
// whether a cursor is among that.
func (k *talker) bury() (cursor bool) {
	k.t.Helper()
	<-k.p.ended
	k.hear()
	kept, cursor := leftBehind(k.t, k.home)
	k.mustCome(kept)
	if cursor {
		k.o.Restart(k.name)
	} else {
		k.o.Reset(k.name)
	}
	return cursor
}

func (k *talker) mustCome(lines []string) {
	for _, l := range lines {
		if !k.sure[l] {
			k.sure[l] = true
			k.o.Said(k.name, l)
		}
	}
}

// leave ends the client, which must say that nothing is left unsent.
func (k *talker) leave() {
	k.t.Helper()
	_ = k.p.stdin.Close()
	if code := k.p.wait(); code != 0 {
		k.t.Fatalf("%s: exit code %d", k.name, code)
	}
	k.hear()
	k.mustCome(k.typed)
	for l := range k.sure {
		k.o.Acked(k.name, l)
	}
	clear(k.sure)
}

// leftBehind reads the unsent lines in the slots below home, and whether there is a
// cursor in one of them. Nobody must have them open.
func leftBehind(t *testing.T, home string) (unsent []string, cursor bool) {
	t.Helper()
	read := func(tx *bbolt.Tx) error {
		outbox := tx.Bucket([]byte("outbox"))
		if outbox == nil {
			return nil // killed before it was made
		}
		cursor = cursor || tx.Bucket([]byte("meta")).Get([]byte("point")) != nil
		return outbox.ForEach(func(_, v []byte) error {
			var line struct{ Text string }
			err := json.Unmarshal(v, &line)
			unsent = append(unsent, line.Text)
			return err
		})
	}
	for _, name := range slots(t, home) {
		db, err := bbolt.Open(name, 0o600, &bbolt.Options{ReadOnly: true, Timeout: patience})
		if err != nil {
			t.Fatalf("open a dead client's slot: %v", err)
		}
		if err := db.View(read); err != nil {
			t.Errorf("read %s: %v", name, err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
	return unsent, cursor
}

// slots returns the files of the slots below home that hold anything, in order.
func slots(t *testing.T, home string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(home, func(name string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(name) != ".db" {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Size() > 0 {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	return names
}

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/e2e/oracle"
	"holdfast/e2e/tunnel"
)

// landscape is a server and its users, each in a network namespace and at the end of
// a wire of its own. They talk in one room, and the oracle listens.
type landscape struct {
	t      *testing.T
	o      oracle.Oracle
	seed   uint64
	hub    *tunnel.Space
	flags  []string
	home   string
	port   string // "0" until the server has one
	server *process
	users  []*distant
	said   int // lines, by all
	killed bool
}

// distant is a user in a landscape.
type distant struct {
	name  string
	space *tunnel.Space
	wire  *tunnel.Wire
	p     *process
	home  string
	log   string   // the file where its client says what happens
	lines []string // that it said
	mute  bool     // it only reads, with tail
}

// farPatience is long: a client that was unlucky waits 15 s for its next dial, and
// that may be lost, too.
const farPatience = 2 * time.Minute

func newLandscape(t *testing.T, seed uint64, flags ...string) *landscape {
	t.Helper()
	l := &landscape{t: t, seed: seed, hub: newSpace(t), flags: flags, home: t.TempDir(), port: "0"}
	l.serve()
	return l
}

func newSpace(t *testing.T) *tunnel.Space {
	t.Helper()
	s, err := tunnel.NewSpace()
	if err != nil {
		lacks(t, "%v", err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// serve starts the server: on the same port again if it ran before.
func (l *landscape) serve() {
	l.t.Helper()
	args := append([]string{"serve", "--listen", "0.0.0.0:" + l.port, "--log-level", "debug"}, l.flags...)
	l.server = startIn(l.t, l.hub, l.home, args...)
	l.server.out.await(l.t, "listening on ws://")
	_, l.port, _ = strings.Cut(strings.TrimPrefix(l.server.out.all()[0], "listening on ws://[::]"), ":")
}

// crash kills the server with -9. serve starts it again, on what is on disk.
func (l *landscape) crash() {
	l.server.kill()
	l.killed = true
}

// startIn is start in a space.
func startIn(t *testing.T, s *tunnel.Space, home string, args ...string) (p *process) {
	t.Helper()
	err := s.Do(func() error {
		p = start(t, home, args...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// settle gives a user a space and a wire.
func (l *landscape) settle(name string) *distant {
	l.t.Helper()
	u := &distant{name: name, space: newSpace(l.t), home: l.t.TempDir()}
	u.log = filepath.Join(u.home, "log")
	var err error
	if u.wire, err = tunnel.Lay(u.space, l.hub, l.seed+uint64(len(l.users))); err != nil {
		lacks(l.t, "%v", err)
	}
	l.t.Cleanup(func() {
		_ = u.wire.Close()
		if l.t.Failed() {
			l.t.Logf("%s up %+v\ndown %+v\n%s", u.name, u.wire.Up.Counts(), u.wire.Down.Counts(), u.told())
		}
	})
	l.users = append(l.users, u)
	return u
}

// enter starts the user's client, from the room's first line on.
func (l *landscape) enter(u *distant) {
	l.t.Helper()
	if u.mute {
		l.o.Reader(u.name, oracle.View{})
		u.p = startIn(l.t, u.space, u.home, "tail", "--json", "--room", "general", "--history", "all",
			"--as", u.name, "--server", l.url(u), "--log-file", u.log)
		return
	}
	l.o.Reader(u.name, oracle.View{Omit: u.name})
	u.p = startIn(l.t, u.space, u.home, "join", "general", "--history", "all",
		"--as", u.name, "--server", l.url(u), "--log-file", u.log)
}

func (l *landscape) url(u *distant) string { return fmt.Sprintf("ws://%s:%s", u.wire.Server(), l.port) }

// inhabit has ana and ben chat and cem read, and waits until they are level.
func (l *landscape) inhabit() (ana, ben, cem *distant) {
	l.t.Helper()
	ana, ben, cem = l.settle("ana"), l.settle("ben"), l.settle("cem")
	cem.mute = true
	for _, u := range l.users {
		l.enter(u)
	}
	l.chat("everybody is there", func() bool { return l.said > 10 })
	l.level()
	return ana, ben, cem
}

// speak has everybody say a line.
func (l *landscape) speak() {
	l.t.Helper()
	for _, u := range l.users {
		if !u.mute {
			l.say(u, fmt.Sprintf("%s says %d", u.name, len(u.lines)))
		}
	}
}

func (l *landscape) say(u *distant, line string) {
	l.t.Helper()
	l.o.Said(u.name, line)
	u.lines = append(u.lines, line)
	l.said++
	u.p.say(line)
}

// chat has everybody talk until cond holds.
func (l *landscape) chat(what string, cond func() bool) {
	l.t.Helper()
	l.wait(what, 20*time.Millisecond, func() bool {
		l.speak()
		return cond()
	})
}

// chatFor has everybody talk for a time.
func (l *landscape) chatFor(d time.Duration) {
	l.t.Helper()
	end := time.Now().Add(d)
	l.chat("time passes", func() bool { return time.Now().After(end) })
}

// wait asks every so often whether cond holds, until it does.
func (l *landscape) wait(what string, every time.Duration, cond func() bool) {
	l.t.Helper()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for end := time.Now().Add(farPatience); !cond(); <-tick.C {
		if time.Now().After(end) {
			l.t.Fatalf("never happened: %s", what)
		}
	}
}

// level waits until everybody was shown all lines, and returns how long it took.
func (l *landscape) level() time.Duration {
	l.t.Helper()
	began := time.Now()
	for _, u := range l.users {
		l.wait(u.name+" is level", 2*time.Millisecond, func() bool { return u.shown() >= l.said-len(u.lines) })
	}
	return time.Since(began)
}

// shown counts the lines of others that the user's client printed.
func (u *distant) shown() int {
	if u.mute {
		return len(u.p.out.all())
	}
	return len(said(u.p.out.all()))
}

// told is what the user's client has logged.
func (u *distant) told() string {
	text, _ := os.ReadFile(u.log) // none yet says nothing
	return string(text)
}

// dials counts the connections that the user's client has tried to make.
func (l *landscape) dials(u *distant) int {
	l.t.Helper()
	return l.kernel(u.space)["ActiveOpens"]
}

func (l *landscape) kernel(s *tunnel.Space) map[string]int {
	l.t.Helper()
	tcp, err := s.TCP()
	if err != nil {
		l.t.Fatal(err)
	}
	return tcp
}

// reaped counts how often the server took the user for dead, and ended how many of its
// connections are over for the server.
func (l *landscape) reaped(u *distant) int { return l.logged("msg=reaped room=general user=" + u.name) }

func (l *landscape) ended(u *distant) int {
	return l.logged(`msg="connection ended" room=general user=` + u.name)
}

// logged counts lines with text in the server's log.
func (l *landscape) logged(text string) (n int) {
	for _, line := range l.server.err.all() {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

// link switches the user's interface on or off.
func (l *landscape) link(u *distant, up bool) {
	l.t.Helper()
	if err := u.wire.Link(up); err != nil {
		l.t.Fatal(err)
	}
}

// killSockets has the kernel end the connections of the user's client.
func (l *landscape) killSockets(u *distant) {
	l.t.Helper()
	err := u.space.Do(func() error { return exec.Command("ss", "-K", "dst", u.wire.Server().String()).Run() })
	if err != nil {
		lacks(l.t, "can't kill sockets with ss: %v", err)
	}
}

// heal ends all faults of the wires.
func (l *landscape) heal() {
	for _, u := range l.users {
		u.wire.Set(tunnel.Faults{})
	}
}

// faults counts packets that met a fault, on all wires and both ways.
func (l *landscape) faults() (n int) {
	for _, u := range l.users {
		for _, c := range []tunnel.Counts{u.wire.Up.Counts(), u.wire.Down.Counts()} {
			n += c.Holed + c.Unreachable + c.TooLarge + c.Lost + c.Overflown + c.Doubled + c.Corrupted + c.Overtaken
		}
	}
	return n
}

// end heals all, has everybody leave, and asks the oracle. Nobody was announced to
// have left before that: no fault outlasts --linger, and only a killed server forgets.
func (l *landscape) end() {
	l.t.Helper()
	l.heal()
	l.speak()
	l.level()
	for _, u := range l.users {
		for _, line := range u.p.out.all() {
			if strings.HasSuffix(line, " left general") && !l.killed {
				l.t.Errorf("%s was told that %s", u.name, line)
			}
		}
	}
	for _, u := range l.users {
		if u.mute {
			u.p.kill()
		} else {
			_ = u.p.stdin.Close()
			if code := u.p.wait(); code != 0 {
				l.t.Errorf("%s: exit code %d", u.name, code)
			}
			for _, line := range u.lines {
				l.o.Acked(u.name, line) // it ended with 0
			}
		}
		l.testify(u)
	}
	for _, line := range l.server.err.all() {
		if strings.Contains(line, "level=ERROR") || strings.Contains(line, "level=WARN") {
			l.t.Errorf("server: %s", line)
		}
	}
	if err := l.o.CheckLive(l.log()); err != nil {
		l.t.Error(err)
	}
}

// testify tells the oracle what a user was shown.
func (l *landscape) testify(u *distant) {
	l.t.Helper()
	if u.mute {
		for _, e := range l.entries(u.p.out.all()) {
			l.o.Saw(u.name, e.Seq, e.From, e.Text)
		}
		return
	}
	for _, line := range said(u.p.out.all()) {
		from, text, _ := strings.Cut(line, ": ")
		l.o.Saw(u.name, 0, from, text)
	}
}

// log reads the whole room, close to the server.
func (l *landscape) log() []oracle.Entry {
	l.t.Helper()
	p := startIn(l.t, l.hub, l.t.TempDir(), "tail", "--server", "ws://127.0.0.1:"+l.port, "--room", "general",
		"--as", "witness", "--history", "all", "--until-live", "--json")
	if code := p.wait(); code != 0 {
		l.t.Fatalf("tail: exit code %d", code)
	}
	return l.entries(p.out.all())
}

// entries parses what tail --json printed.
func (l *landscape) entries(lines []string) (entries []oracle.Entry) {
	l.t.Helper()
	for _, line := range lines {
		var m message
		if err := json.Unmarshal([]byte(line), &m); err != nil || m.Type != "message" {
			l.t.Fatalf("tail printed %q", line)
		}
		entries = append(entries, oracle.Entry{Seq: m.Seq, From: m.From, Text: m.Text})
	}
	return entries
}

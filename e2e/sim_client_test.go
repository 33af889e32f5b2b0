package e2e

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"holdfast/e2e/oracle"
	"holdfast/session"
)

// client is one user's program: a session, and who reads it. It may be killed and
// started again, on its state or on an older copy of that.
type client struct {
	sim  *sim
	name string
	gate gate
	lives

	spoken int      // lines, to number them
	lines  []string // those that it knows of: not what was said after a copy that was put back
}

// lives is what changes when the program is started again.
type lives struct {
	session *session.Session
	dir     string
	life    int
	host    string        // what the network knows it by
	killed  *atomic.Bool  // what its reader still sees, nobody saw
	ended   chan struct{} // its reader has ended
	copy    string        // of an earlier state; empty if none
	said    int           // lines, when copy was made
}

func newClient(s *sim, name string) *client {
	c := &client{sim: s, name: name}
	c.dir = c.newDir()
	c.open(-1)
	return c
}

func (c *client) newDir() string {
	dir, err := os.MkdirTemp(c.sim.dir, c.name+"-")
	if err != nil {
		c.sim.t.Fatal(err)
	}
	return dir
}

// open starts the program on what is in dir.
func (c *client) open(backlog int) {
	c.life++
	c.host = fmt.Sprint(c.name, ".", c.life)
	s, err := session.Open("ws://server", &session.Options{
		Room: room, Name: c.name, Dir: c.dir, Backlog: backlog, HTTPClient: c.sim.net.Client(c.host),
		Logger: slog.New(c.sim.met.handler("client: ", func(string) {})),
	})
	if err != nil {
		c.sim.t.Fatal(err)
	}
	c.session, c.killed, c.ended = s, new(atomic.Bool), make(chan struct{})
	if c.life == 1 {
		c.sim.oracle.Reader(c.name, oracle.View{})
	}
	go c.read(s, c.killed, c.ended)
}

// read is the screen.
func (c *client) read(s *session.Session, killed *atomic.Bool, ended chan struct{}) {
	defer close(ended)
	o, met := &c.sim.oracle, c.sim.met
	for e := range s.Events() {
		c.gate.pass()
		if killed.Load() {
			continue
		}
		switch e := e.(type) {
		case session.Message:
			o.Saw(c.name, e.Seq, e.From, e.Text)
		case session.Gap:
			met.count("client: gap " + e.Reason)
			if e.Lost < 0 { // the view begins anew, nobody knows where
				o.Reset(c.name)
			} else {
				o.Gap(c.name, int(e.Lost))
			}
		case session.Receipt:
			if e.Err != nil {
				c.sim.t.Errorf("%s: line refused: %v", c.name, e.Err)
			}
			if line, ok := c.sim.acks.receipt(e.ID); ok {
				o.Acked(c.name, line)
			} else {
				c.sim.t.Errorf("%s: a receipt for %v, which nobody sent", c.name, e.ID)
			}
		case session.StateChange:
			var r *session.RejectedError
			if errors.As(e.Err, &r) {
				c.sim.t.Errorf("%s was rejected: %v", c.name, e.Err)
			}
		}
	}
}

// burst says lines.
func (c *client) burst(n int) {
	var lines []string
	for range n {
		c.spoken++
		line := fmt.Sprintf("%s says %d", c.name, c.spoken)
		lines = append(lines, line)
		c.sim.oracle.Said(c.name, line)
	}
	c.lines = append(c.lines, lines...)
	id, err := c.session.Send(lines...)
	if err != nil {
		c.sim.t.Errorf("%s: send: %v", c.name, err)
	}
	c.sim.acks.sent(id, lines)
}

// keepCopy copies the program's state, as a backup would.
func (c *client) keepCopy() {
	c.sim.still()
	if c.copy != "" {
		os.RemoveAll(c.copy)
	}
	c.copy, c.said = c.clone(c.dir), len(c.lines)
}

// clone copies a state directory in which nobody is writing.
func (c *client) clone(dir string) string {
	to := c.newDir()
	if err := os.CopyFS(filepath.Join(to, "state"), os.DirFS(dir)); err != nil {
		c.sim.t.Fatal(err)
	}
	return filepath.Join(to, "state")
}

// kill ends the program as kill -9 would and starts it on its state, or on a copy
// that was made some time ago.
func (c *client) kill(restore bool) {
	s := c.sim
	if restore && c.copy == "" {
		c.keepCopy()
		return
	}
	s.trace.note("  it is %s", c.name)
	s.still() // so that nothing is half written here: kills of real processes do that
	c.killed.Store(true)
	s.net.Partition(c.host, true) // for ever: what Close does now, a killed process does not
	for _, k := range s.net.Links() {
		if k.From() == c.host {
			k.Reset()
		}
	}
	old, dir := c.session, c.dir
	if restore {
		c.dir, c.copy = c.copy, ""
	} else {
		c.dir = c.clone(dir)
	}
	c.gate.open()
	if err := old.Close(); err != nil && !errors.Is(err, session.ErrUnsent) {
		s.t.Error(err)
	}
	<-c.ended
	os.RemoveAll(dir)
	s.oracle.Restart(c.name)
	c.open(0)
	c.account(restore)
}

// account finds out what the receipts say that died with the process: a line that
// the outbox no longer has was acknowledged. What was said after the copy that was
// put back is forgotten.
func (c *client) account(restored bool) {
	kept := map[string]bool{}
	for _, l := range c.session.Unsent() {
		kept[l.Text] = true
	}
	var known []string
	for i, line := range c.lines {
		if restored && i >= c.said && !kept[line] && !c.sim.acks.has(line) {
			c.sim.oracle.Forgotten(c.name, line)
			continue
		}
		if known = append(known, line); !kept[line] && c.sim.acks.learnt(line) {
			c.sim.oracle.Acked(c.name, line)
		}
	}
	c.lines = known
}

// end closes the session, which has nothing left to send.
func (c *client) end() {
	if err := c.session.Close(); err != nil {
		c.sim.t.Errorf("%s: %v", c.name, err)
	}
	<-c.ended
}

// gate lets a reader pass, or not.
type gate struct {
	mu   sync.Mutex
	shut chan struct{} // nil while it is open
}

func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut == nil {
		g.shut = make(chan struct{})
	}
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut != nil {
		close(g.shut)
		g.shut = nil
	}
}

func (g *gate) pass() {
	g.mu.Lock()
	shut := g.shut
	g.mu.Unlock()
	if shut != nil {
		<-shut
	}
}

// acks knows which line a receipt is for, and which lines had one.
type acks struct {
	mu    sync.Mutex
	lines map[session.ID]string
	acked map[string]bool
}

func newAcks() acks { return acks{lines: map[session.ID]string{}, acked: map[string]bool{}} }

func (a *acks) sent(first session.ID, lines []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i, line := range lines {
		a.lines[session.ID{Source: first.Source, N: first.N + uint64(i)}] = line
	}
}

func (a *acks) receipt(id session.ID) (line string, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	line, ok = a.lines[id]
	a.acked[line] = true
	return line, ok
}

func (a *acks) has(line string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.acked[line]
}

// learnt notes an ack without a receipt and reports whether that is news.
func (a *acks) learnt(line string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	news := !a.acked[line]
	a.acked[line] = true
	return news
}

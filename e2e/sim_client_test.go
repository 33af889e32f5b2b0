package e2e

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/e2e/oracle"
	"holdfast/session"
)

// client is one user's program: a session, and who reads it. It may be killed and
// started again, on its state or on an older copy of that.
type client struct {
	sim  *sim
	name string
	gate gate

	// These change when the program is started again.
	session *session.Session
	client  *session.Client // of session, in a world with many rooms
	dir     string          // its state
	life    int
	host    string        // what the network knows it by
	killed  *atomic.Bool  // what its reader still sees, nobody saw
	ended   chan struct{} // its reader has ended

	since time.Time // when it was first seen online
	copy  string    // of an earlier state; empty if none
	said  int       // len(lines), when copy was made

	spoken  int          // lines of its own, to number them
	lines   []utterance  // those that its state knows of: not what was said after a copy that was put back
	errands int          // so far, to name them
	away    atomic.Int64 // errands that are under way

	mu   sync.Mutex
	here map[string]bool // who is in the room, as its reader was told
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
	opts := c.options()
	opts.Backlog, opts.ManualCommit = backlog, c.sim.manual
	s, err := c.join(opts)
	if err != nil {
		c.sim.t.Fatal(err)
	}
	c.session, c.killed, c.ended = s, new(atomic.Bool), make(chan struct{})
	if c.life == 1 {
		trimmed := c.sim.server.keep.Lines > 0 // perhaps before its first connection
		c.sim.oracle.Reader(c.name, oracle.View{As: c.name, Late: trimmed})
	}
	go c.read(s, c.killed, c.ended)
}

// join joins the room; in a world with many, behind another one, which is the door.
func (c *client) join(opts *session.Options) (*session.Session, error) {
	if !c.sim.many {
		return session.Open("ws://server", opts)
	}
	var err error
	if c.client, err = session.NewClient("ws://server", opts); err != nil {
		return nil, err
	}
	side, err := c.client.Join("side")
	if err != nil {
		return nil, err
	}
	c.sim.wg.Go(func() {
		for e := range side.Events() {
			if m, ok := e.(session.Message); ok {
				c.sim.t.Errorf("in the room where nobody speaks, %s was shown %+v", c.name, m)
			}
		}
	})
	return c.client.Join(room)
}

// close ends the program as Close does.
func (c *client) close() error {
	if c.client != nil {
		return c.client.Close()
	}
	return c.session.Close()
}

func (c *client) options() *session.Options {
	return &session.Options{
		Room: room, Name: c.name, Dir: c.dir, HTTPClient: c.sim.net.Client(c.host),
		Logger: slog.New(c.sim.met.handler("client: ", func(string) {})),
	}
}

// read is the screen.
func (c *client) read(s *session.Session, killed *atomic.Bool, ended chan struct{}) {
	defer close(ended)
	stumbled := uint64(0)
	for again := true; again; {
		again = c.readOn(s, killed, &stumbled)
	}
}

// readOn reads until the session ends or, which it reports, it stumbles over a line before it
// was done with it. stumbled is the last such line: it is shown the second time.
func (c *client) readOn(s *session.Session, killed *atomic.Bool, stumbled *uint64) bool {
	o, met := &c.sim.oracle, c.sim.met
	for e := range s.Events() {
		c.gate.pass()
		if killed.Load() {
			continue
		}
		switch e := e.(type) {
		case session.Presence:
			c.meet(e)
		case session.Message:
			if e.Seq%97 == 13 && *stumbled != e.Seq {
				*stumbled = e.Seq
				met.count("client: broke off, and read again")
				return true
			}
			if c.sim.manual && !e.Seen && s.Commit(e) != nil {
				continue // it is closed
			}
			o.Saw(c.name, e.Seq, e.From, e.Text)
			if e.To != "" && !e.Own {
				met.count("client: private line shown")
			}
		case session.Gap:
			met.count("client: gap " + e.Reason)
			if e.Lost < 0 { // the view begins anew, nobody knows where
				o.Reset(c.name)
			} else {
				o.Gap(c.name, int(e.Lost))
			}
		case session.Receipt:
			c.sim.receipt(e)
		case session.StateChange:
			var r *session.RejectedError
			if errors.As(e.Err, &r) {
				c.sim.t.Errorf("%s was rejected: %v", c.name, e.Err)
			}
		}
	}
	return false
}

// burst says lines, one time in four to one of the others only.
func (c *client) burst(n int) {
	say := c.session.Send
	if c.spoken%4 == 3 && c.sim.acquainted() {
		to := c.sim.clients[c.spoken/4%len(c.sim.clients)].name
		say = func(lines ...string) (session.ID, error) { return c.session.SendTo(to, lines...) }
	}
	var lines []string
	for range n {
		c.spoken++
		line := fmt.Sprintf("%s says %d", c.name, c.spoken)
		lines = append(lines, line)
		c.sim.oracle.Said(c.name, line)
	}
	id, err := say(lines...)
	if err != nil {
		c.sim.t.Errorf("%s: send: %v", c.name, err)
	}
	c.sent(c.name, id, lines)
}

func (c *client) sent(voice string, first session.ID, lines []string) {
	for _, line := range lines {
		c.lines = append(c.lines, utterance{voice, line})
	}
	c.sim.acks.sent(voice, first, lines)
}

// meet keeps the list of who is in the room.
func (c *client) meet(p session.Presence) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p.Here != nil {
		c.here = map[string]bool{}
	}
	for _, name := range slices.Concat(p.Here, p.Joined) {
		c.here[name] = true
	}
	for _, name := range p.Left {
		delete(c.here, name)
	}
}

// checkMembers compares that list with who is there. Guests may linger.
func (c *client) checkMembers() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, other := range c.sim.clients {
		if !c.here[other.name] {
			c.sim.t.Errorf("%s does not know that %s is here", c.name, other.name)
		}
	}
	if first := c.sim.clients[0]; first != c && !maps.Equal(first.here, c.here) {
		c.sim.t.Errorf("%s knows of %v, %s of %v", c.name, c.here, first.name, first.here)
	}
}

// errand says lines from a second device of the user's, as send beside join, which may
// end before they are out: then whoever has the state next sends them.
func (c *client) errand(patience time.Duration) {
	s := c.sim
	opts := c.options()
	opts.Fresh = true
	second, err := session.Open("ws://server", opts)
	if err != nil {
		s.t.Error(err)
		return
	}
	c.errands++
	voice := fmt.Sprint(c.name, "/", c.errands)
	var lines []string
	for i := range 1 + s.rng.IntN(20) {
		lines = append(lines, fmt.Sprintf("%s says %d", voice, i+1))
		s.oracle.Said(voice, lines[i])
	}
	id, err := second.Send(lines...)
	if err != nil {
		s.t.Error(err)
	}
	c.sent(voice, id, lines)
	c.away.Add(1)
	s.wg.Go(func() {
		for e := range second.Events() {
			if r, ok := e.(session.Receipt); ok {
				s.receipt(r)
			}
		}
	})
	s.wg.Go(func() {
		defer c.away.Add(-1)
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := second.Drain(ctx); err != nil && !errors.Is(err, session.ErrUnsent) {
			s.t.Error(err)
		}
	})
}

// settled reports whether the state is the program's alone, and has a cursor: without
// one the next program would begin anew, and rightly so.
func (c *client) settled() bool {
	if c.session.Status().State == session.Online && c.since.IsZero() {
		c.since = time.Now()
	}
	return c.away.Load() == 0 && !c.since.IsZero() && time.Since(c.since) > time.Second
}

// keepCopy copies the program's state, as a backup would.
func (c *client) keepCopy() {
	if !c.settled() {
		return
	}
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
	switch {
	case !c.settled():
		return
	case restore && c.copy == "":
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
	dir := c.dir
	if restore {
		c.dir, c.copy = c.copy, ""
	} else {
		c.dir = c.clone(dir)
	}
	c.gate.open()
	if err := c.close(); err != nil && !errors.Is(err, session.ErrUnsent) {
		s.t.Error(err)
	}
	<-c.ended
	os.RemoveAll(dir)
	if restore || !s.manual { // what was committed is not shown again
		s.oracle.Restart(c.name)
	}
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
	var known []utterance
	for i, u := range c.lines {
		if restored && i >= c.said && !kept[u.line] && !c.sim.acks.has(u.line) {
			c.sim.oracle.Forgotten(u.voice, u.line)
			continue
		}
		if known = append(known, u); !kept[u.line] && c.sim.acks.learnt(u.line) {
			c.sim.oracle.Acked(u.voice, u.line)
		}
	}
	c.lines = known
}

// end closes the session, which has nothing left to send.
func (c *client) end() {
	if err := c.close(); err != nil {
		c.sim.t.Errorf("%s: %v", c.name, err)
	}
	<-c.ended
}

package e2e

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"time"

	"holdfast/e2e/oracle"
	"holdfast/session/wire"
	"holdfast/transport"
)

// guest is a client that keeps to no rules but those of its role. It comes once,
// for less than a minute, and gives up when the link does.
type guest struct {
	sim    *sim
	name   string
	device string
	key    ed25519.PrivateKey
	conn   *transport.Conn
}

func (s *sim) newGuest() *guest {
	n := s.guests.Add(1)
	return &guest{sim: s, name: fmt.Sprint("guest-", n), device: fmt.Sprint("device", n), key: newKey()}
}

func newKey() ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	rand.Read(seed)
	return ed25519.NewKeyFromSeed(seed)
}

// stay connects, plays the role and leaves.
func (r *guest) stay(role func(r *guest)) {
	r.sim.wg.Go(func() {
		if r.dial() {
			limit := time.AfterFunc(50*time.Second, func() { r.conn.Close(transport.CloseNormal, "") })
			defer limit.Stop()
			role(r)
			r.conn.Close(transport.CloseNormal, "")
		}
	})
}

func (r *guest) dial() bool {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var err error
	r.conn, err = transport.Dial(ctx, "ws://server/chat/"+room+"/"+r.name, &transport.Options{
		Subprotocol: wire.Subprotocol, HTTPClient: r.sim.net.Client(r.name), ReadLimit: wire.MaxToClient,
	})
	return err == nil
}

func (r *guest) write(frames ...wire.Frame) bool {
	for _, f := range frames {
		if r.conn.Write(wire.Encode(f)) != nil {
			return false
		}
	}
	return true
}

// read returns the next frame; nil when the connection has ended.
func (r *guest) read() wire.Frame {
	msg, err := r.conn.Read()
	if err != nil {
		return nil
	}
	f, err := wire.Decode(msg, wire.MaxToClient)
	if err != nil {
		r.sim.t.Errorf("%s was sent what is no frame: %v", r.name, err)
	}
	return f
}

func (r *guest) hello(backlog int, sources ...wire.Base) bool {
	ch, ok := r.read().(*wire.Challenge)
	if !ok {
		return false
	}
	f := &wire.Hello{Host: "server", Device: r.device, Backlog: backlog, Sources: sources}
	f.Sign(r.key, ch, r.name)
	return r.write(f)
}

// until reads frames up to one that done accepts, and notes the lines among them.
func (r *guest) until(done func(wire.Frame) bool) bool {
	for {
		f := r.read()
		if f == nil {
			return false
		}
		if e, ok := f.(*wire.Events); ok {
			for _, e := range e.Events {
				r.sim.oracle.Saw(r.name, e.Seq, e.From, e.Text)
			}
		}
		if done(f) {
			return true
		}
	}
}

func live(f wire.Frame) bool { _, ok := f.(*wire.Live); return ok }

// visitors come all at once, are brought up to date, and some leave without a word.
func (s *sim) visitors() {
	for range 12 {
		r := s.newGuest()
		s.oracle.Reader(r.name, oracle.View{Late: true, Gone: true})
		backlog, polite := s.rng.IntN(100), s.rng.IntN(2) == 0
		r.stay(func(r *guest) {
			if r.hello(backlog) && r.until(live) && polite {
				r.write(&wire.Bye{})
			}
		})
	}
}

// rudeGuest lets one come who breaks a rule.
func (s *sim) rudeGuest() {
	roles := []func(*guest){
		(*guest).repeats, (*guest).pours, (*guest).stammers, (*guest).steals,
		(*guest).hesitates, (*guest).asksTooMuch, (*guest).comesTwice,
	}
	s.newGuest().stay(roles[s.rng.IntN(len(roles))])
}

// repeats says each line twice, and the third before the second.
func (r *guest) repeats() {
	o := &r.sim.oracle
	o.Reader(r.name, oracle.View{Late: true, Gone: true})
	if !r.hello(0, wire.Base{Source: "s"}) || !r.until(live) {
		return
	}
	text := func(n int) string { return fmt.Sprintf("%s says %d", r.name, n) }
	say := func(numbers ...int) bool {
		for _, n := range numbers {
			if !r.write(&wire.Send{Source: "s", N: uint64(n), Text: text(n)}) {
				return false
			}
		}
		return true
	}
	for n := 1; n <= 3; n++ {
		o.Tried(r.name, text(n))
	}
	acked := func(n uint64) func(wire.Frame) bool {
		return func(f wire.Frame) bool { a, ok := f.(*wire.Ack); return ok && a.N >= n }
	}
	gap := func(f wire.Frame) bool { y, ok := f.(*wire.Retry); return ok && y.N == 2 }
	if say(1, 1) && r.until(acked(1)) && say(1) && r.until(acked(1)) &&
		say(3) && r.until(gap) && say(2, 3, 2) && r.until(acked(3)) {
		for n := 1; n <= 3; n++ {
			o.Acked(r.name, text(n))
		}
	}
}

// pours sends more than it may have on its way.
func (r *guest) pours() {
	o := &r.sim.oracle
	o.Reader(r.name, oracle.View{Late: true, Gone: true})
	if !r.hello(0, wire.Base{Source: "s"}) {
		return
	}
	for n := uint64(1); n <= 600; n++ {
		text := fmt.Sprintf("%s says %d", r.name, n)
		o.Tried(r.name, text)
		if !r.write(&wire.Send{Source: "s", N: n, Text: text}) {
			return
		}
	}
	r.until(func(f wire.Frame) bool { _, ok := f.(*wire.Retry); return ok })
}

// stammers sends what is no frame.
func (r *guest) stammers() {
	if r.hello(0) && r.conn.Write([]byte(`{"type":"send","source":`)) == nil {
		r.ends(wire.Malformed)
	}
}

// steals wants somebody's name. One that is not claimed it would get.
func (r *guest) steals() {
	if !r.sim.claimed.Load() {
		return
	}
	thief := &guest{sim: r.sim, name: r.sim.clients[0].name, device: r.device, key: r.key}
	if !thief.dial() {
		return
	}
	defer thief.conn.Close(transport.CloseNormal, "")
	if thief.hello(0) {
		thief.ends(wire.NameTaken)
	}
}

// hesitates says nothing.
func (r *guest) hesitates() { r.ends(wire.HelloLate) }

// asksTooMuch asks for pages and reads none.
func (r *guest) asksTooMuch() {
	if !r.hello(0) {
		return
	}
	for i := range 5000 {
		if !r.write(&wire.History{ID: fmt.Sprint(i), Limit: 1}) {
			return
		}
	}
	r.ends(wire.TooSlow)
}

// comesTwice takes over from itself.
func (r *guest) comesTwice() {
	again := &guest{sim: r.sim, name: r.name, device: r.device, key: r.key}
	if !r.hello(0) || !r.until(live) {
		return
	}
	if !again.dial() {
		return
	}
	defer again.conn.Close(transport.CloseNormal, "")
	if again.hello(0) {
		r.ends(wire.Superseded)
	}
}

// ends reads on until the server has said why it ends the connection, if the link
// lasts that long.
func (r *guest) ends(want wire.Code) {
	for {
		switch f := r.read().(type) {
		case nil:
			return
		case *wire.Bye:
			switch f.Code {
			case want.Word, wire.Draining.Word, wire.Internal.Word:
			case wire.HelloLate.Word: // the link held the hello back
			default:
				r.sim.t.Errorf("%s was sent away with %s for what calls for %s", r.name, f.Code, want.Word)
			}
			return
		}
	}
}

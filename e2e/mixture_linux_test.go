package e2e

import (
	"flag"
	"math/rand/v2"
	"strings"
	"syscall"
	"time"

	"holdfast/e2e/tunnel"
)

var (
	mixtureRounds = flag.Int("chaos.mixture.rounds", 12, "how many faults the mixture of TestTunnels has")
	mixtureSeed   = flag.Uint64("chaos.mixture.seed", 0, "which mixture; 0 takes a new one, and tells which")
)

// ills are the faults of a mixture. Each befalls a user, or the server, until the
// function that it returns is called.
var ills = []struct {
	name   string
	befall func(l *landscape, u *distant, r *rand.Rand) (heal func())
}{
	{"loss", onWire(func(f *tunnel.Faults) { f.Loss = 0.2 })},
	{"disorder", onWire(func(f *tunnel.Faults) { f.Late, f.Double = 0.3, 0.3 })},
	{"corruption", onWire(func(f *tunnel.Faults) { f.Corrupt = 0.2 })},
	{"delay", onWire(func(f *tunnel.Faults) { f.Delay, f.Jitter = 20*time.Millisecond, 300*time.Millisecond })},
	{"thin line", onWire(func(f *tunnel.Faults) { f.Rate, f.Queue = 4000, 4000 })},
	{"black hole", onWire(func(f *tunnel.Faults) { f.Hole = true })},
	{"unreachable", onWire(func(f *tunnel.Faults) { f.Unreachable = true })},
	{"big packets vanish", func(l *landscape, u *distant, r *rand.Rand) func() {
		if !u.mute {
			l.say(u, strings.Repeat("big ", 200+r.IntN(800))+time.Now().String())
		}
		return onWire(func(f *tunnel.Faults) { f.Largest = 600 })(l, u, r)
	}},
	{"link off", func(l *landscape, u *distant, _ *rand.Rand) func() {
		l.link(u, false)
		return func() { l.link(u, true) }
	}},
	{"roaming", func(l *landscape, u *distant, _ *rand.Rand) func() {
		if err := u.wire.Move(); err != nil {
			l.t.Fatal(err)
		}
		return func() {}
	}},
	{"sockets killed", func(l *landscape, u *distant, _ *rand.Rand) func() {
		l.killSockets(u)
		return func() {}
	}},
	{"server stopped", func(l *landscape, _ *distant, _ *rand.Rand) func() {
		l.server.signal(syscall.SIGSTOP)
		return func() { l.server.signal(syscall.SIGCONT) }
	}},
	{"server killed", func(l *landscape, _ *distant, r *rand.Rand) func() {
		l.crash()
		if r.IntN(2) == 0 {
			l.serve()
			return func() {}
		}
		return l.serve
	}},
}

// onWire changes the faults of one or both of a user's directions.
func onWire(change func(f *tunnel.Faults)) func(*landscape, *distant, *rand.Rand) func() {
	return func(_ *landscape, u *distant, r *rand.Rand) func() {
		var f tunnel.Faults
		change(&f)
		which := r.IntN(3)
		if which != 0 {
			u.wire.Up.Set(f)
		}
		if which != 1 {
			u.wire.Down.Set(f)
		}
		return func() { u.wire.Set(tunnel.Faults{}) }
	}
}

// mix has faults come and go, one or two at a time, as the seed says.
func mix(l *landscape) int {
	seed := *mixtureSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	l.t.Logf("to run it again: -chaos.mixture.seed %d -chaos.mixture.rounds %d", seed, *mixtureRounds)
	r := rand.New(rand.NewPCG(seed, 0))
	l.inhabit()
	for range *mixtureRounds {
		ill, u := ills[r.IntN(len(ills))], l.users[r.IntN(len(l.users))]
		heal := ill.befall(l, u, r)
		l.chatFor(time.Duration(r.IntN(1200)) * time.Millisecond)
		heal()
		if r.IntN(2) == 0 {
			l.chatFor(time.Duration(r.IntN(500)) * time.Millisecond)
		}
		figure("network namespaces", "mixed: "+ill.name, 1)
	}
	l.t.Logf("%d lines level after %v", l.said, l.level())
	return *mixtureRounds
}

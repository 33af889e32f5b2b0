package e2e

import (
	"flag"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/e2e/tunnel"
)

var chaosTunnels = flag.Int("chaos.tunnels", 3, "how many scenarios TestTunnels runs; 0 means all")

// scenarios have the quick ones first. Each returns how many faults it has seen to
// have happened.
var scenarios = []struct {
	name  string
	flags string // of the server
	run   func(l *landscape) int
}{
	{"black hole", "--heartbeat 300ms --dead-after 900ms", func(l *landscape) int { return hole(l, true, true) }},
	{"reorder and double", "--heartbeat 300ms --dead-after 10s", reorder},
	{"roaming", "--heartbeat 300ms --dead-after 900ms", roam},
	{"roaming of who only reads", "", listenAndRoam},

	{"black hole up", "--heartbeat 300ms --dead-after 900ms", func(l *landscape) int { return hole(l, true, false) }},
	{"black hole down", "--heartbeat 300ms --dead-after 900ms", func(l *landscape) int { return hole(l, false, true) }},
	{"short black hole", "--heartbeat 500ms --dead-after 6s", shortHole},
	{"loss of 5 %", "--heartbeat 300ms --dead-after 3s", func(l *landscape) int { return lose(l, 0.05, 20) }},
	{"loss of 30 %", "--heartbeat 1s --dead-after 5s", func(l *landscape) int { return lose(l, 0.3, 60) }},
	{"delay", "--heartbeat 1s --dead-after 10s", delay},
	{"big packets vanish", "--heartbeat 300ms --dead-after 900ms", bigVanish},
	{"64 kbit/s", "--heartbeat 1s --dead-after 5s", slowLine},
	{"16 kbit/s", "", crawl},
	{"sockets killed", "--heartbeat 300ms --dead-after 10s", killSockets},
	{"unreachable", "--heartbeat 300ms --dead-after 10s", unreachable},
	{"server stopped", "--heartbeat 500ms --dead-after 2s", stopServer},
	{"corruption", "--heartbeat 300ms --dead-after 3s", corrupt},
	{"flapping link", "--heartbeat 300ms --dead-after 900ms", flap},
	{"mixture", "--heartbeat 300ms --dead-after 900ms", mix},
}

// TestTunnels has real clients chat with a real server over links that treat packets
// badly, and asks that all lines arrive once, in order, and soon after.
func TestTunnels(t *testing.T) {
	t.Parallel()
	for i, s := range scenarios {
		if *chaosTunnels > 0 && i >= *chaosTunnels {
			break
		}
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			l := newLandscape(t, 1, strings.Fields(s.flags)...)
			faults := s.run(l)
			if faults == 0 && !t.Failed() {
				t.Error("no fault has happened: nothing is proved")
			}
			l.end()
			figure("network namespaces", s.name, faults)
		})
	}
}

// lose loses packets on all wires until so many are lost.
func lose(l *landscape, fraction float64, enough int) int {
	l.inhabit()
	for _, u := range l.users {
		u.wire.Set(tunnel.Faults{Loss: fraction})
	}
	l.chat("losses", func() bool { return l.faults() >= enough })
	l.t.Logf("%d lines level after %v", l.said, l.level())
	return l.faults()
}

// delay has packets take up to a second: slow is not dead.
func delay(l *landscape) int {
	l.inhabit()
	for _, u := range l.users {
		u.wire.Set(tunnel.Faults{Delay: 50 * time.Millisecond, Jitter: 950 * time.Millisecond})
	}
	slow := 0
	l.chat("slow packets", func() bool {
		slow = 0
		for _, u := range l.users {
			if min(u.wire.Up.Counts().Slowest, u.wire.Down.Counts().Slowest) > 500*time.Millisecond {
				slow++
			}
		}
		return slow == len(l.users)
	})
	l.level()
	l.wantDials(1)
	return slow
}

// wantDials wants each client to have connected so many times.
func (l *landscape) wantDials(n int) {
	l.t.Helper()
	for _, u := range l.users {
		if dials := l.dials(u); dials != n {
			l.t.Errorf("%s dialled %d times, not %d", u.name, dials, n)
		}
	}
}

// reorder also doubles packets: nobody but TCP may notice.
func reorder(l *landscape) int {
	l.inhabit()
	for _, u := range l.users {
		u.wire.Set(tunnel.Faults{Late: 0.1, Double: 0.1})
	}
	ana := l.users[0]
	l.chat("disorder", func() bool {
		up, down := ana.wire.Up.Counts(), ana.wire.Down.Counts()
		return min(up.Overtaken, down.Overtaken, up.Doubled, down.Doubled) >= 3
	})
	l.level()
	l.wantDials(1)
	return l.faults()
}

// corrupt has checksums catch flipped bits, so that they are lost packets.
func corrupt(l *landscape) int {
	ana, _, _ := l.inhabit()
	for _, u := range l.users {
		u.wire.Set(tunnel.Faults{Corrupt: 0.1})
	}
	l.chat("corruption", func() bool { return min(ana.wire.Up.Counts().Corrupted, ana.wire.Down.Counts().Corrupted) >= 5 })
	l.level()
	if caught := l.kernel(ana.space)["InCsumErrors"]; caught == 0 {
		l.t.Error("no checksum caught anything")
	}
	return l.faults()
}

// hole swallows all that ana sends, or is sent, or both, for longer than --dead-after.
// Who hears nothing notices; the other side is told, or notices, too.
func hole(l *landscape, up, down bool) int {
	ana, _, _ := l.inhabit()
	signs := func() (n [4]int) {
		told := ana.told()
		return [4]int{
			l.reaped(ana), strings.Count(told, "peer dead"),
			l.ended(ana), strings.Count(told, `msg="session waiting"`),
		}
	}
	before, began := signs(), time.Now()
	ana.wire.Up.Set(tunnel.Faults{Hole: up})
	ana.wire.Down.Set(tunnel.Faults{Hole: down})
	l.chat("both notice", func() bool {
		now := signs()
		return (!up || now[0] > before[0]) && (!down || now[1] > before[1]) && now[2] > before[2] && now[3] > before[3]
	})
	noticed := time.Since(began)
	l.chatFor(300 * time.Millisecond) // longer than joins and leaves are collected
	faults := l.faults()
	l.heal()
	l.t.Logf("both noticed within %v; level %v after it healed", noticed, l.level())
	return faults
}

// shortHole is over before anybody may give up: TCP repeats what was lost.
func shortHole(l *landscape) int {
	ana, _, _ := l.inhabit()
	ana.wire.Set(tunnel.Faults{Hole: true})
	l.chatFor(2 * time.Second)
	faults := l.faults()
	l.heal()
	l.t.Logf("level %v after it healed", l.level())
	l.wantDials(1)
	return faults
}

// roam gives ana another address, twice: the old connection can't go on, the session
// does, from the new address.
func roam(l *landscape) int {
	ana, _, _ := l.inhabit()
	const moves = 2
	for move := range moves {
		if err := ana.wire.Move(); err != nil {
			l.t.Fatal(err)
		}
		began := time.Now()
		l.chat("ana redials", func() bool { return l.dials(ana) >= move+2 })
		redialled := time.Since(began)
		l.t.Logf("redialled after %v, level %v later", redialled, l.level())
	}
	return moves
}

// listenAndRoam moves cem, who says nothing, so that no ack is missing: with the
// heartbeat alone it would take 15 s at least to notice that the address is another.
func listenAndRoam(l *landscape) int {
	ana, _, cem := l.inhabit()
	if err := cem.wire.Move(); err != nil {
		l.t.Fatal(err)
	}
	began := time.Now()
	l.say(ana, "where are you?")
	l.wait("cem redials", 20*time.Millisecond, func() bool { return l.dials(cem) >= 2 })
	took := time.Since(began)
	if took > 14*time.Second {
		l.t.Errorf("it took %v", took)
	}
	l.t.Logf("redialled after %v, level %v later", took, l.level())
	return 1
}

// bigVanish is a hole for large packets only, as behind a tunnel whose routers do not
// say how much fits: handshakes work, but a big line blocks all behind it.
func bigVanish(l *landscape) int {
	ana, _, _ := l.inhabit()
	before := l.dials(ana)
	ana.wire.Set(tunnel.Faults{Largest: 600})
	l.say(ana, strings.Repeat("big ", 900))
	began := time.Now()
	l.chat("reaped thrice", func() bool { return l.reaped(ana) >= 3 })
	took, dials, faults := time.Since(began), l.dials(ana)-before, l.faults()
	if most := 2 + int(took/time.Second); dials > most {
		l.t.Errorf("ana dialled %d times in %v, more than %d: a hot loop", dials, took, most)
	}
	l.heal()
	l.t.Logf("%d dials in %v; level %v after it healed", dials, took, l.level())
	return faults
}

// slowLine replays a long history over a thin line with a bounded queue, for longer
// than --dead-after: what arrives slowly is alive.
func slowLine(l *landscape) int {
	ana, ben := l.settle("ana"), l.settle("ben")
	l.enter(ben)
	const lines, deadAfter = 75, 5 * time.Second
	for i := range lines {
		l.say(ben, fmt.Sprintf("ben tells %d %s", i, strings.Repeat("a long story ", 50)))
	}
	ana.wire.Set(tunnel.Faults{Rate: 8000, Queue: 16_000})
	began := time.Now()
	l.enter(ana)
	l.wait("replay", 200*time.Millisecond, func() bool {
		l.speak()
		return ana.shown() >= lines
	})
	took, down := time.Since(began), ana.wire.Down.Counts()
	l.t.Logf("replay took %v, slowest packet %v, dropped %d, %d bytes", took, down.Slowest, down.Overflown, down.Bytes)
	if took < deadAfter || down.Slowest < time.Second {
		l.t.Errorf("all was over in %v, slowest packet %v", took, down.Slowest)
	}
	l.level()
	if n := l.reaped(ana); n != 0 {
		l.t.Errorf("ana was reaped %d times", n)
	}
	l.wantDials(1)
	return down.Packets // all through the bottleneck
}

// crawl replays over a link on which all that waits takes longer than a message may.
func crawl(l *landscape) int {
	ana, ben := l.settle("ana"), l.settle("ben")
	l.enter(ben)
	const lines = 30
	for i := range lines {
		l.say(ben, fmt.Sprintf("ben tells %d %s", i, strings.Repeat("a long story ", 60)))
	}
	ana.wire.Set(tunnel.Faults{Rate: 2000, Queue: 32_000})
	l.enter(ana)
	l.wait("replay", 200*time.Millisecond, func() bool { return ana.shown() >= lines })
	l.level()
	l.wantDials(1)
	return ana.wire.Down.Counts().Packets
}

// killSockets has the kernel end ana's connection, as on a change of network.
func killSockets(l *landscape) int {
	ana, _, _ := l.inhabit()
	const kills = 3
	for kill := range kills {
		l.killSockets(ana)
		l.chat("ana redials", func() bool { return l.dials(ana) >= kill+2 })
		l.level()
	}
	l.wait("ana notices", 2*time.Millisecond, func() bool { return strings.Count(ana.told(), `msg="session waiting"`) >= kills })
	return kills
}

// unreachable has dials fail at once, in the ways of a machine without a network and
// of a router that knows no way. Both pass.
func unreachable(l *landscape) int {
	ana, ben := l.settle("ana"), l.settle("ben")
	l.link(ana, false)
	ben.wire.Up.Set(tunnel.Faults{Unreachable: true})
	began := time.Now()
	l.enter(ana)
	l.enter(ben)
	for u, why := range map[*distant]string{ana: "network is unreachable", ben: "no route to host"} {
		l.chat(why+", twice", func() bool { return strings.Count(u.told(), why) >= 2 })
		if n, took := strings.Count(u.told(), why), time.Since(began); n > 1+int(took/(100*time.Millisecond)) {
			l.t.Errorf("%s tried %d times in %v: a hot loop", u.name, n, took)
		}
	}
	faults := l.faults() + strings.Count(ana.told(), "network is unreachable")
	l.link(ana, true)
	l.heal()
	l.t.Logf("level %v after it healed", l.level())

	// To those who are connected a router's opinion is no verdict.
	before := l.dials(ben)
	ben.wire.Up.Set(tunnel.Faults{Unreachable: true})
	told := ben.wire.Up.Counts().Unreachable
	l.chat("told so", func() bool { return ben.wire.Up.Counts().Unreachable > told+2 })
	ben.wire.Up.Set(tunnel.Faults{})
	l.level()
	if dials := l.dials(ben); dials != before {
		l.t.Errorf("ben dialled %d times more", dials-before)
	}
	return faults
}

// stopServer freezes the server for longer than --dead-after. Its kernel still accepts.
// When it wakes all come back, and stay.
func stopServer(l *landscape) int {
	l.inhabit()
	l.server.signal(syscall.SIGSTOP)
	noticed := 0
	l.chat("all notice and dial", func() bool {
		noticed = 0
		for _, u := range l.users {
			if strings.Contains(u.told(), "peer dead") && l.dials(u) > 1 {
				noticed++
			}
		}
		return noticed == len(l.users)
	})
	l.server.signal(syscall.SIGCONT)
	l.t.Logf("level %v after it woke", l.level())
	before := map[*distant]int{}
	for _, u := range l.users {
		before[u] = l.dials(u)
	}
	l.chatFor(3 * time.Second) // time for a second verdict
	l.level()
	for _, u := range l.users {
		if more := l.dials(u) - before[u]; more != 0 {
			l.t.Errorf("%s dialled %d times more after the server woke", u.name, more)
		}
	}
	return noticed
}

// flap switches ana's interface off and on.
func flap(l *landscape) int {
	ana, _, _ := l.inhabit()
	const flaps = 20
	for range flaps {
		for _, up := range []bool{false, true} {
			l.link(ana, up)
			l.chatFor(map[bool]time.Duration{false: 200 * time.Millisecond, true: 500 * time.Millisecond}[up])
		}
	}
	l.t.Logf("level %v after the last one; %d dials", l.level(), l.dials(ana))
	return flaps
}

package tunnel_test

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"holdfast/e2e/tunnel"
)

// patience is how long a test waits for what must happen, calm for what must not.
const (
	patience = 10 * time.Second
	calm     = 100 * time.Millisecond
)

// lay makes two spaces and a wire between them.
func lay(t *testing.T) (client, server *tunnel.Space, w *tunnel.Wire) {
	t.Helper()
	client, server = space(t), space(t)
	return client, server, join(t, client, server)
}

// possible skips a test where it takes rights or a device that are not there.
func possible(t *testing.T, err error) {
	t.Helper()
	if errors.Is(err, os.ErrPermission) || errors.Is(err, os.ErrNotExist) {
		t.Skip(err)
	}
	must(t, err)
}

func space(t *testing.T) *tunnel.Space {
	t.Helper()
	s, err := tunnel.NewSpace()
	possible(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func join(t *testing.T, client, server *tunnel.Space) *tunnel.Wire {
	t.Helper()
	w, err := tunnel.Lay(client, server, 1)
	possible(t, err)
	t.Cleanup(func() { _ = w.Close() })
	return w
}

// flood sends numbered datagrams from client to server until enough holds, and
// returns the numbers that came out, in order: as many as expected, if they come.
func flood(t *testing.T, client, server *tunnel.Space, w *tunnel.Wire, size int, enough func(c tunnel.Counts) bool, expected func(c tunnel.Counts) int) (out []int) {
	t.Helper()
	var to, from *net.UDPConn
	must(t, server.Do(func() (err error) {
		to, err = net.ListenUDP("udp4", &net.UDPAddr{})
		return err
	}))
	defer to.Close()
	addr := netip.AddrPortFrom(w.Server(), to.LocalAddr().(*net.UDPAddr).AddrPort().Port())
	must(t, client.Do(func() (err error) {
		from, err = net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(addr))
		return err
	}))
	defer from.Close()
	p := make([]byte, size)
	end := time.Now().Add(patience)
	for i := 0; !enough(w.Up.Counts()); i++ {
		if time.Now().After(end) {
			t.Fatalf("not enough: %+v", w.Up.Counts())
		}
		binary.BigEndian.PutUint32(p, uint32(i))
		if _, err := from.Write(p); err != nil {
			t.Fatal(err)
		}
		out = append(out, receive(to, time.Millisecond)...)
	}
	for len(out) < expected(w.Up.Counts()) && time.Now().Before(end) {
		out = append(out, receive(to, calm)...)
	}
	return append(out, receive(to, calm)...)
}

// receive takes datagrams for a while.
func receive(from *net.UDPConn, d time.Duration) (out []int) {
	_ = from.SetReadDeadline(time.Now().Add(d))
	p := make([]byte, 2000)
	for {
		if _, err := from.Read(p); err != nil {
			return out
		}
		out = append(out, int(binary.BigEndian.Uint32(p)))
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestFaults has each fault hit datagrams, which nobody sends again, and compares
// what came out with what was counted.
func TestFaults(t *testing.T) {
	t.Parallel()
	const packets, size, headers = 100, 100, 28
	sent := func(c tunnel.Counts) bool { return c.Packets >= packets }
	all := func(c tunnel.Counts) int { return c.Packets }
	none := func(tunnel.Counts) int { return 0 }
	for name, c := range map[string]struct {
		faults tunnel.Faults
		enough func(c tunnel.Counts) bool
		out    func(c tunnel.Counts) int // so many must come out
		hits   func(c tunnel.Counts) int // so many were hit
		least  int
	}{
		"none":      {tunnel.Faults{}, sent, all, all, packets},
		"hole":      {tunnel.Faults{Hole: true}, sent, none, func(c tunnel.Counts) int { return c.Holed }, packets},
		"too large": {tunnel.Faults{Largest: size + headers - 1}, sent, none, func(c tunnel.Counts) int { return c.TooLarge }, packets},
		"just fits": {tunnel.Faults{Largest: size + headers}, sent, all, all, packets},
		"jitter":    {tunnel.Faults{Delay: time.Millisecond, Jitter: 10 * time.Millisecond}, sent, all, all, packets},
		"loss": {
			tunnel.Faults{Loss: 0.3},
			sent, func(c tunnel.Counts) int { return c.Packets - c.Lost }, func(c tunnel.Counts) int { return c.Lost }, packets / 20,
		},
		"double": {
			tunnel.Faults{Double: 0.3},
			sent, func(c tunnel.Counts) int { return c.Packets + c.Doubled }, func(c tunnel.Counts) int { return c.Doubled }, packets / 20,
		},
		"corrupt": {
			tunnel.Faults{Corrupt: 0.3},
			sent, func(c tunnel.Counts) int { return c.Packets - c.Corrupted }, func(c tunnel.Counts) int { return c.Corrupted }, packets / 20,
		},
		"late": {
			tunnel.Faults{Late: 0.1},
			func(c tunnel.Counts) bool { return c.Overtaken >= 5 },
			all, func(c tunnel.Counts) int { return c.Overtaken }, 5,
		},
		"overflowing": {
			tunnel.Faults{Rate: 100 * size, Queue: 4 * size},
			func(c tunnel.Counts) bool { return c.Overflown >= 10 },
			func(c tunnel.Counts) int { return c.Packets - c.Overflown }, func(c tunnel.Counts) int { return c.Overflown }, 10,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, server, w := lay(t)
			w.Up.Set(c.faults)
			out := flood(t, client, server, w, size, c.enough, c.out)
			counts := w.Up.Counts() // nothing is under way any more
			if len(out) != c.out(counts) || c.hits(counts) < c.least {
				t.Errorf("%d came out of %+v", len(out), counts)
			}
			if inversions := inverted(out); inversions != counts.Overtaken {
				t.Errorf("%d came after a younger one, %d were counted", inversions, counts.Overtaken)
			}
			if down := w.Down.Counts(); down != (tunnel.Counts{}) {
				t.Errorf("down: %+v", down)
			}
		})
	}
}

func inverted(numbers []int) (n int) {
	newest := 0
	for _, i := range numbers {
		if i < newest {
			n++
		}
		newest = max(newest, i)
	}
	return n
}

// TestRateAndDelay wants bytes to take their time: a busy machine adds to it only.
func TestRateAndDelay(t *testing.T) {
	t.Parallel()
	client, server, w := lay(t)
	const delay, rate = 50 * time.Millisecond, 20_000
	w.Up.Set(tunnel.Faults{Delay: delay, Rate: rate, Queue: 1 << 20})
	in, out := connect(t, client, server, w)
	began := time.Now()
	const size = 10_000
	_, err := in.Write(make([]byte, size))
	must(t, err)
	_, err = io.ReadFull(out, make([]byte, size))
	must(t, err)
	if took, least := time.Since(began), delay+size*time.Second/rate; took < least {
		t.Errorf("took %v, not %v", took, least)
	}
}

// connect makes a connection from client to server.
func connect(t *testing.T, client, server *tunnel.Space, w *tunnel.Wire) (in, out net.Conn) {
	t.Helper()
	l := listen(t, server)
	in, err := dial(client, w, l)
	must(t, err)
	out, err = l.Accept()
	must(t, err)
	t.Cleanup(func() { _, _ = in.Close(), out.Close() })
	_, _ = in.SetDeadline(time.Now().Add(patience)), out.SetDeadline(time.Now().Add(patience))
	return in, out
}

func listen(t *testing.T, s *tunnel.Space) (l net.Listener) {
	t.Helper()
	must(t, s.Do(func() (err error) {
		l, err = net.Listen("tcp4", ":0")
		return err
	}))
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func dial(client *tunnel.Space, w *tunnel.Wire, l net.Listener) (c net.Conn, err error) {
	addr := netip.AddrPortFrom(w.Server(), uint16(l.Addr().(*net.TCPAddr).Port))
	err = client.Do(func() error {
		c, err = net.DialTimeout("tcp4", addr.String(), patience)
		return err
	})
	return c, err
}

// TestUnreachable wants the kernel to believe our ICMP.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	client, server, w := lay(t)
	l := listen(t, server)
	w.Up.Set(tunnel.Faults{Unreachable: true})
	if _, err := dial(client, w, l); !errors.Is(err, syscall.EHOSTUNREACH) || w.Up.Counts().Unreachable == 0 {
		t.Error(err, w.Up.Counts())
	}
	must(t, w.Link(false))
	if _, err := dial(client, w, l); !errors.Is(err, syscall.ENETUNREACH) {
		t.Error(err)
	}
	w.Up.Set(tunnel.Faults{})
	must(t, w.Link(true))
	c, err := dial(client, w, l)
	must(t, err)
	_ = c.Close()
}

// TestMove wants the new address seen, and what used the old one cut off.
func TestMove(t *testing.T) {
	t.Parallel()
	client, server, w := lay(t)
	l := listen(t, server)
	var from []string
	for range 2 {
		c, err := dial(client, w, l)
		must(t, err)
		defer c.Close()
		s, err := l.Accept()
		must(t, err)
		defer s.Close()
		host, _, _ := net.SplitHostPort(s.RemoteAddr().String())
		if host != w.Client().String() {
			t.Errorf("comes from %s, not %s", host, w.Client())
		}
		from = append(from, host)
		must(t, w.Move())
		_, err = s.Write([]byte("still there?"))
		must(t, err)
		_ = c.SetReadDeadline(time.Now().Add(calm))
		if n, err := c.Read(make([]byte, 20)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("got %d bytes at the old address, %v", n, err)
		}
	}
	if from[0] == from[1] {
		t.Errorf("was at %s both times", from[0])
	}
}

// TestClients has two clients, each with faults of its own, and the kernel count.
func TestClients(t *testing.T) {
	t.Parallel()
	a, server, toA := lay(t)
	b := space(t)
	toB := join(t, b, server)
	toA.Down.Set(tunnel.Faults{Corrupt: 0.5})
	for client, w := range map[*tunnel.Space]*tunnel.Wire{a: toA, b: toB} {
		in, out := connect(t, client, server, w)
		const size = 5000
		for range 20 { // one at a time, so that there are many packets
			_, err := out.Write(make([]byte, size))
			must(t, err)
			p := make([]byte, size)
			_, err = io.ReadFull(in, p)
			must(t, err)
			for _, b := range p {
				if b != 0 {
					t.Fatal("corrupted bytes came through")
				}
			}
			if w.Down.Counts().Corrupted >= 3 {
				break
			}
		}
		tcp, err := client.TCP()
		must(t, err)
		if counts := w.Down.Counts(); tcp["ActiveOpens"] != 1 || tcp["InCsumErrors"] != counts.Corrupted || (w == toA) != (counts.Corrupted > 0) {
			t.Errorf("%+v, the kernel counts %v", counts, tcp)
		}
	}
}

// TestNothingStays wants descriptors and threads gone.
func TestNothingStays(t *testing.T) {
	home, err := os.Readlink("/proc/self/ns/net")
	must(t, err)
	for range 3 {
		client, server, w := lay(t)
		in, out := connect(t, client, server, w)
		_, _ = in.Close(), out.Close()
		must(t, w.Close())
		must(t, client.Close())
		must(t, server.Close())
	}
	deadline := time.Now().Add(patience)
	for {
		stray := strays(t, home)
		if len(stray) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("left behind: %v", stray)
		}
		<-time.After(time.Millisecond)
	}
}

// strays lists descriptors of namespaces and TUN devices, and threads away from home.
func strays(t *testing.T, home string) (found []string) {
	t.Helper()
	descriptors, err := filepath.Glob("/proc/self/fd/*")
	must(t, err)
	threads, err := filepath.Glob("/proc/self/task/*/ns/net")
	must(t, err)
	for _, d := range descriptors {
		if what, err := os.Readlink(d); err == nil && (what == "/dev/net/tun" || len(what) > 4 && what[:4] == "net:") {
			found = append(found, d+" is "+what)
		}
	}
	for _, th := range threads {
		if where, err := os.Readlink(th); err == nil && where != home {
			found = append(found, th)
		}
	}
	return found
}

package tunnel

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

// Space is a network namespace. Make it with NewSpace and Close it.
type Space struct {
	ns *os.File

	mu    sync.Mutex
	wires byte // that were ever laid to it
}

// NewSpace makes a namespace that has nothing but a loopback interface.
func NewSpace() (*Space, error) {
	s := &Space{}
	err := away(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return os.NewSyscallError("unshare", err)
		}
		var err error
		if s.ns, err = os.Open("/proc/thread-self/ns/net"); err != nil {
			return err
		}
		return setUp("lo", true)
	})
	if err != nil {
		_ = s.ns.Close() // a nil file does not mind
		return nil, fmt.Errorf("make network namespace: %w", err)
	}
	return s, nil
}

// Close gives the namespace up. It lives on while processes, sockets or wires do.
func (s *Space) Close() error { return s.ns.Close() }

// Do runs f in the namespace. Sockets that f makes stay there, and so do processes
// that it starts. Goroutines that it starts do not begin there.
func (s *Space) Do(f func() error) error {
	return away(func() error {
		if err := unix.Setns(int(s.ns.Fd()), unix.CLONE_NEWNET); err != nil {
			return os.NewSyscallError("setns", err)
		}
		return f()
	})
}

// away runs f, which may take the thread to another namespace, and takes it back.
func away(f func() error) error {
	runtime.LockOSThread()
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer func() {
		if unix.Setns(int(home.Fd()), unix.CLONE_NEWNET) == nil {
			runtime.UnlockOSThread() // or else nobody may use this thread again
		}
		_ = home.Close()
	}()
	return f()
}

// number is what tells a wire to this space from the others.
func (s *Space) number() (byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wires == 255 {
		return 0, errors.New("a space takes no more than 255")
	}
	s.wires++
	return s.wires, nil
}

// TCP returns the kernel's counters of TCP in the namespace, by their names in
// /proc/net/snmp: ActiveOpens, PassiveOpens, RetransSegs, InCsumErrors and others.
func (s *Space) TCP() (counters map[string]int, err error) {
	err = s.Do(func() error {
		all, err := os.ReadFile("/proc/thread-self/net/snmp")
		if err != nil {
			return err
		}
		counters, err = parseTCP(all)
		return err
	})
	return counters, err
}

// parseTCP reads the two lines that begin with "Tcp:", names and values.
func parseTCP(snmp []byte) (map[string]int, error) {
	var rows [][][]byte
	for line := range bytes.Lines(snmp) {
		if fields := bytes.Fields(line); len(fields) > 0 && string(fields[0]) == "Tcp:" {
			rows = append(rows, fields[1:])
		}
	}
	if len(rows) != 2 || len(rows[0]) != len(rows[1]) {
		return nil, fmt.Errorf("no TCP counters in %q", snmp)
	}
	counters := make(map[string]int)
	for i, name := range rows[0] {
		n, err := strconv.Atoi(string(rows[1][i]))
		if err != nil {
			return nil, fmt.Errorf("TCP counter %s: %w", name, err)
		}
		counters[string(name)] = n
	}
	return counters, nil
}

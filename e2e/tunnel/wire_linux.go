package tunnel

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
)

// Wire joins a client's space with its server's. Make it with Lay and Close it. Up
// leads to the server, Down to the client.
type Wire struct {
	Up, Down *Line

	client *Space
	name   string // of the devices
	subnet byte
	host   byte // last byte of the client's address
	ends   []*os.File
	wg     sync.WaitGroup
	cut    sync.Once
	done   chan struct{} // closed when cut
}

const firstHost = 2 // the server is 1

// Lay joins client and server by a wire without faults. The seed decides which
// packets faults will hit.
func Lay(client, server *Space, seed uint64) (*Wire, error) {
	n, err := server.number()
	if err != nil {
		return nil, fmt.Errorf("lay wire: %w", err)
	}
	w := &Wire{client: client, name: fmt.Sprint("wire", n), subnet: n, host: firstHost, done: make(chan struct{})}
	near, err := w.plug(client, w.addr(firstHost))
	if err != nil {
		return nil, errors.Join(err, w.Close())
	}
	far, err := w.plug(server, w.addr(1))
	if err != nil {
		return nil, errors.Join(err, w.Close())
	}
	w.Up, w.Down = newLine(near, far, seed), newLine(far, near, ^seed)
	for _, l := range []*Line{w.Up, w.Down} {
		w.wg.Go(l.read)
		w.wg.Go(func() { l.write(w.done) })
	}
	return w, nil
}

// plug makes one end of the wire.
func (w *Wire) plug(s *Space, addr [4]byte) (end *os.File, err error) {
	err = s.Do(func() error {
		if end, err = openTUN(w.name); err != nil {
			return err
		}
		w.ends = append(w.ends, end)
		if err := setAddr(w.name, addr); err != nil {
			return err
		}
		return setUp(w.name, true)
	})
	if err != nil {
		return nil, fmt.Errorf("lay wire: %w", err)
	}
	return end, nil
}

// addr is in a network for private use.
func (w *Wire) addr(host byte) [4]byte { return [4]byte{10, 77, w.subnet, host} }

// Server is the server's address at its end of the wire.
func (w *Wire) Server() netip.Addr { return netip.AddrFrom4(w.addr(1)) }

// Client is the client's address now.
func (w *Wire) Client() netip.Addr { return netip.AddrFrom4(w.addr(w.host)) }

// Set gives both directions the same faults.
func (w *Wire) Set(f Faults) {
	w.Up.Set(f)
	w.Down.Set(f)
}

// Move takes the client's address away and gives it another, as roaming does. What
// was connected from the old one is not told.
func (w *Wire) Move() error {
	next := w.host + 1
	if next == 255 {
		next = firstHost
	}
	err := w.client.Do(func() error { return setAddr(w.name, w.addr(next)) })
	if err != nil {
		return fmt.Errorf("move client: %w", err)
	}
	w.host = next
	return nil
}

// Link switches the client's interface on or off. While it is off the client's
// kernel knows of no way to the server, and says so to whoever dials.
func (w *Wire) Link(up bool) error {
	err := w.client.Do(func() error { return setUp(w.name, up) })
	if err != nil {
		return fmt.Errorf("switch link: %w", err)
	}
	return nil
}

// Close cuts the wire, takes its devices away and waits until nothing of it runs. It
// may be called again.
func (w *Wire) Close() error {
	var errs []error
	w.cut.Do(func() {
		close(w.done)
		for _, end := range w.ends {
			errs = append(errs, end.Close())
		}
	})
	w.wg.Wait()
	return errors.Join(errs...)
}

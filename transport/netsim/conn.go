package netsim

import (
	"errors"
	"io"
	"net"
	"time"
)

// conn is one end of a link.
type conn struct {
	link          *Link
	in, out       *half
	local, remote net.Addr
}

func (c *conn) Read(p []byte) (int, error) {
	c.link.mu.Lock()
	defer c.link.mu.Unlock()
	if len(p) == 0 {
		return 0, nil
	}
	n, err := c.in.read(p)
	return n, c.opError("read", err)
}

func (c *conn) Write(p []byte) (int, error) {
	c.link.mu.Lock()
	defer c.link.mu.Unlock()
	n, err := c.out.write(p)
	return n, c.opError("write", err)
}

func (c *conn) Close() error {
	last, err := c.close()
	if last {
		c.link.net.forget(c.link)
	}
	return c.opError("close", err)
}

// close reports whether both ends are closed now.
func (c *conn) close() (last bool, err error) {
	c.link.mu.Lock()
	defer c.link.mu.Unlock()
	if c.in.deaf {
		return false, net.ErrClosed
	}
	c.in.deaf = true
	c.out.finish()
	c.in.c.Broadcast()
	return c.out.deaf, nil
}

func (c *conn) LocalAddr() net.Addr  { return c.local }
func (c *conn) RemoteAddr() net.Addr { return c.remote }

func (c *conn) SetDeadline(t time.Time) error { return c.deadlines(&t, &t) }

func (c *conn) SetReadDeadline(t time.Time) error { return c.deadlines(&t, nil) }

func (c *conn) SetWriteDeadline(t time.Time) error { return c.deadlines(nil, &t) }

func (c *conn) deadlines(read, write *time.Time) error {
	c.link.mu.Lock()
	defer c.link.mu.Unlock()
	if c.in.deaf {
		return c.opError("set", net.ErrClosed)
	}
	if read != nil {
		c.in.readBy = *read
		c.in.c.Broadcast()
	}
	if write != nil {
		c.out.writeBy = *write
		c.out.c.Broadcast()
	}
	return nil
}

// opError dresses err as the net package does, so that tests see what a real
// connection would show.
func (c *conn) opError(op string, err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	return &net.OpError{Op: op, Net: "tcp", Source: c.local, Addr: c.remote, Err: err}
}

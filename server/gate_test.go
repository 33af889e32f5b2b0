package server_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/server/history"
)

// gate is a store whose lines wait while it is closed, and that can be full or fail.
type gate struct {
	history.Store
	failed chan struct{}

	nameless atomic.Bool   // names can't be read
	reads    atomic.Int64  // so many times a log was read
	asked    chan struct{} // if it is not nil: Said has asked the store, and waits for it to be closed

	mu     sync.Mutex
	shut   bool
	err    error // what Append returns
	waits  []func() error
	opened int
	claims int
}

func newGate(s history.Store) *gate { return &gate{Store: s, failed: make(chan struct{})} }

var errBroken = errors.New("the disk broke")

// Owner fails while names can't be read.
func (g *gate) Owner(name string, now time.Time, ttl time.Duration) (history.Holder, bool, error) {
	if g.nameless.Load() {
		return history.Holder{}, false, errBroken
	}
	return g.Store.Owner(name, now, ttl)
}

func (g *gate) Failed() <-chan struct{} { return g.failed }

func (g *gate) Err() error {
	select {
	case <-g.failed:
		return errBroken
	default:
		return nil
	}
}

// fail loses the lines that wait.
func (g *gate) fail() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.err, g.waits = errBroken, nil
	close(g.failed)
}

func (g *gate) close() { g.mu.Lock(); defer g.mu.Unlock(); g.shut = true }

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = false
	for _, store := range g.waits {
		if err := store(); err != nil {
			panic(fmt.Sprint("a line that was taken can't be stored: ", err))
		}
	}
	g.waits = nil
}

// letThrough stores the first n lines that wait.
func (g *gate) letThrough(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, store := range g.waits[:n] {
		_ = store()
	}
	g.waits = g.waits[n:]
}

func (g *gate) refuse(err error) { g.mu.Lock(); defer g.mu.Unlock(); g.err = err }

func (g *gate) rooms() int { g.mu.Lock(); defer g.mu.Unlock(); return g.opened }

func (g *gate) Claim(name string, by history.Holder, now time.Time, ttl time.Duration) (history.Holder, bool, error) {
	if err := g.Err(); err != nil {
		return history.Holder{}, false, err
	}
	g.mu.Lock()
	g.claims++
	g.mu.Unlock()
	return g.Store.Claim(name, by, now, ttl)
}

func (g *gate) Open(room string, sink func([]history.Entry)) (history.Log, error) {
	log, err := g.Store.Open(room, sink)
	if err == nil {
		g.mu.Lock()
		g.opened++
		g.mu.Unlock()
	}
	return &gateLog{log, g}, err
}

type gateLog struct {
	history.Log
	g *gate
}

func (l *gateLog) Append(line history.Line) error {
	l.g.mu.Lock()
	defer l.g.mu.Unlock()
	if l.g.err != nil {
		return l.g.err
	}
	if l.g.shut {
		l.g.waits = append(l.g.waits, func() error { return l.Log.Append(line) })
		return nil
	}
	return l.Log.Append(line)
}

// Said fails while names can't be read.
func (l *gateLog) Said(user, once string, now time.Time) (bool, error) {
	if l.g.nameless.Load() {
		return false, errBroken
	}
	said, err := l.Log.Said(user, once, now)
	l.g.mu.Lock()
	asked := l.g.asked
	l.g.mu.Unlock()
	if asked != nil {
		<-asked
	}
	return said, err
}

func (l *gateLog) Read(after uint64, limit int) ([]history.Entry, error) {
	l.g.reads.Add(1)
	return l.Log.Read(after, limit)
}

// Start fails while lines can't be stored for another reason than space.
func (l *gateLog) Start(cursor string, backlog int) (history.Start, error) {
	l.g.mu.Lock()
	err := l.g.err
	l.g.mu.Unlock()
	if errors.Is(err, errBroken) {
		return history.Start{}, err
	}
	return l.Log.Start(cursor, backlog)
}

func (l *gateLog) Close() error {
	err := l.Log.Close()
	l.g.mu.Lock()
	defer l.g.mu.Unlock()
	if err == nil {
		l.g.opened--
	}
	return err
}

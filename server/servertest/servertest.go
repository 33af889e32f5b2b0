package servertest

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"

	"holdfast/server"
	"holdfast/server/history"
	"holdfast/transport/netsim"
)

// Host is a machine in a network in memory, with a chat server on it. Make it with [New]
// or [NewOn]. Methods may be called from any goroutine, except that [Host.Crash],
// [Host.Drain] and [Host.Start] are for one goroutine at a time.
type Host struct {
	// URL is where the server is: ws://HOST. It stays the same whatever happens.
	URL string

	// Net is the network: for more hosts, counters, and faults that Host has no method
	// for, such as a cut after a number of bytes.
	Net *netsim.Net

	t    testing.TB
	name string
	opts server.Options

	mu   sync.Mutex
	chat *server.Server // the one that was started last

	// What follows is for who starts and stops it.
	web     *http.Server // nil while the server is down
	serving sync.WaitGroup
}

// New makes a network whose segments take 5 to 15 ms one way, and in it the host "server"
// with a server that runs. Nil options are fine. A Store among them is the caller's to close;
// without one the host has a store in memory, which outlives [Host.Crash] and [Host.Drain].
// At the end of the test the server is shut down and the network closed.
func New(t testing.TB, opts *server.Options) *Host {
	t.Helper()
	n := netsim.New(1, &netsim.Options{Latency: netsim.Between(5*time.Millisecond, 15*time.Millisecond)})
	t.Cleanup(func() {
		_ = n.Close()
		<-time.After(time.Second) // net/http lets a dial that was given up run on for a moment
	})
	return NewOn(t, n, "server", opts)
}

// NewOn is New for a network that there is already: one with other latencies, or one with
// several servers. The network is the caller's to close, when the test and its cleanup are
// done: by a t.Cleanup before NewOn. The host's name may have a port, as in "lab:8080".
func NewOn(t testing.TB, n *netsim.Net, host string, opts *server.Options) *Host {
	t.Helper()
	h := &Host{URL: "ws://" + host, Net: n, t: t, name: host}
	if opts != nil {
		h.opts = *opts
	}
	if h.opts.Store == nil {
		store := history.Memory()
		h.opts.Store = store
		t.Cleanup(func() {
			if err := store.Close(); err != nil {
				t.Error("close the store:", err)
			}
		})
	}
	h.Start()
	t.Cleanup(h.Drain)
	return h
}

// Server returns the server that was started last.
func (h *Host) Server() *server.Server {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.chat
}

// Client returns an HTTP client for session.Options.HTTPClient or transport.Options.HTTPClient.
// All that it dials is a link of the name: what Reset, Stall and Partition go by.
func (h *Host) Client(name string) *http.Client { return h.Net.Client(name) }

// Reset breaks name's connections to the host, as a router does that forgot them: both ends
// are told at once. New ones can be made.
func (h *Host) Reset(name string) {
	for _, k := range h.links(name) {
		k.Reset()
	}
}

// Stall makes name's connections to the host hang, both ways and until Heal, while new ones
// can be made: a network that was changed under a running program.
func (h *Host) Stall(name string) {
	for _, k := range h.links(name) {
		k.Stall(true, true)
	}
}

// Partition cuts name off from everybody until Heal: connections hang, and dials get no answer.
// It is the tunnel that a train goes through.
func (h *Host) Partition(name string) { h.Net.Partition(name, true) }

// Heal ends what Stall and Partition have done to name. What was under way arrives, unless an
// end has given up meanwhile.
func (h *Host) Heal(name string) {
	h.Net.Partition(name, false)
	for _, k := range h.links(name) {
		k.Heal()
	}
}

// links returns name's connections to the host.
func (h *Host) links(name string) (list []*netsim.Link) {
	for _, k := range h.Net.Links() {
		if k.From() == name && h.owns(k) {
			list = append(list, k)
		}
	}
	return list
}

func (h *Host) owns(k *netsim.Link) bool { return k.To() == h.name || k.To() == h.name+":80" }

// Crash ends the server without a word to anybody: connections are reset, and dials refused
// until Start. What was acknowledged is in the store. Without a running server it does
// nothing.
func (h *Host) Crash() {
	h.t.Helper()
	if h.web == nil {
		return
	}
	h.close()
	for _, k := range h.Net.Links() {
		if h.owns(k) {
			k.Reset()
		}
	}
	gone, cancel := context.WithCancel(h.t.Context())
	cancel()
	_ = h.Server().Shutdown(gone) // to hurry the next one
	h.shutdown()
}

// Drain ends the server as for an update, by [server.Server.Shutdown]: all that it took is
// acknowledged, and clients are told to come back. Dials are refused until Start. Without a
// running server it does nothing.
func (h *Host) Drain() {
	h.t.Helper()
	if h.web == nil {
		return
	}
	h.shutdown()
	h.close()
}

// Start starts a server after Crash or Drain, with the same options on the same store. While one
// runs it does nothing.
func (h *Host) Start() {
	h.t.Helper()
	if h.web != nil {
		return
	}
	l, err := h.Net.Listen(h.name)
	if err != nil {
		h.t.Fatal("start the server:", err)
	}
	chat := server.New(&h.opts)
	h.mu.Lock()
	h.chat = chat
	h.mu.Unlock()
	web := &http.Server{Handler: chat}
	h.web = web
	h.serving.Go(func() {
		if err := web.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			h.t.Error("serve:", err)
		}
	})
}

// close makes the host refuse dials.
func (h *Host) close() {
	_ = h.web.Close()
	h.serving.Wait()
	h.web = nil
}

// shutdown ends the chat server, which nothing can hold up for longer than a minute.
func (h *Host) shutdown() {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(h.t.Context()), time.Minute)
	defer cancel()
	if err := h.Server().Shutdown(ctx); err != nil {
		h.t.Error("shut down the server:", err)
	}
}

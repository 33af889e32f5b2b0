package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/server/history"
	"holdfast/session/wire"
	"holdfast/transport"
)

// Server is a chat server: an http.Handler for the route /chat/{room}/{user}, and for
// what can be read without joining, below /rooms. All methods may be called from any
// goroutine.
type Server struct {
	opts Options
	log  *slog.Logger
	mux  *http.ServeMux
	hub  hub

	ownStore bool   // made by New, closed by Shutdown
	watch    *watch // nil if nobody observes
	source   string // from which Say's lines come

	wg      sync.WaitGroup
	drainer sync.WaitGroup // drain, which waits for wg
	stop    chan struct{}  // closed when Shutdown begins
	cut     chan struct{}  // closed when a Shutdown has run out of time
	empty   chan struct{}  // closed when Shutdown has emptied the hub
	ended   chan struct{}  // closed when nothing runs any more; closeErr is set before
	failed  chan struct{}  // closed when the store failed

	closeErr error

	key atomic.Pointer[string] // the server's, as on the wire; nil until somebody needs it

	mu       sync.Mutex
	draining bool               // nobody is admitted any more
	late     bool               // cut is closed
	links    map[*link]struct{} // all connections
}

// New returns a server that serves until Shutdown.
func New(opts *Options) *Server {
	s := &Server{
		opts: opts.withDefaults(), mux: http.NewServeMux(),
		stop: make(chan struct{}), cut: make(chan struct{}), empty: make(chan struct{}),
		ended: make(chan struct{}), failed: make(chan struct{}), links: map[*link]struct{}{},
	}
	s.log = s.opts.Logger
	s.watch, s.source = newWatch(s.opts.Observer), appSource()
	if s.opts.Store == nil {
		s.opts.Store = history.Memory()
		s.ownStore = true
	}
	s.hub.init(s)
	s.mux.HandleFunc("GET /chat/{room}/{user}", s.chat)
	s.mux.HandleFunc("GET /", elsewhere)
	s.mux.HandleFunc("GET /rooms", s.readRooms)
	s.mux.HandleFunc("GET /rooms/{room}", s.readRoom)
	s.mux.HandleFunc("GET /rooms/{room}/lines", s.readLines)
	s.wg.Go(s.keepHouse)
	s.wg.Go(s.watchStore)
	return s
}

// ServeHTTP answers one request. It returns soon: connections live on by
// themselves, unknown to the http.Server, so it is Shutdown that ends them.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// elsewhere helps who is lost.
func elsewhere(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "nothing is at this path: chat is at /chat/ROOM/NAME, and what can be read at /rooms", http.StatusNotFound)
}

// chat admits a connection or says in one line why not. Verdicts come before the
// upgrade where they can: a WebSocket that is closed at once costs ten times as much.
func (s *Server) chat(w http.ResponseWriter, r *http.Request) {
	name, err := wire.Name(r.PathValue("room"))
	if err != nil {
		http.Error(w, "room: "+err.Error(), http.StatusBadRequest)
		return
	}
	user, err := wire.Name(r.PathValue("user"))
	if err != nil {
		http.Error(w, "user: "+err.Error(), http.StatusBadRequest)
		return
	}
	protocols := offered(r)
	if len(protocols) > 0 && !slices.Contains(protocols, wire.Subprotocol) {
		w.Header().Set("Upgrade", "websocket")
		w.Header().Set("Sec-WebSocket-Protocol", wire.Subprotocol)
		http.Error(w, "this server speaks "+wire.Subprotocol+", or plain text without a subprotocol", http.StatusUpgradeRequired)
		return
	}
	if r.ContentLength != 0 || len(r.TransferEncoding) > 0 {
		http.Error(w, "an upgrade request has no body", http.StatusBadRequest)
		return
	}
	if !s.enter() {
		s.refuseDraining(w)
		return
	}
	defer s.wg.Done()
	grant, no := s.authorize(r, name, user)
	if no != nil {
		no.answer(w)
		return
	}
	rm, err := s.hub.hold(name)
	if errors.Is(err, errDraining) {
		s.refuseDraining(w)
		return
	}
	if err != nil {
		s.log.Error("can't serve", "doing", "open room", "err", err)
		http.Error(w, wire.Internal.Text, http.StatusInternalServerError)
		return
	}
	started := false
	if len(protocols) > 0 {
		started = s.serveProtocol(w, r, rm, grant, user)
	} else {
		started = s.servePlain(w, r, rm, grant, user)
	}
	if !started {
		s.hub.release(name)
	}
}

func (s *Server) refuseDraining(w http.ResponseWriter) {
	w.Header().Set("Retry-After", fmt.Sprint(2+rand.IntN(7)))
	http.Error(w, wire.Draining.Text, http.StatusServiceUnavailable)
}

func (s *Server) serveProtocol(w http.ResponseWriter, r *http.Request, rm *room, g Grant, user string) (started bool) {
	challenge, err := s.challenge(user)
	if err != nil {
		s.log.Error("can't serve", "doing", "make challenge", "err", err)
		http.Error(w, wire.Internal.Text, http.StatusInternalServerError)
		return false
	}
	conn, err := transport.Accept(w, r, s.opts.transport(wire.Subprotocol, wire.MaxToServer))
	if err != nil {
		return false
	}
	l := s.newLink(conn, r, g, user, rm.name)
	l.reached = reached(r)
	s.wg.Go(func() { l.serve(challenge, rm) })
	return true
}

// enter counts a request in, unless the server is shutting down.
func (s *Server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining {
		return false
	}
	s.wg.Add(1) // before Shutdown waits
	return true
}

// meet notes that l is connected. It fails if the server is shutting down; l is noted
// all the same, to be cut if need be.
func (s *Server) meet(l *link) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.links[l] = struct{}{}
	return !s.draining
}

// part notes that l is connected no more.
func (s *Server) part(l *link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.links, l)
}

// connected returns all connections.
func (s *Server) connected() []*link {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.links))
}

// Users returns how many users are connected and in a room.
func (s *Server) Users() int {
	users := map[string]bool{}
	for _, r := range s.hub.open() {
		for _, p := range r.attached() {
			users[p.user()] = true
		}
	}
	return len(users)
}

// Failed is closed when the store can't store any more and the server ends its
// connections. Call Shutdown, and end the process: what is on disk is sound.
func (s *Server) Failed() <-chan struct{} { return s.failed }

// Shutdown drains the server: it refuses newcomers with 503, waits until every line
// that it took is on disk and acknowledged, tells each client to come back, no
// two at the same time, and returns when nothing of it runs any more. ctx bounds the
// waiting; after it connections are cut, and lines that are not acknowledged will
// be sent again by their clients. It may be called again, to wait longer or
// besides another call.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	if !s.draining {
		s.draining = true
		close(s.stop)
		s.drainer.Go(s.drain)
	}
	s.mu.Unlock()
	select {
	case <-s.ended:
	case <-ctx.Done():
		s.hurry()
		return fmt.Errorf("drain server: %w", context.Cause(ctx))
	}
	s.drainer.Wait()
	return s.closeErr
}

// hurry has drain cut what it waits for.
func (s *Server) hurry() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.late {
		s.late = true
		close(s.cut)
	}
}

// drain does what Shutdown promises. Shutdown starts it once.
func (s *Server) drain() {
	defer close(s.ended)
	s.hub.close()
	rooms := s.hub.open()
	for _, r := range rooms {
		r.drain()
	}
	for _, r := range rooms {
		select {
		case <-r.drained:
		case <-s.cut:
		}
	}
	links := s.connected()
	for _, r := range rooms {
		r.endLingers()
	}
	spread := max(spreadAtMin, time.Duration(len(links))*time.Second/spreadPerSec)
	for _, l := range links {
		l.drop(wire.Draining, rand.N(spread))
	}
	rest := make(chan struct{})
	var cutter sync.WaitGroup
	cutter.Go(func() { cutAll(links, s.cut, rest) })
	s.hub.empty()
	close(s.empty)
	s.wg.Wait()
	close(rest)
	cutter.Wait()
	s.watch.end()
	if s.ownStore {
		s.closeErr = s.opts.Store.Close()
	}
}

// cutAll closes the connections when told to, unless they end before.
func cutAll(links []*link, now, ended <-chan struct{}) {
	select {
	case <-now:
	case <-ended:
		return
	}
	var all sync.WaitGroup
	for _, l := range links {
		all.Go(func() { l.conn.Close(transport.CloseGoingAway, "") })
	}
	all.Wait()
}

// offered returns the subprotocols that the client asks for.
func offered(r *http.Request) (protocols []string) {
	for _, h := range r.Header.Values("Sec-WebSocket-Protocol") {
		for p := range strings.SplitSeq(h, ",") {
			if p = strings.TrimSpace(p); p != "" {
				protocols = append(protocols, p)
			}
		}
	}
	return protocols
}

func (s *Server) takenText(user string) string {
	return fmt.Sprintf("%s belongs to someone else. Choose another name; or, if it is yours, use the state directory that claimed it. A name that is not used for %s is free again.",
		user, days(s.opts.NameTTL))
}

func (s *Server) inUseText(user, room string) string {
	return fmt.Sprintf("%s is already in %s", user, room)
}

func days(d time.Duration) string {
	if n := d / (24 * time.Hour); n > 1 {
		return fmt.Sprintf("%d days", n)
	}
	return d.String()
}

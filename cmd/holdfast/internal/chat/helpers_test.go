package chat_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/cmd/holdfast/internal/chat"
	"holdfast/cmd/holdfast/internal/lineui"
	"holdfast/cmd/holdfast/internal/look"
	"holdfast/server"
	"holdfast/session"
	"holdfast/transport/netsim"
)

// world is a server and users who chat with it, under fake time.
type world struct {
	*testing.T
	net *netsim.Net
}

// in runs a test in a world.
func in(t *testing.T, test func(w *world)) { t.Helper(); inWith(t, nil, test) }

func inWith(t *testing.T, o *server.Options, test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := netsim.New(1, &netsim.Options{Latency: netsim.Between(5*time.Millisecond, 15*time.Millisecond)})
		t.Cleanup(func() {
			_ = n.Close()
			time.Sleep(time.Second) // net/http lets a dial that was given up run on for a moment
		})
		srv := server.New(o)
		l, err := n.Listen("server")
		if err != nil {
			t.Fatal(err)
		}
		hs := &http.Server{Handler: srv}
		go func() { _ = hs.Serve(l) }()
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			if err := errors.Join(srv.Shutdown(ctx), hs.Close()); err != nil {
				t.Error("shut down:", err)
			}
		})
		test(&world{t, n})
	})
}

// cut resets the user's connections, and has the server refuse new ones until mend.
func (w *world) cut(who string) {
	w.net.SetDown("server", true)
	for _, l := range w.net.Links() {
		if l.From() == who {
			l.Reset()
		}
	}
}

func (w *world) mend() { w.net.SetDown("server", false) }

// user is somebody with a terminal.
type user struct {
	*screen
	w     *world
	dir   string
	ended chan error
	err   error // of Run, once it has ended
	stop  context.CancelFunc
	tell  func(session.Event)
}

// join has a user chat in general. A user of the same dir is the same one.
func (w *world) join(name, dir string, tune func(*chat.Options, *session.Options)) *user {
	w.Helper()
	if dir == "" {
		dir = w.TempDir()
	}
	so := session.Options{Name: name, Dir: dir, HTTPClient: w.net.Client(name), Backlog: 200}
	u := &user{screen: newScreen(w.T), w: w, dir: dir, ended: make(chan error, 1)}
	o := chat.Options{
		Describe: cause, Dir: dir, Version: "holdfast 1.2.3",
		Nearest: func(word string, words []string) string {
			i := slices.IndexFunc(words, func(w string) bool { return strings.HasPrefix(w, word) })
			if i < 0 {
				return ""
			}
			return words[i]
		},
		Look: look.Look{Layout: "15:04", Zone: time.UTC},
	}
	if tune != nil {
		tune(&o, &so)
	}
	o.Open = func(room string) (*session.Session, error) {
		so := so
		so.Room = room
		return session.Open("ws://server", &so)
	}
	s, err := o.Open("general")
	if err != nil {
		w.Fatal(err)
	}
	c, err := chat.New(s, o)
	if err != nil {
		w.Fatal(errors.Join(err, s.Close()))
	}
	u.complete, u.tell = c.Complete, c.Tell
	ctx, stop := context.WithCancel(w.Context())
	u.stop = stop
	go func() { u.ended <- c.Run(ctx, u.screen) }()
	w.Cleanup(func() { stop(); u.leaves() })
	return u
}

// cause is what is at the bottom of an error.
func cause(err error) string {
	for next := err; next != nil; next = errors.Unwrap(err) {
		err = next
	}
	return err.Error()
}

// joined is join, and waits until the user is in the room.
func (w *world) joined(name string) *user {
	w.Helper()
	u := w.join(name, "", nil)
	u.shows("-- you are " + name + " in general; /help lists commands")
	return u
}

// leaves waits for the end of the chat.
func (u *user) leaves() error {
	u.w.Helper()
	if u.ended == nil {
		return u.err
	}
	select {
	case u.err = <-u.ended:
		u.ended = nil
	case <-time.After(time.Hour):
		u.w.Fatal("the chat does not end")
	}
	return u.err
}

// screen is a terminal that remembers what was drawn, and whose keys the test presses.
type screen struct {
	t        *testing.T
	typed    chan key
	aborted  chan struct{}
	abort    sync.Once
	complete func(line string, pos int) (string, []string, string)
	pasted   bool // ReadLine's
	began    time.Time

	mu      sync.Mutex
	printed []string
	rows    []string
	prompt  string
	history []string
	bells   int
	read    int // of printed, by shows
	cols    int
}

// key is what ends a ReadLine.
type key struct {
	line   string
	pasted bool
	began  time.Time
	err    error
}

func newScreen(t *testing.T) *screen {
	return &screen{t: t, typed: make(chan key), aborted: make(chan struct{}), cols: 160}
}

func (s *screen) ReadLine() (string, error) {
	select {
	case k := <-s.typed:
		s.pasted, s.began = k.pasted, k.began
		return k.line, k.err
	case <-s.aborted:
		return "", io.EOF
	}
}

func (s *screen) Pasted() bool     { return s.pasted }
func (s *screen) Began() time.Time { return s.began }
func (s *screen) Abort()           { s.abort.Do(func() { close(s.aborted) }) }

func (s *screen) with(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

func (s *screen) Print(lines ...string)    { s.with(func() { s.printed = append(s.printed, lines...) }) }
func (s *screen) SetStatus(rows ...string) { s.with(func() { s.rows = rows }) }
func (s *screen) SetPrompt(text string)    { s.with(func() { s.prompt = text }) }
func (s *screen) Bell()                    { s.with(func() { s.bells++ }) }
func (s *screen) Clear()                   { s.Print("<clear>") }
func (s *screen) AddHistory(line string)   { s.with(func() { s.history = append(s.history, line) }) }

func (s *screen) Size() (cols, rows int) {
	s.with(func() { cols, rows = s.cols, 20 })
	return cols, rows
}

// press gives the chat a key, and waits until it has done with it.
func (s *screen) press(k key) {
	s.t.Helper()
	select {
	case s.typed <- k:
	case <-time.After(time.Hour):
		s.t.Fatalf("nobody reads %q", k.line)
	}
	synctest.Wait()
}

func (s *screen) types(line string) { s.t.Helper(); s.press(key{line: line, began: time.Now()}) }
func (s *screen) pastes(line string) {
	s.t.Helper()
	s.press(key{line: line, pasted: true, began: time.Now()})
}

func (s *screen) clears() { s.t.Helper(); s.press(key{began: time.Now(), err: lineui.ErrInterrupted}) } // Ctrl-C in a line
func (s *screen) ctrlC()  { s.t.Helper(); s.press(key{err: lineui.ErrInterrupted}) }
func (s *screen) ctrlD()  { s.t.Helper(); s.press(key{err: io.EOF}) }

// until waits for ok, which sees the screen.
func (s *screen) until(what string, ok func() bool) {
	s.t.Helper()
	for range 20_000 { // half an hour
		done := false
		if s.with(func() { done = ok() }); done {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	s.with(func() {
		s.t.Fatalf("never happened: %s\nprinted:\n%s\nrows:\n%s\n%s", what, strings.Join(s.printed, "\n"), strings.Join(s.rows, "\n"), s.prompt)
	})
}

// shows waits until each line is printed, less its time, after those of the last call.
func (s *screen) shows(lines ...string) {
	s.t.Helper()
	for _, l := range lines {
		s.until(l, func() bool {
			i := slices.IndexFunc(s.printed[s.read:], func(p string) bool { return p == l || untimed(p) == l })
			if i >= 0 {
				s.read += i + 1
			}
			return i >= 0
		})
	}
}

// untimed is a printed line less its time.
func untimed(line string) string {
	if len(line) > 6 && line[2] == ':' {
		return line[6:]
	}
	return line
}

// row waits until a row holds text.
func (s *screen) row(text string) {
	s.t.Helper()
	s.until("row: "+text, func() bool { return hasRow(s.rows, text) })
}

// noRows waits until there are none.
func (s *screen) noRows() {
	s.t.Helper()
	s.until("no rows", func() bool { return len(s.rows) == 0 })
}

func hasRow(rows []string, text string) bool {
	return slices.ContainsFunc(rows, func(r string) bool { return strings.Contains(r, text) })
}

// noRow checks that no row holds text now.
func (s *screen) noRow(text string) {
	s.t.Helper()
	s.with(func() {
		if hasRow(s.rows, text) {
			s.t.Errorf("%q is shown: %q", text, s.rows)
		}
	})
}

// rang checks how often the bell was rung.
func (s *screen) rang(times int) {
	s.t.Helper()
	s.with(func() {
		if s.bells != times {
			s.t.Errorf("the bell rang %d times, want %d", s.bells, times)
		}
	})
}

// recalls checks that the arrow keys bring back each of the lines.
func (s *screen) recalls(lines ...string) {
	s.t.Helper()
	s.with(func() {
		for _, l := range lines {
			if !slices.Contains(s.history, l) {
				s.t.Errorf("%q is not in the history %q", l, s.history)
			}
		}
	})
}

// prompts waits for that prompt.
func (s *screen) prompts(text string) {
	s.t.Helper()
	s.until("prompt: "+text, func() bool { return strings.TrimRight(s.prompt, " ") == text })
}

// count counts the printed lines that are line, less their times.
func (s *screen) count(line string) (n int) {
	s.with(func() {
		for _, p := range s.printed {
			if p == line || untimed(p) == line {
				n++
			}
		}
	})
	return n
}

// all is what was printed.
func (s *screen) all() (lines []string) {
	s.with(func() { lines = slices.Clone(s.printed) })
	return lines
}

// pass lets fake time go by.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

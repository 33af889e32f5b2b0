package e2e

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	chat "holdfast/server"
	"holdfast/server/history"
	"holdfast/server/history/disk"
	"holdfast/session"
	"holdfast/transport/netsim"
)

// TestServerOnDisk runs through the real engine on a real disk: talk, close the room, come
// back; and all of it again after a restart. It is here and not with the server, so that
// who imports the server gets no engine along with its tests.
func TestServerOnDisk(t *testing.T) {
	t.Parallel()
	v := visitors{dir: t.TempDir(), marks: map[string]uint64{}}
	data := t.TempDir()
	for round := range 2 {
		synctest.Test(t, func(t *testing.T) {
			store, err := disk.Open(data, nil)
			if err != nil {
				t.Fatal(err)
			}
			v.T, v.net = t, netsim.New(1, nil)
			srv := chat.New(&chat.Options{Store: store, Linger: time.Second})
			l, err := v.net.Listen("server")
			if err != nil {
				t.Fatal(err)
			}
			h := &http.Server{Handler: srv}
			var serving sync.WaitGroup
			serving.Go(func() { _ = h.Serve(l) })
			v.comeAndGo(store, round*1500, round*1500+1500)
			if err := srv.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
			_ = h.Close()
			_ = v.net.Close()
			serving.Wait()
			if err := store.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// visitors are clients with one home.
type visitors struct {
	*testing.T
	net *netsim.Net
	dir string

	marks map[string]uint64 // what ana sent, in both rounds: by source, how many lines
}

// comeAndGo has ana say the lines after from up to and including to, bob read all that was
// said, and carl the last few when the room was closed meanwhile.
func (v *visitors) comeAndGo(store history.Store, from, to int) {
	v.Helper()
	ana := v.open("ana", &session.Options{})
	for lines := range slices.Chunk(lines(from, to), 100) {
		id, err := ana.Send(lines...)
		if err != nil {
			v.Error("send: ", err)
		}
		v.marks[id.Source] += uint64(len(lines))
	}
	v.reads(ana, from, to) // nothing of before: it is resumed
	bob := v.open("bob", &session.Options{Fresh: true, Backlog: -1})
	v.reads(bob, 0, to)
	v.close(ana)
	v.close(bob)
	time.Sleep(time.Minute)
	v.checkMarks(store)
	carl := v.open("carl", &session.Options{Fresh: true, Backlog: 5})
	v.reads(carl, to-5, to)
	v.close(carl)
}

func (v *visitors) open(name string, o *session.Options) *session.Session {
	v.Helper()
	o.Room, o.Name, o.Dir, o.HTTPClient = "general", name, v.dir, v.net.Client(name)
	s, err := session.Open("ws://server", o)
	if err != nil {
		v.Fatal(err)
	}
	return s
}

func (v *visitors) close(s *session.Session) {
	v.Helper()
	if err := s.Close(); err != nil {
		v.Error(err)
	}
}

// checkMarks opens the room, which one at a time can: so the server has closed it.
func (v *visitors) checkMarks(store history.Store) {
	v.Helper()
	log, err := store.Open("general", func([]history.Entry) {})
	if err != nil {
		v.Error("after everybody left: ", err)
		return
	}
	for source, n := range v.marks {
		if got, err := log.Source("ana", source); err != nil || got.Mark != n {
			v.Errorf("source %s: %+v, %v; want %d", source, got, err, n)
		}
	}
	if err := log.Close(); err != nil {
		v.Error(err)
	}
}

// reads wants the lines after from up to and including to, and no others, for a minute.
func (v *visitors) reads(s *session.Session, from, to int) {
	v.Helper()
	ctx, cancel := context.WithTimeout(v.Context(), time.Minute)
	defer cancel()
	var got []string
	for {
		m, err := s.Next(ctx)
		if err != nil {
			break
		}
		got = append(got, m.Text)
	}
	if !slices.Equal(got, lines(from, to)) {
		v.Errorf("read %d lines, want %d", len(got), to-from)
	}
}

// lines makes the lines after from up to and including to.
func lines(from, to int) (made []string) {
	for n := from + 1; n <= to; n++ {
		made = append(made, fmt.Sprint("line ", n))
	}
	return made
}

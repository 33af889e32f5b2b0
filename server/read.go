package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"holdfast/session/wire"
)

// What can be read without joining, PROTOCOL.md "Reading without joining". The types
// are the answers; what they leave out is for members only.

type roomsAnswer struct {
	Rooms []roomSize `json:"rooms"`
}

type roomSize struct {
	Room    string `json:"room"`
	Members int    `json:"members"`
}

type roomAnswer struct {
	Room    string       `json:"room"`
	Members []memberHere `json:"members"`
}

type memberHere struct {
	Name string `json:"name"`
	Away string `json:"away,omitempty"`
}

type linesAnswer struct {
	Lines []lineRead `json:"lines"`
	End   bool       `json:"end"`
}

type lineRead struct {
	Seq  uint64    `json:"seq"`
	At   time.Time `json:"at"`
	From string    `json:"from"`
	Kind string    `json:"kind,omitempty"`
	Text string    `json:"text"`
}

// readRooms lists the rooms that somebody is in.
func (s *Server) readRooms(w http.ResponseWriter, _ *http.Request) {
	if s.opts.HideRooms {
		http.Error(w, "this server does not list its rooms: ask for one by name", http.StatusForbidden)
		return
	}
	answer := roomsAnswer{Rooms: []roomSize{}}
	for _, r := range s.hub.open() {
		if n := r.size(); n > 0 {
			answer.Rooms = append(answer.Rooms, roomSize{r.name, n})
		}
	}
	slices.SortFunc(answer.Rooms, func(a, b roomSize) int { return strings.Compare(a.Room, b.Room) })
	reply(w, answer)
}

// readRoom tells who is in a room.
func (s *Server) readRoom(w http.ResponseWriter, req *http.Request) {
	s.inRoom(w, req, func(r *room) (any, error) {
		answer := roomAnswer{r.name, r.here()}
		if len(answer.Members) == 0 {
			lines, _, err := r.log.Before(0, 1)
			if err != nil || len(lines) == 0 {
				return nil, err
			}
		}
		return answer, nil
	})
}

// readLines gives lines that everybody may read.
func (s *Server) readLines(w http.ResponseWriter, req *http.Request) {
	before, err := number(req, "before", 0, wire.MaxNumber, 0)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	limit, err := number(req, "limit", 1, wire.MaxPage, wire.MaxPage)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.inRoom(w, req, func(r *room) (any, error) {
		answer := linesAnswer{Lines: []lineRead{}}
		for len(answer.Lines) == 0 && !answer.End {
			entries, more, err := r.log.Before(before, int(limit))
			if err != nil {
				return nil, err
			}
			if len(entries) == 0 && before == 0 && r.size() == 0 {
				return nil, nil
			}
			for _, e := range entries {
				if e.Kind == "" || e.Kind == wire.KindAction {
					answer.Lines = append(answer.Lines, lineRead{e.Seq, e.At, e.User, e.Kind, e.Text})
				}
			}
			if answer.End = !more; more {
				before = entries[0].Seq
			}
		}
		return answer, nil
	})
}

// inRoom answers a request about a room, which stays open for it. An answer of nil
// means that there is no such room.
func (s *Server) inRoom(w http.ResponseWriter, req *http.Request, answer func(*room) (any, error)) {
	name, err := wire.Name(req.PathValue("room"))
	if err != nil {
		http.Error(w, "room: "+err.Error(), http.StatusBadRequest)
		return
	}
	if !s.enter() {
		s.refuseDraining(w)
		return
	}
	defer s.wg.Done()
	r, err := s.hub.hold(name)
	if errors.Is(err, errDraining) {
		s.refuseDraining(w)
		return
	}
	var a any
	if err == nil {
		defer s.hub.release(name)
		a, err = answer(r)
	}
	switch {
	case err != nil:
		s.log.Error("can't serve", "doing", "read room", "err", err)
		http.Error(w, wire.Internal.Text, http.StatusInternalServerError)
	case a == nil:
		http.Error(w, fmt.Sprintf("there is no room %s: nothing was ever said in it", name), http.StatusNotFound)
	default:
		reply(w, a)
	}
}

func reply(w http.ResponseWriter, answer any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(answer) // who asked may have gone
}

// number reads a number of the query's.
func number(req *http.Request, name string, least, most, unsaid uint64) (uint64, error) {
	text := req.URL.Query().Get(name)
	if text == "" {
		return unsaid, nil
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n < least || n > most {
		return 0, fmt.Errorf("%s must be a number from %d to %d", name, least, most)
	}
	return n, nil
}

package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"holdfast/server/history"
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
func (s *Server) readRooms(w http.ResponseWriter, req *http.Request) {
	if s.opts.HideRooms {
		http.Error(w, "this server does not list its rooms: ask for one by name", http.StatusForbidden)
		return
	}
	if !s.mayRead(w, req, "") {
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
		answer := roomAnswer{r.name, []memberHere{}}
		for _, m := range r.here() {
			answer.Members = append(answer.Members, memberHere{m.Name, m.Away})
		}
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
	before, limit, err := which(req)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.inRoom(w, req, func(r *room) (any, error) {
		answer, known, size := linesAnswer{Lines: []lineRead{}}, r.size() > 0, 0
		end, err := r.back(req.Context().Done(), before, int(limit), func(e history.Entry) bool {
			known = true
			l, public := publicLine(r.name, &e)
			if !public {
				return true
			}
			answer.Lines = append(answer.Lines, lineRead{l.Seq, l.At, l.From, l.Kind, l.Text})
			size += len(e.Text)
			return len(answer.Lines) < int(limit) && size < maxAnswer
		})
		slices.Reverse(answer.Lines)
		if answer.End = end; err != nil || !known {
			return nil, err
		}
		return answer, nil
	})
}

const (
	maxAnswer  = 256 << 10        // bytes of text, from which on an answer has no more lines
	answerTime = 10 * time.Second // for who asked to read it
)

// inRoom answers a request about a room. An answer of nil means that there is no such
// room. The answer is written when nothing is held any more: who asked may be slow.
func (s *Server) inRoom(w http.ResponseWriter, req *http.Request, ask func(*room) (any, error)) {
	name, err := wire.Name(req.PathValue("room"))
	if err != nil {
		http.Error(w, "room: "+err.Error(), http.StatusBadRequest)
		return
	}
	if !s.mayRead(w, req, name) {
		return
	}
	answer, err := askRoom(s, name, ask)
	switch {
	case errors.Is(err, errDraining):
		s.refuseDraining(w)
	case errors.Is(err, errAskerGone):
	case err != nil:
		s.log.Error("can't serve", "doing", "read room", "err", err)
		http.Error(w, wire.Internal.Text, http.StatusInternalServerError)
	case answer == nil:
		http.Error(w, fmt.Sprintf("there is no room %s: nobody is in it, and nothing was ever said", name), http.StatusNotFound)
	default:
		reply(w, answer)
	}
}

// askRoom opens a room for a question.
func askRoom[T any](s *Server, name string, ask func(*room) (T, error)) (answer T, err error) {
	if !s.enter() {
		return answer, errDraining
	}
	defer s.wg.Done()
	r, err := s.hub.hold(name)
	if err != nil {
		return answer, err
	}
	defer s.hub.release(name)
	return ask(r)
}

func reply(w http.ResponseWriter, answer any) {
	// Not every ResponseWriter has deadlines; the one of net/http, which waits, does.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerTime))
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	_ = e.Encode(answer) // who asked may have gone
}

// which reads from the query which lines are asked for.
func which(req *http.Request) (before, limit uint64, err error) {
	query, err := url.ParseQuery(req.URL.RawQuery)
	if err != nil {
		return 0, 0, fmt.Errorf("query: %w", err)
	}
	if before, err = number(query, "before", 0, wire.MaxNumber, 0); err == nil {
		limit, err = number(query, "limit", 1, wire.MaxPage, wire.MaxPage)
	}
	return before, limit, err
}

// number reads a number of the query's.
func number(query url.Values, name string, least, most, unsaid uint64) (uint64, error) {
	text := query.Get(name)
	if text == "" {
		return unsaid, nil
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n < least || n > most {
		return 0, fmt.Errorf("%s must be a number from %d to %d", name, least, most)
	}
	return n, nil
}

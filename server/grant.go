package server

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"time"

	"holdfast/server/history"
	"holdfast/session/wire"
)

// What the application says about who may come in, in the place of the server's own
// keys: Options.Authorize.

// Grant is what a user is let in with. The zero value is a user who proves by the key of
// their client to be one, as without [Options.Authorize], and may read and write.
type Grant struct {
	// Identity is who the application knows the user to be: an account's number, say.
	// It then takes the place of the client's key, which is not looked at, nor is the
	// host that the client says it dialled. The name is claimed for the identity, so
	// that its user comes in from any machine, and private lines find them there; to
	// another identity, or key, the name is taken. A name that a key claimed earlier
	// stays that key's until it is not used for Options.NameTTL.
	//
	// Zero means that the client's own key says who the user is. On one connection it is
	// the answer for the first room that counts: a connection is one user's.
	Identity string

	// Rights are what the user may do in the room. Zero means Read|Write.
	Rights Rights
}

// Rights are what a user may do in a room.
type Rights uint8

const (
	// Read lets a user see what others say and who is there. A user without it gets the
	// acks of their own lines and nothing else; what is said meanwhile is not caught up
	// when they get it, though History has it.
	Read Rights = 1 << iota
	// Write lets a user say something, and why they are away. Lines of a user without it
	// are refused as read_only.
	Write
	// Moderate lets a user remove others from the room, as Server.Disconnect does. It is
	// not among what zero means, and goes with the other two: Read|Write|Moderate.
	Moderate
)

func (r Rights) has(right Rights) bool {
	if r == 0 {
		r = Read | Write
	}
	return r&right != 0
}

// Refusal is an error of [Options.Authorize] that is told to the client as it is. Any
// other error is logged, and the client told to come back, as after an outage.
type Refusal struct {
	// Status is that of the answer, 400 to 599. After 408, 425, 429 and 5xx clients come
	// back by themselves, after any other one their user has to do something. Zero, and
	// what is out of range, means 403.
	Status int

	// Message is one line of text on which a person can act. Zero means the status's.
	Message string

	// RetryAfter is how long clients that come back wait at least. Zero means that the
	// client decides.
	RetryAfter time.Duration
}

func (r *Refusal) Error() string {
	if r.Message != "" {
		return r.Message
	}
	return http.StatusText(r.status())
}

func (r *Refusal) status() int {
	if r.Status < 400 || r.Status > 599 {
		return http.StatusForbidden
	}
	return r.Status
}

// comeBack is PROTOCOL.md's rule for verdicts before the upgrade.
func (r *Refusal) comeBack() bool {
	switch s := r.status(); s {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	default:
		return s >= 500
	}
}

// authorize asks the application. no is its answer, or ours if it could not give one; nil
// if the user may come in.
func (s *Server) authorize(r *http.Request, room, user string) (g Grant, no *Refusal) {
	if s.opts.Authorize == nil {
		return g, nil
	}
	g, err := s.opts.Authorize(r, room, user)
	switch {
	case err == nil:
		return g, nil
	case errors.As(err, &no):
		s.log.Info("not authorized", "room", room, "user", user, "status", no.status())
		return g, no
	}
	s.log.Error("can't serve", "doing", "authorize", "room", room, "user", user, "err", err)
	return g, &Refusal{
		Status:     http.StatusServiceUnavailable,
		Message:    "the server can't tell just now who may come in",
		RetryAfter: time.Second + rand.N(8*time.Second),
	}
}

// answer tells a client before the upgrade.
func (r *Refusal) answer(w http.ResponseWriter) {
	if r.RetryAfter > 0 {
		w.Header().Set("Retry-After", fmt.Sprint(math.Ceil(r.RetryAfter.Seconds())))
	}
	http.Error(w, r.Error(), r.status())
}

// refuse tells a client that it may not join one more room.
func (p *peer) refuse(no *Refusal) {
	code := wire.Forbidden
	if no.comeBack() {
		code = wire.Internal
	}
	p.end(code, no.Error(), no.RetryAfter)
}

// mayRead reports whether the user of an HTTP request may read a room, or the list of
// rooms if room is empty; else it has answered.
func (s *Server) mayRead(w http.ResponseWriter, r *http.Request, room string) bool {
	g, no := s.authorize(r, room, "")
	if no == nil && !g.Rights.has(Read) {
		no = &Refusal{Message: "reading here is not allowed"}
	}
	if no != nil {
		no.answer(w)
	}
	return no == nil
}

// holder is who a claim says the identity is. A real key is not the hash of such a text.
func (g *Grant) holder() history.Holder {
	return history.Holder{Key: sha256.Sum256([]byte("holdfast.v1 identity\n" + g.Identity))}
}

package server

import (
	"strings"

	"holdfast/server/history"
	"holdfast/session/wire"
)

// consult asks the application about a line of p's that nothing else speaks against. That
// takes as long as it takes, so no lock is held.
func (r *room) consult(p *peer, s *source, l *history.Line, v *verdict) {
	if r.srv.opts.Accept == nil || v.code != "" || v.unsure != nil || !r.next(p, s, l.N, v.once) {
		return
	}
	err := r.srv.opts.Accept(p.link.conn.Context(), Line{
		Room: r.name, At: l.At, From: l.User, Kind: l.Kind, To: l.To, Text: l.Text,
	})
	switch {
	case err == nil:
	case p.link.conn.Err() != nil: // perhaps that is all that it means, and the client comes back
		v.unsure = err
	default:
		v.code, v.words = wire.RefusedRejected, strings.ToValidUTF8(err.Error()[:min(len(err.Error()), maxWords)], "")
	}
}

// maxWords of the application's go with a refusal.
const maxWords = 500

// next reports whether line n of s would be stored now: only p's reader takes lines of s, so
// that stays so until it does.
func (r *room) next(p *peer, s *source, n uint64, once *saying) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return p.attached && !r.draining && s.peer == p && n == s.mark+1 &&
		s.mark-s.durable < uint64(r.srv.opts.InFlight) && (once == nil || !once.said)
}

// word keeps what the application said of the line that s.mark counts, under mu, for as long
// as somebody may send that line again.
func (s *source) word(words string) {
	if words == "" {
		return
	}
	if s.words == nil {
		s.words = map[uint64]string{}
	}
	s.words[s.mark] = words
}

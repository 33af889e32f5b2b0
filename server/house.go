package server

import (
	"context"
	"time"

	"holdfast/session/wire"
)

// keepHouse applies retention, renews the claims of connected users and gives up who has
// not come back since the server began, until Shutdown. Nobody calls it with a context, so it makes one.
func (s *Server) keepHouse() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s.wg.Go(func() {
		<-s.stop
		cancel() // Shutdown does not wait for a long trim
	})
	renew := min(touchEvery, max(s.opts.NameTTL/4, time.Second))
	tidy := time.NewTicker(min(tidyEvery, renew))
	defer tidy.Stop()
	late := time.NewTimer(max(s.opts.Linger, 0))
	defer late.Stop()
	trimmed, touched := time.Time{}, time.Now()
	for {
		if time.Since(trimmed) >= tidyEvery && (s.opts.Keep.Age > 0 || s.opts.Keep.Lines > 0) {
			trimmed = time.Now()
			if err := s.opts.Store.Trim(ctx, s.opts.Keep, trimmed); err != nil && ctx.Err() == nil {
				s.log.Error("retention failed", "err", err)
			}
		}
		if time.Since(touched) >= renew {
			touched = time.Now()
			s.touch(ctx)
		}
		select {
		case <-tidy.C:
		case <-late.C:
			s.hub.forget()
		case <-s.stop:
			return
		}
	}
}

// touch renews the claims of who is connected: a name in use must not be free.
func (s *Server) touch(ctx context.Context) {
	done := map[string]bool{}
	for _, r := range s.hub.open() {
		for _, p := range r.attached() {
			if !p.link.holder.HasKey() || done[p.user()] || ctx.Err() != nil {
				continue
			}
			done[p.user()] = true
			if _, _, err := s.opts.Store.Claim(p.user(), p.link.holder, time.Now(), s.opts.NameTTL); err != nil {
				s.log.Error("renew claim", "user", p.user(), "err", err)
			}
		}
	}
}

// watchStore ends all connections when the store fails. It goes on while Shutdown
// waits for lines to become durable, for then they never will.
func (s *Server) watchStore() {
	select {
	case <-s.empty:
		return
	case <-s.opts.Store.Failed():
	}
	s.log.Error("store failed: ending all connections", "err", s.opts.Store.Err())
	s.hub.close()
	rooms := s.hub.open()
	for _, r := range rooms {
		r.abandon()
	}
	for _, r := range rooms {
		r.endLingers()
	}
	for _, l := range s.connected() {
		l.drop(wire.Internal, time.Second)
	}
	close(s.failed)
}

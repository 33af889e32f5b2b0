package session

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"

	"holdfast/session/wire"
)

// Send puts lines in the outbox, in order and in one durable step: when it returns
// nil they are on disk and will be delivered once, however long that takes. It
// never waits for the network. It returns the first line's ID; the others' numbers
// follow it. A line has at most wire.MaxText bytes of UTF-8, is not blank, and holds no
// control characters but tab and line break: if one is not fit to be sent, the error is a
// *TextError and none is taken. If the outbox has no room for all (Options.MaxLines,
// MaxBytes), none is taken: ErrOutboxFull. After ErrDisk nobody knows whether they were.
func (s *Session) Send(lines ...string) (ID, error) { return s.put(draft{texts: lines}, nil) }

// SendWait is Send, but waits for room in the outbox until ctx or the session ends.
// More than even an empty outbox takes is refused at once: ErrOutboxFull.
func (s *Session) SendWait(ctx context.Context, lines ...string) (ID, error) {
	for {
		freed := s.out.room()
		id, err := s.Send(lines...)
		if !errors.Is(err, ErrOutboxFull) || !s.client.keeper.fits(lines, 0, 0) {
			return id, err
		}
		select {
		case <-freed:
		case <-s.ended:
			return ID{}, s.Err()
		case <-ctx.Done():
			return ID{}, fmt.Errorf("wait for room in the outbox: %w", context.Cause(ctx))
		}
	}
}

// SendAction is Send for lines in the manner of /me.
func (s *Session) SendAction(lines ...string) (ID, error) {
	return s.put(draft{kind: wire.KindAction, texts: lines}, nil)
}

// SendTo is Send for lines that only the user named to is shown, now or when they next
// are in the room. If nobody has that name, the line's Receipt comes with the code
// wire.RefusedUnknown; an older server refuses all of them, as wire.RefusedKind.
func (s *Session) SendTo(to string, lines ...string) (ID, error) {
	name, err := wire.Name(to)
	if err != nil {
		return ID{}, &TextError{Code: wire.RefusedUnknown, Message: err.Error()}
	}
	return s.put(draft{kind: wire.KindPrivate, to: name, texts: lines}, nil)
}

// SendOnce is Send for a line that must not be said twice, however often and from
// wherever it is sent: of all lines that this user says in the room with the same key, any
// text but "", the server stores the first. The others' Receipt is a Duplicate, and Wait
// returns nil for them. The server knows a key for 90 days. While a line with the key waits
// in the outbox, SendOnce returns that one's ID.
func (s *Session) SendOnce(key, line string) (ID, error) {
	if key == "" {
		return ID{}, fmt.Errorf("%w: SendOnce wants a key", ErrOption)
	}
	sum := sha256.Sum256([]byte(key)) // of any length, and of any characters
	once := base64.RawURLEncoding.EncodeToString(sum[:])
	if l, waits := s.out.said(once); waits {
		return l.ID, nil
	}
	return s.put(draft{once: once, texts: []string{line}}, nil)
}

// put stores lines, which answer m if that is not nil.
func (s *Session) put(d draft, m *Message) (ID, error) {
	if len(d.texts) == 0 && m == nil {
		return ID{}, nil
	}
	for _, l := range d.texts {
		if err := wire.CheckText(l); err != nil {
			return ID{}, err
		}
	}
	if s.refuse.Load() {
		return ID{}, ErrClosed
	}
	select {
	case <-s.ended:
		return ID{}, s.Err()
	default:
	}
	r := &request{pen: &s.pen, draft: d, answers: m}
	err := s.client.keeper.ask(r)
	switch {
	case err == nil, errors.Is(err, ErrOutboxFull), errors.Is(err, ErrClosed), errors.Is(err, ErrCommitted):
	default:
		err = fmt.Errorf("session: %w", err)
	}
	return r.first, err
}

// Wait waits until the line with that ID, which Send has taken in this process or an
// earlier one, is on the server's disk, and then returns nil. If the server refused the
// line, the error is a *RefusedError. If the session ends first, it is ErrUnsent: the line is
// kept for the next one. If ctx ends first, it is the cause of ctx.
func (s *Session) Wait(ctx context.Context, id ID) error {
	if !s.mine[id.Source] {
		return fmt.Errorf("%w: no line of this session has the ID %v", ErrOption, id)
	}
	for {
		freed := s.out.room()
		if !s.out.has(id) {
			return s.refusal(id)
		}
		select {
		case <-freed:
		case <-s.ended:
			if s.out.has(id) {
				return fmt.Errorf("%w: %w", ErrUnsent, s.Err())
			}
		case <-ctx.Done():
			return fmt.Errorf("wait for an ack: %w", context.Cause(ctx))
		}
	}
}

// refusal is why a line that has left the outbox was refused, nil if it was not.
func (s *Session) refusal(id ID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if why := s.refused[id]; why != nil {
		return why
	}
	return nil
}

// Unsent returns the lines that are stored and not acknowledged, oldest first.
func (s *Session) Unsent() []Line { return s.out.all() }

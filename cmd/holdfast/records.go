package main

import (
	"time"

	"holdfast/cmd/holdfast/internal/ask"
	"holdfast/cmd/holdfast/internal/jsonl"
	"holdfast/session"
	"holdfast/session/wire"
)

// recordOf is an event of a session's as --json prints it; nil if it doesn't.
func recordOf(room string, e session.Event) any {
	switch e := e.(type) {
	case session.Message:
		return messageRecord(e)
	case session.Gap:
		return jsonl.Gap{Room: room, Lost: e.Lost, Reason: e.Reason}
	case session.Presence:
		return jsonl.Presence{Room: room, Here: e.Here, Joined: e.Joined, Left: e.Left, Away: e.Away}
	case session.StateChange:
		s := jsonl.State{Room: room, State: e.State.String(), Attempt: e.Attempt, RetryMS: e.RetryIn.Milliseconds(), Missed: e.Missed}
		if e.Err != nil {
			s.Reason = describe(e.Err)
		}
		return s
	case session.Held:
		return jsonl.Held{Room: room, Code: e.Code}
	}
	return nil
}

func messageRecord(m session.Message) any {
	r := jsonl.Message{
		Room: m.Room, Seq: m.Seq, From: m.From, Text: m.Text, At: jsonl.Time(m.At), Replayed: m.Replayed, Kind: m.Kind,
	}
	if m.Kind != wire.KindPrivate {
		return r
	}
	r.Kind = "" // the type says it
	return jsonl.Private{Message: r, To: m.To}
}

// messageOf is a line of history as a session tells it.
func messageOf(room string, l ask.Line) session.Message {
	return session.Message{Room: room, Seq: l.Seq, From: l.From, Text: l.Text, Kind: l.Kind, At: l.At.Round(time.Millisecond), Replayed: true}
}

package wire

import (
	"strings"
	"testing"
	"time"
)

func benchEvent(n uint64) Event {
	return Event{
		Seq: 1000 + n, At: Time{time.UnixMilli(1_772_366_400_123)}, From: "ana", Source: "0123456789abcdef", N: n,
		Text: "a line of some length, as people write them, with \"quotes\" and ünïcode",
	}
}

func benchFrames() map[string]Frame {
	events := &Events{After: strings.Repeat("c", 40), Cursor: strings.Repeat("d", 40)}
	for n := range uint64(20) {
		events.Events = append(events.Events, benchEvent(n+1))
	}
	e := events.Events[0]
	return map[string]Frame{
		"send":      &Send{Source: e.Source, N: 42, Text: e.Text},
		"ack":       &Ack{Source: e.Source, N: 42},
		"events-20": events,
	}
}

func BenchmarkDecode(b *testing.B) {
	for name, f := range benchFrames() {
		p := Encode(f)
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(p)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Decode(p, MaxToClient); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkEncode(b *testing.B) {
	for name, f := range benchFrames() {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Encode(f)
			}
		})
	}
	b.Run("event", func(b *testing.B) {
		e := benchEvent(1)
		b.ReportAllocs()
		for b.Loop() {
			EncodeEvent(&e)
		}
	})
}

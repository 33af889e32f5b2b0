package historytest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"holdfast/server/history"
)

func testOrder(t *testing.T, e Engine) {
	p := Record(t, e.Open(t), "general")
	for i := range 300 {
		noError(t, p.Append(p.Line(fmt.Sprint("s", i%3), fmt.Sprint(i))))
	}
	heard := p.Wait(300)
	read, err := p.Read(0, 1000)
	noError(t, err)
	if !reflect.DeepEqual(heard, read) {
		t.Fatal("the sink and Read tell of different lines")
	}
	for i, line := range read {
		equal(t, "text", line.Text, fmt.Sprint(i))
		equal(t, "seq", line.Seq, uint64(i+1))
		equal(t, "number", line.N, uint64(i/3+1))
	}
	part, err := p.Read(10, 5)
	noError(t, err)
	if !reflect.DeepEqual(part, read[10:15]) {
		t.Errorf("Read(10, 5) = %v", part)
	}
	for _, after := range []uint64{300, 301, 1 << 63} {
		none, err := p.Read(after, 5)
		noError(t, err)
		equal(t, "lines beyond the head", len(none), 0)
	}
}

func testLineIsKeptWhole(t *testing.T, e Engine) {
	p := Record(t, e.Open(t), "general")
	want := history.Line{User: "ana", Source: "ü/x y", N: 7, Kind: "act", Text: "waves\n\x00\xff", At: time.Date(2024, 2, 3, 4, 5, 6, 789_654_321, time.FixedZone("", 3600))}
	noError(t, p.Append(want))
	p.Wait(1)
	want.At = time.Date(2024, 2, 3, 3, 5, 6, 789_000_000, time.UTC)
	got, err := p.Read(0, 1)
	noError(t, err)
	if !reflect.DeepEqual(got[0].Line, want) {
		t.Errorf("got %+v, want %+v", got[0].Line, want)
	}
}

func testMarksAndVoids(t *testing.T, e Engine) {
	s := e.Open(t)
	p := Record(t, s, "general")
	p.Say("a", "one", "two")
	void := p.Line("a", "too_long")
	void.Kind = history.KindVoid
	noError(t, p.Append(void))
	p.Wait(3)
	p.Say("a", "four")
	p.Say("b", "other source")
	Record(t, s, "elsewhere").Say("a", "other room")
	check := func(p *Tape) {
		t.Helper()
		for source, want := range map[string]history.Source{
			"a":  {Mark: 4, Voids: map[uint64]string{3: "too_long"}},
			"b":  {Mark: 1},
			"a ": {}, // not a prefix of another
			"":   {},
		} {
			got, err := p.Source("ana", source)
			noError(t, err)
			if !reflect.DeepEqual(got, want) {
				t.Errorf("source %q: got %v, want %v", source, got, want)
			}
		}
	}
	check(p)
	if e.Reopen == nil {
		return
	}
	s = e.Reopen(t, s)
	p = Record(t, s, "general")
	check(p)
	equal(t, "head after reopen", p.From("", 0).Seq, 5)
	equal(t, "next position", p.Say("c", "more")[0].Seq, 6)
}

func testBefore(t *testing.T, e Engine) {
	s := e.Open(t)
	p := Record(t, s, "general")
	page := func(before uint64, limit int, want string) {
		t.Helper()
		lines, more, err := p.Before(before, limit)
		noError(t, err)
		got := ""
		for _, line := range lines {
			got += fmt.Sprint(line.Seq, " ")
		}
		equal(t, fmt.Sprintf("page before %d", before), fmt.Sprint(got, more), want)
	}
	page(0, 3, "false")
	p.SayN(7)
	page(0, 3, "5 6 7 true")
	page(5, 3, "2 3 4 true")
	page(2, 3, "1 false")
	page(1, 3, "false")
	page(4, 3, "1 2 3 false")
	page(100, 1, "7 true")
	page(0, 0, "true")
	noError(t, s.Trim(t.Context(), history.Retention{Lines: 3}, time.Now()))
	page(0, 3, "5 6 7 false")
	page(6, 3, "5 false")
	page(3, 3, "false")
}

func testRetention(t *testing.T, e Engine) {
	s := e.Open(t)
	p, quiet := Record(t, s, "general"), Record(t, s, "gen")
	now := time.Now()
	for i := range 10 { // one a minute, the last just now
		line := p.Line("s", fmt.Sprint(i+1))
		line.At = now.Add(time.Duration(i-9) * time.Minute)
		noError(t, p.Append(line))
	}
	p.Wait(10)
	quiet.Say("s", "only")
	trim := func(keep history.Retention, want ...string) {
		t.Helper()
		noError(t, s.Trim(t.Context(), keep, now))
		if got := p.Texts(0); !slices.Equal(got, want) {
			t.Errorf("after trim to %v: %v, want %v", keep, got, want)
		}
	}
	trim(history.Retention{}, "1", "2", "3", "4", "5", "6", "7", "8", "9", "10")
	trim(history.Retention{Lines: 8}, "3", "4", "5", "6", "7", "8", "9", "10")
	trim(history.Retention{Lines: 8, Age: 6*time.Minute + time.Second}, "4", "5", "6", "7", "8", "9", "10")
	trim(history.Retention{Age: 5 * time.Minute}, "6", "7", "8", "9", "10")
	trim(history.Retention{Lines: 2, Age: time.Hour}, "9", "10")
	equal(t, "lines of the other room", len(quiet.Texts(0)), 1)

	edge := p.From("", 0).Cursor
	now = now.Add(time.Hour)
	trim(history.Retention{Age: time.Minute})
	equal(t, "lines of the other room", len(quiet.Texts(0)), 0)
	if e.Reopen != nil {
		s = e.Reopen(t, s)
		old := p.Marks
		p = Record(t, s, "general")
		p.Marks = old
	}
	source, err := p.Source("ana", "s")
	noError(t, err)
	equal(t, "mark outlives its lines", source.Mark, 10)
	equal(t, "resumed at the edge", p.From(edge, 0).Resumed, true)
	equal(t, "number after all was trimmed", p.Say("s", "11")[0].Seq, 11)
	equal(t, "resumed at the edge", p.From(edge, 0), history.Start{Seq: 10, Cursor: edge, Resumed: true, Missed: 1})
}

func testMarkTTL(t *testing.T, e Engine) {
	s := e.Open(t)
	p := Record(t, s, "general")
	now := time.Now()
	for i := range 600 { // more than one chunk of marks
		line := p.Line(fmt.Sprint("old", i), "refused")
		line.At, line.Kind = now.Add(-history.MarkTTL-time.Minute), history.KindVoid
		noError(t, p.Append(line))
	}
	p.Wait(600)
	p.Say("new", "x")
	noError(t, s.Trim(t.Context(), history.Retention{}, now))
	for source, want := range map[string]history.Source{"old0": {}, "old599": {}, "new": {Mark: 1}} {
		got, err := p.Source("ana", source)
		noError(t, err)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("source %s: got %v, want %v", source, got, want)
		}
	}
	equal(t, "lines", len(p.Texts(0)), 601)
	// Whoever begins anew under the same name does not find old refusals.
	p.Marks["old0"] = 0
	p.Say("old0", "x")
	got, err := p.Source("ana", "old0")
	noError(t, err)
	if !reflect.DeepEqual(got, history.Source{Mark: 1}) {
		t.Errorf("source begun anew: %v", got)
	}
}

func testTrimStops(t *testing.T, e Engine) {
	s := e.Open(t)
	Record(t, s, "general").SayN(3)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := s.Trim(ctx, history.Retention{Lines: 1}, time.Now())
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func testOpenOnce(t *testing.T, e Engine) {
	s := e.Open(t)
	p := Record(t, s, "general")
	if _, err := s.Open("general", p.hear); err == nil {
		t.Error("opened twice")
	}
	p.SayN(3)
	noError(t, p.Close())
	noError(t, p.Close())
	if err := p.Append(history.Line{}); !errors.Is(err, history.ErrClosed) {
		t.Errorf("append to a closed log: %v", err)
	}
	if _, err := p.Read(0, 1); !errors.Is(err, history.ErrClosed) {
		t.Errorf("read from a closed log: %v", err)
	}
	again := Record(t, s, "general")
	equal(t, "next position", again.Say("t", "x")[0].Seq, 4)
	equal(t, "lines", len(again.Texts(0)), 4)
	equal(t, "lines heard by the old sink", len(p.lines), 3)
}

func testCloseWaitsForLines(t *testing.T, e Engine) {
	s := e.Open(t)
	p := Record(t, s, "general")
	for i := range 100 {
		noError(t, p.Append(p.Line("s", fmt.Sprint(i))))
	}
	noError(t, s.Close())
	heard, _ := p.Now()
	equal(t, "lines heard", len(heard), 100)
	noError(t, s.Close())
	_, openErr := s.Open("other", p.hear)
	_, startErr := p.Start("", 0)
	_, _, claimErr := s.Claim("ana", history.Holder{}, time.Now(), 0)
	trimErr := s.Trim(t.Context(), history.Retention{}, time.Now())
	for _, err := range []error{p.Append(history.Line{}), openErr, startErr, claimErr, trimErr} {
		if !errors.Is(err, history.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	}
	if e.Reopen != nil {
		equal(t, "lines kept", len(Record(t, e.Reopen(t, nil), "general").Texts(0)), 100)
	}
}

// Readers run while others append; what they see has no gap and never recedes.
func testConcurrent(t *testing.T, e Engine) {
	s := e.Open(t)
	const rooms, sources, lines = 6, 4, 50
	var wg sync.WaitGroup
	for r := range rooms {
		p := Record(t, s, fmt.Sprint("room", r))
		for i := range sources {
			wg.Go(func() {
				for n := range uint64(lines) {
					if err := p.Append(history.Line{User: "ana", Source: fmt.Sprint(i), N: n + 1}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Go(func() { follow(t, p, sources*lines) })
	}
	wg.Wait()
}

// follow reads n lines by cursor as they come, checking marks on the way.
func follow(t *testing.T, p *Tape, n int) {
	marks := map[string]uint64{}
	cursor := ""
	for seq := uint64(0); seq < uint64(n); {
		_, more := p.Now()
		start, err := p.Start(cursor, 0)
		if err != nil || start.Resumed != (cursor != "") {
			t.Errorf("start at %d: %+v %v", seq, start, err)
			return
		}
		lines, err := p.Read(seq, 7)
		if err != nil {
			t.Error(err)
			return
		}
		for _, line := range lines {
			seq++
			marks[line.Source]++
			source, err := p.Source("ana", line.Source)
			if err != nil || line.Seq != seq || line.N != marks[line.Source] || source.Mark < line.N {
				t.Errorf("at %d: line %+v, source %v, %v", seq, line, source, err)
				return
			}
			cursor = line.Cursor
		}
		if len(lines) == 0 {
			<-more
		}
	}
}

// Trims run while others append, open and read.
func testTrimUnderReaders(t *testing.T, e Engine) {
	s := e.Open(t)
	p := Record(t, s, "general")
	first := p.SayN(20)
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(done)
		for keep := 19; keep > 0; keep-- {
			if err := s.Trim(t.Context(), history.Retention{Lines: keep}, time.Now()); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			default:
			}
			start, err := p.Start(first[i%20].Cursor, i%3)
			if err != nil || (!start.Resumed && start.Reason != history.Expired) {
				t.Errorf("start: %+v, %v", start, err)
				return
			}
		}
	})
	wg.Wait()
	equal(t, "lines left", len(p.Texts(0)), 1)
}

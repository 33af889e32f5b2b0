package oracle_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"holdfast/e2e/oracle"
)

// log makes a log of lines such as "ana:a1" at positions 1, 2, 3 and so on.
func log(lines ...string) (entries []oracle.Entry) {
	for i, l := range lines {
		from, text, _ := strings.Cut(l, ":")
		entries = append(entries, oracle.Entry{Seq: uint64(i + 1), From: from, Text: text})
	}
	return entries
}

// run is one history and what must be found in it.
type run struct {
	name string
	tell func(o *oracle.Oracle)
	log  []oracle.Entry
	want []oracle.Rule // none: the history is good
}

func said(o *oracle.Oracle, sender string, texts ...string) {
	for _, text := range texts {
		o.Said(sender, text)
	}
}

func acked(o *oracle.Oracle, sender string, texts ...string) {
	said(o, sender, texts...)
	for _, text := range texts {
		o.Acked(sender, text)
	}
}

// saw has ben see the lines of entries with these indices.
func saw(o *oracle.Oracle, entries []oracle.Entry, indices ...int) {
	for _, i := range indices {
		o.Saw("ben", entries[i].Seq, entries[i].From, entries[i].Text)
	}
}

// check runs the tables: live tells which check.
func check(t *testing.T, live bool, runs []run) {
	t.Helper()
	for _, r := range runs {
		t.Run(r.name, func(t *testing.T) {
			var o oracle.Oracle
			r.tell(&o)
			err := o.Check(r.log)
			if live {
				err = o.CheckLive(r.log)
			}
			var found []oracle.Rule
			if vs, ok := errors.AsType[oracle.Violations](err); ok {
				for _, v := range vs {
					found = append(found, v.Rule)
				}
				t.Log(err)
			} else if err != nil {
				t.Fatal("not Violations:", err)
			}
			if !slices.Equal(found, r.want) {
				t.Fatalf("found %v, want %v", found, r.want)
			}
		})
	}
}

func TestLog(t *testing.T) {
	two := log("ana:a1", "ana:a2")
	check(t, false, []run{
		{"nothing", func(o *oracle.Oracle) {}, nil, nil},
		{"all acked", func(o *oracle.Oracle) { acked(o, "ana", "a1", "a2") }, two, nil},
		{"acked twice", func(o *oracle.Oracle) { acked(o, "ana", "a1", "a2"); o.Acked("ana", "a1") }, two, nil},
		{"stored but not yet acked", func(o *oracle.Oracle) { said(o, "ana", "a1", "a2") }, two, nil},
		{"not yet stored", func(o *oracle.Oracle) { said(o, "ana", "a1", "a2", "a3", "a4") }, two, nil},
		{
			"positions with gaps", func(o *oracle.Oracle) { said(o, "ana", "a1", "a2") },
			[]oracle.Entry{{Seq: 4, From: "ana", Text: "a1"}, {Seq: 9, From: "ana", Text: "a2"}},
			nil,
		},
		{
			"two senders", func(o *oracle.Oracle) { acked(o, "ana", "a1", "a2"); acked(o, "ben", "b1") },
			log("ana:a1", "ben:b1", "ana:a2"), nil,
		},

		{
			"acked and lost", func(o *oracle.Oracle) { acked(o, "ana", "a1") }, nil,
			[]oracle.Rule{oracle.AckedInLog},
		},
		{
			"acked and lost in the middle", func(o *oracle.Oracle) { acked(o, "ana", "a1", "x", "a2") }, two,
			[]oracle.Rule{oracle.AckedInLog},
		},
		{
			"twice", func(o *oracle.Oracle) { acked(o, "ana", "a1") }, log("ana:a1", "ana:a1"),
			[]oracle.Rule{oracle.OnceInLog},
		},
		{
			"invented", func(o *oracle.Oracle) { acked(o, "ana", "a1") }, two,
			[]oracle.Rule{oracle.SaidFirst},
		},
		{
			"another's name", func(o *oracle.Oracle) { acked(o, "ana", "a1") }, log("ben:a1"),
			[]oracle.Rule{oracle.SaidFirst},
		},
		{
			"positions repeat", func(o *oracle.Oracle) { acked(o, "ana", "a1", "a2") },
			[]oracle.Entry{{Seq: 4, From: "ana", Text: "a1"}, {Seq: 4, From: "ana", Text: "a2"}},
			[]oracle.Rule{oracle.LogOrder},
		},
		{
			"positions fall", func(o *oracle.Oracle) { acked(o, "ana", "a1", "a2") },
			[]oracle.Entry{{Seq: 4, From: "ana", Text: "a1"}, {Seq: 3, From: "ana", Text: "a2"}},
			[]oracle.Rule{oracle.LogOrder},
		},
	})
}

func TestSender(t *testing.T) {
	two := log("ana:a1", "ana:a2")
	check(t, false, []run{
		{"refused ones are left out", func(o *oracle.Oracle) {
			said(o, "ana", "a1", "bad", "a2")
			o.Refused("ana", "bad")
		}, two, nil},
		{"tried ones may be missing", func(o *oracle.Oracle) { o.Tried("ana", "x"); said(o, "ana", "a1", "a2") }, two, nil},
		{"tried ones may be stored", func(o *oracle.Oracle) { o.Tried("ana", "a1"); said(o, "ana", "a2") }, two, nil},
		{"devices of a user have no order", func(o *oracle.Oracle) {
			acked(o, "ana/phone", "a2")
			acked(o, "ana/desk", "a1")
		}, two, nil},

		{
			"reordered", func(o *oracle.Oracle) { said(o, "ana", "a2", "a1") }, two,
			[]oracle.Rule{oracle.SenderOrder},
		},
		{
			"tried and reordered", func(o *oracle.Oracle) { said(o, "ana", "a2"); o.Tried("ana", "a1") }, two,
			[]oracle.Rule{oracle.SenderOrder},
		},
		{
			"one left out", func(o *oracle.Oracle) { said(o, "ana", "a1", "x", "a2") }, two,
			[]oracle.Rule{oracle.SenderNoGap},
		},
		{
			"first two left out", func(o *oracle.Oracle) { said(o, "ana", "x", "y", "a1", "a2") }, two,
			[]oracle.Rule{oracle.SenderNoGap, oracle.SenderNoGap},
		},
		{"tried, then sure, and left out", func(o *oracle.Oracle) {
			o.Tried("ana", "x")
			said(o, "ana", "x", "a1", "a2")
		}, two, []oracle.Rule{oracle.SenderNoGap}},
		{
			"refused and stored", func(o *oracle.Oracle) { said(o, "ana", "a1", "a2"); o.Refused("ana", "a1") }, two,
			[]oracle.Rule{oracle.RefusedOut},
		},
		{
			"refused and acked", func(o *oracle.Oracle) { acked(o, "ana", "a1", "a2", "x"); o.Refused("ana", "x") }, two,
			[]oracle.Rule{oracle.RefusedOut, oracle.AckedInLog},
		},
	})
}

func TestLive(t *testing.T) {
	two := log("ana:a1", "ana:a2")
	check(t, true, []run{
		{"settled and level", func(o *oracle.Oracle) { acked(o, "ana", "a1", "a2"); saw(o, two, 0, 1) }, two, nil},
		{"refused is settled", func(o *oracle.Oracle) {
			acked(o, "ana", "a1", "a2")
			said(o, "ana", "x")
			o.Refused("ana", "x")
		}, two, nil},
		{"tried need not settle", func(o *oracle.Oracle) { acked(o, "ana", "a1", "a2"); o.Tried("ana", "x") }, two, nil},
		{"gone", func(o *oracle.Oracle) {
			acked(o, "ana", "a1", "a2")
			saw(o, two, 0)
			o.Reader("ben", oracle.View{Gone: true})
		}, two, nil},
		{"empty room", func(o *oracle.Oracle) { o.Reader("ben", oracle.View{}) }, nil, nil},
		{"gap at the end", func(o *oracle.Oracle) { acked(o, "ana", "a1", "a2"); o.Gap("ben", 2) }, two, nil},

		{
			"open", func(o *oracle.Oracle) { acked(o, "ana", "a1", "a2"); said(o, "ana", "a3") }, two,
			[]oracle.Rule{oracle.LiveAcked},
		},
		{
			"stored and open", func(o *oracle.Oracle) { acked(o, "ana", "a1"); said(o, "ana", "a2") }, two,
			[]oracle.Rule{oracle.LiveAcked},
		},
		{
			"behind", func(o *oracle.Oracle) { acked(o, "ana", "a1", "a2"); saw(o, two, 0) }, two,
			[]oracle.Rule{oracle.LiveLevel},
		},
		{
			"saw nothing", func(o *oracle.Oracle) { acked(o, "ana", "a1", "a2"); o.Reader("ben", oracle.View{}) }, two,
			[]oracle.Rule{oracle.LiveLevel},
		},
		{"saw nothing since the reset", func(o *oracle.Oracle) {
			acked(o, "ana", "a1", "a2")
			saw(o, two, 0, 1)
			o.Reset("ben")
		}, two, []oracle.Rule{oracle.LiveLevel}},
		{
			"gap too small", func(o *oracle.Oracle) { acked(o, "ana", "a1", "a2"); o.Gap("ben", 1) }, two,
			[]oracle.Rule{oracle.LiveLevel},
		},
	})
}

func TestMisuse(t *testing.T) {
	check(t, false, []run{
		{"said twice", func(o *oracle.Oracle) { said(o, "ana", "a1", "a1") }, nil, []oracle.Rule{oracle.Misuse}},
		{"said by two", func(o *oracle.Oracle) { o.Tried("ana", "a1"); o.Said("ben", "a1") }, nil, []oracle.Rule{oracle.Misuse}},
		{"tried twice", func(o *oracle.Oracle) { o.Tried("ana", "a1"); o.Tried("ana", "a1") }, nil, []oracle.Rule{oracle.Misuse}},
		{"acked, never said", func(o *oracle.Oracle) { o.Acked("ana", "a1") }, nil, []oracle.Rule{oracle.Misuse}},
		{
			"refused, said by another", func(o *oracle.Oracle) { o.Said("ben", "a1"); o.Refused("ana", "a1") }, nil,
			[]oracle.Rule{oracle.Misuse},
		},
	})
}

func TestAllAreReported(t *testing.T) {
	var o oracle.Oracle
	for i := range 25 {
		acked(&o, "ana", fmt.Sprint("lost ", i))
	}
	o.Saw("ben", 0, "ana", strings.Repeat("x", 4096))
	err := o.Check(log("eve:e1"))
	vs, _ := errors.AsType[oracle.Violations](err)
	want := map[oracle.Rule]int{oracle.AckedInLog: 25, oracle.ViewInLog: 1, oracle.SaidFirst: 1}
	if !maps.Equal(vs.ByRule(), want) {
		t.Fatal(vs.ByRule())
	}
	text := err.Error()
	for _, part := range []string{"27 violations:\n", "acked-in-log: and 15 more", "view-in-log: ben", "said-first: nobody said \"e1\""} {
		if !strings.Contains(text, part) {
			t.Errorf("no %q in\n%s", part, text)
		}
	}
	if len(text) > 2000 {
		t.Errorf("too long to read: %d bytes", len(text))
	}
}

func TestConcurrentUse(t *testing.T) {
	const senders, lines = 8, 500
	var o oracle.Oracle
	var wg sync.WaitGroup
	var mu sync.Mutex
	var entries []oracle.Entry
	for s := range senders {
		name := fmt.Sprint("user", s)
		o.Reader(name, oracle.View{})
		wg.Go(func() {
			for i := range lines {
				text := fmt.Sprint(name, " says ", i)
				o.Said(name, text)
				mu.Lock()
				e := oracle.Entry{Seq: uint64(len(entries) + 1), From: name, Text: text}
				entries = append(entries, e)
				for r := range senders {
					o.Saw(fmt.Sprint("user", r), e.Seq, e.From, e.Text)
				}
				mu.Unlock()
				o.Acked(name, text)
			}
		})
	}
	wg.Wait()
	if err := o.CheckLive(entries); err != nil {
		t.Fatal(err)
	}
	want := oracle.Counts{Said: senders * lines, Acked: senders * lines, Saw: senders * senders * lines}
	if got := o.Counts(); got != want || o.Open() != 0 {
		t.Fatalf("%+v, %d open", got, o.Open())
	}
}

func BenchmarkCheck(b *testing.B) {
	const lines = 10_000
	var o oracle.Oracle
	var entries []oracle.Entry
	for i := range lines {
		text := fmt.Sprint("line ", i)
		acked(&o, "ana", text)
		entries = append(entries, oracle.Entry{Seq: uint64(i + 1), From: "ana", Text: text})
		o.Saw("ben", uint64(i+1), "ana", text)
	}
	for b.Loop() {
		if err := o.CheckLive(entries); err != nil {
			b.Fatal(err)
		}
	}
}

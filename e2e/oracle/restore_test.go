package oracle_test

import (
	"testing"

	"holdfast/e2e/oracle"
)

// In each of these the log was a1 to a4, all acknowledged and shown to ben, who must be
// told that a3 and a4 are gone.
func TestRestored(t *testing.T) {
	old := log("ana:a1", "ana:a2", "ana:a3", "ana:a4")
	begin := func(o *oracle.Oracle) {
		acked(o, "ana", "a1", "a2", "a3", "a4")
		said(o, "ana", "open")
		saw(o, old, 0, 1, 2, 3)
		if err := o.Restored(old, 2); err != nil {
			t.Error(err)
		}
	}
	told := func(more ...func(o *oracle.Oracle)) func(o *oracle.Oracle) {
		return func(o *oracle.Oracle) {
			begin(o)
			o.Gap("ben", 0)
			for _, f := range more {
				f(o)
			}
		}
	}
	now := log("ana:a1", "ana:a2", "ana:open")
	ack := func(o *oracle.Oracle) { o.Acked("ana", "open") }
	check(t, true, []run{
		{"goes on", told(ack, func(o *oracle.Oracle) { saw(o, now, 2) }), now, nil},
		{"begins anew", func(o *oracle.Oracle) { begin(o); ack(o); o.Reset("ben"); saw(o, now, 1, 2) }, now, nil},
		{"a lost line comes again", told(ack, func(o *oracle.Oracle) {
			o.Saw("ben", 3, "ana", "a4")
			o.Saw("ben", 4, "ana", "open")
		}), log("ana:a1", "ana:a2", "ana:a4", "ana:open"), nil},
		{"a lost line comes again, late", told(ack, func(o *oracle.Oracle) {
			o.Saw("ben", 3, "ana", "open")
			o.Saw("ben", 4, "ana", "a3")
		}), log("ana:a1", "ana:a2", "ana:open", "ana:a3"), nil},

		{"never told", func(o *oracle.Oracle) { begin(o); ack(o); saw(o, now, 2) }, now, []oracle.Rule{oracle.ViewNoGap}},
		{"never told, nothing new", begin, now[:2], []oracle.Rule{oracle.LiveAcked, oracle.LiveLevel}},
		{"shown again", told(ack, func(o *oracle.Oracle) { saw(o, now, 1, 2) }), now, []oracle.Rule{oracle.ViewOrder}},
		{
			"left out", told(func(o *oracle.Oracle) { acked(o, "ana", "more"); ack(o); o.Saw("ben", 4, "ana", "more") }),
			log("ana:a1", "ana:a2", "ana:open", "ana:more"),
			[]oracle.Rule{oracle.ViewNoGap},
		},
		{
			"kept line gone", told(ack, func(o *oracle.Oracle) { o.Saw("ben", 2, "ana", "open") }),
			log("ana:a1", "ana:open"),
			[]oracle.Rule{oracle.AckedInLog, oracle.ViewOrder},
		},
		{"open line gone", told(ack), now[:2], []oracle.Rule{oracle.AckedInLog}},
	})
}

// Who was put back too, and shown nothing since, does not know what is gone.
func TestRestoredBoth(t *testing.T) {
	old := log("ana:a1", "ana:a2", "ana:a3")
	now := log("ana:a1", "ana:a2", "ana:open")
	both := func(first, then func(o *oracle.Oracle)) func(o *oracle.Oracle) {
		return func(o *oracle.Oracle) {
			acked(o, "ana", "a1", "a2", "a3")
			said(o, "ana", "open")
			saw(o, old, 0, 1, 2)
			first(o)
			then(o)
			o.Acked("ana", "open")
			saw(o, now, 1, 2)
		}
	}
	reader := func(o *oracle.Oracle) { o.Restart("ben") }
	server := func(o *oracle.Oracle) {
		if err := o.Restored(old, 2); err != nil {
			t.Error(err)
		}
	}
	check(t, true, []run{
		{"reader first", both(reader, server), now, nil},
		{"server first", both(server, reader), now, nil},
	})
}

func TestRestoredChecks(t *testing.T) {
	var o oracle.Oracle
	acked(&o, "ana", "a1")
	if err := o.Restored(nil, 0); err == nil {
		t.Error("an acknowledged line was missing before the copy was put back, and nobody noticed")
	}
}

func TestForgotten(t *testing.T) {
	forget := func(o *oracle.Oracle) {
		said(o, "ana", "a1", "a2")
		o.Forgotten("ana", "a1")
	}
	check(t, true, []run{
		{"gone", func(o *oracle.Oracle) { forget(o); o.Acked("ana", "a2") }, log("ana:a2"), nil},
		{"came all the same", func(o *oracle.Oracle) { forget(o); o.Acked("ana", "a2") }, log("ana:a1", "ana:a2"), nil},
		{"too late", func(o *oracle.Oracle) { forget(o); o.Acked("ana", "a2") }, log("ana:a2", "ana:a1"), []oracle.Rule{oracle.SenderOrder}},
		{"the other", forget, log("ana:a1"), []oracle.Rule{oracle.LiveAcked}},
		{"never said", func(o *oracle.Oracle) { o.Forgotten("ana", "x") }, nil, []oracle.Rule{oracle.Misuse}},
	})
}

package oracle_test

import (
	"testing"

	"holdfast/e2e/oracle"
)

func TestView(t *testing.T) {
	abc := log("ana:a1", "ana:a2", "ana:a3", "ana:a4")
	tell := func(more func(o *oracle.Oracle)) func(o *oracle.Oracle) {
		return func(o *oracle.Oracle) { acked(o, "ana", "a1", "a2", "a3", "a4"); more(o) }
	}
	late := oracle.View{Late: true}
	check(t, false, []run{
		{"all", tell(func(o *oracle.Oracle) { saw(o, abc, 0, 1, 2, 3) }), abc, nil},
		{"behind", tell(func(o *oracle.Oracle) { saw(o, abc, 0, 1) }), abc, nil},
		{"late", tell(func(o *oracle.Oracle) { o.Reader("ben", late); saw(o, abc, 2, 3) }), abc, nil},
		{"without positions", tell(func(o *oracle.Oracle) {
			o.Saw("ben", 0, "ana", "a1")
			o.Saw("ben", 0, "ana", "a2")
		}), abc, nil},
		{"announced gap", tell(func(o *oracle.Oracle) { saw(o, abc, 0); o.Gap("ben", 2); saw(o, abc, 3) }), abc, nil},
		{"two gaps", tell(func(o *oracle.Oracle) { o.Gap("ben", 1); o.Gap("ben", 2); saw(o, abc, 3) }), abc, nil},
		{"gap of unknown size", tell(func(o *oracle.Oracle) { o.Gap("ben", -1); saw(o, abc, 3) }), abc, nil},
		{"reset", tell(func(o *oracle.Oracle) {
			saw(o, abc, 0, 1, 2)
			o.Reset("ben")
			saw(o, abc, 1, 2, 3)
			o.Reset("ben")
			saw(o, abc, 3)
		}), abc, nil},
		{"restart", tell(func(o *oracle.Oracle) {
			saw(o, abc, 0, 1, 2)
			o.Restart("ben")
			saw(o, abc, 1, 2)
			o.Restart("ben")
			saw(o, abc, 3)
		}), abc, nil},

		{
			"not in the log", tell(func(o *oracle.Oracle) { saw(o, abc, 0, 1); o.Saw("ben", 7, "ana", "a3") }), abc,
			[]oracle.Rule{oracle.ViewInLog},
		},
		{
			"not in the log, no position", tell(func(o *oracle.Oracle) { o.Saw("ben", 0, "ana", "x") }), abc,
			[]oracle.Rule{oracle.ViewInLog},
		},
		{
			"other text", tell(func(o *oracle.Oracle) { o.Saw("ben", 1, "ana", "a2") }), abc,
			[]oracle.Rule{oracle.ViewInLog},
		},
		{
			"other user", tell(func(o *oracle.Oracle) { o.Saw("ben", 1, "eve", "a1") }), abc,
			[]oracle.Rule{oracle.ViewInLog},
		},
		{
			"twice", tell(func(o *oracle.Oracle) { saw(o, abc, 0, 1, 0, 2, 3) }), abc,
			[]oracle.Rule{oracle.ViewOnce},
		},
		{
			"order", tell(func(o *oracle.Oracle) { o.Reader("ben", late); saw(o, abc, 2, 1, 3) }), abc,
			[]oracle.Rule{oracle.ViewOrder},
		},
		{
			"silent gap", tell(func(o *oracle.Oracle) { saw(o, abc, 0, 2, 3) }), abc,
			[]oracle.Rule{oracle.ViewNoGap},
		},
		{
			"silent gap at the start", tell(func(o *oracle.Oracle) { saw(o, abc, 1, 2, 3) }), abc,
			[]oracle.Rule{oracle.ViewNoGap},
		},
		{
			"gap larger than announced", tell(func(o *oracle.Oracle) { o.Gap("ben", 2); saw(o, abc, 3) }), abc,
			[]oracle.Rule{oracle.ViewNoGap},
		},
		{
			"gap used twice", tell(func(o *oracle.Oracle) { o.Gap("ben", 1); saw(o, abc, 1, 3) }), abc,
			[]oracle.Rule{oracle.ViewNoGap},
		},
		{
			"restart leaves out", tell(func(o *oracle.Oracle) { saw(o, abc, 0); o.Restart("ben"); saw(o, abc, 2, 3) }), abc,
			[]oracle.Rule{oracle.ViewNoGap},
		},
		{"restart goes back once", tell(func(o *oracle.Oracle) {
			saw(o, abc, 0, 1, 2)
			o.Restart("ben")
			saw(o, abc, 1, 0, 2)
		}), abc, []oracle.Rule{oracle.ViewOrder}},
		{
			"twice after a reset", tell(func(o *oracle.Oracle) { saw(o, abc, 0); o.Reset("ben"); saw(o, abc, 2, 2) }), abc,
			[]oracle.Rule{oracle.ViewOnce},
		},
	})
}

func TestViewOfOthers(t *testing.T) {
	mixed := log("ben:b1", "ana:a1", "ben:b2", "ben:b3", "ana:a2", "ben:b4")
	tell := func(indices ...int) func(o *oracle.Oracle) {
		return func(o *oracle.Oracle) {
			o.Reader("ben", oracle.View{Omit: "ben"})
			acked(o, "ana", "a1", "a2")
			acked(o, "ben", "b1", "b2", "b3", "b4")
			saw(o, mixed, indices...)
		}
	}
	check(t, true, []run{
		{"others", tell(1, 4), mixed, nil},
		{"own", tell(1, 2, 4), mixed, []oracle.Rule{oracle.ViewOthers}},
		{"gap", tell(4), mixed, []oracle.Rule{oracle.ViewNoGap}},
		{"behind", tell(1), mixed, []oracle.Rule{oracle.LiveLevel}},
	})
}

func TestViewOfPrivateLines(t *testing.T) {
	mixed := log("ana:a1", "ana:a2", "cem:c1", "ana:a3")
	mixed[1].To, mixed[2].To = "ben", "ana"
	tell := func(as string, indices ...int) func(o *oracle.Oracle) {
		return func(o *oracle.Oracle) {
			o.Reader("ben", oracle.View{As: as})
			acked(o, "ana", "a1", "a2", "a3")
			acked(o, "cem", "c1")
			saw(o, mixed, indices...)
		}
	}
	check(t, true, []run{
		{"to", tell("ben", 0, 1, 3), mixed, nil},
		{"from and to", tell("ana", 0, 1, 2, 3), mixed, nil},
		{"neither", tell("dia", 0, 3), mixed, nil},
		{"nobody", tell("", 0, 3), mixed, nil},
		{"another's", tell("ben", 0, 1, 2, 3), mixed, []oracle.Rule{oracle.ViewOthers}},
		{"left out", tell("ben", 0, 3), mixed, []oracle.Rule{oracle.ViewNoGap}},
	})
}

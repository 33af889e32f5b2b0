package history_test

import (
	"testing"

	"holdfast/server/history"
	"holdfast/server/history/historytest"
)

func TestMemory(t *testing.T) {
	historytest.Run(t, historytest.Engine{Open: func(t *testing.T) history.Store {
		s := history.Memory()
		t.Cleanup(func() { s.Close() })
		return s
	}})
}

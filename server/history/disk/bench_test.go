package disk_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/server/history"
	"holdfast/server/history/disk"
)

// BenchmarkAppend measures lines per second when so many senders each wait for
// their line to be durable before they send the next. The plain file, with one
// append and one sync for all that wait, is what the disk can do at best.
func BenchmarkAppend(b *testing.B) {
	for _, waiters := range []int{1, 16, 256} {
		b.Run(fmt.Sprintf("store/waiters=%d", waiters), func(b *testing.B) { benchStore(b, waiters) })
		b.Run(fmt.Sprintf("file/waiters=%d", waiters), func(b *testing.B) { benchFile(b, waiters) })
	}
}

var benchText = strings.Repeat("hello ", 10)

func benchStore(b *testing.B, waiters int) {
	s, err := disk.Open(filepath.Join(b.TempDir(), "history"), nil)
	noError(b, err)
	defer s.Close()
	durable := make(map[string]chan struct{})
	for i := range waiters {
		durable[fmt.Sprint(i)] = make(chan struct{}, 1)
	}
	log, err := s.Open("general", func(lines []history.Entry) {
		for i := range lines {
			durable[lines[i].Source] <- struct{}{}
		}
	})
	noError(b, err)
	benchWaiters(b, waiters, func(i, n int) error {
		source := fmt.Sprint(i)
		err := log.Append(history.Line{User: "ana", Source: source, N: uint64(n + 1), Kind: "say", Text: benchText, At: time.Now()})
		<-durable[source]
		return err
	})
}

func benchFile(b *testing.B, waiters int) {
	file, err := os.Create(filepath.Join(b.TempDir(), "log"))
	noError(b, err)
	defer file.Close()
	type request struct {
		line []byte
		done chan error
	}
	queue := make(chan request, waiters)
	var writer sync.WaitGroup
	writer.Go(func() {
		var buf []byte
		var batch []request
		for first := range queue {
			batch, buf = append(batch[:0], first), append(buf[:0], first.line...)
			for len(queue) > 0 {
				next := <-queue
				batch, buf = append(batch, next), append(buf, next.line...)
			}
			_, err := file.Write(buf)
			if err == nil {
				err = file.Sync()
			}
			for _, r := range batch {
				r.done <- err
			}
		}
	})
	defer writer.Wait()
	defer close(queue)
	done := make([]chan error, waiters)
	for i := range done {
		done[i] = make(chan error, 1)
	}
	line := []byte(benchText + benchText)
	benchWaiters(b, waiters, func(i, _ int) error {
		queue <- request{line, done[i]}
		return <-done[i]
	})
}

// benchWaiters shares b.N calls of send among waiters.
func benchWaiters(b *testing.B, waiters int, send func(i, n int) error) {
	b.ReportAllocs()
	b.ResetTimer()
	var wg sync.WaitGroup
	for i := range waiters {
		wg.Go(func() {
			for n := range (b.N + i) / waiters {
				if err := send(i, n); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "lines/s")
}

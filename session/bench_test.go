package session_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.etcd.io/bbolt"

	"holdfast/session"
)

// BenchmarkSend stores lines while there is no server, beside a plain transaction of
// the file's library for each line.
func BenchmarkSend(b *testing.B) {
	text := strings.Repeat("x", 80)
	for _, callers := range []int{1, 16} {
		b.Run(fmt.Sprintf("session/callers=%d", callers), func(b *testing.B) {
			s, err := session.Open("ws://127.0.0.1:1", &session.Options{
				Room: "general", Name: "ana", Dir: b.TempDir(), MaxLines: 1 << 30, MaxBytes: 1 << 40,
			})
			if err != nil {
				b.Fatal(err)
			}
			spread(b, callers, func() error { _, err := s.Send(text); return err })
			b.StopTimer()
			_ = s.Close() // with lines unsent, as it must be
		})
		b.Run(fmt.Sprintf("bbolt/callers=%d", callers), func(b *testing.B) {
			db, err := bbolt.Open(filepath.Join(b.TempDir(), "db"), 0o600, nil)
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			var n atomic.Int64
			spread(b, callers, func() error {
				return db.Update(func(tx *bbolt.Tx) error {
					bucket, err := tx.CreateBucketIfNotExists([]byte("lines"))
					if err != nil {
						return err
					}
					return bucket.Put(fmt.Appendf(nil, "%08d", n.Add(1)), []byte(text))
				})
			})
			b.StopTimer()
		})
	}
}

// spread divides b.N calls among callers.
func spread(b *testing.B, callers int, call func() error) {
	var wg sync.WaitGroup
	var left atomic.Int64
	left.Store(int64(b.N))
	b.ResetTimer()
	for range callers {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if err := call(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "lines/s")
}

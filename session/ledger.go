package session

import (
	"bytes"
	"fmt"
	"hash/crc64"

	"go.etcd.io/bbolt"
)

// A slot's file holds the sum of all in it that is read again, so that damage shows
// which still looks like data: one flipped bit is another word, which would be sent.
// The library has checksums of its two heads alone.

var (
	sumKey   = []byte("sum")
	crcTable = crc64.MakeTable(crc64.ECMA)
)

// edits are the changes of one transaction. They keep the sum.
type edits struct {
	tx  *bbolt.Tx
	sum uint64
}

// edit changes the file by all that f does, or not at all.
func (s *slot) edit(f func(*edits) error) error {
	return s.db.Update(func(tx *bbolt.Tx) error {
		e := &edits{tx, storedSum(tx)}
		if err := f(e); err != nil {
			return err
		}
		return tx.Bucket(metaBucket).Put(sumKey, be(e.sum))
	})
}

func (e *edits) put(bucket, key, value []byte) error {
	e.forget(bucket, key)
	e.sum += worth(bucket, key, value)
	return e.tx.Bucket(bucket).Put(key, value)
}

func (e *edits) delete(bucket, key []byte) error {
	e.forget(bucket, key)
	return e.tx.Bucket(bucket).Delete(key)
}

// forget takes what stands at key out of the sum.
func (e *edits) forget(bucket, key []byte) {
	if value := e.tx.Bucket(bucket).Get(key); value != nil {
		e.sum -= worth(bucket, key, value)
	}
}

// worth is what a value adds to the sum.
func worth(bucket, key, value []byte) uint64 {
	sum := crc64.Update(0, crcTable, bucket)
	sum = crc64.Update(sum, crcTable, key)
	return crc64.Update(sum, crcTable, value)
}

// storedSum is the sum that stands in the file.
func storedSum(tx *bbolt.Tx) uint64 {
	if v := tx.Bucket(metaBucket).Get(sumKey); len(v) == 8 {
		return number(v)
	}
	return 0
}

// realSum is the sum of what is in the file.
func realSum(tx *bbolt.Tx) (sum uint64) {
	_ = tx.Bucket(metaBucket).ForEach(func(k, v []byte) error { // f has no error
		if _, isPoint := roomOfPoint(k); isPoint || bytes.Equal(k, deviceKey) {
			sum += worth(metaBucket, k, v)
		}
		return nil
	})
	_ = tx.Bucket(outboxBucket).ForEach(func(k, v []byte) error { // f has no error
		sum += worth(outboxBucket, k, v)
		return nil
	})
	return sum
}

// check looks whether the file is as it was written. A key that was used must not be
// used again while its line is there, so the counter behind them counts, too.
func check(tx *bbolt.Tx) error {
	if realSum(tx) != storedSum(tx) {
		return fmt.Errorf("%w: its sum is not that of what it holds", errDamaged)
	}
	if last, _ := tx.Bucket(outboxBucket).Cursor().Last(); len(last) == 8 && number(last) > tx.Bucket(outboxBucket).Sequence() {
		return fmt.Errorf("%w: line %x is newer than the newest", errDamaged, last)
	}
	return nil
}

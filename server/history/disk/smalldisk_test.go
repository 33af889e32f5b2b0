package disk_test

import (
	"os"
	"sync"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// smallDisk is a file system with an end, which others may fill as well. Like a real
// one it writes what there is room for before it fails.
type smallDisk struct {
	*vfs.MemFS
	errno syscall.Errno // with which it fails

	mu      sync.Mutex
	total   int64
	foreign int64            // what others have on it
	greedy  bool             // others take whatever gets free, at once
	files   map[string]int64 // what each file takes
	syncErr error            // of every sync
	noFixed error            // of setting room aside
}

func newSmallDisk(total int64, errno syscall.Errno) *smallDisk {
	return &smallDisk{MemFS: vfs.NewCrashableMem(), errno: errno, total: total, files: map[string]int64{}}
}

// set changes what is on the disk besides our files.
func (d *smallDisk) set(change func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change()
}

// fill has others take all that is free, but for the beginning of a write.
func (d *smallDisk) fill() { d.set(func() { d.foreign += max(d.free()-10, 0) }) }

// fillGreedily has them take what gets free later, too, until clear.
func (d *smallDisk) fillGreedily() {
	d.fill()
	d.set(func() { d.greedy = true })
}

// clear has others leave.
func (d *smallDisk) clear() { d.set(func() { d.foreign, d.greedy = 0, false }) }

// holds returns how much a file takes.
func (d *smallDisk) holds(name string) (n int64) {
	d.set(func() { n = d.files[name] })
	return n
}

// free is called under mu.
func (d *smallDisk) free() int64 {
	left := d.total - d.foreign
	for _, n := range d.files {
		left -= n
	}
	return max(left, 0)
}

func (d *smallDisk) GetDiskUsage(string) (vfs.DiskUsage, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return vfs.DiskUsage{AvailBytes: uint64(d.free()), TotalBytes: uint64(d.total)}, nil
}

// grow makes a file take up to n bytes, and returns how many it takes.
func (d *smallDisk) grow(name string, n int64) int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	if more := min(n-d.files[name], d.free()); more > 0 {
		d.files[name] += more
	}
	return d.files[name]
}

func (d *smallDisk) forget(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.greedy {
		d.foreign += d.files[name]
	}
	delete(d.files, name)
}

func (d *smallDisk) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	d.mu.Lock()
	full := d.free() == 0
	d.mu.Unlock()
	if full {
		return nil, &os.PathError{Op: "create", Path: name, Err: d.errno}
	}
	d.forget(name)
	f, err := d.MemFS.Create(name, category)
	if err != nil {
		return nil, err
	}
	return &smallFile{File: f, disk: d, name: name}, nil
}

func (d *smallDisk) ReuseForWrite(from, name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := d.MemFS.ReuseForWrite(from, name, category)
	if err != nil {
		return nil, err
	}
	d.set(func() { d.files[name] = d.files[from]; delete(d.files, from) })
	return &smallFile{File: f, disk: d, name: name}, nil
}

func (d *smallDisk) Rename(from, to string) error {
	d.set(func() { d.files[to] = d.files[from]; delete(d.files, from) })
	return d.MemFS.Rename(from, to)
}

func (d *smallDisk) Remove(name string) error {
	err := d.MemFS.Remove(name)
	if err == nil {
		d.forget(name)
	}
	return err
}

// smallFile is a file that is written from its start.
type smallFile struct {
	vfs.File
	disk *smallDisk
	name string
	size int64
}

func (f *smallFile) Write(p []byte) (int, error) {
	room := f.disk.grow(f.name, f.size+int64(len(p))) - f.size
	n, err := f.File.Write(p[:min(room, int64(len(p)))])
	f.size += int64(n)
	if err == nil && n < len(p) {
		err = &os.PathError{Op: "write", Path: f.name, Err: f.disk.errno}
	}
	return n, err
}

func (f *smallFile) Preallocate(offset, length int64) error {
	if f.disk.noFixed != nil {
		return f.disk.noFixed
	}
	if f.disk.grow(f.name, offset+length) < offset+length {
		return f.disk.errno
	}
	return nil
}

func (f *smallFile) Sync() error {
	return f.synced(f.File.Sync)
}

func (f *smallFile) SyncData() error {
	return f.synced(f.File.SyncData)
}

func (f *smallFile) synced(sync func() error) (err error) {
	f.disk.set(func() { err = f.disk.syncErr })
	if err != nil {
		return err
	}
	return sync()
}

package e2e

import "holdfast/e2e/overlay"

// failpoint is a place in the program where TestFailpoints kills it.
type failpoint struct {
	name string
	when passing
	edit overlay.Edit
}

// passing says when a process comes by.
type passing int

const (
	often   passing = iota // again and again, while lines come and go
	starts                 // once each time it starts, or in a room or connection that begins
	firstly                // only when nothing is on disk yet
	later                  // only when something is: lines to trim, lines of another slot
	ends                   // when it is asked to end
)

// above puts a failpoint in front of a text in file, below puts it behind.
func above(name string, when passing, file, text string) failpoint {
	return failpoint{name, when, overlay.Before(file, text, call(name))}
}

func below(name string, when passing, file, text string) failpoint {
	return failpoint{name, when, overlay.After(file, text, "; "+call(name))}
}

func call(name string) string { return `failpoint("` + name + `"); ` }

// serverFailpoints lie between any two steps of the server's of which one changes the
// disk or tells somebody.
var serverFailpoints = []failpoint{
	above("open/directory", starts, "server/history/disk/open.go", `d.lock, err = pebble.LockDirectory(`),
	above("open/locked", starts, "server/history/disk/open.go", `if err := checkEngineVersion(d.fence.FS, d.dir); err != nil {`),
	above("open/engine", starts, "server/history/disk/open.go", `err = d.checkVersion()`),
	above("open/version", firstly, "server/history/disk/open.go", `err := d.db.Set(versionKey(),`),
	below("open/versioned", firstly, "server/history/disk/open.go", `err := d.db.Set(versionKey(), []byte{formatVersion}, pebble.Sync)`),

	above("seed/new", firstly, "server/history/disk/claims.go", `err = d.db.Set(seedKey(),`),
	below("seed/synced", firstly, "server/history/disk/claims.go", `err = d.db.Set(seedKey(), seed[:], pebble.Sync)`),
	above("room/loaded", starts, "server/history/disk/log.go", `r.head, r.last, r.spans = head, head,`),
	above("claim/begin", starts, "server/history/disk/claims.go", `c, mine, err := d.writeClaim(`),
	above("claim/written", starts, "server/history/disk/claims.go", `err = d.db.LogData(nil, pebble.Sync)`),
	below("claim/synced", starts, "server/history/disk/claims.go", `err = d.db.LogData(nil, pebble.Sync)`),
	above("hello/claimed", starts, "server/hello.go", `l.holder = holder`),
	above("hello/enrolling", starts, "server/peer.go", `old, err := p.enroll(f, w)`),
	below("hello/enrolled", starts, "server/peer.go", `p.push(w)`),

	above("take/new", often, "server/room.go", `if err := r.log.Append(l); err != nil {`),
	below("take/queued", often, "server/history/disk/log.go", "once:   once,\n\t})"),
	below("take/marked", often, "server/room.go", `s.mark = f.N`),
	above("commit/begin", often, "server/history/disk/commit.go", `batch := d.db.NewBatch()`),
	above("commit/epoch", starts, "server/history/disk/commit.go", `value = appendEpoch(value[:0], d.epoch)`),
	above("commit/marked", often, "server/history/disk/commit.go", `if line.Kind == history.KindVoid {`),
	above("commit/prepared", often, "server/history/disk/commit.go", `err = batch.Commit(pebble.Sync)`),
	above("commit/synced", often, "server/history/disk/commit.go", `_ = batch.Close()`),
	below("commit/visible", often, "server/history/disk/commit.go", `sinks := d.publish(items)`),
	below("commit/told", often, "server/history/disk/commit.go", `s.room.sink(s.lines)`),
	above("publish/begin", often, "server/room.go", `r.tail.add(lines)`),
	below("publish/ack-queued", often, "server/room.go", `s.peer.ack(e.Source, e.N)`),
	above("publish/settled", often, "server/room.go", `p.wake()`),
	below("publish/one-woken", often, "server/room.go", `p.wake()`),
	above("write/ack", often, "server/out.go", `if !p.write(&acks[i]) {`),
	below("write/acked", often, "server/out.go", "if !p.write(&acks[i]) {\n\t\t\treturn false\n\t\t}"),
	above("write/lines", often, "server/lines.go", `ok = p.link.conn.Write(eventsFrame(`),
	above("write/shown", often, "server/lines.go", `p.told, p.cursor = last.Seq, last.Cursor`),

	above("trim/found", later, "server/history/disk/trim.go", `err = d.do(ctx, func(batch *pebble.Batch) error { return d.dropLines(`),
	above("trim/edge-told", later, "server/history/disk/trim.go", `if kept := spans.From(edge.Seq); len(kept) > 0`),
	below("trim/done", later, "server/history/disk/trim.go", `return d.dropLines(batch, name, edge) })`),

	above("drain/begin", ends, "server/server.go", `rooms := s.hub.open()`),
	above("drain/stored", ends, "server/server.go", `links := s.connected()`),
	above("drain/said", ends, "server/server.go", `s.hub.empty()`),
	above("drain/left", ends, "server/server.go", `close(s.empty)`),
	above("close/idle", ends, "server/history/disk/disk.go", `err := d.db.Close()`),
	above("close/engine", ends, "server/history/disk/disk.go", `if lockErr := d.lock.Close(); err == nil {`),
}

// clientFailpoints are the like for a client.
var clientFailpoints = []failpoint{
	above("dir/made", firstly, "session/identity.go", `return syncDir(parent)`),
	above("identity/made", firstly, "session/identity.go", `_, err = tmp.WriteString(`),
	above("identity/written", firstly, "session/identity.go", `err = os.Link(tmp.Name(), path)`),
	above("identity/linked", firstly, "session/identity.go", `return syncDir(dir)`),

	above("slot/open", starts, "session/slot.go", `if err = s.prepare(); err == nil {`),
	above("slot/empty", firstly, "session/slot.go", `return s.db.Update(func(tx *bbolt.Tx) error {`),
	above("slot/prepared", starts, "session/slot.go", `_, err = s.load()`),
	above("slot/chosen", starts, "session/slots.go", `if err := syncDir(dir); err != nil { // whoever`),
	above("slot/synced", starts, "session/slots.go", `for _, other := range free {
		if err := s.adopt(`),
	above("adopt/begin", later, "session/slots.go", `have := map[ID]bool{}`),
	above("adopt/copied", later, "session/slots.go", `return other.edit(func(e *edits) error {
		for`),
	below("adopt/done", later, "session/slots.go", "if err := s.adopt(ownRoom, other, ownRoom); err != nil {\n\t\t\treturn nil, errors.Join(fmt.Errorf(\"take over unsent lines: %w\", err), s.db.Close())\n\t\t}"),

	above("store/begin", often, "session/keeper.go", `lines := k.number(batch)`),
	above("store/lines-put", often, "session/keeper.go", `for _, l := range acked {`),
	above("store/acked-removed", often, "session/keeper.go", `points = maps.Clone(points)`),
	above("store/cursor-put", often, "session/keeper.go", `if err := e.put(metaBucket, pointOf(room), p.bytes()); err != nil {`),
	above("store/committed", often, "session/keeper.go", `r.pen.last += uint64(len(lines[i]))`),
	below("store/may-go-out", often, "session/keeper.go", `r.pen.out.add(lines[i])`),
	below("store/answered", often, "session/keeper.go", `close(r.done)`),

	above("hello/begin", starts, "session/link.go", `if err := l.conn.Write(wire.Encode(f)); err != nil {`),
	above("hello/written", starts, "session/link.go", `l.greeted.Store(true)`),
	above("hello/welcome", starts, "session/incoming.go", `history := !s.begun && s.opts.backlog != 0`),
	below("hello/cursor-noted", firstly, "session/incoming.go", `s.client.keeper.notePoint(s.pen.room, next)`),
	above("hello/done", starts, "session/incoming.go", `s.out.connected(max(`),

	above("send/line", often, "session/writer.go", `return true, l.write(&wire.Send{`),
	above("send/written", often, "session/writer.go", `if again {`),
	above("ack/out-of-outbox", often, "session/incoming.go", `s.noteBase(source, n)`),
	above("ack/based", often, "session/incoming.go", `s.client.keeper.noteAcked(lines)`),
	below("ack/noted", often, "session/incoming.go", `s.client.keeper.noteAcked(lines)`),
	below("ack/receipt", often, "session/incoming.go", `s.feed.push(item{Event: Receipt{ID: line.ID}})`),

	above("events/line", often, "session/incoming.go", `s.feed.log(p.turn, m, at)`),
	below("events/queued", often, "session/incoming.go", `s.feed.log(p.turn, m, at)`),
	above("events/batch", often, "session/incoming.go", `s.feed.log(p.turn, nil, point{f.Cursor, at.seq})`),
	above("consume/line", often, "session/consume.go", `if more = e == nil || yield(e); more {`),
	above("consume/shown", often, "session/consume.go", `at, store, more := s.feed.done(it)`),
	below("consume/noted", often, "session/consume.go", `	if store && !s.opts.fresh {
		s.client.keeper.notePoint(s.pen.room, at)`),

	above("leave/bye", ends, "session/link.go", `_ = l.conn.Write(wire.Encode(&wire.Bye{}))`),
	above("leave/said", ends, "session/link.go", `if !late.Stop() {`),
	above("close/left", ends, "session/client.go", `for _, s := range open {
		s.feed.stop()`),
	above("close/noted", ends, "session/client.go", `err := c.keeper.close()`),
	above("close/done", ends, "session/session.go", `n, _ := s.out.size()`),
}

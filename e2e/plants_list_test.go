package e2e

import "holdfast/e2e/overlay"

// plants are bugs that this program could have, each with the cheapest test that catches
// it.
var plants = []plant{
	// What is on the server's disk.
	{"ack before fsync", simulation("0.25"), []overlay.Edit{
		overlay.Replace("server/history/disk/commit.go", `batch.Commit(pebble.Sync)`, `batch.Commit(pebble.NoSync)`),
	}},
	{"ack before append", simulation("0.25"), []overlay.Edit{
		overlay.Before("server/room.go", `if err := r.log.Append(l); err != nil {`, `p.ack(f.Source, f.N); `),
	}},
	{"broadcast before fsync", simulation("0.25"), []overlay.Edit{
		overlay.Before("server/history/disk/commit.go", `err = batch.Commit(pebble.Sync)`,
			`for _, it := range items { e := it.entry; e.Source = "early"; it.room.sink([]history.Entry{e}) }; `),
	}},
	{"marks are not stored", simulation("0.25"), []overlay.Edit{
		overlay.Replace("server/history/disk/commit.go", `value = appendMark(value[:0], line.N, line.At)`, `value = appendMark(value[:0], 0, line.At)`),
	}},
	{"a claim is not synced", by("e2e", "TestClaimOutlivesPowerCut"), []overlay.Edit{
		overlay.Replace("server/history/disk/claims.go", `err = d.db.LogData(nil, pebble.Sync)`, ``),
	}},
	{"epoch not bumped", simulation("0.25"), []overlay.Edit{
		overlay.Replace("server/history/cursor.go", `return binary.BigEndian.Uint64(b[:])`, `return 1`),
	}},
	{"diverged past not noticed", by("server/history/disk", "TestRestoredCopy"), []overlay.Edit{
		overlay.Replace("server/history/cursor.go", `if here == c.Digest {`, `if here == c.Digest || true {`),
	}},
	{"expired cursor goes on in silence", simulation("0.25"), []overlay.Edit{
		overlay.Replace("server/history/cursor.go", `Missed: between(from, p.Head.Seq), Lost: between(c.Seq, from),`, `Missed: between(from, p.Head.Seq), Resumed: true,`),
	}},
	{"store goes on after a failed sync", simulation("0.25"), []overlay.Edit{
		overlay.Replace("server/history/disk/fence.go", `		f.trip(err)
		return err
	}
	return nil`, `		return nil
	}
	return nil`),
	}},

	// Exactly once, in order.
	{"no dedup", simulation("0.25"), []overlay.Edit{
		overlay.Replace("server/room.go", `if f.N <= s.mark {`, `if f.N < 1 {`),
	}},
	{"gap accepted", simulation("0.25"), []overlay.Edit{
		overlay.Replace("server/room.go", `if f.N > s.mark+1 {`, `if f.N < 1 {`),
	}},
	{"base ignored", simulation("0.25"), []overlay.Edit{
		overlay.Replace("server/room.go", `if base <= s.mark {`, `if base <= s.mark || true {`),
	}},
	{"no barrier between sources", by("session", "TestBarrierBetweenSources"), []overlay.Edit{
		overlay.Replace("session/outbox.go", ` || o.lines[o.sent].ID.Source != o.lines[0].ID.Source {`, ` {`),
	}},
	{"source reused by the next process", simulation("0.25"), []overlay.Edit{
		overlay.Replace("session/session.go", `source: randomID(12),`, `source: "source",`),
	}},
	{"fencing of the old connection removed", by("server", "TestTakeoverOfAStuckOne"), []overlay.Edit{
		overlay.Replace("server/room.go", `if !p.attached || r.draining || s.peer != p {`, `if r.draining {`),
	}},
	{"reversed resend", simulation("0.25"), []overlay.Edit{
		overlay.Before("session/outbox.go", `o.sent, o.window, o.hold = 0, window, time.Time{}`, `slices.Reverse(o.lines); `),
	}},
	{"resume drops its buffer", simulation("0.25"), []overlay.Edit{
		overlay.Replace("session/outbox.go", `o.sent, o.window, o.hold = 0, window, time.Time{}`, `o.window, o.hold = window, time.Time{}`),
	}},
	{"mark does not move with a line that was taken", simulation("0.25"), []overlay.Edit{
		overlay.Replace("server/room.go", `	s.mark = f.N
`, ``),
	}},
	{"one mark for all sources", simulation("0.25"), []overlay.Edit{
		overlay.Replace("server/peer.go", `sourceID{p.user(), b.Source}`, `sourceID{p.user(), "s" + b.Source[:0]}`),
		overlay.Replace("server/peer.go", `return s.id.source == f.Source`, `return s != nil`),
	}},
	{"ack goes one line too far", simulation("0.25"), []overlay.Edit{
		overlay.Replace("server/room.go", `s.peer.ack(e.Source, e.N)`, `s.peer.ack(e.Source, e.N+1)`),
	}},
	{"what was sent counts as acknowledged", simulation("0.25"), []overlay.Edit{
		overlay.Before("session/writer.go", `return true, l.write(&wire.Send{`, `l.c.keeper.noteAcked(s.out.ack(line.ID.Source, line.ID.N)); `),
	}},

	// What readers are shown.
	{"live only", simulation("0.25"), []overlay.Edit{
		overlay.After("server/peer.go", `p.seq, p.told, p.cursor = start.Seq, start.Seq, start.Cursor`, `; p.seq += uint64(start.Missed)`),
	}},
	{"resume one line too late", simulation("0.25"), []overlay.Edit{
		overlay.After("server/peer.go", `p.seq, p.told, p.cursor = start.Seq, start.Seq, start.Cursor`, `; p.seq++`),
	}},
	{"resume one line too early", by("server", "TestReplay"), []overlay.Edit{
		overlay.After("server/peer.go", `p.seq, p.told, p.cursor = start.Seq, start.Seq, start.Cursor`, `; p.seq = max(p.seq, 1) - 1`),
	}},
	{"private lines are shown to all", simulation("0.25"), []overlay.Edit{
		overlay.Replace("server/private.go", `if l.Kind != history.KindPrivate {`, `if l.Kind != "" || !p.plain() {`),
	}},
	{"private lines are shown to their sender only", simulation("0.25"), []overlay.Edit{
		overlay.Replace("server/private.go", `return !from && !to`, `return !from && (!to || true)`),
	}},
	{"private lines follow the name", by("server", "TestPrivateIsForKeys"), []overlay.Edit{
		overlay.Replace("server/private.go", `h := &p.link.holder`, `h := &p.link.holder
	if l.To == p.user() {
		return false
	}`),
	}},
	{"a hidden line moves the cursor in silence", by("server", "TestHiddenLines"), []overlay.Edit{
		overlay.Replace("server/lines.go", `if len(ls) == 0 && p.seq-p.told < maxHidden {`, `if len(ls) == 0 {
		p.cursor = last.Cursor`),
	}},
	{"stale lines go out unasked", by("session", "TestStale"), []overlay.Edit{
		overlay.Replace("session/outbox.go", `if o.asking || `, `if `),
	}},
	{"batch that does not follow is shown", by("session", "TestBatchThatDoesNotFollow"), []overlay.Edit{
		overlay.Replace("session/incoming.go", `case f.After != at.cursor:`, `case false:`),
	}},
	{"lines of a batch cut short are shown again", by("session", "TestStopInTheMiddleOfABatch"), []overlay.Edit{
		overlay.Replace("session/incoming.go", `if e.Seq <= at.seq {`, `if false {`),
	}},
	{"lost wake-up", simulation("0.25"), []overlay.Edit{
		overlay.Replace("server/out.go", `	if !p.inLines {
		p.inLines = true`, `	if !p.inLines && !l.busy {
		p.inLines = true`),
	}},
	{"writer rests although there is more", simulation("0.25"), []overlay.Edit{
		overlay.Replace("server/lines.go", `return len(ls), rest, ok`, `return len(ls), level, ok`),
	}},
	{"trimmed lines are skipped in silence", by("server", "TestTrimOvertakesReader"), []overlay.Edit{
		overlay.Replace("server/lines.go", `if len(entries) == 0 || entries[0].Seq != p.seq+1 {`, `if false {`),
	}},
	{"lines under way are shown by a replay", by("server/history/disk", "TestInFlight"), []overlay.Edit{
		overlay.Replace("server/history/disk/read.go", `lines, _, err := r.scan(p, after+1, p.Head.Seq, limit,`, `lines, _, err := r.scan(p, after+1, p.Head.Seq+99, limit,`),
	}},
	{"retention drops one line too many", simulation("0.25"), []overlay.Edit{
		overlay.Replace("server/history/disk/trim.go", `lineKey(nil, name, edge.Seq+1), nil)`, `lineKey(nil, name, edge.Seq+2), nil)`),
	}},
	{"every second line is skipped", simulation("0.25"), []overlay.Edit{
		overlay.Replace("session/incoming.go", `		at.seq = e.Seq
`, `		at.seq = e.Seq + 1
`),
	}},

	// What is on the client's disk.
	{"volatile outbox", simulation("0.25"), []overlay.Edit{
		overlay.Replace("session/keeper.go", `if lines[i][j].key, err = putLine(e, r.pen.room, lines[i][j]); err != nil {`, `if lines[i][j].key = uint64(len(r.pen.room)) + 1; err != nil {`),
	}},
	{"acknowledged lines stay in the outbox's file", withBinary("TestSendsShareASlot"), []overlay.Edit{
		overlay.Replace("session/keeper.go", `if err := e.delete(outboxBucket, be(l.key)); err != nil {`, `if l.key == 0 {
			var err error`),
	}},
	{"a flipped bit goes unnoticed", by("session", "TestFlippedBits"), []overlay.Edit{
		overlay.Replace("session/ledger.go", `if realSum(tx) != storedSum(tx) {`, `if false {`),
	}},
	{"cursor moves to the end of a batch at its first line", by("session", "TestStopInTheMiddleOfABatch"), []overlay.Edit{
		overlay.Replace("session/incoming.go", `s.feed.log(p.turn, m, at)`, `s.feed.log(p.turn, m, point{f.Cursor, at.seq})`),
	}},
	{"cursor forgotten", simulation("0.25"), []overlay.Edit{
		overlay.Replace("session/slot.go", `if room, ok := roomOfPoint(key); ok && len(p) >= 8 {`, `if room, ok := roomOfPoint(key); ok && len(p) > 1<<20 {`),
	}},
	{"adoption drops lines", by("session", "TestSlotsAreLockedAndTakenOver"), []overlay.Edit{
		overlay.Replace("session/slots.go", `if have[l.ID] {`, `if have[l.ID] || l.ID.N > 0 {`),
	}},
	{"fresh session moves the cursor", withBinary("TestSendsShareASlot"), []overlay.Edit{
		overlay.Replace("session/consume.go", `if store && !s.opts.fresh {`, `if store {`),
	}},

	// What it means to be consumed.
	{"a line is consumed when it is handed over", by("session", "TestBodyThatFails"), []overlay.Edit{
		overlay.Replace("session/consume.go", `	if more = e == nil || yield(e); more {
		s.consumed(it)
	}`, `	s.consumed(it)
	more = e == nil || yield(e)`),
	}},
	{"manual commit is automatic", by("session", "TestManualCommit"), []overlay.Edit{
		overlay.Replace("session/feed.go", `if it.line() || f.handed > f.consumed.seq && it.past == f.of {`, `if it.past < 0 {`),
	}},
	{"commit writes nothing down", simulation("0.25"), []overlay.Edit{
		overlay.Replace("session/consume.go", `	s.client.keeper.notePoint(s.pen.room, at)
	return s.client.keeper.flush()`, `	_ = at
	return s.client.keeper.flush()`),
	}},
	{"commit returns before the disk has it", by("session", "TestManualCommit"), []overlay.Edit{
		overlay.Replace("session/consume.go", `return s.client.keeper.flush()`, `return nil`),
	}},
	{"commit goes one line too far", by("session", "TestManualCommit"), []overlay.Edit{
		overlay.Replace("session/feed.go", `	at = f.until(m)
`, `	at = f.until(m)
	at.seq++
`),
	}},
	{"an answer goes out before its line is consumed", by("session", "TestReply"), []overlay.Edit{
		overlay.Replace("session/keeper.go", `if r.err == nil && r.answers != nil && !r.pen.fresh {`, `if false {`),
	}},
	{"a line is answered twice", by("session", "TestReply"), []overlay.Edit{
		overlay.Replace("session/keeper.go", `if !r.pen.feed.ahead(m) || !m.after(u.answered) {`, `if false {`),
	}},
	{"a slow consumer is sent all", by("session", "TestConsumerStandsStill"), []overlay.Edit{
		overlay.Replace("session/feed.go", `int64(max(f.window-f.lines, 1))`, `0`),
	}},
	{"a consumer that went on is sent no more", by("session", "TestConsumerStandsStill"), []overlay.Edit{
		overlay.Replace("session/feed.go", `more = f.free(1)
	}
	store`, `more = false
	}
	store`),
	}},

	// Life and death of connections.
	{"client never pings", by("transport", "TestClientPingsOnItsClock"), []overlay.Edit{
		overlay.Before("transport/heartbeat.go", `h.ping(t.deadAfter)`, `if h.dialled { h.timer.Reset(h.wait()); return }; `),
	}},
	{"server never reaps", by("transport", "TestBlackHole"), []overlay.Edit{
		overlay.Before("transport/heartbeat.go", `h.conn.fail(ErrPeerDead)`, `if !h.dialled { return }; `),
	}},
	{"what is written proves the peer alive", by("transport", "TestWritesProveNothing"), []overlay.Edit{
		overlay.After("transport/message.go", `	c.writeTimer.Reset(c.opts.MessageTimeout)`, `; c.beat.seen.note()`),
	}},
	{"backoff not capped", by("transport", "TestFullJitter"), []overlay.Edit{
		overlay.Replace("transport/options.go", `WithMaxInterval(7500*time.Millisecond)`, `WithMaxInterval(7500*time.Hour)`),
	}},
	{"backoff falls back after a bare handshake", by("session", "TestWelcomeThenDropBacksOff"), []overlay.Edit{
		overlay.Replace("transport/redial.go", `if conn.proven.Load() || conn`, `if conn != nil || conn`),
	}},
	{"redialling hammers after a while", by("e2e", "TestBackoffForDays"), []overlay.Edit{
		overlay.Replace("transport/options.go", `backoff.WithMaxElapsedTime(0),`, `backoff.WithMaxElapsedTime(15*time.Minute),`),
	}},
	{"redialling gives up", by("transport", "TestNeverGivesUp"), []overlay.Edit{
		overlay.Replace("transport/redial.go", `for attempt := 1; ctx.Err() == nil; attempt++ {`, `for attempt := 1; ctx.Err() == nil && attempt < 1000; attempt++ {`),
	}},
	{"end of stream ends a message", by("transport", "TestPeerEnds"), []overlay.Edit{
		overlay.Replace("transport/dial.go", `return n, noEOF(err)`, `return n, err`),
	}},

	// Users and their names.
	{"takeover leaves the old connection open", by("server", "TestTakeover"), []overlay.Edit{
		overlay.Replace("server/peer.go", `old.drop(wire.Superseded, 0)`, ``),
	}},
	{"linger ends at once", by("server", "TestSilentPeerIsReapedAndLingers"), []overlay.Edit{
		overlay.Replace("server/member.go", `case left || r.srv.opts.Linger < 0:`, `case true || left || r.srv.opts.Linger < 0:`),
	}},
	{"presence never cleared", by("server", "TestLeavingAtOnce"), []overlay.Edit{
		overlay.Replace("server/member.go", `delete(r.members, m.user)
	r.srv.opts.Store`, `r.srv.opts.Store`),
	}},
	{"a restart forgets who is here", withBinary("TestRestartIsNoNews"), []overlay.Edit{
		overlay.Replace("server/history/disk/open.go", `err = d.loadMembers()`, `d.members = history.Members{}`),
	}},
	{"who never comes back stays for ever", by("server", "TestExpectedBack"), []overlay.Edit{
		overlay.Replace("server/house.go", `s.hub.forget()`, ``),
	}},
	{"a name can be stolen", by("server/history", "TestMemory"), []overlay.Edit{
		overlay.Replace("server/history/claims.go", `if held.Holds(now, ttl) {`, `if false {`),
	}},
	{"a signature is not looked at", withBinary("TestNobodyElse"), []overlay.Edit{
		overlay.Replace("server/hello.go", `if !h.Signed(c, l.user) {`, `if !h.Signed(c, l.user) && h.Host == "" {`),
	}},
	{"a hello for another server is taken", withBinary("TestNobodyElse"), []overlay.Edit{
		overlay.Replace("server/hello.go", `if name == "*" || name != "" && sameHost(host, name) {`, `if name != "" {`),
	}},
	{"a challenge is used twice", withBinary("TestNobodyElse"), []overlay.Edit{
		overlay.Replace("server/hello.go", `rand.Read(nonce[:])`, `rand.Read(nonce[:0])`),
	}},
	{"refusal in silence", by("server", "TestRefused"), []overlay.Edit{
		overlay.Replace("server/room.go", `s.peer.push(s.refusal(e.N, e.Text))`, ``),
	}},
	{"an ack hides a refusal", by("server", "TestLostRefusal"), []overlay.Edit{
		overlay.Replace("server/room.go", `return min(s.durable, s.voids[i].n-1)`, `return s.durable`),
	}},

	// One for all.
	{"slow reader stops the others", by("server", "TestStuckReaderIsCut"), []overlay.Edit{
		overlay.After("server/room.go", `	log  history.Log`, `; turn chan struct{}`),
		overlay.After("server/room.go", `drained: make(chan struct{}),`, ` turn: make(chan struct{}, 1),`),
		overlay.Before("server/lines.go", `ok = p.link.conn.Write(eventsFrame(`, `p.room.turn <- struct{}{}; `),
		overlay.Before("server/lines.go", `p.told, p.cursor = last.Seq, last.Cursor`, `<-p.room.turn; `),
	}},
	{"drain does not wait for the disk", by("server", "TestShutdown"), []overlay.Edit{
		overlay.Replace("server/server.go", `		case <-r.drained:
		case <-s.cut:`, `		case <-r.drained:
		default:`),
	}},
	{"room closes under lines on their way", by("server", "TestLinesKeepARoomOpen"), []overlay.Edit{
		overlay.Replace("server/room.go", `if r.onWay++; r.onWay == 1 {`, `if r.onWay++; false {`),
	}},
}

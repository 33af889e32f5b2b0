package session_test

import (
	"context"
	"errors"
	"fmt"

	"holdfast/session"
)

// One program in many rooms has one connection and one loop.
func ExampleClient() {
	url, dir, stop := serving()
	defer stop()
	for _, room := range []string{"red", "green", "blue"} {
		say(url, dir, room, "ana", "what is this room about?")
	}

	c, err := session.NewClient(url, &session.Options{Name: "guide", Dir: dir, Backlog: -1, ManualCommit: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	for _, room := range []string{"red", "green", "blue"} { // or a hundred
		if _, err := c.Join(room); err != nil {
			fmt.Println(err)
			return
		}
	}
	answers := 0
	for m := range c.Messages() { // of all rooms
		if m.From == c.Name() {
			fmt.Println(m.Room+":", m.Text)
			if answers++; answers == 3 {
				break
			}
			continue
		}
		if _, err := c.Session(m.Room).Reply(m, "about "+m.Room+" things"); err != nil {
			fmt.Println(err)
			return
		}
	}
	// Unordered output:
	// red: about red things
	// green: about green things
	// blue: about blue things
}

// bridge says in to what is said in from, a room of another server: each line once, in order,
// however often the bridge ends and is started again.
//
// Two servers have no transaction in common. So the line first gets to the far server's disk,
// under a key that is made of what it is for ever, and then counts as consumed here. If the bridge
// dies in between, the line comes again, and the far server knows the key: it takes the line for
// the one that it has. This holds while the far server knows keys, for 90 days, if the bridge
// keeps its name there. It would not do to Reply on the near side, since the line goes to
// another file; nor to Send before Commit, since a second Send is a second line.
func bridge(ctx context.Context, from, to *session.Session) error {
	for {
		m, err := from.Next(ctx)
		if err != nil {
			return err
		}
		if m.Seen {
			continue // consumed by an earlier run; Backlog shows it again, for context
		}
		if m.From != from.Name() && m.Kind == "" { // not what a bridge in the other direction has brought
			err = carry(ctx, m, to)
		}
		if err == nil {
			err = from.Commit(m)
		}
		if err != nil {
			return err
		}
	}
}

// carry returns when the far server has m, or never will.
func carry(ctx context.Context, m session.Message, to *session.Session) error {
	key := fmt.Sprintf("%s/%s/%d", m.Room, m.ID.Source, m.ID.N)
	id, err := to.SendOnce(key, m.From+": "+m.Text)
	if tooLong, ok := errors.AsType[*session.TextError](err); ok {
		fmt.Println("not bridged:", tooLong)
		return nil
	}
	if err != nil {
		return err
	}
	err = to.Wait(ctx, id)
	if refused, ok := errors.AsType[*session.RefusedError](err); ok {
		fmt.Println("not bridged:", refused)
		return nil
	}
	return err
}

// A bridge between two servers.
func Example_bridge() {
	here, dir, stop := serving()
	defer stop()
	there, _, stopThere := serving()
	defer stopThere()

	// run lets the bridge pass n lines, which the room over there then has.
	run := func(lines ...string) {
		open := func(url string, o session.Options) *session.Session {
			s, err := session.Open(url, &o)
			if err != nil {
				panic(err)
			}
			return s
		}
		from := open(here, session.Options{Room: "general", Name: "bridge", Dir: dir, Backlog: -1, ManualCommit: true})
		defer from.Close()
		to := open(there, session.Options{Room: "from-here", Name: "bridge", Dir: dir, Backlog: -1})
		defer to.Close()
		say(here, dir, "general", "ana", lines...)

		ctx, cancel := context.WithCancelCause(context.Background())
		done := make(chan error)
		go func() { done <- bridge(ctx, from, to) }()
		for m := range to.Messages() {
			if m.Seen {
				continue
			}
			fmt.Println(m.Text)
			if m.Text == "ana: "+lines[len(lines)-1] {
				_ = to.Commit(m) // or it would be the next run's first
				break
			}
		}
		cancel(errors.New("enough"))
		fmt.Println("the bridge has ended:", <-done)
	}
	run("one", "two")
	run("three")
	// Output:
	// ana: one
	// ana: two
	// the bridge has ended: enough
	// ana: three
	// the bridge has ended: enough
}

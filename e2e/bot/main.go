// Command bot answers each line of a room once, however often it is killed. TestBot does
// that.
//
//	bot SERVER ROOM NAME
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"holdfast/session"
)

func main() {
	if err := answer(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		panic(err)
	}
}

func answer(server, room, name string) error {
	s, err := session.Open(server, &session.Options{Room: room, Name: name, Backlog: -1, ManualCommit: true, Exclusive: true})
	if err != nil {
		return err
	}
	defer s.Close()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	defer context.AfterFunc(ctx, func() { _ = s.Close() })()
	fmt.Println("here")
	for m := range s.Messages() {
		if m.From == s.Name() || m.Seen { // Own is about this process
			continue
		}
		if _, err := s.Reply(m, "re: "+m.Text); err != nil {
			break // it comes again
		}
	}
	return nil
}

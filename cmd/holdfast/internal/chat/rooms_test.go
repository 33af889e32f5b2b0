package chat_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"holdfast/cmd/holdfast/internal/ask"
	"holdfast/cmd/holdfast/internal/chat"
	"holdfast/session"
)

// TestRooms: several rooms, one prompt.
func TestRooms(t *testing.T) {
	in(t, func(w *world) {
		ana, bob := w.joined("ana"), w.joined("bob")
		ana.types("/join #Random")
		ana.shows("-- you are ana in random; /help lists commands")
		ana.prompts("[random]     >")
		ana.types("in random")
		ana.shows("ana: in random")
		bob.types("in general")
		ana.shows("#general bob: in general")
		bob.types("/join random")
		bob.shows("ana: in random", "-- you are bob in random; /help lists commands")
		ana.shows("-- bob joined random")
		ana.types("/join general")
		ana.shows("-- your lines go to general now")
		ana.prompts("[general]    >")
		bob.types("ana, here")
		ana.shows("#random ! bob: ana, here")
		bob.types("/away lunch")
		bob.types("/join third")
		bob.shows("-- you are bob in third; /help lists commands")
		ana.types("/join third")
		ana.shows("-- you are ana in third; /help lists commands")
		pass(time.Second)
		ana.types("/who")
		ana.shows("-- in third: ana, bob (away: lunch)")
		ana.types("/part")
		ana.types("/join general")
		ana.types("/join ???")
		ana.shows(`-- name "???" may hold only letters a-z, digits, '-' and '_', and starts with a letter or digit`)

		w.cut("ana")
		ana.row("reconnecting")
		ana.prompts("[general !]  >")
		ana.types("kept in general")
		ana.types("/join random")
		ana.types("kept in random")
		ana.row("  · #general ana: kept in general")
		ana.row("  · ana: kept in random")
		ana.row("2 lines kept")
		pass(30 * time.Second)
		w.mend()
		ana.summary("-- reconnected after ", ", 2 sent --")
		ana.noRows()
	})
}

// TestPart leaves a room but the last, and keeps what is unsent there.
func TestPart(t *testing.T) {
	in(t, func(w *world) {
		ana, bob := w.joined("ana"), w.joined("bob")
		ana.types("/part")
		ana.shows("-- this is your only room; /join another first, or /quit")
		ana.types("/join random")
		ana.shows("-- you are ana in random; /help lists commands")
		ana.types("/part")
		ana.shows("-- left random")
		ana.prompts("[general]    >")
		ana.types("in general")
		bob.shows("ana: in general")
		ana.types("/part random")
		ana.types("/who random")
		const not = "-- you are not in random; /join ROOM goes to a room, /rooms lists them"
		ana.shows(not, not)
		ana.types("/join random")
		ana.shows("-- you are ana in random; /help lists commands")
		pass(time.Second)
		ana.types("/who #General")
		ana.types("/who")
		ana.shows("-- in general: ana, bob", "-- in random: ana")
		ana.types("/join third")
		ana.shows("-- you are ana in third; /help lists commands")
		ana.types("/part Random")
		ana.shows("-- left random")
		ana.prompts("[third]      >")
		ana.types("/part")
		ana.shows("-- left third")
		ana.prompts("[general]    >")
		ana.types("/join random")
		ana.shows("-- you are ana in random; /help lists commands")
		w.cut("ana")
		ana.row("reconnecting")
		ana.types("unsent")
		ana.types("/part")
		ana.shows("-- left random: session: lines left unsent: 1; kept until you join it again")
		w.mend()
		ana.types("/join random")
		ana.shows("ana: unsent")
	})
}

// TestRoomRefused: a room that can't be had does not take the others along.
func TestRoomRefused(t *testing.T) {
	in(t, func(w *world) {
		ana := w.joined("ana")
		bob := w.join("bob", "", nil)
		bob.types("/join random")
		bob.shows("-- you are bob in random; /help lists commands")
		// In another room the name is free, so that somebody else can have it there... but
		// not here: names are claimed for all rooms by their first use.
		other := w.join("bob", "", nil)
		if err := other.leaves(); err == nil {
			t.Error("two have one name")
		}
		ana.types("hello")
		bob.shows("#general ana: hello")
	})
}

// TestListRooms asks the server, and says so if it does not answer.
func TestListRooms(t *testing.T) {
	in(t, func(w *world) {
		var failed error
		ana := w.join("ana", "", func(o *chat.Options, _ *session.Options) {
			o.Rooms = func(context.Context) ([]ask.Room, error) {
				return []ask.Room{{Room: "general", Members: 1}, {Room: "ra\u202endom", Members: 12}}, failed
			}
		})
		ana.types("/rooms")
		ana.shows("-- general   1 member, you among them", "-- random    12 members")
		failed = errors.New("no route to host")
		ana.types("/rooms")
		ana.shows("-- you are in general", "-- which others there are is not known: no route to host")
	})
}

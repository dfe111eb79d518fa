//! Requests about open rooms.

use super::requests;
use crate::id::{RoomId, TalkerId};
use crate::views::{Done, LinkView, RoomLineView, RoomView};
use crate::words::Route;

requests! {
    /// Enters an open room. It stays in the profile until it is left.
    "join_room" JoinRoom => RoomView {
        /// The room's link, a guest's or its owner's.
        link: String,
        /// This profile's name for the room; default: `room`, with a number if need be.
        #[serde(default)]
        name: Option<String>,
        /// This profile's name in the room; default: a random one.
        #[serde(default)]
        nick: Option<String>,
        /// The route; default: what the profile's settings allow.
        #[serde(default)]
        route: Option<Route>,
    }

    /// Makes an open room on a network, and enters it as its owner.
    "create_room" CreateRoom => RoomView {
        /// This profile's name for the room; default: `room`, with a number if need be.
        #[serde(default)]
        name: Option<String>,
        /// This profile's name in the room; default: a random one.
        #[serde(default)]
        nick: Option<String>,
        /// A link of the network; default: the profile's network.
        #[serde(default)]
        network: Option<String>,
    }

    /// Lists open rooms.
    "rooms" ListRooms => Vec<RoomView> {}

    /// What was said in an open room since this profile runs, oldest first.
    "room_history" GetRoomHistory => Vec<RoomLineView> {
        /// The room.
        room: RoomId,
        /// Those that follow the line with this number; default: the newest.
        #[serde(default)]
        after: Option<u64>,
        /// How many at most, up to 1,000; default: 50.
        #[serde(default)]
        limit: Option<usize>,
    }

    /// Says a text in an open room.
    "say" Say => Done {
        /// The room.
        room: RoomId,
        /// The text, at most 64 KiB.
        text: String,
    }

    /// A person has seen lines of an open room up to this number.
    "room_seen" MarkRoomSeen => Done {
        /// The room.
        room: RoomId,
        /// The number of the line.
        up_to: u64,
    }

    /// Takes another name in an open room.
    "room_nick" SetRoomNick => Done {
        /// The room.
        room: RoomId,
        /// The name, 1 to 32 visible characters.
        nick: String,
    }

    /// A link into an open room that starts at this hour.
    "room_link" GetRoomLink => LinkView {
        /// The room.
        room: RoomId,
    }

    /// Owner: hides a talker from all, or shows them again.
    "room_mute" MuteTalker => Done {
        /// The room.
        room: RoomId,
        /// The talker.
        talker: TalkerId,
        /// Whether to hide.
        muted: bool,
    }

    /// Owner: new keys for these talkers; all other links die.
    "room_rekey" RekeyRoom => Done {
        /// The room.
        room: RoomId,
        /// The talkers who stay.
        keep: Vec<TalkerId>,
    }

    /// Uses this route in an open room from now on.
    "room_route" SetRoomRoute => Done {
        /// The room.
        room: RoomId,
        /// The route.
        route: Route,
    }

    /// Moves an open room to new circuits of Tor.
    "room_circuits" RenewRoomCircuits => Done {
        /// The room.
        room: RoomId,
    }

    /// Leaves an open room once what this profile said there is stored.
    "leave_room" LeaveRoom => Done {
        /// The room.
        room: RoomId,
    }
}

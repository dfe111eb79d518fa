//! What front ends and the engine say to each other.
//!
//! # In this crate
//! - `id`: how programs name conversations, members, messages; their short forms for people
//! - `request`: what front ends ask, one type each, with the type of its reply; `request::call`:
//!   requests on their way, and as JSON
//! - `views`, `event`, `words`: what replies and events are about
//! - `refusal`: why a request was refused; `failure`: how a command ends badly
//! - `client`: the handle that front ends hold, and how they come by one
//! - `hello`: the daemon's protocol
//! - `room`, `room_log`: one open room, its words and its lines
//!
//! # Not in this crate
//! Behaviour. Whatever answers a request is in `engine`, whatever shows the answer in a front end.
//!
//! # Invariants
//! - Nothing is addressed by a text that another person chose: conversations, members, messages,
//!   invites, transfers, rooms and talkers have ids.
//! - A request's reply has one type, known when it compiles.
//! - No sentence here names a command, key or button of one front end.

mod client;
mod event;
mod failure;
mod hello;
mod id;
mod kinds;
mod path;
mod refusal;
mod request;
mod room;
mod room_log;
mod views;
mod words;

pub use self::client::{Client, Opening, ProfileOptions, Profiles, Unlock, Working};
pub use self::event::Event;
pub use self::failure::{Failure, kind_of};
pub use self::hello::{FromDaemon, Hello, PROTOCOL, Startup, ToDaemon};
pub use self::id::{
    ConversationId, GroupInviteId, InviteId, KnockId, MemberId, MessageId, NotAnId, RoomId,
    TalkerId, TransferId,
};
pub use self::kinds::{KINDS, code_of};
pub use self::path::LocalPath;
pub use self::refusal::{Candidate, Obstacle, Reason, Refusal, Target, Thing, Value};
pub use self::request::*;
pub use self::room::{RoomCommand, RoomEvent};
pub use self::room_log::{Heard, RoomLog};
pub use self::views::*;
pub use self::words::{
    AllowedRoutes, ConversationKind, FileState, InviteState, LanMode, MessageKind, MessageState,
    Route, Standing,
};

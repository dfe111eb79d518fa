//! Keys and messages: of open rooms, and of private conversations.
//!
//! An open room is a link: anyone who holds it can read everything said since the link's hour, and
//! speak. A talker's stream root key is its identity in the room. Talkers announce their streams on
//! *doors*, the owner gives orders on the *control stream*, and the keys move forward with document
//! time. The specification is `docs/spec/rooms.md`.
//!
//! # In this crate
//! - [`RoomLink`], [`OwnerLink`], [`NetworkPlace`]: the text that lets people in
//! - [`RoomKeys`]: the ratchet, one step an hour; [`RoomSettings`]: hour length, lanes, proof of
//!   work
//! - [`Door`], [`Announcement`], [`Mining`]: who talks, and where
//! - [`Talk`], [`Assembler`]: what talkers write
//! - [`Owner`], [`Control`], [`Rekey`]: mutes, notices, and new keys that make old links useless
//! - [`mls`]: private conversations of two or many; [`Invite`]: how two people become contacts;
//!   [`safety_words`], [`identity_statement`]
//! - [`Nick`], [`display_names`], [`sanitize()`]: what people are shown
//!
//! # Not in this crate
//! Boxes, their ids and padding (`streams`), stream positions, the talkers that a client follows
//! and the mutes it obeys (`messenger`), clocks and randomness (parameters).
//!
//! # Invariants
//! - Keys older than the last two hours are erased, and no later key leads back to them
//!   (`ROOM-004`).
//! - Every announcement is signed by the root key of the stream that it announces (`ROOM-010`).
//! - Every value from outside has exactly one accepted encoding (`ROOM-006`).
//! - No `Debug` or error text shows a key, a text, a nick or an address (`ROOM-017`).

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::as_conversions,
    clippy::arithmetic_side_effects
)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::as_conversions,
        clippy::arithmetic_side_effects
    )
)]

mod codec;
mod control;
mod door;
mod door_key;
mod error;
mod floor;
pub mod id;
mod identity;
pub mod invite;
mod kdf;
pub mod kept;
pub mod link;
pub mod mls;
mod nick;
mod place;
mod ratchet;
mod safety;
pub mod sanitize;
mod secret;
mod settings;
mod statement;
pub mod talk;
mod words;

pub use control::{Control, MAX_RECIPIENTS, Order, Owner, Rekey};
pub use door::{Announcement, Door, MAX_ANNOUNCEMENTS, MAX_DOOR_BOXES, Mining, Work};
pub use door_key::{DoorKey, DoorSecret};
pub use error::Error;
pub use floor::Floor;
pub use identity::{TalkerKey, TalkerSecret};
pub use invite::Invite;
pub use link::{OwnerLink, RoomLink};
pub use nick::{Nick, display_names};
pub use place::NetworkPlace;
pub use ratchet::{MAX_STEPS, RoomId, RoomKeys};
pub use safety::safety_words;
pub use sanitize::{Newlines, sanitize};
pub use secret::Secret;
pub use settings::RoomSettings;
pub use statement::identity_statement;
pub use talk::{Assembler, Event, Say, Talk, TextChunk};

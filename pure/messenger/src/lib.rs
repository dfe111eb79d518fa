//! The product as a state machine: contacts, groups, rooms, messages and files of one profile.
//!
//! # In this crate
//! - [`Messenger`]: everything of one profile, as commands, answers, [`event::Output`]s and events;
//!   `conversation` holds the parts of one private conversation
//! - [`room`]: one open room: doors, talkers, control stream, outbox, as `Output`s and `Event`s
//! - [`reader`]: reads one stream in order, notices gaps, never shows a box twice
//! - [`appender`]: appends to a stream that others write too
//! - [`writer`]: writes one stream: boxes stay until the hub has them
//! - [`local`]: the clock by which messages disappear
//! - [`names`]: what conversations are called, and which one a typed text means
//! - [`Reach`], [`Near`]: how far requests get, and by which secrets neighbours on a LAN are found
//!
//! # Not in this crate
//! How a box travels (`mix`, `net`), what a key is (`e2ee`, `streams`), what a screen looks like
//! (`app`).
//!
//! # Invariants
//! - A message is forgotten only after the hub's `Stored` or `Same`, or once neighbours have
//!   brought it to everybody.
//! - Each message is shown once, in its author's order; gaps are reported.
//! - Only `e2ee` types that carry their proof reach an `Event`.

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::as_conversions,
    clippy::arithmetic_side_effects
)]
#![cfg_attr(
    any(test, feature = "hostile"),
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::as_conversions,
        clippy::arithmetic_side_effects
    )
)]
#![cfg_attr(
    all(feature = "hostile", not(test)),
    allow(dead_code, reason = "fuzz targets use a part of what tests use")
)]

pub mod appender;
pub mod body;
mod codec;
mod context;
mod conversation;
mod error;
pub mod event;
pub mod invite;
pub mod local;
pub mod messenger;
pub mod names;
mod near;
pub mod parts;
pub mod reader;
pub mod request;
pub mod room;
mod sealed;
#[cfg(test)]
mod silent;
pub mod store;
#[cfg(any(test, feature = "hostile"))]
pub mod testing;
pub mod transfer;
pub mod writer;

pub use conversation::{Card, Participant};
pub use e2ee::id;
pub use error::Error;
pub use messenger::{InviteOverview, Messenger, Overview, Settings, Step};
pub use near::{Near, NearWho, Reach};

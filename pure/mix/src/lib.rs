//! The mix network as state machines: paths, delays, replay filters, cover traffic, epochs, the
//! directory.
//!
//! # In this crate
//! - [`relay`]: what a relay does with a packet: unwrap, check, delay, forward, deliver
//! - [`epoch`]: its keys, one per epoch; inside, a bounded replay filter and delay queue
//! - [`path`], [`client`]: what a client does: draw paths, send Poisson cover, retry with fresh
//!   packets
//! - [`directory`]: assembling, signing and checking the network document
//! - [`tally`]: proof for a packet's sender, checked offline, of which hops processed it
//! - [`geometry`], [`envelope`]: the network's geometry as Sphinx sees it, and how requests are
//!   padded
//!
//! # Not in this crate
//! Sockets and clocks (`net`, `server`), what a request means (`hub`), any content key (`e2ee`).
//!
//! # Invariants
//! - A bad packet is dropped silently and counted by reason; nothing is ever said to its sender.
//! - A replay tag is remembered before anything of its packet leaves.
//! - Rates of cover and delays come from the network document, never from measured load.

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

mod capacity;
pub mod client;
mod cover;
pub mod directory;
pub mod envelope;
pub mod epoch;
mod error;
pub mod geometry;
mod health;
pub mod path;
mod queue;
pub mod relay;
mod replay;
pub mod tally;

pub use capacity::Capacity;
pub use error::Error;
pub use health::Fault;

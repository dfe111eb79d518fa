//! The mix network as state machines: paths, delays, replay filters, cover traffic, epochs, the
//! directory.
//!
//! # In this crate
//! - [`relay`]: what a mix does with a packet: unwrap, check, delay, forward, deliver
//! - [`replay`], [`queue`], [`epoch`]: its bounded replay filter, delay queue and epoch keys
//! - [`path`], [`cover`], [`client`]: what a client does: draw paths, keep Poisson streams, retry
//!   by fresh packets
//! - [`directory`]: signing, checking and assembling the network document
//! - [`tally`]: which hops processed a packet, for its sender to verify offline
//! - [`geometry`], [`envelope`]: the network's geometry as Sphinx sees it, and how a request fills
//!   a payload
//!
//! # Not in this crate
//! Sockets and clocks (`net`, `server`), what a request means (`hub`), any content key (`e2ee`).
//!
//! # Invariants
//! - A bad packet is dropped silently and counted by reason; nothing is ever said to its sender.
//! - A replay tag is remembered before anything of its packet leaves.
//! - Rates and delays come from the network document, never from measured load.

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

pub mod client;
pub mod cover;
pub mod directory;
pub mod envelope;
pub mod epoch;
mod error;
pub mod geometry;
pub mod path;
pub mod queue;
pub mod relay;
pub mod replay;
pub mod tally;

pub use error::Error;

//! A private Tor network on loopback, made from the system's `tor`, for tests. Development only.
//!
//! # In this crate
//! - [`Tornet`]: starts authorities, relays, bridges and a client; stops them when it is dropped
//! - [`Net`]: where everything listens, and the settings by which another client joins
//! - [`shared`]: one network for all tests of a run, whatever process they run in
//! - [`Control`]: a few words with a control port, so that a test can look at Tor from outside
//!
//! # Not in this crate
//! The program's own Tor (`net::tor`), or anything else that ships.
//!
//! # Invariants
//! - Nothing listens, and nothing is dialled, outside 127.0.0.0/8.
//! - No process outlives its owner for long: each tor ends by itself when the process that started
//!   it is gone.
//!
//! # Sharing
//! A network takes 20 to 110 s to come up, and nextest runs each test in a process of its own. So
//! the first test that calls [`shared`] starts a supervisor, which outlives it; the others find it.
//! The supervisor is the same test executable, told by an environment variable to run nothing but
//! the hook that [`supervisor!`] puts at the root of the test crate. All tests hold a shared lock
//! on one file; when the supervisor has seen none for a minute it takes everything down. Everything
//! lies in `tornet/` beside the executable's directory, under cargo's target directory.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::as_conversions)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::as_conversions
    )
)]

mod control;
mod error;
mod net;
mod network;
mod node;
mod schedule;
mod shared;

pub use control::Control;
pub use error::{Error, Result};
pub use net::{Client, Net, Relay};
pub use network::{Options, Tornet};
pub use shared::{Shared, serve, shared};

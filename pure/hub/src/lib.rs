//! The box protocol: `put` a box, `get` boxes before a deadline. Both ends, and what a store must
//! do.
//!
//! # In this crate
//! - [`store`]: the trait [`BoxStore`](store::BoxStore), write-once with expiry, and one in memory
//! - [`server`]: the hub's core: admission, quotas, verification, group commit, open `get`s
//! - [`client`]: requests within bounds, and responses that are believed only as far as they can be
//!   checked
//! - [`shaping`]: when a box leaves, and when a dummy does
//! - [`AccessClass`], [`ClassLimits`]: who may use how much
//!
//! # Not in this crate
//! Sockets, disks, clocks. Streams and capabilities (`streams`): a hub sees ids, never who writes
//! or reads them.
//!
//! # Invariants
//! - `Stored` is said after the store made the box durable, and watchers are woken after that
//!   (`HUB-004`).
//! - Every request is answered exactly once, also when its connection is gone (`HUB-005`).
//! - Nothing that a stranger can fill is unbounded; what is over a bound is told so (`HUB-010` to
//!   `HUB-012`).
//! - No error and no `Debug` holds an id, a key or a box.

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

mod class;
pub mod client;
mod convert;
mod error;
mod rate;
pub mod server;
pub mod shaping;
pub mod store;

pub use class::{AccessClass, ClassLimits};
pub use convert::{from_wire, to_wire};
pub use error::Error;

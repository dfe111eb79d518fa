//! The box protocol: `put` a box, `get` boxes before a deadline. Both ends of it, and the contract
//! of a box store.
//!
//! # In this crate
//! - [`store`]: the trait [`BoxStore`](store::BoxStore), write-once with expiry, and a store in
//!   memory
//! - [`server`]: the hub's core: admission, quotas, verification, group commit, open `get`s
//! - [`client`]: requests within bounds, and checks of responses, since a client does not trust its
//!   hub
//! - [`shaping`]: when boxes and dummies leave on a direct link
//! - [`AccessClass`], [`ClassLimits`]: who may use how much
//!
//! # Not in this crate
//! Sockets, disks, clocks. Streams and capabilities (`streams`): a hub sees ids, never who writes
//! or reads them.
//!
//! # Invariants
//! - The hub answers `Stored` only after the store made the box durable, and wakes watchers after
//!   that (`HUB-004`).
//! - Every request is answered exactly once, even when its connection is gone (`HUB-005`).
//! - Everything that a stranger can fill has a bound, and a request over a bound gets an answer
//!   that says so (`HUB-010` to `HUB-012`).
//! - No error and no `Debug` output holds an id, a key or a box.

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

//! Neighbours on a LAN: they find each other, exchange boxes, and carry boxes for people who are
//! not there.
//!
//! # In this crate
//! - [`pair`]: what two people who know each other share, and how they recognise each other: by
//!   tokens in beacons and proofs on links
//! - [`discovery`]: beacons, whom to dial, and people who are visible to everybody
//! - [`carry`]: the bounded cache of boxes on their way, a [`hub::store::BoxStore`] with notes
//! - [`reconcile`]: finding out what each of two sides lacks, at a cost that grows with the
//!   difference
//! - [`node`]: one node's gossip: links and messages in, messages and boxes out
//! - [`bundle`]: boxes in a file, for example on a USB stick
//!
//! # Not in this crate
//! Sockets, clocks, disks, TLS (`net`); who a contact is (`e2ee`, `messenger`). In this crate a
//! contact is an [`Account`].
//!
//! # Invariants
//! - From beacons and links a stranger learns that somebody is there, and nothing else (`MESH-002`,
//!   `MESH-004`).
//! - Boxes are reconciled with contacts only (`MESH-006`).
//! - Boxes that were not asked for are not taken, and everything that a neighbour can fill has a
//!   bound (`MESH-009`).
//! - A box travels a limited number of hops (`MESH-007`).

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

mod beacon;
pub mod bundle;
pub mod carry;
pub mod discovery;
mod error;
pub mod node;
pub mod pair;
pub mod reconcile;

pub use carry::{CarryStore, Note};
pub use error::Error;
pub use node::{Action, LinkId, Node};
pub use pair::{Account, Pair, Standing};

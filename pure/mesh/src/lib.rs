//! Neighbours on one LAN: they find each other, exchange boxes, and carry boxes for those who are
//! not there.
//!
//! # In this crate
//! - [`pair`]: what two who know each other share, and what only they recognise: tokens in beacons,
//!   proofs on links
//! - [`discovery`]: beacons, whom to dial, and people who show themselves to all
//! - [`carry`]: the bounded cache of boxes on the way, a [`hub::store::BoxStore`] with a little
//!   more
//! - [`reconcile`]: what each of two sides lacks, at a cost that grows with the difference
//! - [`node`]: one node's gossip: links and messages in, messages and boxes out
//! - [`bundle`]: boxes in a file, for a stick in a pocket
//!
//! # Not in this crate
//! Sockets, clocks, disks, TLS (`net`); who somebody is (`e2ee`, `messenger`): here a contact is an
//! [`Account`].
//!
//! # Invariants
//! - A stranger learns from a beacon and from a link that somebody is there, and nothing else
//!   (`MESH-002`, `MESH-004`).
//! - Boxes are reconciled with contacts only (`MESH-006`).
//! - Nothing is taken that was not asked for, and everything that a neighbour can fill is bounded
//!   (`MESH-009`).
//! - A box travels a stated number of hops and no further (`MESH-007`).

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

pub mod beacon;
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

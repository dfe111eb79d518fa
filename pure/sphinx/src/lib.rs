//! Sphinx packets with hop keys from a KEM: building, unwrapping, and single-use reply blocks
//! (SURBs).
//!
//! The format is Katzenpost's KEM Sphinx, to the byte, with three key schemes: X-Wing (post-quantum
//! hybrid), X25519 as a KEM, and classical X25519 Sphinx with a blinded group element.
//! `docs/spec/sphinx.md` states it.
//!
//! # In this crate
//! - [`Geometry`]: every length of a packet, from scheme, hop limit and payload length.
//! - [`PrivateKey`], [`PublicKey`]: a node's keys, kept in expanded form so that unwrapping need
//!   not derive them each time.
//! - [`encapsulate`], [`decapsulate`]: the KEM alone, for other uses.
//! - [`build`], [`unwrap`], [`peel`], [`replay_tag`]: the life of a [`Packet`].
//! - [`HopSecret`]: 32 bytes that sender and hop share and that the format does not use.
//! - [`Surb`], [`SurbKeys`]: reply blocks. [`ForwardPayload`]: the layout inside a forward payload.
//!
//! # Not in this crate
//! Replay filters, delays, path choice, key rotation and retransmission: a mix builds them on top.
//! The payload is not authenticated beyond the tag that the last hop checks.
//!
//! # Invariants
//! - No clock, socket, file or thread. Malformed bytes of any length give an [`Error`], never a
//!   panic.
//! - Nothing is decrypted before the header's MAC was checked.
//! - Hops of a SURB path never learn the reply's payload key. A SURB holds that key and no other.
//! - `Debug` of a key, packet or SURB prints its type and nothing else.
//!
//! # Randomness
//! All randomness comes from the caller's `rng`, with one exception: X-Wing's ML-KEM encapsulation
//! draws its 32 bytes from the generator inside `aws-lc-rs`, which has no derandomised interface.
//! So with [`Scheme::XWing`] the same seed gives packets of the same lengths and paths, but not the
//! same bytes.

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

mod blake2x;
mod command;
mod error;
mod geometry;
mod header;
mod kem;
mod key;
mod packet;
mod payload;
mod primitives;
mod surb;
mod unwrap;

pub use command::Command;
pub use error::Error;
pub use geometry::{Geometry, MAX_HOPS};
pub use header::PathHop;
pub use kem::{Encapsulated, decapsulate, encapsulate};
pub use key::{PrivateKey, PublicKey, Scheme};
pub use packet::{Packet, ReplayTag, build, build_with_secrets, replay_tag};
pub use payload::ForwardPayload;
pub use primitives::HopSecret;
pub use surb::{Surb, SurbKeys};
pub use unwrap::{Peeled, Rest, Unwrapped, peel, unwrap};

/// Bytes of a node's or recipient's id.
pub(crate) const ID_LEN: usize = 32;
/// Bytes of a header MAC (HMAC-SHA256).
pub(crate) const MAC_LEN: usize = 32;
/// Bytes of a SURB's id, by which its maker finds the keys for a reply.
pub(crate) const SURB_ID_LEN: usize = 16;
/// Zero bytes before the payload, which the last hop checks.
pub const PAYLOAD_TAG_LEN: usize = 32;
/// Bytes of a [`HopSecret`].
pub(crate) const HOP_SECRET_LEN: usize = 32;
/// A node's or recipient's id: opaque to this crate.
pub type Id = [u8; ID_LEN];
/// A SURB's id: opaque to this crate.
pub type SurbId = [u8; SURB_ID_LEN];

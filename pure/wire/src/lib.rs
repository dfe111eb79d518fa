//! Everything that crosses a trust boundary as bytes, and nothing else.
//!
//! # In this crate
//! - [`frame`]: how every link cuts its byte stream: a kind, a length, and a body with a maximum
//!   for its kind
//! - [`hub`]: requests and responses of the box protocol (`put`, `get`, `echo`)
//! - [`mesh`]: what neighbours on one LAN say to each other
//! - [`document`]: the network document and the descriptors that nodes register
//! - [`id`], [`Address`], [`Timestamp`]: small types that cannot hold an invalid value
//! - [`NetworkPointer`]: where to find a network, as one line of text
//! - [`ErrorKind`]: whose fault an error is; [`Sensitive`]: values that must never reach a log
//!
//! # Not in this crate
//! Cryptography (signatures of the document are checked in `mix`, boxes in `streams`; the one hash
//! here is the checksum of an onion name), sockets, clocks.
//!
//! # Invariants
//! - A length is refused before anything of that size is allocated (`WIRE-001`).
//! - Decoding is strict: trailing bytes, counts above their bound and unknown kinds are errors.
//! - No type here prints an id, an address or a payload with `Debug`.

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

mod address;
mod card;
mod codec;
pub mod document;
mod error;
pub mod frame;
mod host;
pub mod hub;
pub mod id;
mod kind_debug;
pub mod limits;
pub mod mesh;
mod onion;
pub mod pointer;
mod sensitive;
mod time;

pub use address::Address;
pub use card::AuthorityCard;
pub use codec::{decode, encode};
pub use error::{Error, ErrorKind};
pub use frame::{Frame, FrameKind};
pub use host::HostName;
pub use id::{BootId, ClientToken, NetworkId, NodeId, RequestId, Tally};
pub use onion::OnionName;
pub use pointer::{DirectoryPointer, NetworkPointer};
pub use sensitive::Sensitive;
pub use time::Timestamp;

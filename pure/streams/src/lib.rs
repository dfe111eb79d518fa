//! BACAP: streams of boxes that only holders of a capability can find, write or read.
//!
//! After the Echomix paper (arXiv 2501.02933, section 4), byte for byte as Katzenpost deploys it.
//!
//! # In this crate
//! - [`Index`]: a position in a stream, a ratchet that cannot be turned back
//! - [`WriteCapability`], [`ReadCapability`]: who may write, who may read, from an index on
//! - [`SealedBox`] and [`VerifiedBox`]: a box before and after its signature was checked
//! - [`pad`], [`unpad`], [`BoxClass`]: contents of a class all have one length; [`Sizes`]: which
//!   class a writer takes
//! - [`dummy()`]: a box that nobody can open
//!
//! # Not in this crate
//! Where boxes are stored (`hub`), how they travel, what their plaintext means.
//!
//! # Invariants
//! - A [`VerifiedBox`] exists only after a ZIP-215 check of its signature (or because we made it).
//! - From an index nothing before it can be computed.
//! - `Debug` prints no byte of a key, an id or a box.

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

mod boxes;
mod capability;
mod dummy;
mod error;
mod index;
mod padding;
mod verify;

pub use boxes::{BoxId, SealedBox, VerifiedBox};
pub use capability::{ReadCapability, WriteCapability};
pub use dummy::dummy;
pub use error::Error;
pub use index::{Index, MAX_ADVANCE};
pub use padding::{
    BULK_CIPHERTEXT_LEN, BoxClass, LARGE_CIPHERTEXT_LEN, LARGE_CONTENT_LEN, MEDIUM_CIPHERTEXT_LEN,
    SMALL_CIPHERTEXT_LEN, STANDARD_CIPHERTEXT_LEN, STANDARD_CONTENT_LEN, Sizes, pad, unpad,
};
pub use verify::verify_batch;

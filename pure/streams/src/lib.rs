//! BACAP: streams of boxes which only the holders of a capability can find, write or read.
//!
//! After the Echomix paper (arXiv 2501.02933, section 4), byte for byte as Katzenpost deploys it.
//!
//! # In this crate
//! - [`Index`]: a position in a stream, a ratchet that cannot be turned back
//! - [`WriteCapability`], [`ReadCapability`]: the right to write or read a stream, from an index on
//! - [`SealedBox`] and [`VerifiedBox`]: a box before and after its signature was checked
//! - [`pad`], [`unpad`], [`BoxClass`]: padding, by which all contents of a class have one length;
//!   [`Sizes`]: which classes a writer uses
//! - [`dummy()`]: a box that nobody can open
//!
//! # Not in this crate
//! Where boxes are stored (`hub`), how they travel, what their plaintext means.
//!
//! # Invariants
//! - A [`VerifiedBox`] has passed a ZIP-215 check of its signature, or was made by this process.
//! - Nothing before an index can be computed from it.
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
pub use index::Index;
pub use padding::{
    BoxClass, LARGE_CIPHERTEXT_LEN, STANDARD_CIPHERTEXT_LEN, STANDARD_CONTENT_LEN, Sizes, pad,
    unpad,
};
pub use verify::verify_batch;

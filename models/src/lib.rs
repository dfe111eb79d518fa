//! Development only: protocols of Hushwing as small models, of which every reachable state is
//! checked.
//!
//! # In this crate
//! - [`group`]: how a group decides commits, and how members who have lost their place are re-added
//!
//! # Not in this crate
//! Any code that ships, and any that a model could share with it: a model is a second opinion about
//! the rules, not a test of the code. Cryptography: a key is a name, and nobody forges anything.
//!
//! # Invariants
//! - A model has no clock and no randomness: the same setting gives the same states.
//! - For each protection that a model has there is a test that takes it away and sees the checker
//!   find the attack.

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

pub mod group;

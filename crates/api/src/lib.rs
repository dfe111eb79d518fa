//! What front ends and the engine say to each other.
//!
//! # In this crate
//! - `failure`: how a command ends badly: one sentence, one hint, one exit code
//! - `kinds`: kinds of errors as numbers and words
//!
//! # Not in this crate
//! Behaviour. Whatever answers a request is in `engine`, whatever shows the answer in a front end.
//!
//! # Invariants
//! - Nothing here is named by a text that another person chose: conversations, members, messages,
//!   invites, transfers and rooms have ids.

mod failure;
mod kinds;

pub use self::failure::{Failure, kind_of};
pub use self::kinds::{KINDS, code_of};

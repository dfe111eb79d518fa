//! Drives one profile: its messenger over the routes, its vault, its files, its rooms; and the
//! daemon that shares it.
//!
//! # In this crate
//! - `profile`: [`Engines`], by which front ends open profiles; `daemon`, `on_demand`: one profile
//!   for several front ends
//! - `run`: the loop; `core`: one transaction, events, names; `calls`: which part answers what
//! - `carriers`, `near`, `rooms`, `disk`: the parts, each with its own state; `clock`: local time
//! - `conversations`, `people`, `bundle`, `settings`: what is asked of them
//! - [`Session`]: one open room without a profile
//!
//! # Not in this crate
//! Command lines, terminals and screens: passphrases and Tor's settings come in through
//! [`Surroundings`]. Protocol decisions: `messenger`. Sockets: `routes` and `net`.
//!
//! # Invariants
//! - What the messenger wants done is done after the transaction that it came from, never before.
//! - A request that nothing answers does not compile ([`api::Call`] is matched without a rest).
//! - Nothing is found by a name that somebody else chose, except through [`api::Resolve`], which
//!   refuses what could mean two things.

mod bundle;
mod calls;
mod carriers;
mod clock;
mod conversations;
mod core;
mod daemon;
mod disk;
mod files;
mod id;
mod near;
mod on_demand;
mod people;
mod profile;
mod refuse;
mod rooms;
mod run;
mod session;
mod settings;
mod views;
mod words;

pub use self::profile::{Engines, PassphraseFor, Surroundings, TorSetup};
pub use self::session::{JoinAs, Session, SessionOptions};

//! Whole networks of real processes: each role runs the program by itself, on a free port of
//! 127.0.0.1, or on a machine of its own ([`Settings::lab`]).
//!
//! Tests wait for what the program says, never for time. Everything is killed when its handle is
//! dropped.

#![allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    reason = "each test file uses its own part of this"
)]

mod chat;
mod hosts;
mod lines;
mod machine;
pub mod online;
mod process;
pub mod proxy;
mod role;
mod rpc;
mod table;
mod world;

use std::time::Duration;

pub use self::chat::{Chat, they_talk};
pub use self::lines::Lines;
pub use self::machine::Machine;
pub use self::process::{Finished, Process, hushwing, run, run_with_input};
pub use self::role::Role;
pub use self::rpc::Rpc;
pub use self::table::{Table, Talker};
pub use self::world::{Settings, World, free_port};

/// A number from the environment.
#[allow(clippy::disallowed_methods, reason = "a test takes its length and seed from outside")]
pub fn given(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(otherwise)
}

/// Longest wait for something that normally takes well under a second.
pub const SOON: Duration = Duration::from_secs(60);
/// Longest wait for the long stories.
pub const LONG: Duration = Duration::from_secs(240);

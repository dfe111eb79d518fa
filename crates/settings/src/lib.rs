//! Values that command lines and settings files share.
//!
//! # In this crate
//! - [`CoverArg`], [`RouteArg`], [`ShapingArgs`], [`NetworkArgs`], …: what several commands take,
//!   and what it becomes in the crates below
//! - [`ProfileArgs`], [`On`], [`CreateArgs`]: which profile a command is for, and whether it may
//!   create one
//! - [`tor`]: Tor as a person sets it up: options, a settings file, progress while it starts
//! - [`passphrase`]: passphrases from the environment, the terminal or stdin
//! - [`room_place`], [`nick`], [`client_key`]: what a person was given or types, checked, with a
//!   hint if it is invalid
//! - [`scratch`], [`small_runtime`], [`stopped`]: what every command needs from its process
//!
//! # Not in this crate
//! Arguments of one command, which are beside its `run`. Settings of a profile: `vault`; settings
//! files of nodes: `server`. The engine, which gets what it needs from here as parameters.
//!
//! # Invariants
//! - Every error is an [`api::Failure`] with a hint that names the option or the file.
//! - A passphrase is never an argument, and its text is erased when it is dropped.

mod client_key;
mod link;
pub mod passphrase;
mod process;
mod profile;
mod stop;
pub mod tor;
mod values;

pub use self::client_key::client_key;
pub use self::link::{nick, no_room_link, room_place};
pub use self::process::{no_threads, scratch, small_runtime};
pub use self::profile::{
    CreateArgs, CreatePolicy, ListArgs, On, PatienceArgs, ProfileArgs, duration,
};
pub use self::stop::stopped;
pub use self::tor::TorArgs;
pub use self::values::{
    CoverArg, EntryArg, NetworkArgs, RouteArg, SandboxArg, ShapingArgs, SizesArg, SpanArg,
};

//! Confinement of a process, and control over the traces it leaves.
//!
//! # In this crate
//! - [`Policy`], [`enter`]: which files, ports and programs the process may still reach; landlock
//!   and seccomp enforce it
//! - [`Confined`]: what the kernel actually enforces
//! - [`harden`], [`keep_files_private`]: no core dump, no debugger, no file that others can read
//! - [`raise_file_limit`]: as many connections as the system allows
//! - [`Scratch`]: a private temporary directory that does not outlive its owner, nor its owner's
//!   crash
//! - [`StateDir`]: a private directory for small files, such as keys
//!
//! # Not in this crate
//! Which role needs what: that is with the roles. Containers and units: `packaging/`.
//!
//! # Invariants
//! - A kernel without landlock or seccomp is reported, but is not an error. Callers that insist
//!   check [`Confined::missing`].
//! - Rights that were taken away never come back, not even to the process itself.
//! - A sweep removes only directories that belong to this user, have the right name, are not links,
//!   and have no living owner.
//!
//! # Threads
//! Landlock confines the thread that calls [`enter`] and those that it starts afterwards. So enter
//! before the runtime is built. Seccomp is set for all threads at once.

mod confined;
mod error;
#[cfg(target_os = "linux")]
mod paths;
mod policy;
mod process;
mod scratch;
mod state;

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod calls;

pub use confined::{Confined, Missing, enter};
pub use error::Error;
pub use policy::{Network, Policy};
pub use process::{harden, keep_files_private, raise_file_limit};
pub use scratch::{PREFIX, Scratch};
pub use state::{Lock, StateDir, owner_only};

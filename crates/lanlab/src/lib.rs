//! LANs made of network namespaces, for tests on Linux as root. Development only.
//!
//! # In this crate
//! - [`Lab`]: machines on one bridge, or in a line; cables that can be pulled
//! - [`Node`]: one machine: runs programs, loses or delays packets, drops what a firewall would
//! - [`Internet`]: public machines, and homes behind routers of several kinds
//! - [`Disk`]: a disk that a test can fill
//! - [`Capture`]: what went over a machine's wire
//! - [`available`]: whether this machine can do it
//!
//! # Not in this crate
//! The program's own LAN code (`net::lan`), or anything else that ships.
//!
//! # Invariants
//! - The machine's own network is neither touched nor reachable: all interfaces are made inside
//!   namespaces, and there is no default route.
//! - Everything is removed when the [`Lab`] is dropped, including processes inside. The next test
//!   removes what a killed test left.
//! - Every failure panics and says what failed, since this is for tests.

mod capture;
mod disk;
mod internet;
mod lab;
mod node;
mod run;

pub use capture::Capture;
pub use disk::Disk;
pub use internet::{Home, Internet, Nat};
pub use lab::{Lab, available};
pub use node::Node;

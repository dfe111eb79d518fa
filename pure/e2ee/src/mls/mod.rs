//! Private conversations: MLS (RFC 9420) groups, of two or of many, over boxes.
//!
//! - [`Charter`]: what all members agree on: the deciding hub, the floor, the title
//! - [`MemberSecret`], [`MemberCard`]: one member: signing key, streams, name
//! - [`Group`]: encrypt, decrypt, commit, apply, and the secrets that each epoch exports
//! - [`Welcomed`]: a welcome that was checked, before anything of it is kept
//! - [`Decision`]: the box that says which commit comes next
//! - [`KeyValue`]: where the MLS library keeps its state

mod charter;
mod decision;
mod group;
mod key_package;
mod member;
mod provider;
mod rules;
mod storage;
#[cfg(test)]
mod tests;
mod welcome;

pub use charter::{Charter, MAX_TITLE_CHARS};
pub use decision::{DECIDE_CONTEXT, Decision};
pub use group::{Applied, Changes, Committed, Decrypted, Group, Member, PAST_EPOCHS};
#[cfg(feature = "hostile")]
pub use key_package::key_package_showing;
pub use key_package::{Invited, forget, key_package};
pub use member::{MemberCard, MemberSecret};
pub use provider::Mls;
pub use storage::{KeyValue, StorageError};
pub use welcome::Welcomed;

/// The only ciphersuite: X-Wing (X25519 and ML-KEM-768), ChaCha20-Poly1305, SHA-256, Ed25519
/// (`DIRECT-001`).
pub(crate) const SUITE: openmls::prelude::Ciphersuite =
    openmls::prelude::Ciphersuite::MLS_256_XWING_CHACHA20POLY1305_SHA256_Ed25519;

/// Most members of a group.
pub const MAX_MEMBERS: usize = 100;
/// Longest MLS message that is parsed, bytes. A welcome with the tree of the largest group fits.
pub const MAX_MESSAGE: usize = 1 << 20;

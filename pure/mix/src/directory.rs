//! The network document: who may sign it, what makes it good, how it comes together.

mod assembler;
mod authority;
pub mod consensus;
mod descriptor;
mod keeper;
mod layers;
mod ledger;
mod reports;
pub mod sealed;

pub use self::assembler::{Assembler, AssemblerConfig, Ballot, Presence};
pub use self::authority::{
    AuthorityKey, VerifiedDocument, authority_set, document_hash, network_id, sign_document,
    token_hash, verify,
};
pub use self::descriptor::{sign_descriptor, verify_descriptor};
pub use self::keeper::{Accepted, DocumentKeeper, SKEW_MS};
pub use self::layers::layers;
pub use self::reports::Accused;
pub use self::sealed::{EnrolledKey, EnrolmentKey};

//! The network document: who may sign it, what makes it good, how it comes together.

mod assembler;
mod authority;
mod descriptor;
mod keeper;
mod layers;
pub mod sealed;

pub use self::assembler::{Assembler, AssemblerConfig};
pub use self::authority::{
    AuthorityKey, VerifiedDocument, authority_set, document_hash, network_id, sign_document, verify,
};
pub use self::descriptor::{sign_descriptor, verify_descriptor};
pub use self::keeper::{Accepted, DocumentKeeper, SKEW_MS};
pub use self::layers::layers;
pub use self::sealed::{EnrolledKey, EnrolmentKey};

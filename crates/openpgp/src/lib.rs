//! OpenPGP: keys, clear-signed statements, and what is refused.
//!
//! A contact is bound to an OpenPGP key by a statement that the key has signed. What is signed is
//! [`e2ee::identity_statement`]; what a binding means is said in `docs/spec/direct.md`.
//!
//! # In this crate
//! - [`verify`]: whether a key has signed a contact's statement
//! - [`sign`], [`generate`], [`armoured`]: a key of one's own
//!
//! # Not in this crate
//! Which contact is bound to which key: `messenger`. Passphrases come in as parameters.
//!
//! # Invariants
//! - Nothing is accepted that names no contact: another text, one's own statement given back, a
//!   statement of another conversation, a key that is revoked, expired or too weak.
//! - Without the feature `pgp` everything is refused, and nothing else changes.

#[cfg(feature = "pgp")]
mod certificate;
#[cfg(feature = "pgp")]
mod signing;
#[cfg(all(test, feature = "pgp"))]
mod tests;

use wire::ErrorKind;
use zeroize::Zeroizing;

#[cfg(feature = "pgp")]
pub use self::signing::{armoured, generate, sign, verify};

/// Longest signed statement, bytes.
pub const MAX_SIGNED: usize = 64 << 10;
/// Longest certificate or secret key, bytes.
pub const MAX_KEY: usize = 512 << 10;

/// Why a key or a signature is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The feature `pgp` is off.
    #[error("this build has no OpenPGP")]
    NotBuilt,
    /// The system's time is before 1970 or after 2106.
    #[error("this machine's clock is wrong")]
    Clock,
    /// Not one certificate.
    #[error("this {0}")]
    BadKey(&'static str),
    /// A secret key where a public one is wanted.
    #[error("this is a secret key, not a public one")]
    SecretKey,
    /// A certificate that is worth nothing now.
    #[error("the OpenPGP key {0}")]
    Unusable(&'static str),
    /// Not a clear-signed text.
    #[error("this is not a clear-signed text")]
    NotSigned,
    /// The given key's signature does not verify.
    #[error(
        "the signature is bad: the text was altered, or the signature is forged, expired, or uses a hash that can be forged"
    )]
    BadSignature,
    /// Another key has signed.
    #[error(
        "the signature is by another key than the one given, or by a part of it that may not sign"
    )]
    OtherKey,
    /// One's own statement, signed by somebody else.
    #[error("this is your own statement, given back")]
    OwnStatement,
    /// A statement of another contact or conversation.
    #[error("the signature is good, but the statement is not this contact's in this conversation")]
    OtherStatement,
    /// Some other text.
    #[error("the signature is good, but the text is not an identity statement")]
    NotAStatement,
    /// Not a secret key that signs.
    #[error("the file {0}")]
    BadSecretKey(&'static str),
    /// The passphrase does not unlock the key.
    #[error("wrong passphrase, or the file holds only a part of the key")]
    WrongPassphrase,
    /// The passphrase could not be asked for.
    #[error("{0}")]
    NoPassphrase(String),
    /// Not a user id.
    #[error("a user id has 1 to 256 bytes on one line")]
    BadUserId,
    /// A step that cannot fail did.
    #[error("{0}")]
    Bug(&'static str),
}

impl Error {
    /// Whose fault it is.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Error::NotBuilt => ErrorKind::Unsupported,
            Error::BadSignature
            | Error::OtherKey
            | Error::OwnStatement
            | Error::OtherStatement
            | Error::NotAStatement => ErrorKind::PeerMisbehaved,
            Error::Bug(_) => ErrorKind::Bug,
            _ => ErrorKind::LocalConfig,
        }
    }
}

/// Whose signature was good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signer {
    /// Fingerprint of the primary key: upper-case hexadecimal digits.
    pub fingerprint: String,
    /// What the key's holder says who they are, made harmless.
    pub user_ids: Vec<String>,
}

/// A new OpenPGP key, armoured.
pub struct NewKey {
    /// Fingerprint of the primary key: upper-case hexadecimal digits.
    pub fingerprint: String,
    /// The secret half, for its holder alone.
    pub secret: Zeroizing<String>,
    /// The public half.
    pub public: String,
}

#[cfg(not(feature = "pgp"))]
mod absent {
    #![allow(missing_docs, reason = "the same names with the feature say it")]

    use zeroize::Zeroizing;

    use crate::{Error, NewKey, Signer};

    pub fn armoured(_certificate: &[u8]) -> Result<String, Error> {
        Err(Error::NotBuilt)
    }

    pub fn generate(_user_id: &str, _passphrase: Option<&str>) -> Result<NewKey, Error> {
        Err(Error::NotBuilt)
    }

    pub fn sign(
        _statement: &str,
        _secret: &[u8],
        _passphrase: impl FnMut() -> Result<Zeroizing<String>, Error>,
    ) -> Result<String, Error> {
        Err(Error::NotBuilt)
    }

    pub fn verify(
        _signed: &str,
        _certificate: &str,
        _theirs: &str,
        _ours: &str,
    ) -> Result<Signer, Error> {
        Err(Error::NotBuilt)
    }
}

#[cfg(not(feature = "pgp"))]
pub use self::absent::{armoured, generate, sign, verify};

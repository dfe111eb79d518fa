//! Binding a contact to an OpenPGP key: keys, signatures, and what is refused. Compiled in by the
//! feature `pgp`.
//!
//! What is signed is [`e2ee::identity_statement`]; what a binding means is said in
//! `docs/spec/direct.md`.

#[cfg(feature = "pgp")]
mod certificate;
#[cfg(feature = "pgp")]
mod signing;
#[cfg(all(test, feature = "pgp"))]
mod tests;

use zeroize::Zeroizing;

#[cfg(feature = "pgp")]
pub use self::signing::{armoured, generate, sign, verify};
use super::client::Refusal;

/// Longest signed statement, bytes.
pub const MAX_SIGNED: usize = 64 << 10;
/// Longest certificate or secret key, bytes.
pub const MAX_KEY: usize = 512 << 10;

/// Whose signature was good.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(not(feature = "pgp"), allow(dead_code, reason = "made by the feature only"))]
pub struct Signer {
    /// Fingerprint of the primary key: upper-case hexadecimal digits.
    pub fingerprint: String,
    /// What the key's holder says who they are, made harmless.
    pub user_ids: Vec<String>,
}

/// A new OpenPGP key, armoured.
#[cfg_attr(not(feature = "pgp"), allow(dead_code, reason = "made by the feature only"))]
pub struct NewKey {
    /// Fingerprint of the primary key: upper-case hexadecimal digits.
    pub fingerprint: String,
    /// For its holder alone.
    pub secret: Zeroizing<String>,
    /// For everybody.
    pub public: String,
}

#[cfg(not(feature = "pgp"))]
mod absent {
    use super::{NewKey, Refusal, Signer};
    use crate::exit::Failure;
    use wire::ErrorKind;
    use zeroize::Zeroizing;

    fn none() -> Refusal {
        let hint = "build it with --features pgp; `hushwing identity statement` works, and gpg can sign and check what it prints";
        Refusal::new(ErrorKind::Unsupported, "this build has no OpenPGP", hint)
    }

    pub fn armoured(_certificate: &[u8]) -> Result<String, Refusal> {
        Err(none())
    }

    pub fn generate(_user_id: &str, _passphrase: Option<&str>) -> Result<NewKey, Refusal> {
        Err(none())
    }

    pub fn sign(
        _statement: &str,
        _secret: &[u8],
        _passphrase: impl FnMut() -> Result<Zeroizing<String>, Failure>,
    ) -> Result<String, Failure> {
        Err(none().into())
    }

    pub fn verify(
        _signed: &str,
        _certificate: &str,
        _theirs: &str,
        _ours: &str,
    ) -> Result<Signer, Refusal> {
        Err(none())
    }
}

#[cfg(not(feature = "pgp"))]
pub use self::absent::{armoured, generate, sign, verify};

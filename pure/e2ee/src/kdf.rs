//! Key derivation of open rooms.

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::{Error, Secret};

/// HKDF salt of every derivation in open rooms.
const SALT: &[u8] = b"hushwing room v1";

/// HKDF-SHA-256 (RFC 5869) with salt `hushwing room v1` and info `label | 00 | context`.
///
/// No label holds a zero byte, and each label's context has a fixed length. So no two different
/// derivations have the same info (`ROOM-003`).
pub(crate) fn derive(secret: &[u8; 32], label: &str, context: &[u8]) -> Result<Secret, Error> {
    let mut out = Zeroizing::new([0; 32]);
    Hkdf::<Sha256>::new(Some(SALT), secret)
        .expand_multi_info(&[label.as_bytes(), &[0], context], out.as_mut_slice())
        .map_err(|_| Error::Internal)?;
    Ok(Secret::new(*out))
}

#[cfg(test)]
mod tests {
    use super::*;

    //= ROOM-003
    #[test]
    fn label_context_and_secret_all_matter() {
        let base = derive(&[1; 32], "chain", &[1]).unwrap();
        for other in [
            derive(&[2; 32], "chain", &[1]),
            derive(&[1; 32], "door", &[1]),
            derive(&[1; 32], "chain", &[2]),
        ] {
            assert_ne!(base, other.unwrap());
        }
        assert_eq!(base, derive(&[1; 32], "chain", &[1]).unwrap());
    }
}

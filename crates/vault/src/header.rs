//! How a vault's random key is wrapped by what a person knows or holds: `vault.key.toml`, and the
//! same in a backup.
//!
//! The wrap is AES-256-GCM-SIV (RFC 8452) under Argon2id (RFC 9106) of the passphrase, or under the
//! key file; its tag tells a wrong passphrase. The nonce is random; the additional data names the
//! purpose and all parameters.

use std::path::Path;

use aes_gcm_siv::aead::{Aead, Payload};
use aes_gcm_siv::{Aes256GcmSiv, KeyInit, Nonce};
use argon2::{Algorithm, Argon2, Params, Version};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::locked::{KEY_LEN, LockedKey};
use crate::{Error, files, random};

/// Name of the file beside the vault.
pub(crate) const HEADER_FILE: &str = "vault.key.toml";
const WHAT: &str = "key header";
const VERSION: u32 = 1;
const MAX_HEADER: usize = 4096;

/// Bytes of a wrapped key: the key and the tag.
pub(crate) const WRAPPED_LEN: usize = KEY_LEN + 16;
/// Bytes of the nonce of a wrap.
pub(crate) const NONCE_LEN: usize = 12;
/// Bytes of the salt of Argon2id.
pub(crate) const SALT_LEN: usize = 16;

/// Parameters of Argon2id. Read ones are within bounds: 8 KiB to 1 GiB, up to 16 passes, up to 8
/// lanes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cost {
    /// Memory, KiB.
    pub(crate) m_kib: u32,
    /// Passes.
    pub(crate) t: u32,
    /// Lanes.
    pub(crate) p: u32,
}

impl Cost {
    /// What new wraps use: RFC 9106's second recommended choice, on one lane.
    pub(crate) const NEW: Cost = Cost { m_kib: 64 * 1024, t: 3, p: 1 };

    fn is_sane(self) -> bool {
        (1..=8).contains(&self.p)
            && (1..=16).contains(&self.t)
            && (8 * self.p..=1024 * 1024).contains(&self.m_kib)
    }

    /// The key of a passphrase; [`Error::Damaged`] when the parameters are out of bounds.
    pub(crate) fn derive(
        self,
        passphrase: &str,
        salt: &[u8; SALT_LEN],
        what: &'static str,
    ) -> Result<LockedKey, Error> {
        if passphrase.is_empty() {
            return Err(Error::EmptyPassphrase);
        }
        if !self.is_sane() {
            return Err(Error::Damaged(what));
        }
        let params = Params::new(self.m_kib, self.t, self.p, Some(KEY_LEN))
            .map_err(|_| Error::Bug("parameters of Argon2id"))?;
        let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        LockedKey::new(|key| {
            argon
                .hash_password_into(passphrase.as_bytes(), salt, key)
                .map_err(|_| Error::Bug("Argon2id"))
        })
    }
}

/// Wraps `key` under `by`.
pub(crate) fn wrap(
    by: &LockedKey,
    nonce: &[u8; NONCE_LEN],
    about: &[u8],
    key: &LockedKey,
) -> Result<Vec<u8>, Error> {
    Aes256GcmSiv::new(by.bytes().into())
        .encrypt(&Nonce::from(*nonce), Payload { msg: key.bytes(), aad: about })
        .map_err(|_| Error::Bug("wrapping a key"))
}

/// The key in a wrap; `None` when `by` is another key or anything was changed.
pub(crate) fn unwrap(
    by: &LockedKey,
    nonce: &[u8; NONCE_LEN],
    about: &[u8],
    wrapped: &[u8; WRAPPED_LEN],
) -> Result<Option<LockedKey>, Error> {
    let cipher = Aes256GcmSiv::new(by.bytes().into());
    match cipher
        .decrypt(&Nonce::from(*nonce), Payload { msg: wrapped, aad: about })
        .map(Zeroizing::new)
    {
        Ok(plain) => LockedKey::new(|key| {
            let plain: &[u8; KEY_LEN] =
                plain.as_slice().try_into().map_err(|_| Error::Bug("length of a key"))?;
            key.copy_from_slice(plain);
            Ok(())
        })
        .map(Some),
        Err(_) => Ok(None),
    }
}

/// The parsed `vault.key.toml`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) by: WrappedBy,
    nonce: [u8; NONCE_LEN],
    wrapped: [u8; WRAPPED_LEN],
}

/// What the key is wrapped by.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum WrappedBy {
    /// A passphrase.
    Passphrase { cost: Cost, salt: [u8; SALT_LEN] },
    /// The key file.
    File,
}

impl WrappedBy {
    fn about(&self) -> Vec<u8> {
        let mut about = b"hushwing-vault-key 1 ".to_vec();
        match self {
            WrappedBy::Passphrase { cost, salt } => {
                about.extend_from_slice(b"argon2id");
                for n in [cost.m_kib, cost.t, cost.p] {
                    about.extend_from_slice(&n.to_be_bytes());
                }
                about.extend_from_slice(salt);
            }
            WrappedBy::File => about.extend_from_slice(b"file"),
        }
        about
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeaderToml {
    version: u32,
    kdf: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    salt: Option<String>,
    nonce: String,
    wrapped: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    argon2id: Option<Cost>,
}

impl Header {
    /// `key` wrapped by `with`, which is what `by` says.
    pub(crate) fn seal(by: WrappedBy, with: &LockedKey, key: &LockedKey) -> Result<Header, Error> {
        let mut nonce = [0; NONCE_LEN];
        random::fill(&mut nonce)?;
        let wrapped = wrap(with, &nonce, &by.about(), key)?;
        let wrapped = wrapped.as_slice().try_into().map_err(|_| Error::Bug("length of a wrap"))?;
        Ok(Header { by, nonce, wrapped })
    }

    /// The key; `None` when `with` is another.
    pub(crate) fn open(&self, with: &LockedKey) -> Result<Option<LockedKey>, Error> {
        unwrap(with, &self.nonce, &self.by.about(), &self.wrapped)
    }

    /// Reads the header of the vault in `dir`.
    pub(crate) fn read(dir: &Path) -> Result<Header, Error> {
        let bytes = files::read(&dir.join(HEADER_FILE), MAX_HEADER, WHAT)?;
        std::str::from_utf8(&bytes).map_err(|_| Error::Damaged(WHAT)).and_then(Header::parse)
    }

    /// Writes the header at once.
    pub(crate) fn write(&self, dir: &Path) -> Result<(), Error> {
        files::replace(&dir.join(HEADER_FILE), self.to_toml()?.as_bytes(), WHAT)
    }

    fn parse(text: &str) -> Result<Header, Error> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let Versioned { version } = toml::from_str(text).map_err(|_| Error::Damaged(WHAT))?;
        if version > VERSION {
            return Err(Error::Newer { what: WHAT, found: version, known: VERSION });
        }
        let raw: HeaderToml = toml::from_str(text).map_err(|_| Error::Damaged(WHAT))?;
        let by = match (raw.kdf.as_str(), raw.salt, raw.argon2id) {
            ("argon2id", Some(salt), Some(cost)) if cost.is_sane() => {
                WrappedBy::Passphrase { cost, salt: unhex(&salt)? }
            }
            ("file", None, None) => WrappedBy::File,
            _ => return Err(Error::Damaged(WHAT)),
        };
        Ok(Header { by, nonce: unhex(&raw.nonce)?, wrapped: unhex(&raw.wrapped)? })
    }

    fn to_toml(&self) -> Result<String, Error> {
        let (kdf, salt, argon2id) = match self.by {
            WrappedBy::Passphrase { cost, salt } => {
                ("argon2id", Some(HEXLOWER.encode(&salt)), Some(cost))
            }
            WrappedBy::File => ("file", None, None),
        };
        let raw = HeaderToml {
            version: VERSION,
            kdf: kdf.to_owned(),
            salt,
            nonce: HEXLOWER.encode(&self.nonce),
            wrapped: HEXLOWER.encode(&self.wrapped),
            argon2id,
        };
        let body = toml::to_string(&raw).map_err(|_| Error::Bug("writing the key header"))?;
        Ok(format!(
            "# The key of vault.db, wrapped. Without this file nothing opens the vault.\n{body}"
        ))
    }
}

fn unhex<const N: usize>(text: &str) -> Result<[u8; N], Error> {
    let bytes = HEXLOWER.decode(text.as_bytes()).map_err(|_| Error::Damaged(WHAT))?;
    bytes.as_slice().try_into().map_err(|_| Error::Damaged(WHAT))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> LockedKey {
        LockedKey::new(|k| {
            k.fill(byte);
            Ok(())
        })
        .unwrap()
    }

    #[test]
    fn a_header_survives_its_text_and_binds_its_parameters() {
        let by = WrappedBy::Passphrase { cost: Cost { m_kib: 64, t: 1, p: 1 }, salt: [7; 16] };
        let header = Header::seal(by, &key(1), &key(2)).unwrap();
        let text = header.to_toml().unwrap();
        let back = Header::parse(&text).unwrap();
        assert!(back == header);
        assert_eq!(back.open(&key(1)).unwrap().unwrap().bytes(), &[2; 32]);
        assert!(back.open(&key(3)).unwrap().is_none());
        let cheaper = Header::parse(&text.replace("t = 1", "t = 2")).unwrap();
        assert!(cheaper.open(&key(1)).unwrap().is_none(), "the parameters are bound");
    }

    #[test]
    fn a_header_that_asks_for_too_much_or_is_newer_is_refused() {
        let by = WrappedBy::Passphrase { cost: Cost::NEW, salt: [7; 16] };
        let text = Header::seal(by, &key(1), &key(2)).unwrap().to_toml().unwrap();
        for (from, to) in [
            ("m_kib = 65536", "m_kib = 4294967295"),
            ("m_kib = 65536", "m_kib = 1"),
            ("t = 3", "t = 1000000"),
            ("p = 1", "p = 0"),
            ("kdf = \"argon2id\"", "kdf = \"md5\""),
            ("kdf = \"argon2id\"", "kdf = \"file\""),
            ("version = 1", "version = 1\nextra = 1"),
            ("nonce = \"", "nonce = \"00"),
        ] {
            assert!(text.contains(from));
            assert!(
                matches!(Header::parse(&text.replace(from, to)), Err(Error::Damaged(_))),
                "{to}"
            );
        }
        let newer = text.replace("version = 1", "version = 2\nmore = true");
        assert!(matches!(Header::parse(&newer), Err(Error::Newer { found: 2, known: 1, .. })));
        assert!(matches!(Header::parse(""), Err(Error::Damaged(_))));
    }
}

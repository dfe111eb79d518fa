//! What an OpenPGP certificate is worth at this moment. The crate reads packets and checks
//! signatures; which of them count is decided here: a key speaks for itself as long as it is
//! neither revoked nor expired, by hashes that nobody forges.

use pgp::composed::{Deserializable, SignedPublicKey, SignedPublicSubKey};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{PublicKey, PublicSubkey, Signature, SignatureType, SubpacketData};
use pgp::ser::Serialize;
use pgp::types::{Duration, KeyDetails, KeyVersion, PublicParams, Tag, Timestamp};

use crate::{Error, MAX_KEY};

/// Clocks differ: a signature may come from so much ahead, s.
const SKEW_S: u32 = 3_600;
/// Signatures of one key that are looked at. Keys with many friends hold thousands of others'
/// signatures.
const MAX_SIGNATURES: usize = 4_096;
/// Names, subkeys and signatures by which a key speaks for itself, that are looked at.
const MAX_PARTS: usize = 64;
/// Shortest written form of an RSA key of 2,048 bits, bytes.
const RSA_2048: usize = 2 + 256 + 2 + 1;

/// A certificate, as of one moment.
pub(crate) struct Certificate {
    key: SignedPublicKey,
    now: Timestamp,
    user_ids: Vec<String>,
    /// The newest signature by which the key says what it is for.
    governing: Signature,
}

/// A key of a certificate that may sign.
pub(crate) enum Signing<'a> {
    Primary(&'a PublicKey),
    Sub(&'a PublicSubkey),
}

const fn unusable(why: &'static str) -> Error {
    Error::Unusable(why)
}

impl Certificate {
    /// Reads one certificate, armoured or not, and checks its own signatures.
    pub(crate) fn read(bytes: &[u8], now: Timestamp) -> Result<Self, Error> {
        if bytes.len() > MAX_KEY {
            return Err(Error::BadKey("is too long for an OpenPGP key"));
        }
        if String::from_utf8_lossy(bytes).contains("BEGIN PGP PRIVATE KEY BLOCK") {
            return Err(Error::SecretKey);
        }
        let none = |_| Error::BadKey("is not an OpenPGP key");
        let (mut all, _) = SignedPublicKey::from_reader_many(bytes).map_err(none)?;
        let key = all.next().ok_or(Error::BadKey("is not an OpenPGP key"))?.map_err(none)?;
        if all.next().is_some() {
            return Err(Error::BadKey("holds more than one OpenPGP key"));
        }
        Certificate::of(key, now)
    }

    /// Checks what a key says of itself.
    pub(crate) fn of(mut key: SignedPublicKey, now: Timestamp) -> Result<Self, Error> {
        trim(&mut key)?;
        let primary = &key.primary_key;
        if !matches!(primary.version(), KeyVersion::V4 | KeyVersion::V6)
            || is_weak(primary.public_params())
        {
            return Err(unusable("is of a kind that is too weak today"));
        }
        // A revocation counts whenever it was made, and by whatever hash.
        if key.details.revocation_signatures.iter().any(|s| s.verify_key(primary).is_ok()) {
            return Err(unusable("is revoked"));
        }
        let direct = key.details.direct_signatures.iter();
        let direct = newest(direct.filter(|s| counts(s, now) && s.verify_key(primary).is_ok()));
        let mut governing = direct.cloned();
        let mut user_ids = Vec::new();
        for user in &key.details.users {
            let own =
                |s: &&Signature| s.verify_certification(primary, Tag::UserId, &user.id).is_ok();
            let revoking = |s: &&Signature| s.typ() == Some(SignatureType::CertRevocation);
            let revoked = newest(user.signatures.iter().filter(|s| revoking(s) && own(s)));
            let Some(by) =
                newest(user.signatures.iter().filter(|s| !revoking(s) && counts(s, now) && own(s)))
            else {
                continue;
            };
            if revoked.is_some_and(|r| r.created() >= by.created()) {
                continue;
            }
            user_ids.push(readable(user.id.id()));
            if governing.as_ref().is_none_or(|g| g.created() < by.created()) {
                governing = Some(by.clone());
            }
        }
        let Some(governing) = governing else {
            return Err(unusable("does not say by a good signature whose it is"));
        };
        if over(primary.created_at(), governing.key_expiration_time(), now) {
            return Err(unusable("has expired"));
        }
        Ok(Certificate { now, user_ids, governing, key })
    }

    /// Fingerprint of the primary key.
    pub(crate) fn fingerprint(&self) -> String {
        format!("{:X}", self.key.primary_key.fingerprint())
    }

    /// What the key's holder says who they are.
    pub(crate) fn user_ids(&self) -> &[String] {
        &self.user_ids
    }

    pub(crate) const fn now(&self) -> Timestamp {
        self.now
    }

    /// In armour.
    pub(crate) fn armoured(&self) -> Option<String> {
        self.key.to_armored_string(Default::default()).ok()
    }

    /// All keys that may sign now, the newest subkey first.
    pub(crate) fn signing(&self) -> Vec<Signing<'_>> {
        let mut subkeys: Vec<_> =
            self.key.public_subkeys.iter().filter(|s| self.may_sign(s)).map(|s| &s.key).collect();
        subkeys.sort_by_key(|s| std::cmp::Reverse(s.created_at().as_secs()));
        let mut all: Vec<_> = subkeys.into_iter().map(Signing::Sub).collect();
        // A key that says nothing of what it is for may do everything.
        if self.governing.key_flags().sign() || !has_flags(&self.governing) {
            all.push(Signing::Primary(&self.key.primary_key));
        }
        all
    }

    fn may_sign(&self, subkey: &SignedPublicSubKey) -> bool {
        let (primary, now) = (&self.key.primary_key, self.now);
        let own = |s: &&Signature| s.verify_subkey_binding(primary, &subkey.key).is_ok();
        let revoking = |s: &&Signature| s.typ() == Some(SignatureType::SubkeyRevocation);
        if is_weak(subkey.key.public_params())
            || subkey.signatures.iter().any(|s| revoking(&s) && own(&s))
        {
            return false;
        }
        let by =
            newest(subkey.signatures.iter().filter(|s| !revoking(s) && counts(s, now) && own(s)));
        let Some(by) = by.filter(|by| by.key_flags().sign()) else { return false };
        // Without a signature by the subkey itself anybody could adopt somebody else's.
        let adopted = by.embedded_signature().is_some_and(|back| {
            counts(back, now) && back.verify_primary_key_binding(&subkey.key, primary).is_ok()
        });
        adopted && !over(subkey.key.created_at(), by.key_expiration_time(), now)
    }
}

impl Signing<'_> {
    pub(crate) fn key(&self) -> &dyn KeyDetails {
        match self {
            Signing::Primary(key) => *key,
            Signing::Sub(key) => *key,
        }
    }

    /// Whether `signature` over `text` is by this key, and counts.
    pub(crate) fn has_signed(&self, signature: &Signature, text: &str, now: Timestamp) -> bool {
        let fits = match self {
            Signing::Primary(key) => signature.verify(key, text.as_bytes()).is_ok(),
            Signing::Sub(key) => signature.verify(key, text.as_bytes()).is_ok(),
        };
        let kind = matches!(signature.typ(), Some(SignatureType::Text | SignatureType::Binary));
        let after = signature.created().is_some_and(|at| at >= self.key().created_at());
        fits && kind && after && counts(signature, now)
    }
}

/// Leaves away what others say of the key, and refuses one that takes for ever to check.
fn trim(key: &mut SignedPublicKey) -> Result<(), Error> {
    let long = || unusable("has too many parts");
    let (id, fingerprint) = (key.primary_key.legacy_key_id(), key.primary_key.fingerprint());
    let details = &mut key.details;
    let signatures: usize = details.users.iter().map(|u| u.signatures.len()).sum();
    if signatures > MAX_SIGNATURES
        || details.users.len() > MAX_PARTS
        || key.public_subkeys.len() > MAX_PARTS
    {
        return Err(long());
    }
    let own = |s: &Signature| {
        let (ids, prints) = (s.issuer_key_id(), s.issuer_fingerprint());
        ids.is_empty() && prints.is_empty() || ids.contains(&&id) || prints.contains(&&fingerprint)
    };
    details.user_attributes.clear();
    details.revocation_signatures.retain(own);
    details.direct_signatures.retain(own);
    details.users.iter_mut().for_each(|u| u.signatures.retain(own));
    let users = details.users.iter().map(|u| &u.signatures);
    let subkeys = key.public_subkeys.iter().map(|s| &s.signatures);
    let parts =
        users.chain(subkeys).chain([&details.revocation_signatures, &details.direct_signatures]);
    if parts.clone().any(|p| p.len() > MAX_PARTS) { Err(long()) } else { Ok(()) }
}

fn newest<'a>(all: impl Iterator<Item = &'a Signature>) -> Option<&'a Signature> {
    all.max_by_key(|s| s.created().map_or(0, Timestamp::as_secs))
}

/// Whether a signature is of today's strength, from the past, not over, and holds no condition that
/// is unknown here.
fn counts(signature: &Signature, now: Timestamp) -> bool {
    use HashAlgorithm::{Sha3_256, Sha3_512, Sha256, Sha384, Sha512};
    let strong =
        matches!(signature.hash_alg(), Some(Sha256 | Sha384 | Sha512 | Sha3_256 | Sha3_512));
    let Some(created) = signature.created() else { return false };
    let past = created.as_secs() <= now.as_secs().saturating_add(SKEW_S);
    let conditions = signature.config().is_none_or(|config| {
        config
            .hashed_subpackets()
            .any(|s| s.is_critical && matches!(s.data, SubpacketData::Notation(_)))
    });
    strong && past && !conditions && !over(created, signature.signature_expiration_time(), now)
}

/// Whether a time that began at `from` has ended. None and 0: it never ends.
fn over(from: Timestamp, lasts: Option<Duration>, now: Timestamp) -> bool {
    let lasts = lasts.map_or(0, Duration::as_secs);
    lasts > 0 && u64::from(from.as_secs()) + u64::from(lasts) <= u64::from(now.as_secs())
}

fn has_flags(signature: &Signature) -> bool {
    let flags = |s: &pgp::packet::Subpacket| matches!(s.data, SubpacketData::KeyFlags(_));
    signature.config().is_some_and(|config| config.hashed_subpackets().any(flags))
}

fn is_weak(key: &PublicParams) -> bool {
    match key {
        PublicParams::RSA(rsa) => rsa.write_len() < RSA_2048,
        PublicParams::DSA(_) | PublicParams::Elgamal(_) | PublicParams::Unknown { .. } => true,
        _ => false,
    }
}

fn readable(user_id: &[u8]) -> String {
    let text: String = String::from_utf8_lossy(user_id).chars().take(256).collect();
    e2ee::sanitize(text.trim(), e2ee::Newlines::Fold)
}

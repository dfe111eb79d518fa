//! Clear-signed statements, and the keys that sign them.

use pgp::composed::{
    CleartextSignedMessage, Deserializable, EncryptionCaps, KeyType, SecretKeyParamsBuilder,
    SignedSecretKey, SubkeyParamsBuilder,
};
use pgp::crypto::ecc_curve::ECCCurve;
use pgp::crypto::hash::HashAlgorithm;
use pgp::crypto::sym::SymmetricKeyAlgorithm;
use pgp::types::{KeyDetails, KeyVersion, Password, SigningKey, Timestamp};
use rand_08::rngs::OsRng;
use zeroize::Zeroizing;

use crate::certificate::Certificate;
use crate::{Error, MAX_KEY, MAX_SIGNED, NewKey, Signer};

/// Signatures of one text that are looked at.
const MAX_SIGNATURES: usize = 16;
/// Longest user id, bytes.
const MAX_USER_ID: usize = 256;

fn now() -> Result<Timestamp, Error> {
    Timestamp::try_from(std::time::SystemTime::now()).map_err(|_| Error::Clock)
}

/// A public key in armour, whatever form it came in; refused as [`verify`] would.
///
/// # Errors
/// When it is none, or is worth nothing now.
pub fn armoured(certificate: &[u8]) -> Result<String, Error> {
    let written = Certificate::read(certificate, now()?)?.armoured();
    written.ok_or(Error::Bug("the key cannot be written"))
}

/// Checks that the key of `certificate` has signed the statement `theirs`, and nothing else.
///
/// # Errors
/// Another text (`ours`: our own one, given back), another key, a bad signature; a key that is
/// worth nothing now.
pub fn verify(signed: &str, certificate: &str, theirs: &str, ours: &str) -> Result<Signer, Error> {
    verify_at(signed, certificate.as_bytes(), theirs, ours, now()?)
}

pub(crate) fn verify_at(
    signed: &str,
    certificate: &[u8],
    theirs: &str,
    ours: &str,
    now: Timestamp,
) -> Result<Signer, Error> {
    if signed.len() > MAX_SIGNED {
        return Err(Error::NotSigned);
    }
    // All line ends are one to OpenPGP. The crate takes blank lines around the message for
    // something that follows it.
    let signed = signed.replace("\r\n", "\n");
    let (message, _) =
        CleartextSignedMessage::from_string(signed.trim()).map_err(|_| Error::NotSigned)?;
    let certificate = Certificate::read(certificate, now)?;
    is_signed(&message, &certificate)?;
    is_statement(&message.signed_text(), theirs, ours)?;
    Ok(Signer { fingerprint: certificate.fingerprint(), user_ids: certificate.user_ids().to_vec() })
}

fn is_signed(message: &CleartextSignedMessage, certificate: &Certificate) -> Result<(), Error> {
    let (text, signatures) = (message.signed_text(), message.signatures());
    let signatures = signatures.get(..MAX_SIGNATURES).unwrap_or(signatures);
    let keys = certificate.signing();
    if signatures.iter().any(|s| keys.iter().any(|k| k.has_signed(s, &text, certificate.now()))) {
        return Ok(());
    }
    let named = signatures.iter().any(|s| {
        let (ids, prints) = (s.issuer_key_id(), s.issuer_fingerprint());
        let is = |k: &dyn KeyDetails| {
            ids.contains(&&k.legacy_key_id()) || prints.contains(&&k.fingerprint())
        };
        keys.iter().any(|k| is(k.key()))
    });
    Err(if named { Error::BadSignature } else { Error::OtherKey })
}

fn is_statement(text: &str, theirs: &str, ours: &str) -> Result<(), Error> {
    let text = text.replace("\r\n", "\n");
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let title = |t: &str| t.lines().next().map(str::to_owned);
    match text {
        text if text == theirs => Ok(()),
        text if text == ours => Err(Error::OwnStatement),
        text if title(text) == title(theirs) => Err(Error::OtherStatement),
        _ => Err(Error::NotAStatement),
    }
}

/// Signs a statement with a secret key, armoured or not; `passphrase` is asked once, if the key is
/// locked.
///
/// # Errors
/// No key that may sign, a wrong passphrase.
pub fn sign(
    statement: &str,
    secret: &[u8],
    mut passphrase: impl FnMut() -> Result<Zeroizing<String>, Error>,
) -> Result<String, Error> {
    if secret.len() > MAX_KEY {
        return Err(Error::BadSecretKey("is too long for an OpenPGP key"));
    }
    let read = SignedSecretKey::from_reader_single(secret);
    let (key, _) = read.map_err(|_| Error::BadSecretKey("is not a secret OpenPGP key"))?;
    let certificate = Certificate::of(key.to_public_key(), now()?)?;
    let (mut asked, mut tried): (Option<Zeroizing<String>>, bool) = (None, false);
    for signing in certificate.signing() {
        let fingerprint = signing.key().fingerprint();
        let subkey =
            key.secret_subkeys.iter().map(|s| &s.key).find(|s| s.fingerprint() == fingerprint);
        let locked = match subkey {
            Some(subkey) => subkey.secret_params().is_encrypted(),
            None if key.primary_key.fingerprint() == fingerprint => {
                key.primary_key.secret_params().is_encrypted()
            }
            None => continue,
        };
        tried = true;
        let password = match (locked, &asked) {
            (false, _) => Password::empty(),
            (true, Some(known)) => Password::from(known.as_str()),
            (true, None) => {
                let text = passphrase()?;
                let password = Password::from(text.as_str());
                asked = Some(text);
                password
            }
        };
        let signed = match subkey {
            Some(subkey) => clear_sign(statement, subkey, &password),
            None => clear_sign(statement, &key.primary_key, &password),
        };
        // What we would not take from others is not given to them.
        if let Some((message, text)) = signed.filter(|(m, _)| is_signed(m, &certificate).is_ok()) {
            drop(message);
            return Ok(text);
        }
    }
    let error = match (tried, asked.is_some()) {
        (false, _) => Error::BadSecretKey("holds the secret part of no key that may sign"),
        (true, true) => Error::WrongPassphrase,
        (true, false) => Error::BadSecretKey("holds a key that does not sign"),
    };
    Err(error)
}

fn clear_sign(
    text: &str,
    key: &impl SigningKey,
    password: &Password,
) -> Option<(CleartextSignedMessage, String)> {
    let message = CleartextSignedMessage::sign(OsRng, text, key, password).ok()?;
    let text = message.to_armored_string(Default::default()).ok()?;
    Some((message, text))
}

/// A new key of the kind that every OpenPGP program of the last ten years reads: version 4, Ed25519
/// to sign, X25519 to decrypt.
///
/// # Errors
/// A user id that is none.
pub fn generate(user_id: &str, passphrase: Option<&str>) -> Result<NewKey, Error> {
    let user_id = user_id.trim();
    if user_id.is_empty() || user_id.len() > MAX_USER_ID || user_id.chars().any(char::is_control) {
        return Err(Error::BadUserId);
    }
    make(user_id, passphrase).ok_or(Error::Bug("the key cannot be made"))
}

fn make(user_id: &str, passphrase: Option<&str>) -> Option<NewKey> {
    let mut subkey = SubkeyParamsBuilder::default();
    subkey
        .version(KeyVersion::V4)
        .key_type(KeyType::ECDH(ECCCurve::Curve25519Legacy))
        .can_encrypt(EncryptionCaps::All)
        .passphrase(passphrase.map(str::to_owned));
    let mut key = SecretKeyParamsBuilder::default();
    key.version(KeyVersion::V4)
        .key_type(KeyType::Ed25519Legacy)
        .can_certify(true)
        .can_sign(true)
        .primary_user_id(user_id.to_owned())
        .passphrase(passphrase.map(str::to_owned))
        .preferred_symmetric_algorithms(
            [SymmetricKeyAlgorithm::AES256, SymmetricKeyAlgorithm::AES128].as_slice().into(),
        )
        .preferred_hash_algorithms([HashAlgorithm::Sha512, HashAlgorithm::Sha256].as_slice().into())
        .subkey(subkey.build().ok()?);
    let key = key.build().ok()?.generate(OsRng).ok()?;
    Some(NewKey {
        fingerprint: format!("{:X}", key.fingerprint()),
        secret: Zeroizing::new(key.to_armored_string(Default::default()).ok()?),
        public: key.to_public_key().to_armored_string(Default::default()).ok()?,
    })
}

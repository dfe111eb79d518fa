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
use wire::ErrorKind;
use zeroize::Zeroizing;

use super::certificate::Certificate;
use super::{MAX_KEY, MAX_SIGNED, NewKey, Refusal, Signer};
use crate::exit::Failure;

/// Signatures of one text that are looked at.
const MAX_SIGNATURES: usize = 16;
/// Longest user id, bytes.
const MAX_USER_ID: usize = 256;

fn now() -> Result<Timestamp, Refusal> {
    let bad =
        |_| Refusal::new(ErrorKind::LocalConfig, "this machine's clock is wrong", "set the clock");
    Timestamp::try_from(std::time::SystemTime::now()).map_err(bad)
}

/// A public key in armour, whatever form it came in; refused as [`verify`] would.
///
/// # Errors
/// When it is none, or is worth nothing now.
pub fn armoured(certificate: &[u8]) -> Result<String, Refusal> {
    let bug = || Refusal::new(ErrorKind::Bug, "the key cannot be written", "please report this");
    Certificate::read(certificate, now()?)?.armoured().ok_or_else(bug)
}

/// Checks that the key of `certificate` has signed the statement `theirs`, and nothing else.
///
/// # Errors
/// Another text (`ours`: our own one, given back), another key, a bad signature; a key that is
/// worth nothing now.
pub fn verify(
    signed: &str,
    certificate: &str,
    theirs: &str,
    ours: &str,
) -> Result<Signer, Refusal> {
    verify_at(signed, certificate.as_bytes(), theirs, ours, now()?)
}

pub(super) fn verify_at(
    signed: &str,
    certificate: &[u8],
    theirs: &str,
    ours: &str,
    now: Timestamp,
) -> Result<Signer, Refusal> {
    let hint = "it begins with -----BEGIN PGP SIGNED MESSAGE-----, as `hushwing identity pgp-sign` and `gpg --clearsign` write it";
    let none = || Refusal::new(ErrorKind::LocalConfig, "this is no clear-signed text", hint);
    if signed.len() > MAX_SIGNED {
        return Err(none());
    }
    // All line ends are one to OpenPGP. The crate takes blank lines around the message for
    // something that follows it.
    let signed = signed.replace("\r\n", "\n");
    let (message, _) = CleartextSignedMessage::from_string(signed.trim()).map_err(|_| none())?;
    let certificate = Certificate::read(certificate, now)?;
    is_signed(&message, &certificate)?;
    is_statement(&message.signed_text(), theirs, ours)?;
    Ok(Signer { fingerprint: certificate.fingerprint(), user_ids: certificate.user_ids().to_vec() })
}

fn is_signed(message: &CleartextSignedMessage, certificate: &Certificate) -> Result<(), Refusal> {
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
    let (text, hint) = if named {
        (
            "the signature is bad: the text was altered, or the signature is forged, expired, or of a hash that can be forged",
            "ask for it again, and trust nothing of this one",
        )
    } else {
        (
            "the signature is by another key than the one given, or by a part of it that may not sign",
            "is --cert the right person's key, and as it is now?",
        )
    };
    Err(Refusal::new(ErrorKind::PeerMisbehaved, text, hint))
}

fn is_statement(text: &str, theirs: &str, ours: &str) -> Result<(), Refusal> {
    let text = text.replace("\r\n", "\n");
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let refuse = |text, hint| Err(Refusal::new(ErrorKind::PeerMisbehaved, text, hint));
    let title = |t: &str| t.lines().next().map(str::to_owned);
    match text {
        text if text == theirs => Ok(()),
        text if text == ours => refuse(
            "this is your own statement, given back",
            "it says nothing of your contact: they sign what `hushwing identity statement` prints on their side",
        ),
        text if title(text) == title(theirs) => refuse(
            "the signature is good, and the statement is not this contact's in this conversation",
            "it may be for another contact, or from before keys changed; ask for a new one. If that fails too, somebody may sit between you",
        ),
        _ => refuse(
            "the signature is good, and the text is no identity statement",
            "they sign what `hushwing identity statement` prints on their side, and nothing else",
        ),
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
    mut passphrase: impl FnMut() -> Result<Zeroizing<String>, Failure>,
) -> Result<String, Failure> {
    let hint = "a file as `hushwing identity pgp-key` or `gpg --armor --export-secret-keys FINGERPRINT` write it; \
                if gpg keeps the key: hushwing identity statement NAME | gpg --clearsign";
    let bad = |text: &str| Failure::new(ErrorKind::LocalConfig, text, hint);
    if secret.len() > MAX_KEY {
        return Err(bad("this is too long for an OpenPGP key"));
    }
    let read = SignedSecretKey::from_reader_single(secret);
    let (key, _) = read.map_err(|_| bad("this is no secret OpenPGP key"))?;
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
    let text = match (tried, asked.is_some()) {
        (false, _) => "the file holds the secret part of no key that may sign",
        (true, true) => "wrong passphrase, or the file holds only a part of the key",
        (true, false) => "the key does not sign",
    };
    Err(bad(text))
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
pub fn generate(user_id: &str, passphrase: Option<&str>) -> Result<NewKey, Refusal> {
    let user_id = user_id.trim();
    if user_id.is_empty() || user_id.len() > MAX_USER_ID || user_id.chars().any(char::is_control) {
        let hint =
            "as in --user-id 'Bob' or 'Bob <bob@example.org>'; everybody who gets the key sees it";
        return Err(Refusal::new(
            ErrorKind::LocalConfig,
            "a user id has 1 to 256 bytes on one line",
            hint,
        ));
    }
    make(user_id, passphrase)
        .ok_or_else(|| Refusal::new(ErrorKind::Bug, "the key cannot be made", "please report this"))
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

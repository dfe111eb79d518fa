//! A document sealed to one enrolled client: the signed document that all clients get, encrypted to
//! one key.

use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::digest::{Context, SHA256};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use data_encoding::BASE64URL_NOPAD;
use rand_core::CryptoRng;
use sphinx::{PrivateKey, PublicKey, Scheme};
use wire::id::EnrolmentId;
use zeroize::Zeroizing;

use crate::Error;

const LABEL: &[u8] = b"hushwing sealed document v1";
const ID_DOMAIN: &[u8] = b"hushwing enrolment v1";
/// Prefix of a public key's text.
pub const PUBLIC_SCHEME: &str = "hushwing:client#";
/// Prefix of a secret key's text.
pub(crate) const SECRET_SCHEME: &str = "hushwing:client-secret#";

/// The public half of a client's enrolment: an X-Wing key to which a directory seals documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrolledKey(PublicKey);

impl EnrolledKey {
    /// Reads the 1,216 bytes of an X-Wing public key.
    ///
    /// # Errors
    /// [`Error::Sphinx`].
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        Ok(EnrolledKey(PublicKey::from_bytes(Scheme::XWing, bytes)?))
    }

    /// From the text that [`EnrolledKey::to_text`] gives.
    ///
    /// # Errors
    /// [`Error::BadKey`], [`Error::Sphinx`].
    pub fn parse(text: &str) -> Result<Self, Error> {
        let encoded = text.trim().strip_prefix(PUBLIC_SCHEME).ok_or(Error::BadKey)?;
        Self::from_bytes(&BASE64URL_NOPAD.decode(encoded.as_bytes()).map_err(|_| Error::BadKey)?)
    }

    /// The key as text, for the directory's operator. It is not secret.
    #[must_use]
    pub fn to_text(&self) -> String {
        format!("{PUBLIC_SCHEME}{}", BASE64URL_NOPAD.encode(self.0.as_bytes()))
    }

    /// The key's id, under which a client asks for its document.
    #[must_use]
    pub fn id(&self) -> EnrolmentId {
        let mut context = Context::new(&SHA256);
        context.update(ID_DOMAIN);
        context.update(self.0.as_bytes());
        EnrolmentId::new(context.finish().as_ref().try_into().unwrap_or_default())
    }

    /// Seals a signed document (`DIR-008`): an X-Wing ciphertext, then ChaCha20-Poly1305 under a
    /// key that is used once.
    ///
    /// # Errors
    /// [`Error::Sphinx`], [`Error::Seal`].
    pub fn seal<R: CryptoRng>(&self, signed: &[u8], rng: &mut R) -> Result<Vec<u8>, Error> {
        let sent = sphinx::encapsulate(&self.0, rng)?;
        let mut out = sent.ciphertext;
        let mut body = signed.to_vec();
        cipher(&sent.secret, &out)?
            .seal_in_place_append_tag(nonce(), Aad::from(self.associated()), &mut body)
            .map_err(|_| Error::Seal)?;
        out.append(&mut body);
        Ok(out)
    }

    fn associated(&self) -> Vec<u8> {
        [LABEL, self.0.as_bytes()].concat()
    }
}

/// A client's enrolment: opens what is sealed to its public half. Wiped when dropped; `Debug`
/// prints the type alone.
pub struct EnrolmentKey {
    key: PrivateKey,
    public: EnrolledKey,
}

impl std::fmt::Debug for EnrolmentKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EnrolmentKey")
    }
}

impl EnrolmentKey {
    /// Draws a new key.
    ///
    /// # Errors
    /// [`Error::Sphinx`] when the library refuses.
    pub fn generate<R: CryptoRng>(rng: &mut R) -> Result<Self, Error> {
        Ok(Self::from(PrivateKey::generate(Scheme::XWing, rng)?))
    }

    /// From the text that [`EnrolmentKey::to_text`] gives.
    ///
    /// # Errors
    /// [`Error::BadKey`], [`Error::Sphinx`].
    pub fn parse(text: &str) -> Result<Self, Error> {
        let encoded = text.trim().strip_prefix(SECRET_SCHEME).ok_or(Error::BadKey)?;
        let bytes =
            Zeroizing::new(BASE64URL_NOPAD.decode(encoded.as_bytes()).map_err(|_| Error::BadKey)?);
        Ok(Self::from(PrivateKey::from_bytes(Scheme::XWing, &bytes)?))
    }

    /// The key as text, for a file that only its owner can read.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(SECRET_SCHEME.to_owned());
        BASE64URL_NOPAD.encode_append(&self.key.to_bytes(), &mut text);
        text
    }

    /// The public half.
    #[must_use]
    pub const fn public(&self) -> &EnrolledKey {
        &self.public
    }

    /// Opens a sealed document. The signed document inside is not verified yet.
    ///
    /// # Errors
    /// [`Error::Seal`] when it was sealed to another key or altered.
    pub fn open(&self, sealed: &[u8]) -> Result<Vec<u8>, Error> {
        let (ciphertext, body) =
            sealed.split_at_checked(Scheme::XWing.ciphertext_len()).ok_or(Error::Seal)?;
        let secret = sphinx::decapsulate(&self.key, ciphertext).map_err(|_| Error::Seal)?;
        let mut body = body.to_vec();
        let len = cipher(&secret, ciphertext)?
            .open_in_place(nonce(), Aad::from(self.public.associated()), &mut body)
            .map_err(|_| Error::Seal)?
            .len();
        body.truncate(len);
        Ok(body)
    }
}

impl From<PrivateKey> for EnrolmentKey {
    fn from(key: PrivateKey) -> Self {
        let public = EnrolledKey(key.public().clone());
        EnrolmentKey { key, public }
    }
}

/// HKDF-SHA-256 of the shared secret, salted with the label, over the ciphertext.
fn cipher(secret: &[u8; 32], ciphertext: &[u8]) -> Result<LessSafeKey, Error> {
    let mut key = Zeroizing::new([0; 32]);
    Salt::new(HKDF_SHA256, LABEL)
        .extract(secret)
        .expand(&[ciphertext], HKDF_SHA256)
        .and_then(|okm| okm.fill(key.as_mut_slice()))
        .map_err(|_| Error::Seal)?;
    let unbound = UnboundKey::new(&CHACHA20_POLY1305, key.as_slice()).map_err(|_| Error::Seal)?;
    Ok(LessSafeKey::new(unbound))
}

/// Each key seals once, so a constant nonce is safe.
fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    fn key(seed: u64) -> EnrolmentKey {
        EnrolmentKey::generate(&mut ChaCha20Rng::seed_from_u64(seed)).unwrap()
    }

    //= DIR-008
    #[test]
    fn a_sealed_document_opens_by_its_own_key_only() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let (mine, other) = (key(2), key(3));
        let sealed = mine.public().seal(b"a signed document", &mut rng).unwrap();
        assert_eq!(sealed.len(), 1_120 + 17 + 16);
        assert!(!sealed.windows(6).any(|w| w == b"signed"));
        assert_eq!(mine.open(&sealed).unwrap(), b"a signed document");
        assert_eq!(other.open(&sealed), Err(Error::Seal));
        assert_ne!(
            mine.public().seal(b"a signed document", &mut rng).unwrap(),
            sealed,
            "a fresh key each time"
        );
        for at in [0, 500, 1_119, 1_120, 1_140, sealed.len() - 1] {
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            assert_eq!(mine.open(&altered), Err(Error::Seal), "byte {at}");
        }
    }

    #[test]
    fn both_halves_survive_their_text() {
        let mine = key(4);
        let again = EnrolmentKey::parse(&mine.to_text()).unwrap();
        assert_eq!(again.public(), mine.public());
        assert_eq!(EnrolledKey::parse(&mine.public().to_text()).unwrap().id(), mine.public().id());
        assert!(
            EnrolledKey::parse(&mine.to_text()).is_err(),
            "a secret half is not taken for a public one"
        );
        assert!(EnrolmentKey::parse("hushwing:client-secret#AAAA").is_err());
        assert_eq!(format!("{mine:?}"), "EnrolmentKey");
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..1_300), text in ".{0,40}") {
            prop_assert_eq!(key(5).open(&bytes), Err(Error::Seal));
            let _ = EnrolledKey::parse(&text);
        }
    }
}

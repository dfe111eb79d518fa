//! The hop's shared secret: encapsulate, decapsulate, and the blinding of X25519-NIKE.

use aws_lc_rs::agreement::{self, UnparsedPublicKey, X25519};
use aws_lc_rs::digest;
use aws_lc_rs::kem::{Ciphertext, EncapsulationKey, ML_KEM_768};
use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit, StreamCipher};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::key::{
    Inner, ML_KEM_CIPHERTEXT_LEN, ML_KEM_PUBLIC_LEN, POINT_LEN, private_x25519, public_of,
};
use crate::primitives::HopKeys;
use crate::{Error, PrivateKey, PublicKey, Scheme, blake2x};

/// A shared secret.
pub(crate) type Secret = Zeroizing<[u8; POINT_LEN]>;

const X_WING_LABEL: &[u8] = br"\.//^\";

/// A KEM ciphertext and the secret that it carries.
pub struct Encapsulated {
    /// The ciphertext: [`Scheme::ciphertext_len`] bytes.
    pub ciphertext: Vec<u8>,
    /// The shared secret.
    pub secret: Zeroizing<[u8; 32]>,
}

impl core::fmt::Debug for Encapsulated {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Encapsulated(..)")
    }
}

/// Encapsulates to a key. For uses other than packets, separate the domains when deriving keys from
/// the secret.
///
/// # Errors
/// [`Error::Key`], [`Error::Ciphertext`]; [`Error::Path`] with X25519-NIKE, which is not a KEM.
pub fn encapsulate(to: &PublicKey, rng: &mut impl CryptoRng) -> Result<Encapsulated, Error> {
    let ephemeral = random_scalar(rng)?;
    let element = public_of(&ephemeral)?;
    match to.scheme() {
        Scheme::XWing => {
            let (ml_kem, point) =
                to.as_bytes().split_at_checked(ML_KEM_PUBLIC_LEN).ok_or(Error::Key)?;
            let key = EncapsulationKey::new(&ML_KEM_768, ml_kem).map_err(|_| Error::Key)?;
            let (ct_m, ss_m) = key.encapsulate().map_err(|_| Error::Key)?;
            let ss_x = diffie_hellman(&ephemeral, point)?;
            let secret = x_wing_combine(ss_m.as_ref(), ss_x.as_slice(), &element, point)?;
            clear_upper_registers();
            let mut ciphertext = ct_m.as_ref().to_vec();
            ciphertext.extend_from_slice(&element);
            Ok(Encapsulated { ciphertext, secret })
        }
        Scheme::X25519Kem => {
            let shared = diffie_hellman(&ephemeral, to.as_bytes())?;
            let secret = blake2x::keyed_hash(&shared, &[to.as_bytes(), &element]);
            Ok(Encapsulated { ciphertext: element.to_vec(), secret })
        }
        Scheme::X25519Nike => Err(Error::Path),
    }
}

/// The secret in a ciphertext or group element, for all three schemes. A ciphertext that was
/// altered or belongs to another key gives a different secret, not an error.
///
/// # Errors
/// [`Error::Length`], [`Error::Ciphertext`].
pub fn decapsulate(key: &PrivateKey, ciphertext: &[u8]) -> Result<Zeroizing<[u8; 32]>, Error> {
    match &key.inner {
        Inner::XWing { ml_kem, x25519, .. } => {
            let (ct_m, ct_x) =
                ciphertext.split_at_checked(ML_KEM_CIPHERTEXT_LEN).ok_or(Error::Length)?;
            let ss_m = ml_kem.decapsulate(Ciphertext::from(ct_m)).map_err(|_| Error::Ciphertext)?;
            let ss_x = diffie_hellman(x25519, ct_x)?;
            let (_, point) =
                key.public().as_bytes().split_at_checked(ML_KEM_PUBLIC_LEN).ok_or(Error::Key)?;
            let secret = x_wing_combine(ss_m.as_ref(), ss_x.as_slice(), ct_x, point);
            clear_upper_registers();
            secret
        }
        Inner::X25519 { key: own, .. } => {
            let shared = diffie_hellman(own, ciphertext)?;
            Ok(match key.scheme() {
                Scheme::X25519Kem => {
                    blake2x::keyed_hash(&shared, &[key.public().as_bytes(), ciphertext])
                }
                Scheme::XWing | Scheme::X25519Nike => shared,
            })
        }
    }
}

/// Group elements and secrets of a whole X25519-NIKE path. Each hop's element is the previous one,
/// blinded.
pub(crate) fn nike_path<'a>(
    path: impl Iterator<Item = &'a PublicKey>,
    rng: &mut impl CryptoRng,
) -> Result<Vec<(Vec<u8>, HopKeys)>, Error> {
    let own = random_scalar(rng)?;
    let mut element = public_of(&own)?;
    let mut hops: Vec<(Vec<u8>, HopKeys)> = Vec::new();
    for key in path {
        let mut shared = diffie_hellman(&own, key.as_bytes())?;
        for (_, before) in &hops {
            shared = blind(before, shared.as_slice())?;
        }
        if let Some((_, before)) = hops.last() {
            element = *blind(before, &element)?;
        }
        hops.push((element.to_vec(), HopKeys::derive(&shared)?));
    }
    Ok(hops)
}

/// Multiplies an X25519 point by a hop's blinding scalar: the first 32 bytes of ChaCha20 under the
/// hop's seed.
pub(crate) fn blind(hop: &HopKeys, point: &[u8]) -> Result<Secret, Error> {
    let mut scalar = Zeroizing::new([0_u8; POINT_LEN]);
    ChaCha20::new(&hop.blinding.into(), &[0; 12].into()).apply_keystream(scalar.as_mut_slice());
    diffie_hellman(&private_x25519(scalar.as_slice())?, point)
}

fn random_scalar(rng: &mut impl CryptoRng) -> Result<agreement::PrivateKey, Error> {
    let mut scalar = Zeroizing::new([0_u8; POINT_LEN]);
    rng.fill_bytes(scalar.as_mut_slice());
    private_x25519(scalar.as_slice())
}

/// X25519 (RFC 7748). Refuses an all-zero result, which comes from a point of low order.
fn diffie_hellman(private: &agreement::PrivateKey, point: &[u8]) -> Result<Secret, Error> {
    agreement::agree(private, UnparsedPublicKey::new(&X25519, point), Error::Ciphertext, |shared| {
        shared.try_into().map(Zeroizing::new).map_err(|_| Error::Crypto)
    })
}

/// SHA3-256(ss_M | ss_X | ct_X | pk_X | label): X-Wing, section 5.3.
fn x_wing_combine(ss_m: &[u8], ss_x: &[u8], ct_x: &[u8], pk_x: &[u8]) -> Result<Secret, Error> {
    let mut context = digest::Context::new(&digest::SHA3_256);
    for part in [ss_m, ss_x, ct_x, pk_x, X_WING_LABEL] {
        context.update(part);
    }
    context.finish().as_ref().try_into().map(Zeroizing::new).map_err(|_| Error::Crypto)
}

/// For speed only. aws-lc's AVX2 code for ML-KEM returns with the upper halves of the vector
/// registers in use. On some processors this slows all SSE code (AEZ by a factor of 2.4) until the
/// next `vzeroupper`. The compiler puts one at the end of any function that uses AVX2, such as this
/// search in 64 bytes, which takes a few nanoseconds.
fn clear_upper_registers() {
    core::hint::black_box(memchr::memchr(1, core::hint::black_box(&[0; 64])));
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

    //= SPHINX-004
    #[test]
    fn both_ends_share_a_secret() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        for scheme in [Scheme::XWing, Scheme::X25519Kem] {
            let key = PrivateKey::generate(scheme, &mut rng).unwrap();
            let sent = encapsulate(key.public(), &mut rng).unwrap();
            assert_eq!(sent.ciphertext.len(), scheme.ciphertext_len());
            assert_eq!(decapsulate(&key, &sent.ciphertext).unwrap(), sent.secret);
            let other = PrivateKey::generate(scheme, &mut rng).unwrap();
            assert_ne!(decapsulate(&other, &sent.ciphertext).unwrap(), sent.secret);
        }
    }

    //= SPHINX-009
    #[test]
    fn blinding_follows_the_path() {
        let mut rng = ChaCha20Rng::seed_from_u64(2);
        let keys: Vec<_> =
            (0..4).map(|_| PrivateKey::generate(Scheme::X25519Nike, &mut rng).unwrap()).collect();
        let hops = nike_path(keys.iter().map(PrivateKey::public), &mut rng).unwrap();
        let mut element = hops[0].0.clone();
        for (key, (expected, keys)) in keys.iter().zip(&hops) {
            assert_eq!(element, *expected);
            let derived = HopKeys::derive(&decapsulate(key, &element).unwrap()).unwrap();
            assert_eq!(derived.blinding, keys.blinding);
            element = blind(&derived, &element).unwrap().to_vec();
        }
    }

    //= SPHINX-004
    #[test]
    fn low_order_points_are_refused() {
        let mut rng = ChaCha20Rng::seed_from_u64(3);
        for scheme in [Scheme::X25519Kem, Scheme::X25519Nike] {
            let key = PrivateKey::generate(scheme, &mut rng).unwrap();
            assert_eq!(decapsulate(&key, &[0; 32]).unwrap_err(), Error::Ciphertext);
        }
        let key = PrivateKey::generate(Scheme::XWing, &mut rng).unwrap();
        assert_eq!(decapsulate(&key, &[0; 1120]).unwrap_err(), Error::Ciphertext);
    }
}

//! Node keys, in the encodings of Katzenpost's format.

use aws_lc_rs::agreement::{self, X25519};
use aws_lc_rs::kem::{DecapsulationKey, ML_KEM_768};
use ml_kem::{KeyExport, MlKem768};
use rand_core::CryptoRng;
use shake::{ExtendableOutput, Shake256, Update, XofReader};
use zeroize::{ZeroizeOnDrop, Zeroizing};

use crate::Error;

/// Bytes of an X25519 key, point or shared secret.
pub(crate) const POINT_LEN: usize = 32;
pub(crate) const ML_KEM_PUBLIC_LEN: usize = 1184;
pub(crate) const ML_KEM_CIPHERTEXT_LEN: usize = 1088;
const SEED_LEN: usize = 32;

/// How hops share a key with the sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// X-Wing (draft-connolly-cfrg-xwing-kem-07): X25519 and ML-KEM-768. Secure as long as one of
    /// them is.
    XWing,
    /// X25519 as a hashed KEM (Katzenpost's `x25519` KEM adapter).
    X25519Kem,
    /// X25519 with one group element that is blinded at each hop: the original Sphinx, with the
    /// smallest header.
    X25519Nike,
}

impl Scheme {
    /// Bytes of a KEM ciphertext or group element: 1120, 32, 32.
    #[must_use]
    pub const fn ciphertext_len(self) -> usize {
        match self {
            Self::XWing => 1120,
            Self::X25519Kem | Self::X25519Nike => POINT_LEN,
        }
    }

    /// Bytes of a public key: 1216, 32, 32.
    #[must_use]
    pub(crate) const fn public_key_len(self) -> usize {
        match self {
            Self::XWing => 1216,
            Self::X25519Kem | Self::X25519Nike => POINT_LEN,
        }
    }

    /// Bytes of a private key: 1248 (public key, then 32-byte seed), 32, 32.
    #[must_use]
    pub(crate) const fn private_key_len(self) -> usize {
        match self {
            Self::XWing => 1248,
            Self::X25519Kem | Self::X25519Nike => POINT_LEN,
        }
    }
}

/// A node's public key. X-Wing: ML-KEM-768 encapsulation key (1184 bytes), then X25519 point (32).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PublicKey {
    scheme: Scheme,
    bytes: Box<[u8]>,
}

impl core::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("PublicKey(..)")
    }
}

impl PublicKey {
    /// Reads a public key. For X-Wing, checks the encapsulation key as FIPS 203 requires (section
    /// 7.2).
    ///
    /// # Errors
    /// [`Error::Length`], or [`Error::Key`] if the check fails.
    pub fn from_bytes(scheme: Scheme, bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() != scheme.public_key_len() {
            return Err(Error::Length);
        }
        if scheme == Scheme::XWing {
            let (ml_kem, _) = bytes.split_at_checked(ML_KEM_PUBLIC_LEN).ok_or(Error::Length)?;
            let ml_kem = ml_kem.try_into().map_err(|_| Error::Length)?;
            ml_kem::EncapsulationKey::<MlKem768>::new(&ml_kem).map_err(|_| Error::Key)?;
        }
        Ok(Self { scheme, bytes: bytes.into() })
    }

    /// The key's bytes: 1216, 32 or 32 by scheme.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The key's scheme.
    #[must_use]
    pub(crate) fn scheme(&self) -> Scheme {
        self.scheme
    }
}

/// A node's private key, in expanded form so that unwrapping need not derive it from the seed each
/// time. Wiped when dropped.
pub struct PrivateKey {
    pub(crate) inner: Inner,
    public: PublicKey,
}

pub(crate) enum Inner {
    XWing {
        seed: Zeroizing<[u8; SEED_LEN]>,
        ml_kem: Box<DecapsulationKey>,
        x25519: agreement::PrivateKey,
    },
    // The bytes are kept as well, since aws-lc-rs does not give an X25519 private key back.
    X25519 {
        bytes: Zeroizing<[u8; POINT_LEN]>,
        key: agreement::PrivateKey,
    },
}

impl core::fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("PrivateKey(..)")
    }
}

// Every field wipes itself: with `Zeroizing`, or with `OPENSSL_cleanse` in aws-lc's free functions.
impl ZeroizeOnDrop for PrivateKey {}

impl PrivateKey {
    /// Draws a key from 32 random bytes.
    ///
    /// # Errors
    /// [`Error::Crypto`].
    pub fn generate(scheme: Scheme, rng: &mut impl CryptoRng) -> Result<Self, Error> {
        let mut secret = Zeroizing::new([0; SEED_LEN]);
        rng.fill_bytes(secret.as_mut_slice());
        match scheme {
            Scheme::XWing => Self::x_wing(secret),
            Scheme::X25519Kem | Scheme::X25519Nike => Self::x25519(scheme, secret),
        }
    }

    /// Reads a private key: 1248 bytes (public key, then 32-byte seed), 32 or 32 by scheme.
    ///
    /// # Errors
    /// [`Error::Length`], or [`Error::Key`] if X-Wing's public part does not belong to its seed.
    pub fn from_bytes(scheme: Scheme, bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() != scheme.private_key_len() {
            return Err(Error::Length);
        }
        let (public, secret) = bytes.split_last_chunk::<SEED_LEN>().ok_or(Error::Length)?;
        let secret = Zeroizing::new(*secret);
        match scheme {
            Scheme::XWing => {
                Self::x_wing(secret).and_then(|key| match key.public.as_bytes() == public {
                    true => Ok(key),
                    false => Err(Error::Key),
                })
            }
            Scheme::X25519Kem | Scheme::X25519Nike => Self::x25519(scheme, secret),
        }
    }

    /// The key's bytes, as [`PrivateKey::from_bytes`] reads them.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut out = Zeroizing::new(Vec::with_capacity(self.scheme().private_key_len()));
        match &self.inner {
            Inner::XWing { seed, .. } => {
                out.extend_from_slice(self.public.as_bytes());
                out.extend_from_slice(seed.as_slice());
            }
            Inner::X25519 { bytes, .. } => out.extend_from_slice(bytes.as_slice()),
        }
        out
    }

    /// The public key.
    #[must_use]
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The key's scheme.
    #[must_use]
    pub(crate) fn scheme(&self) -> Scheme {
        self.public.scheme
    }

    /// X-Wing's `expandDecapsulationKey`: SHAKE256(seed, 96) = ML-KEM seed d, z (64) and X25519 key
    /// (32).
    fn x_wing(seed: Zeroizing<[u8; SEED_LEN]>) -> Result<Self, Error> {
        let mut expanded = Zeroizing::new([0_u8; 96]);
        let mut hash = Shake256::default();
        hash.update(seed.as_slice());
        hash.finalize_xof().read(expanded.as_mut_slice());
        let (d_z, point) = expanded.split_at_checked(64).ok_or(Error::Crypto)?;

        let seed_of_ml_kem =
            Zeroizing::new(ml_kem::Seed::try_from(d_z).map_err(|_| Error::Crypto)?);
        let decapsulation = ml_kem::DecapsulationKey::<MlKem768>::from_seed(*seed_of_ml_kem);
        let mut public = decapsulation.encapsulation_key().to_bytes().to_vec();
        // aws-lc-rs accepts only the 2400-byte encoding.
        #[allow(deprecated)]
        let encoded =
            Zeroizing::new(ml_kem::ExpandedKeyEncoding::to_expanded_bytes(&decapsulation));
        let ml_kem =
            DecapsulationKey::new(&ML_KEM_768, encoded.as_slice()).map_err(|_| Error::Crypto)?;

        let x25519 = private_x25519(point)?;
        public.extend_from_slice(&public_of(&x25519)?);
        let public = PublicKey { scheme: Scheme::XWing, bytes: public.into() };
        Ok(Self { inner: Inner::XWing { seed, ml_kem: Box::new(ml_kem), x25519 }, public })
    }

    fn x25519(scheme: Scheme, bytes: Zeroizing<[u8; POINT_LEN]>) -> Result<Self, Error> {
        let key = private_x25519(bytes.as_slice())?;
        let public = PublicKey { scheme, bytes: public_of(&key)?.into() };
        Ok(Self { inner: Inner::X25519 { bytes, key }, public })
    }
}

pub(crate) fn private_x25519(scalar: &[u8]) -> Result<agreement::PrivateKey, Error> {
    agreement::PrivateKey::from_private_key(&X25519, scalar).map_err(|_| Error::Crypto)
}

pub(crate) fn public_of(key: &agreement::PrivateKey) -> Result<[u8; POINT_LEN], Error> {
    let public = key.compute_public_key().map_err(|_| Error::Crypto)?;
    public.as_ref().try_into().map_err(|_| Error::Crypto)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

    const SCHEMES: [Scheme; 3] = [Scheme::XWing, Scheme::X25519Kem, Scheme::X25519Nike];

    //= SPHINX-004
    #[test]
    fn keys_survive_the_round_trip() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        for scheme in SCHEMES {
            let key = PrivateKey::generate(scheme, &mut rng).unwrap();
            let bytes = key.to_bytes();
            assert_eq!(bytes.len(), scheme.private_key_len());
            let again = PrivateKey::from_bytes(scheme, &bytes).unwrap();
            assert_eq!(again.public(), key.public());
            assert_eq!(
                PublicKey::from_bytes(scheme, key.public().as_bytes()).unwrap(),
                *key.public()
            );
            for wrong in [0, 1, bytes.len() - 1, bytes.len() + 1] {
                assert_eq!(
                    PrivateKey::from_bytes(scheme, &vec![1; wrong]).unwrap_err(),
                    Error::Length
                );
                assert_eq!(
                    PublicKey::from_bytes(scheme, &vec![1; wrong]).unwrap_err(),
                    Error::Length
                );
            }
        }
    }

    //= SPHINX-004
    #[test]
    fn bad_x_wing_keys_are_refused() {
        let key = PrivateKey::generate(Scheme::XWing, &mut ChaCha20Rng::seed_from_u64(2)).unwrap();
        let mut bytes = key.to_bytes();
        bytes[5] ^= 1;
        assert_eq!(PrivateKey::from_bytes(Scheme::XWing, &bytes).unwrap_err(), Error::Key);
        // A coefficient of 4095 is not reduced modulo 3329.
        let mut public = key.public().as_bytes().to_vec();
        public[..2].fill(0xff);
        assert_eq!(PublicKey::from_bytes(Scheme::XWing, &public).unwrap_err(), Error::Key);
    }

    #[test]
    fn debug_shows_the_type_alone() {
        let key =
            PrivateKey::generate(Scheme::X25519Kem, &mut ChaCha20Rng::seed_from_u64(3)).unwrap();
        assert_eq!(format!("{key:?} {:?}", key.public()), "PrivateKey(..) PublicKey(..)");
    }
}

//! The X-Wing key that a talker announces so that the owner can seal new room keys to it.

use std::fmt;

use aes_gcm_siv::aead::{Aead, Payload};
use aes_gcm_siv::{Aes256GcmSiv, KeyInit, Nonce};
use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};
use rand_core::CryptoRng;
use sha2::{Digest, Sha256};
use x_wing::{
    Ciphertext, Decapsulate, DecapsulationKey, Decapsulator, Encapsulate, EncapsulationKey,
    KeyExport,
};
use zeroize::Zeroizing;

use crate::kdf::derive;
use crate::{Error, Secret};

/// Length of an X-Wing public key, bytes.
pub(crate) const DOOR_KEY_LEN: usize = x_wing::ENCAPSULATION_KEY_SIZE;
/// Length of an X-Wing ciphertext, bytes.
pub(crate) const KEM_CIPHERTEXT_LEN: usize = x_wing::CIPHERTEXT_SIZE;

/// A talker's door key: a valid X-Wing encapsulation key (draft-connolly-cfrg-xwing-kem).
#[derive(Clone, PartialEq, Eq)]
pub struct DoorKey(Box<[u8; DOOR_KEY_LEN]>);

impl DoorKey {
    /// Parses 1,216 bytes.
    ///
    /// # Errors
    /// [`Error::BadKey`] for a wrong length or an unreduced ML-KEM part (FIPS 203, section 7.2).
    pub(crate) fn new(bytes: &[u8]) -> Result<Self, Error> {
        let array: &[u8; DOOR_KEY_LEN] = bytes.try_into().map_err(|_| Error::BadKey)?;
        EncapsulationKey::try_from(bytes).map_err(|_| Error::BadKey)?;
        Ok(Self(Box::new(*array)))
    }

    /// SHA-256 of the key.
    pub(crate) fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_slice()).into()
    }

    /// Seals `plaintext` to this key: a KEM ciphertext, then AES-256-GCM-SIV (`ROOM-013`). The AEAD
    /// key is used once, so the nonce is zero.
    pub(crate) fn seal<R: CryptoRng>(
        &self,
        rng: &mut R,
        ad: &[u8],
        plaintext: &[u8],
    ) -> Result<(Vec<u8>, Vec<u8>), Error> {
        let key = EncapsulationKey::try_from(self.0.as_slice()).map_err(|_| Error::BadKey)?;
        let (ct, shared) = key.encapsulate_with_rng(rng);
        let shared = Zeroizing::new(<[u8; 32]>::from(shared));
        let sealed = cipher(&shared, &self.hash())?
            .encrypt(&Nonce::default(), Payload { msg: plaintext, aad: ad })
            .map_err(|_| Error::Internal)?;
        Ok((ct.to_vec(), sealed))
    }
}

impl fmt::Debug for DoorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DoorKey")
    }
}

impl<C> Encode<C> for DoorKey {
    fn encode<W: encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        e.bytes(self.0.as_slice())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for DoorKey {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
        Self::new(d.bytes()?).map_err(|_| decode::Error::message("door key"))
    }
}

/// The secret half of a [`DoorKey`]: an X-Wing seed, 32 bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct DoorSecret(Secret);

impl DoorSecret {
    /// Draws a new key.
    pub fn random<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        Self(Secret::random(rng))
    }

    /// Restores a key from its seed.
    #[must_use]
    pub const fn from_seed(seed: Secret) -> Self {
        Self(seed)
    }

    /// The public half. Each call costs a key generation.
    #[must_use]
    pub fn public(&self) -> DoorKey {
        let bytes = self.key().encapsulation_key().to_bytes();
        DoorKey(Box::new(bytes.into()))
    }

    /// Opens what [`DoorKey::seal`] made.
    pub(crate) fn open(
        &self,
        own_hash: &[u8; 32],
        ad: &[u8],
        kem_ciphertext: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        let ct = Ciphertext::try_from(kem_ciphertext).map_err(|_| Error::BadSeal)?;
        let shared = Zeroizing::new(<[u8; 32]>::from(self.key().decapsulate(&ct)));
        cipher(&shared, own_hash)?
            .decrypt(&Nonce::default(), Payload { msg: sealed, aad: ad })
            .map(Zeroizing::new)
            .map_err(|_| Error::BadSeal)
    }

    fn key(&self) -> DecapsulationKey {
        DecapsulationKey::from(*self.0.reveal())
    }
}

impl fmt::Debug for DoorSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DoorSecret")
    }
}

fn cipher(shared: &[u8; 32], recipient: &[u8; 32]) -> Result<Aes256GcmSiv, Error> {
    let key = derive(shared, "seal", recipient)?;
    Aes256GcmSiv::new_from_slice(key.reveal()).map_err(|_| Error::Internal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    //= ROOM-013
    #[test]
    fn only_the_recipient_opens_and_only_what_was_sealed() {
        let mut rng = ChaCha20Rng::from_seed([1; 32]);
        let alice = DoorSecret::random(&mut rng);
        let eve = DoorSecret::random(&mut rng);
        let key = alice.public();
        let hash = key.hash();
        let (ct, mut sealed) = key.seal(&mut rng, b"ad", b"secret").unwrap();
        let open = |who: &DoorSecret, ad: &[u8], ct: &[u8], sealed: &[u8]| {
            who.open(&hash, ad, ct, sealed).map(|p| p.to_vec())
        };
        assert_eq!(open(&alice, b"ad", &ct, &sealed).unwrap(), b"secret");
        assert_eq!(open(&eve, b"ad", &ct, &sealed), Err(Error::BadSeal));
        assert_eq!(open(&alice, b"other", &ct, &sealed), Err(Error::BadSeal));
        assert_eq!(open(&alice, b"ad", &ct[1..], &sealed), Err(Error::BadSeal));
        sealed[0] ^= 1;
        assert_eq!(open(&alice, b"ad", &ct, &sealed), Err(Error::BadSeal));
    }

    #[test]
    fn a_door_key_is_checked() {
        let mut bytes = DoorSecret::from_seed(Secret::new([3; 32])).public().0.to_vec();
        assert!(DoorKey::new(&bytes).is_ok());
        assert!(DoorKey::new(&bytes[1..]).is_err());
        // An unreduced ML-KEM coefficient (FIPS 203, section 7.2).
        bytes[0] = 0xff;
        bytes[1] = 0xff;
        assert_eq!(DoorKey::new(&bytes), Err(Error::BadKey));
    }
}

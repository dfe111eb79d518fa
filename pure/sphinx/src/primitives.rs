//! The symmetric primitives of the format: KDF, MAC, header stream, payload cipher.

use aws_lc_rs::cipher::{AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::{hkdf, hmac};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::geometry::PAYLOAD_KEY_LEN;
use crate::{Error, HOP_SECRET_LEN, Scheme};

const KDF_INFO: &[u8] = b"katzenpost-kdf-v0-hkdf-sha256";
const KDF_LEN: usize = 160;
pub(crate) const AEZ_KEY_LEN: usize = 48;
pub(crate) const IV_LEN: usize = 16;

/// AEZ key and IV of one payload layer.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(crate) struct PayloadKey([u8; PAYLOAD_KEY_LEN]);

impl PayloadKey {
    pub(crate) fn from_bytes(bytes: [u8; PAYLOAD_KEY_LEN]) -> Self {
        Self(bytes)
    }

    pub(crate) fn as_bytes(&self) -> &[u8; PAYLOAD_KEY_LEN] {
        &self.0
    }

    pub(crate) fn encrypt(&self, payload: &mut [u8]) {
        let (key, iv) = self.0.split_at(AEZ_KEY_LEN);
        zears::Aez::new(key).encrypt_inplace(iv, &[], 0, payload);
    }

    pub(crate) fn decrypt(&self, payload: &mut [u8]) {
        let (key, iv) = self.0.split_at(AEZ_KEY_LEN);
        // With no authentication bytes (tau = 0) this cannot fail.
        let _ = zears::Aez::new(key).decrypt_inplace(iv, &[], 0, payload);
    }
}

/// The last 32 bytes of a hop's KDF, known to sender and hop alone. With a KEM the packet format
/// does not need them, so layers above may use them. `Debug` prints the type; the bytes are wiped
/// when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct HopSecret([u8; HOP_SECRET_LEN]);

impl HopSecret {
    /// Wraps stored bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; HOP_SECRET_LEN]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; HOP_SECRET_LEN] {
        &self.0
    }
}

impl PartialEq for HopSecret {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for HopSecret {}

impl core::fmt::Debug for HopSecret {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("HopSecret(..)")
    }
}

/// All keys that come from one hop's shared secret.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct HopKeys {
    mac: [u8; 32],
    stream: [u8; 32],
    iv: [u8; IV_LEN],
    payload: PayloadKey,
    /// With X25519-NIKE, seed of the blinding scalar. Otherwise unused by the format:
    /// [`HopSecret`].
    pub(crate) blinding: [u8; HOP_SECRET_LEN],
}

struct KdfLen;
impl hkdf::KeyType for KdfLen {
    fn len(&self) -> usize {
        KDF_LEN
    }
}

impl HopKeys {
    /// HKDF-Expand with SHA-256: the shared secret itself is the pseudorandom key (RFC 5869,
    /// section 2.3 only).
    pub(crate) fn derive(shared_secret: &[u8; 32]) -> Result<Self, Error> {
        let mut okm = Zeroizing::new([0_u8; KDF_LEN]);
        hkdf::Prk::new_less_safe(hkdf::HKDF_SHA256, shared_secret)
            .expand(&[KDF_INFO], KdfLen)
            .and_then(|o| o.fill(okm.as_mut_slice()))
            .map_err(|_| Error::Crypto)?;
        let mut rest = okm.as_slice();
        let mac = take(&mut rest)?;
        let stream = take(&mut rest)?;
        let iv: [u8; IV_LEN] = take(&mut rest)?;
        let aez: [u8; AEZ_KEY_LEN] = take(&mut rest)?;
        let blinding = take(&mut rest)?;
        let mut payload = [0; PAYLOAD_KEY_LEN];
        for (to, from) in payload.iter_mut().zip(aez.iter().chain(&iv)) {
            *to = *from;
        }
        Ok(Self { mac, stream, iv, payload: PayloadKey(payload), blinding })
    }

    /// The bytes that the format does not use; `None` where blinding needs them.
    pub(crate) fn secret(&self, scheme: Scheme) -> Option<HopSecret> {
        match scheme {
            Scheme::XWing | Scheme::X25519Kem => Some(HopSecret(self.blinding)),
            Scheme::X25519Nike => None,
        }
    }

    pub(crate) fn payload(&self) -> &PayloadKey {
        &self.payload
    }

    /// Encrypts or decrypts with AES-256-CTR, from the start of the stream.
    pub(crate) fn apply_stream(&self, bytes: &mut [u8]) -> Result<(), Error> {
        let key = UnboundCipherKey::new(&AES_256, &self.stream).map_err(|_| Error::Crypto)?;
        EncryptingKey::ctr(key)
            .and_then(|k| k.less_safe_encrypt(bytes, EncryptionContext::Iv128((&self.iv).into())))
            .map_err(|_| Error::Crypto)?;
        Ok(())
    }

    pub(crate) fn sign(&self, parts: &[&[u8]]) -> Result<[u8; 32], Error> {
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &self.mac));
        for part in parts {
            context.update(part);
        }
        context.sign().as_ref().try_into().map_err(|_| Error::Crypto)
    }

    /// Checks the MAC over the concatenated `parts` in constant time.
    pub(crate) fn verify(&self, parts: &[&[u8]], mac: &[u8]) -> Result<(), Error> {
        if bool::from(self.sign(parts)?.as_slice().ct_eq(mac)) { Ok(()) } else { Err(Error::Mac) }
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], Error> {
    let (head, tail) = bytes.split_first_chunk::<N>().ok_or(Error::Crypto)?;
    *bytes = tail;
    Ok(*head)
}

/// XORs the shorter of the two lengths.
pub(crate) fn xor(into: &mut [u8], with: &[u8]) {
    for (a, b) in into.iter_mut().zip(with) {
        *a ^= *b;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    //= SPHINX-005
    #[test]
    fn kdf_is_expand_only() {
        // T(1) = HMAC(PRK, info | 01), T(2) = HMAC(PRK, T(1) | info | 02), ...
        let prk = [9_u8; 32];
        let key = hmac::Key::new(hmac::HMAC_SHA256, &prk);
        let (mut okm, mut last) = (Vec::new(), Vec::new());
        for i in 1..=5_u8 {
            let block = [&last[..], b"katzenpost-kdf-v0-hkdf-sha256", &[i]].concat();
            last = hmac::sign(&key, &block).as_ref().to_vec();
            okm.extend_from_slice(&last);
        }
        let keys = HopKeys::derive(&prk).unwrap();
        assert_eq!(keys.mac, okm[..32]);
        assert_eq!(keys.stream, okm[32..64]);
        assert_eq!(keys.iv, okm[64..80]);
        assert_eq!(keys.payload.0, [&okm[80..128], &okm[64..80]].concat()[..]);
        assert_eq!(keys.blinding, okm[128..]);
    }

    //= SPHINX-006
    #[test]
    fn stream_counts_all_sixteen_bytes() {
        // The counter carries out of the last bytes into the first: two blocks across the wrap.
        let mut keys = HopKeys::derive(&[1; 32]).unwrap();
        keys.iv = [0xff; 16];
        let mut two = [0; 32];
        keys.apply_stream(&mut two).unwrap();
        keys.iv = [0; 16];
        let mut one = [0; 16];
        keys.apply_stream(&mut one).unwrap();
        assert_eq!(two[16..], one);
        assert_ne!(two[..16], one);
    }

    //= SPHINX-007
    #[test]
    fn payload_cipher_is_a_keyed_permutation() {
        let key = PayloadKey::from_bytes([3; 64]);
        for len in [32, 33, 100, 2080] {
            let mut bytes = vec![5; len];
            key.encrypt(&mut bytes);
            assert_ne!(bytes, vec![5; len]);
            key.decrypt(&mut bytes);
            assert_eq!(bytes, vec![5; len]);
        }
    }
}

//! Capabilities: the right to write or to read a stream, from an index on.

use std::fmt;

use aes_gcm_siv::aead::AeadInOut;
use aes_gcm_siv::{Aes256GcmSiv, KeyInit};
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::{Scalar, clamp_integer};
use ed25519_dalek::hazmat::{ExpandedSecretKey, raw_sign};
use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use rand_core::CryptoRng;
use sha2::{Digest, Sha512, Sha512_256};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::index::{INDEX_LEN, IndexKeys};
use crate::{BoxId, Error, Index, SealedBox, VerifiedBox};

/// Computes addresses and opens boxes of a stream, from its index on. 136 bytes: root public key |
/// index.
#[derive(Clone)]
pub struct ReadCapability {
    root: CompressedEdwardsY,
    point: EdwardsPoint,
    index: Index,
}

impl ReadCapability {
    /// Serialised length, bytes.
    pub(crate) const LEN: usize = 32 + INDEX_LEN;

    /// Makes a capability from a root public key and an index.
    ///
    /// # Errors
    /// [`Error::BadCapability`] unless the key is the canonical encoding of a point of the
    /// prime-order group. A key with a small-order part would mark all its ids for any observer,
    /// and one writer could pose as eight.
    pub fn from_parts(root: [u8; 32], index: Index) -> Result<Self, Error> {
        let root = CompressedEdwardsY(root);
        let point = root.decompress().ok_or(Error::BadCapability)?;
        // This also refuses second encodings: only points with y < 19 have one, and all of those
        // have a small-order part.
        if point.is_small_order() || !point.is_torsion_free() {
            return Err(Error::BadCapability);
        }
        Ok(ReadCapability { root, point, index })
    }

    /// Reads 136 bytes from outside.
    ///
    /// # Errors
    /// [`Error::BadCapability`], also for a stream that could end (`BOX-012`).
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let bytes: &[u8; Self::LEN] = bytes.try_into().map_err(|_| Error::BadCapability)?;
        let (root, index) = bytes.split_first_chunk::<32>().ok_or(Error::BadCapability)?;
        let index = index.try_into().map_err(|_| Error::BadCapability)?;
        Self::from_parts(*root, Index::from_bytes(index)?)
    }

    /// Reads 136 bytes that were written here: a place that reading has come to.
    ///
    /// # Errors
    /// [`Error::BadCapability`].
    pub fn from_kept(bytes: &[u8]) -> Result<Self, Error> {
        let bytes: &[u8; Self::LEN] = bytes.try_into().map_err(|_| Error::BadCapability)?;
        let (root, index) = bytes.split_first_chunk::<32>().ok_or(Error::BadCapability)?;
        let index = index.try_into().map_err(|_| Error::BadCapability)?;
        Self::from_parts(*root, Index::from_kept(index))
    }

    /// The 136 bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut out = Zeroizing::new(Vec::with_capacity(Self::LEN));
        out.extend_from_slice(self.root.as_bytes());
        out.extend_from_slice(self.index.to_bytes().as_ref());
        out
    }

    /// The stream's root public key.
    #[must_use]
    pub const fn root_public(&self) -> [u8; 32] {
        self.root.0
    }

    /// Where it stands.
    #[must_use]
    pub const fn index(&self) -> &Index {
        &self.index
    }

    /// The capability from the next index on. It cannot go back.
    ///
    /// # Errors
    /// [`Error::EndOfStream`].
    pub fn next(&self) -> Result<Self, Error> {
        Ok(ReadCapability { index: self.index.next()?, ..self.clone() })
    }

    /// The capability at `counter`, at most 2^20 steps ahead.
    ///
    /// # Errors
    /// [`Error::Passed`], [`Error::TooFarAhead`].
    pub fn advance_to(&self, counter: u64) -> Result<Self, Error> {
        Ok(ReadCapability { index: self.index.advance_to(counter)?, ..self.clone() })
    }

    /// The address of the box at the current index under `context`.
    #[must_use]
    pub fn box_id(&self, context: &[u8]) -> BoxId {
        self.id_for(&self.index.keys(context))
    }

    /// The addresses of the next `n` boxes, starting with the current index; fewer at the end of
    /// the stream. The capability stays where it is. Each index is ratcheted once.
    pub fn ids<'a>(&'a self, context: &'a [u8], n: usize) -> impl Iterator<Item = BoxId> + 'a {
        std::iter::successors(Some(self.index.clone()), |index| index.next().ok())
            .take(n)
            .map(|index| self.id_for(&index.keys(context)))
    }

    /// Opens the box at the current index.
    ///
    /// The id is compared first. A reader knows the encryption key and could encrypt a box of its
    /// own, but cannot sign it under this id.
    ///
    /// # Errors
    /// [`Error::WrongId`], [`Error::Tombstone`], [`Error::NotOpened`].
    pub fn open(&self, context: &[u8], found: &VerifiedBox) -> Result<Zeroizing<Vec<u8>>, Error> {
        let keys = self.index.keys(context);
        if self.id_for(&keys) != found.id() {
            return Err(Error::WrongId);
        }
        if found.is_tombstone() {
            return Err(Error::Tombstone);
        }
        let mut plaintext = Zeroizing::new(found.ciphertext().to_vec());
        let cipher = Aes256GcmSiv::new(&keys.encryption.into());
        let id = found.id();
        cipher
            .decrypt_in_place(&nonce(&id).into(), id.as_bytes(), &mut *plaintext)
            .map_err(|_| Error::NotOpened)?;
        Ok(plaintext)
    }

    /// id = factor · root public key.
    #[allow(clippy::arithmetic_side_effects, reason = "group arithmetic is total")]
    fn id_for(&self, keys: &IndexKeys) -> BoxId {
        BoxId::new((self.point * *factor(keys)).compress().0)
    }
}

impl fmt::Debug for ReadCapability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReadCapability")
    }
}

/// Makes boxes of a stream, from its index on. 168 bytes: root private key 64 (seed | public) |
/// index.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct WriteCapability {
    seed: [u8; 32],
    /// Root secret scalar, reduced. Kept because deriving it would cost a SHA-512 for each box.
    scalar: Scalar,
    #[zeroize(skip)]
    root: [u8; 32],
    index: Index,
}

impl WriteCapability {
    /// Serialised length, bytes.
    pub const LEN: usize = 64 + INDEX_LEN;

    /// Draws a new stream.
    pub fn generate<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        let mut seed = Zeroizing::new([0; 32]);
        rng.fill_bytes(seed.as_mut());
        Self::from_parts(&seed, Index::random(rng))
    }

    /// A stream that everybody who knows these 32 bytes can write: root seed =
    /// SHA-512/256("hushwing stream root v1" | seed), index = [`Index::from_seed`].
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let root = Zeroizing::new(<[u8; 32]>::from(
            Sha512_256::new()
                .chain_update(b"hushwing stream root v1")
                .chain_update(seed)
                .finalize(),
        ));
        Self::from_parts(&root, Index::from_seed(seed))
    }

    /// Makes a capability from an Ed25519 seed (RFC 8032 private key) and an index.
    #[must_use]
    pub fn from_parts(root_seed: &[u8; 32], index: Index) -> Self {
        let hash = Zeroizing::new(<[u8; 64]>::from(Sha512::digest(root_seed)));
        let half = Zeroizing::new(hash.first_chunk::<32>().copied().unwrap_or_default());
        let scalar = Scalar::from_bytes_mod_order(clamp_integer(*half));
        let root = EdwardsPoint::mul_base(&scalar).compress().0;
        WriteCapability { seed: *root_seed, scalar, root, index }
    }

    /// Reads the 168 bytes.
    ///
    /// # Errors
    /// [`Error::BadCapability`] when the length is wrong or the public half does not belong to the
    /// seed.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let bytes: &[u8; Self::LEN] = bytes.try_into().map_err(|_| Error::BadCapability)?;
        let (seed, rest) = bytes.split_first_chunk::<32>().ok_or(Error::BadCapability)?;
        let (public, index) = rest.split_first_chunk::<32>().ok_or(Error::BadCapability)?;
        let index = index.try_into().map_err(|_| Error::BadCapability)?;
        let capability = Self::from_parts(seed, Index::from_kept(index));
        if capability.root == *public { Ok(capability) } else { Err(Error::BadCapability) }
    }

    /// The 168 bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut out = Zeroizing::new(Vec::with_capacity(Self::LEN));
        out.extend_from_slice(&self.seed);
        out.extend_from_slice(&self.root);
        out.extend_from_slice(self.index.to_bytes().as_ref());
        out
    }

    /// The stream's root public key.
    #[must_use]
    pub const fn root_public(&self) -> [u8; 32] {
        self.root
    }

    /// Where it stands.
    #[must_use]
    pub const fn index(&self) -> &Index {
        &self.index
    }

    /// The capability from the next index on.
    ///
    /// # Errors
    /// [`Error::EndOfStream`].
    pub fn next(&self) -> Result<Self, Error> {
        Ok(WriteCapability { index: self.index.next()?, ..self.clone() })
    }

    /// The capability at `counter`, at most 2^20 steps ahead.
    ///
    /// # Errors
    /// [`Error::Passed`], [`Error::TooFarAhead`].
    pub fn advance_to(&self, counter: u64) -> Result<Self, Error> {
        Ok(WriteCapability { index: self.index.advance_to(counter)?, ..self.clone() })
    }

    /// The capability to read the stream from the current index on.
    #[must_use]
    pub fn read_capability(&self) -> ReadCapability {
        let point = EdwardsPoint::mul_base(&self.scalar);
        ReadCapability { root: CompressedEdwardsY(self.root), point, index: self.index.clone() }
    }

    /// Signs a message with the stream's root key (RFC 8032), to show that the writer of the stream
    /// also stands behind something else. The message must begin with a domain of its own: boxes
    /// are signed with blinded keys, so no box can pass for such a message, nor the reverse.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        SigningKey::from_bytes(&self.seed).sign(message).to_bytes()
    }

    /// Seals a plaintext at the current index. Sealing the same plaintext twice gives the same box,
    /// so a retry is harmless. Never seal two different plaintexts at one index: the hub would
    /// refuse the second, and both would use one key.
    ///
    /// # Errors
    /// [`Error::TooLong`] above the limit of AES-GCM-SIV (64 GiB).
    pub fn seal(&self, context: &[u8], plaintext: &[u8]) -> Result<VerifiedBox, Error> {
        let keys = self.index.keys(context);
        let key = self.blinded(&keys);
        let id = key.id();
        // The id is the associated data, so a ciphertext that is moved to another id does not open.
        let mut ciphertext = plaintext.to_vec();
        let cipher = Aes256GcmSiv::new(&keys.encryption.into());
        cipher.encrypt_in_place(&nonce(&id).into(), id.as_bytes(), &mut ciphertext).map_err(
            |_| Error::TooLong {
                len: plaintext.len(),
                max: usize::try_from(aes_gcm_siv::P_MAX).unwrap_or(usize::MAX),
            },
        )?;
        Ok(key.sign(ciphertext))
    }

    /// Makes a tombstone at the current index.
    #[must_use]
    pub fn tombstone(&self, context: &[u8]) -> VerifiedBox {
        self.blinded(&self.index.keys(context)).sign(Vec::new())
    }

    #[allow(clippy::arithmetic_side_effects, reason = "field arithmetic is total")]
    fn blinded(&self, keys: &IndexKeys) -> BlindedKey {
        let secret = Zeroizing::new(self.scalar * *factor(keys));
        // Computed from the secret: an Ed25519 signature under a public key that does not match
        // would leak the secret.
        let public = VerifyingKey::from(EdwardsPoint::mul_base(&secret));
        BlindedKey { secret, public }
    }
}

impl fmt::Debug for WriteCapability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WriteCapability")
    }
}

/// The blinding factor: clamp(SHA-512/256(K')).
fn factor(keys: &IndexKeys) -> Zeroizing<Scalar> {
    let hash = Zeroizing::new(<[u8; 32]>::from(Sha512_256::digest(keys.blinding)));
    Zeroizing::new(Scalar::from_bytes_mod_order(clamp_integer(*hash)))
}

// Constant for an index and context, whose key is used for one box. AES-GCM-SIV stays safe even if
// a writer breaks that rule: it only shows whether two plaintexts are equal.
fn nonce(id: &BoxId) -> [u8; 12] {
    id.as_bytes().first_chunk::<12>().copied().unwrap_or_default()
}

/// The signing key of one box: the blinded secret scalar (mod l) and its public key, which is the
/// box's id.
struct BlindedKey {
    secret: Zeroizing<Scalar>,
    public: VerifyingKey,
}

impl BlindedKey {
    fn id(&self) -> BoxId {
        BoxId::new(self.public.to_bytes())
    }

    /// Signs with a blinded scalar. Ed25519 derives its nonce from a seed, which a blinded key
    /// lacks. So the nonce prefix comes from the scalar: the first half of SHA-512("hushwing box
    /// nonce v1" | scalar). It is not random, because a bad generator could then leak the key. Each
    /// context has its own scalar and so its own prefix.
    fn sign(&self, ciphertext: Vec<u8>) -> VerifiedBox {
        let hash = Zeroizing::new(<[u8; 64]>::from(
            Sha512::new()
                .chain_update(b"hushwing box nonce v1")
                .chain_update(self.secret.as_bytes())
                .finalize(),
        ));
        let key = ExpandedSecretKey {
            scalar: *self.secret,
            hash_prefix: hash.first_chunk::<32>().copied().unwrap_or_default(),
        };
        let signature = raw_sign::<Sha512>(&key, &ciphertext, &self.public).to_bytes();
        VerifiedBox::trusted(SealedBox { id: self.id(), ciphertext, signature })
    }
}

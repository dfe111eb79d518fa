//! Positions in a stream: a counter and three secrets that ratchet forward together.

use std::fmt;

use blake2::Blake2b512;
use hkdf::SimpleHkdf;
use rand_core::CryptoRng;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::Error;

/// Serialised length, bytes.
pub(crate) const INDEX_LEN: usize = 104;

/// Most steps of one [`Index::advance_to`]. A number from outside can cost two seconds at most.
pub(crate) const MAX_ADVANCE: u64 = 1 << 20;

/// First counters are below this: see [`Index::random`].
const FIRST_COUNTERS: u64 = 1 << 63;

/// Index state of a BACAP stream: counter u64 | blinding K 32 | encryption E 32 | HKDF state H 32.
///
/// Serialised little-endian, 104 bytes. An index cannot be computed from later ones.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Index {
    counter: u64,
    blinding: [u8; 32],
    encryption: [u8; 32],
    state: [u8; 32],
}

/// The keys of one index under one context.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct IndexKeys {
    /// K', the source of the blinding factor.
    pub(crate) blinding: [u8; 32],
    /// E', the AES-256-GCM-SIV key.
    pub(crate) encryption: [u8; 32],
}

impl Index {
    /// Draws a random first index. As BACAP specifies, its counter is the sum of two random numbers
    /// below 2^62, which leaves room for more boxes than anyone can write.
    pub fn random<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        let counter = (rng.next_u64() >> 2).saturating_add(rng.next_u64() >> 2);
        let mut state = Zeroizing::new([0; 32]);
        rng.fill_bytes(state.as_mut());
        Index::first(counter, &state)
    }

    /// The first index of a stream that several people derive from one 32-byte secret.
    /// HKDF-BLAKE2b-512(ikm = seed, no salt, info "hushwing index seed v1") gives the two numbers
    /// and H.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let mut out = Zeroizing::new([0; 48]);
        expand(None, seed, b"hushwing index seed v1", out.as_mut());
        let (a, rest) = split(out.as_ref());
        let (b, rest) = split(rest);
        let state = Zeroizing::new(take32(rest));
        let counter = (u64::from_le_bytes(a) >> 2).saturating_add(u64::from_le_bytes(b) >> 2);
        Index::first(counter, &state)
    }

    /// The counter. Outsiders never see it.
    #[must_use]
    pub const fn counter(&self) -> u64 {
        self.counter
    }

    /// The next index.
    ///
    /// # Errors
    /// [`Error::EndOfStream`] at the last counter.
    pub(crate) fn next(&self) -> Result<Self, Error> {
        let counter = self.counter.checked_add(1).ok_or(Error::EndOfStream)?;
        Ok(Index { counter, ..ratchet(self.counter, &self.state) })
    }

    /// The index at `counter`, at most [`MAX_ADVANCE`] steps ahead. Costs one HKDF for each step.
    ///
    /// # Errors
    /// [`Error::Passed`] for an earlier counter, [`Error::TooFarAhead`] above the bound.
    pub(crate) fn advance_to(&self, counter: u64) -> Result<Self, Error> {
        let steps = counter.checked_sub(self.counter).ok_or(Error::Passed)?;
        if steps > MAX_ADVANCE {
            return Err(Error::TooFarAhead);
        }
        (0..steps).try_fold(self.clone(), |index, _| index.next())
    }

    /// The 104 bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; INDEX_LEN]> {
        let mut out = Zeroizing::new([0; INDEX_LEN]);
        let counter = self.counter.to_le_bytes();
        let parts = counter.iter().chain(&self.blinding).chain(&self.encryption).chain(&self.state);
        for (to, from) in out.iter_mut().zip(parts) {
            *to = *from;
        }
        out
    }

    /// Reads 104 bytes from outside.
    ///
    /// # Errors
    /// [`Error::BadCapability`] for a counter of 2^63 or more: such a stream could end while it is
    /// read (`BOX-012`).
    pub fn from_bytes(bytes: &[u8; INDEX_LEN]) -> Result<Self, Error> {
        let index = Self::from_kept(bytes);
        if index.counter < FIRST_COUNTERS { Ok(index) } else { Err(Error::BadCapability) }
    }

    /// Reads 104 bytes that were written here. Streams begin below 2^63,
    /// so no reader or writer gets to the end of the counter.
    #[must_use]
    pub fn from_kept(bytes: &[u8; INDEX_LEN]) -> Self {
        let (counter, rest) = split(bytes);
        let (blinding, rest) = rest.split_at_checked(32).unwrap_or_default();
        let (encryption, state) = rest.split_at_checked(32).unwrap_or_default();
        Index {
            counter: u64::from_le_bytes(counter),
            blinding: take32(blinding),
            encryption: take32(encryption),
            state: take32(state),
        }
    }

    /// K' and E': HKDF-BLAKE2b-512 of K and E with the context as salt.
    pub(crate) fn keys(&self, context: &[u8]) -> IndexKeys {
        let mut keys = IndexKeys { blinding: [0; 32], encryption: [0; 32] };
        expand(Some(context), &self.blinding, &[], &mut keys.blinding);
        expand(Some(context), &self.encryption, &[], &mut keys.encryption);
        keys
    }

    fn first(counter: u64, state: &[u8; 32]) -> Self {
        // Every later index takes K and E from its predecessor's H. The first has no predecessor
        // and takes them from its own.
        Index { counter, ..ratchet(counter, state) }
    }
}

/// One step: H', E' and K' after `counter`. Leaves the counter of the result at zero.
fn ratchet(counter: u64, state: &[u8; 32]) -> Index {
    let mut out = Zeroizing::new([0; 96]);
    expand(None, state, &counter.to_le_bytes(), out.as_mut());
    let (state, rest) = out.split_at_checked(32).unwrap_or_default();
    let (encryption, blinding) = rest.split_at_checked(32).unwrap_or_default();
    Index {
        counter: 0,
        blinding: take32(blinding),
        encryption: take32(encryption),
        state: take32(state),
    }
}

/// HKDF-BLAKE2b-512 (RFC 5869). Outputs are at most 96 bytes, far below the limit, so it cannot
/// fail.
fn expand(salt: Option<&[u8]>, ikm: &[u8], info: &[u8], out: &mut [u8]) {
    let done = SimpleHkdf::<Blake2b512>::new(salt, ikm).expand(info, out);
    debug_assert!(done.is_ok());
}

fn split(bytes: &[u8]) -> ([u8; 8], &[u8]) {
    bytes.split_first_chunk::<8>().map_or(([0; 8], &[]), |(a, rest)| (*a, rest))
}

fn take32(bytes: &[u8]) -> [u8; 32] {
    bytes.first_chunk::<32>().copied().unwrap_or_default()
}

impl fmt::Debug for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Index")
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    #[test]
    fn bytes_survive_and_debug_prints_nothing() {
        let index = Index::random(&mut ChaCha20Rng::seed_from_u64(1));
        assert_eq!(Index::from_bytes(&index.to_bytes()).unwrap(), index);
        assert_eq!(format!("{index:?}"), "Index");
        assert!(index.counter() < 1 << 63);
    }

    //= BOX-002
    #[test]
    fn the_ratchet_goes_forward_and_ends() {
        let index = Index::from_seed(&[7; 32]);
        assert_eq!(index, Index::from_seed(&[7; 32]));
        assert_ne!(index, Index::from_seed(&[8; 32]));
        let next = index.next().unwrap();
        assert_eq!(next.counter(), index.counter() + 1);
        assert_ne!(next.state, index.state);
        let third = next.next().unwrap().next().unwrap();
        assert_eq!(index.advance_to(index.counter() + 3).unwrap(), third);
        assert_eq!(index.advance_to(index.counter()).unwrap(), index);
        assert_eq!(third.advance_to(index.counter()), Err(Error::Passed));
        let far = index.counter() + MAX_ADVANCE + 1;
        assert_eq!(index.advance_to(far), Err(Error::TooFarAhead));
        let last = Index { counter: u64::MAX, ..index.clone() };
        assert_eq!(last.next(), Err(Error::EndOfStream));
    }
}

//! A node's Sphinx keys: one per epoch, made ahead and erased afterwards.

use std::collections::{BTreeMap, BTreeSet};

use minicbor::{Decode, Encode};
use rand_core::CryptoRng;
use sphinx::{PrivateKey, Scheme};
use wire::Timestamp;
use wire::document::{EpochKey, NetworkDocument};
use zeroize::Zeroizing;

use crate::Error;

/// Epochs for which a node has keys: the current one and the next two.
pub(crate) const EPOCHS_AHEAD: u64 = 2;

/// How long the keys of an epoch still open packets after its end, ms: half an epoch, but at least
/// 2 s and at most 2 min. Packets may sit in delay queues when an epoch ends.
#[must_use]
pub fn grace_ms(epoch_ms: u64) -> u64 {
    epoch_ms.checked_div(2).unwrap_or(0).clamp(2_000, 120_000)
}

/// The epoch whose keys packets use at `time` with this document (`MIX-009`): the one that it is,
/// not before the document's own. The document names keys for two epochs more; while there is no
/// newer one, the last of them serve until it ends.
#[must_use]
pub fn in_use(document: &NetworkDocument, time: Timestamp) -> u64 {
    let last = document.epoch.saturating_add(EPOCHS_AHEAD);
    time.period(document.epoch_ms).clamp(document.epoch, last)
}

/// Life of a key from its first possible use, ms. Replay filters are sized for it.
#[must_use]
pub(crate) fn key_life_ms(epoch_ms: u64) -> u64 {
    epoch_ms.saturating_add(grace_ms(epoch_ms))
}

/// Private keys by epoch. Keys are zeroized when they are dropped.
pub struct EpochKeys {
    scheme: Scheme,
    keys: BTreeMap<u64, Zeroizing<Vec<u8>>>,
    /// Epochs whose key was dropped. It is never made again: a fresh key would come with an empty
    /// replay filter, and the published document still names the old one.
    dropped: BTreeSet<u64>,
}

#[derive(Encode, Decode)]
struct Stored {
    #[n(0)]
    keys: Vec<StoredKey>,
    #[n(1)]
    dropped: Vec<u64>,
}

#[derive(Encode, Decode)]
struct StoredKey {
    #[n(0)]
    epoch: u64,
    #[cbor(n(1), encode_with = "encode_secret", decode_with = "decode_secret")]
    key: Zeroizing<Vec<u8>>,
}

fn encode_secret<C, W: minicbor::encode::Write>(
    key: &Zeroizing<Vec<u8>>,
    e: &mut minicbor::Encoder<W>,
    _: &mut C,
) -> Result<(), minicbor::encode::Error<W::Error>> {
    e.bytes(key)?.ok()
}

fn decode_secret<C>(
    d: &mut minicbor::Decoder<'_>,
    _: &mut C,
) -> Result<Zeroizing<Vec<u8>>, minicbor::decode::Error> {
    Ok(Zeroizing::new(d.bytes()?.to_vec()))
}

impl EpochKeys {
    /// No keys yet.
    #[must_use]
    pub const fn new(scheme: Scheme) -> Self {
        EpochKeys { scheme, keys: BTreeMap::new(), dropped: BTreeSet::new() }
    }

    /// Reads keys that an earlier run stored.
    ///
    /// # Errors
    /// [`Error::Wire`], [`Error::BadKey`] when they are of another scheme.
    pub fn from_bytes(scheme: Scheme, bytes: &[u8]) -> Result<Self, Error> {
        let stored: Stored = wire::decode(bytes, "epoch keys")?;
        let mut keys = BTreeMap::new();
        for StoredKey { epoch, key } in stored.keys {
            PrivateKey::from_bytes(scheme, &key).map_err(|_| Error::BadKey)?;
            keys.insert(epoch, key);
        }
        let dropped = stored.dropped.into_iter().collect();
        Ok(EpochKeys { scheme, keys, dropped })
    }

    /// What [`EpochKeys::from_bytes`] reads.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let keys = self.keys.iter().map(|(e, k)| StoredKey { epoch: *e, key: k.clone() }).collect();
        let stored = Stored { keys, dropped: self.dropped.iter().copied().collect() };
        // All the room at once: a vector that grows leaves copies of keys behind in freed memory.
        let room =
            self.keys.values().fold(64_usize, |n, k| n.saturating_add(k.len()).saturating_add(32));
        let room = room.saturating_add(self.dropped.len().saturating_mul(16));
        let mut bytes = Zeroizing::new(Vec::with_capacity(room));
        // Writing to memory cannot fail.
        let _ = minicbor::encode(&stored, &mut *bytes);
        bytes
    }

    /// Makes the missing keys of `epoch` and the next two, except those that were dropped.
    ///
    /// # Errors
    /// [`Error::Sphinx`] when the library cannot make a key.
    pub fn advance<R: CryptoRng>(&mut self, epoch: u64, rng: &mut R) -> Result<(), Error> {
        for wanted in epoch..=epoch.saturating_add(EPOCHS_AHEAD) {
            if !self.keys.contains_key(&wanted) && !self.dropped.contains(&wanted) {
                let key = PrivateKey::generate(self.scheme, rng)?;
                self.keys.insert(wanted, key.to_bytes());
            }
        }
        Ok(())
    }

    /// Erases the keys of all epochs before `epoch` (DESIGN invariant 9).
    pub fn erase_before(&mut self, epoch: u64) {
        self.keys = self.keys.split_off(&epoch);
        self.dropped = self.dropped.split_off(&epoch);
    }

    /// Drops the key of an epoch for good.
    pub fn drop_epoch(&mut self, epoch: u64) {
        self.keys.remove(&epoch);
        self.dropped.insert(epoch);
    }

    /// Drops the key of an epoch whose public half nobody has used yet. [`EpochKeys::advance`]
    /// makes another.
    pub fn renew_epoch(&mut self, epoch: u64) {
        self.keys.remove(&epoch);
    }

    /// Epochs with a key, in ascending order.
    #[must_use]
    pub fn epochs(&self) -> Vec<u64> {
        self.keys.keys().copied().collect()
    }

    /// The private key of an epoch, if there is one.
    #[must_use]
    pub fn private(&self, epoch: u64) -> Option<PrivateKey> {
        self.keys.get(&epoch).and_then(|k| PrivateKey::from_bytes(self.scheme, k).ok())
    }

    /// Public keys of `epoch` and later, at most three, for the descriptor.
    #[must_use]
    pub fn public_from(&self, epoch: u64) -> Vec<EpochKey> {
        let published = self.keys.range(epoch..).take(wire::limits::MAX_EPOCH_KEYS);
        published
            .filter_map(|(e, k)| {
                let key = PrivateKey::from_bytes(self.scheme, k).ok()?;
                Some(EpochKey { epoch: *e, key: key.public().as_bytes().to_vec() })
            })
            .collect()
    }
}

impl std::fmt::Debug for EpochKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "EpochKeys({})", self.keys.len())
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    //= MIX-008
    #[test]
    fn keys_are_made_ahead_kept_across_a_restart_and_erased_after() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let mut keys = EpochKeys::new(Scheme::X25519Kem);
        keys.advance(10, &mut rng).unwrap();
        assert_eq!(keys.epochs(), [10, 11, 12]);
        let before = keys.public_from(10);
        let mut again = EpochKeys::from_bytes(Scheme::X25519Kem, &keys.to_bytes()).unwrap();
        again.advance(11, &mut rng).unwrap();
        assert_eq!(again.epochs(), [10, 11, 12, 13]);
        assert_eq!(again.public_from(10), before, "the oldest three");
        assert_eq!(again.public_from(11).len(), 3);
        again.erase_before(11);
        assert!(again.private(10).is_none());
        assert!(EpochKeys::from_bytes(Scheme::XWing, &again.to_bytes()).is_err());
        assert_eq!(format!("{again:?}"), "EpochKeys(3)");
    }

    #[test]
    fn a_key_that_was_given_up_is_never_made_again() {
        let mut rng = ChaCha20Rng::seed_from_u64(2);
        let mut keys = EpochKeys::new(Scheme::X25519Kem);
        keys.advance(10, &mut rng).unwrap();
        keys.drop_epoch(10);
        let mut keys = EpochKeys::from_bytes(Scheme::X25519Kem, &keys.to_bytes()).unwrap();
        keys.advance(10, &mut rng).unwrap();
        assert_eq!(keys.epochs(), [11, 12]);
        let before = keys.public_from(11);
        keys.renew_epoch(11);
        keys.advance(11, &mut rng).unwrap();
        assert_ne!(keys.public_from(11), before);
    }

    #[test]
    fn grace_is_bounded() {
        assert_eq!(grace_ms(1_000), 2_000);
        assert_eq!(grace_ms(10_000), 5_000);
        assert_eq!(grace_ms(86_400_000), 120_000);
    }
}

//! The tally: 32 bytes that travel with a packet. Each hop folds its keyed digest into them, so the
//! sender, and nobody else, can verify offline that exactly these hops processed the packet, in
//! this order.
//!
//! A hop's key comes from the spare bytes of Sphinx's key derivation ([`sphinx::HopSecret`]): fresh
//! for each packet, known to the sender and to the node with the epoch's private key. So to
//! everybody else the tallies on two links look unrelated.

use rand_core::CryptoRng;
use sphinx::HopSecret;
use wire::document::Processing;
use wire::{ErrorKind, NetworkId, NodeId, Tally};

/// Draws a packet's first tally: random, so that the first hop sees what any other hop sees.
pub fn draw<R: CryptoRng>(rng: &mut R) -> Tally {
    let mut bytes = [0; Tally::LEN];
    rng.fill_bytes(&mut bytes);
    Tally::new(bytes)
}

/// Folds one hop in: the first 32 bytes of the keyed digest of the tally (`TALLY-001`).
#[must_use]
pub fn fold(processing: Processing, key: &HopSecret, tally: &Tally) -> Tally {
    let (key, tally) = (key.as_bytes(), tally.as_bytes());
    Tally::new(match processing {
        Processing::Sha256 => first_32(mac::<hmac::Hmac<sha2::Sha256>>(key, tally).as_slice()),
        Processing::Sha512 => first_32(mac::<hmac::Hmac<sha2::Sha512>>(key, tally).as_slice()),
        Processing::Sha3_256 => first_32(mac::<hmac::Hmac<sha3::Sha3_256>>(key, tally).as_slice()),
        Processing::Blake3 => *blake3::keyed_hash(key, tally).as_bytes(),
    })
}

fn mac<M: hmac::KeyInit + hmac::Mac>(key: &[u8; 32], message: &[u8]) -> Vec<u8> {
    // HMAC takes keys of any length, so this cannot fail.
    let Ok(mac) = <M as hmac::KeyInit>::new_from_slice(key) else { return Vec::new() };
    mac.chain_update(message).finalize().into_bytes().to_vec()
}

fn first_32(bytes: &[u8]) -> [u8; 32] {
    bytes.first_chunk::<32>().copied().unwrap_or_default()
}

/// Appends a tally to a packet.
pub fn append(packet: &mut Vec<u8>, tally: &Tally) {
    packet.extend_from_slice(tally.as_bytes());
}

/// Removes the tally from the end of a packet; `None` when the packet is too short.
pub fn split_off(packet: &mut Vec<u8>) -> Option<Tally> {
    let (rest, tally) = packet.split_last_chunk::<{ Tally::LEN }>()?;
    let (len, tally) = (rest.len(), Tally::new(*tally));
    packet.truncate(len);
    Some(tally)
}

/// One hop of a [`Receipt`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiptHop {
    /// The relay, or at the end the hub.
    pub node: NodeId,
    /// Its digest, according to the network document.
    pub processing: Processing,
    /// The delay that the sender chose for it, ms. Nodes record no times of their own.
    pub delay_ms: u32,
    /// The key that sender and hop share for this one packet.
    pub key: HopSecret,
}

/// All that a sender needs to check which way its packet went. It convinces the sender alone:
/// others can repeat the computation, but must take the sender's word that these are the packet's
/// keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The network.
    pub network: NetworkId,
    /// The epoch whose node keys opened the packet.
    pub epoch: u64,
    /// The hops in order, the hub last.
    pub hops: Vec<ReceiptHop>,
    /// The tally as it left the sender.
    pub first: Tally,
    /// The tally that came back.
    pub last: Option<Tally>,
}

/// What a wrong tally says about the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The answer held no tally, or there are no hops.
    #[error("the answer held no tally")]
    NoTally,
    /// One hop did not fold. Hops are counted from 1.
    #[error("hop {0} is missing")]
    Missing(usize),
    /// One hop folded twice.
    #[error("hop {0} processed the packet twice")]
    Doubled(usize),
    /// Two hops processed the packet in each other's place.
    #[error("hops {0} and {1} are exchanged")]
    Exchanged(usize, usize),
    /// Anything else: another key, another digest, an altered tally.
    #[error("a hop or the tally was altered")]
    Altered,
}

impl Fault {
    /// Whose fault it is.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Fault::NoTally => ErrorKind::HubMisbehaved,
            _ => ErrorKind::RelayMisbehaved,
        }
    }
}

impl Receipt {
    /// Returns the tally after each hop, if exactly these hops processed the packet in this order
    /// (`TALLY-004`).
    ///
    /// # Errors
    /// The simplest [`Fault`] that explains the tally.
    pub fn verify(&self) -> Result<Vec<Tally>, Fault> {
        let last = self.last.ok_or(Fault::NoTally)?;
        let mut tallies = Vec::with_capacity(self.hops.len());
        let mut tally = self.first;
        for hop in &self.hops {
            tally = fold(hop.processing, &hop.key, &tally);
            tallies.push(tally);
        }
        match tallies.last() {
            None => Err(Fault::NoTally),
            Some(tally) if *tally == last => Ok(tallies),
            Some(_) => Err(self.explain(&last)),
        }
    }

    /// Tries every single fault, the likeliest first.
    fn explain(&self, last: &Tally) -> Fault {
        let count = self.hops.len();
        let gives = |order: &[&ReceiptHop]| {
            order.iter().fold(self.first, |tally, hop| fold(hop.processing, &hop.key, &tally))
                == *last
        };
        let whole: Vec<&ReceiptHop> = self.hops.iter().collect();
        for (at, hop) in self.hops.iter().enumerate() {
            let number = at.saturating_add(1);
            let mut missing = whole.clone();
            missing.remove(at);
            if gives(&missing) {
                return Fault::Missing(number);
            }
            let mut doubled = whole.clone();
            doubled.insert(at, hop);
            if gives(&doubled) {
                return Fault::Doubled(number);
            }
            for other in number..count {
                let mut exchanged = whole.clone();
                exchanged.swap(at, other);
                if gives(&exchanged) {
                    return Fault::Exchanged(number, other.saturating_add(1));
                }
            }
        }
        Fault::Altered
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn receipt(keys: &[[u8; 32]], kinds: &[Processing]) -> Receipt {
        let hops: Vec<ReceiptHop> = keys
            .iter()
            .zip(kinds)
            .map(|(key, processing)| ReceiptHop {
                node: NodeId::new(*key),
                processing: *processing,
                delay_ms: 5,
                key: HopSecret::from_bytes(*key),
            })
            .collect();
        let first = Tally::new([9; 32]);
        let last = hops.iter().fold(first, |t, h| fold(h.processing, &h.key, &t));
        Receipt { network: NetworkId::new([1; 32]), epoch: 7, hops, first, last: Some(last) }
    }

    //= TALLY-001
    #[test]
    fn the_four_digests_are_what_others_compute() {
        // By Python 3: hmac.new(bytes([1]) * 32, bytes([2]) * 32, NAME).hexdigest()[:64].
        let known = [
            (
                Processing::Sha256,
                "7321406e0c880fd92597898beb393af2aebed51ab5cdf1d52e5991f9afadd2de",
            ),
            (
                Processing::Sha512,
                "64de57f485aec2db1047b1a0c859de8f39e521ce94b2106e5b73a63d67b26632",
            ),
            (
                Processing::Sha3_256,
                "d9f43bfe71b47b85b24fd67ad1e667dcacd45f68c512e2e43b0f6fa7962be465",
            ),
        ];
        for (processing, hex) in known {
            let folded = fold(processing, &HopSecret::from_bytes([1; 32]), &Tally::new([2; 32]));
            assert_eq!(data_encoding::HEXLOWER.encode(folded.as_bytes()), hex);
        }
        // BLAKE3's own interface, which has vectors of its own.
        let folded =
            fold(Processing::Blake3, &HopSecret::from_bytes([1; 32]), &Tally::new([2; 32]));
        assert_eq!(folded.as_bytes(), blake3::keyed_hash(&[1; 32], &[2; 32]).as_bytes());
    }

    fn chain() -> impl Strategy<Value = (Vec<[u8; 32]>, Vec<Processing>)> {
        (2..=6usize).prop_flat_map(|n| {
            let keys = proptest::collection::vec(any::<[u8; 32]>(), n);
            (keys, proptest::collection::vec(proptest::sample::select(&Processing::ALL[..]), n))
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        //= TALLY-004
        #[test]
        fn a_chain_verifies_for_its_own_keys_and_order_only((keys, kinds) in chain(), at in any::<proptest::sample::Index>()) {
            let good = receipt(&keys, &kinds);
            prop_assert_eq!(good.verify().unwrap().len(), keys.len());
            let at = at.index(keys.len());
            let number = at + 1;

            let mut less = good.clone();
            less.last = Some(less.hops.iter().enumerate().filter(|(n, _)| *n != at)
                .fold(less.first, |t, (_, h)| fold(h.processing, &h.key, &t)));
            prop_assert_eq!(less.verify(), Err(Fault::Missing(number)));

            let mut more = good.clone();
            more.hops.insert(at, more.hops[at].clone());
            prop_assert_eq!(more.verify(), Err(Fault::Missing(number)), "the receipt names a hop too often");

            let mut other = good.clone();
            let with = (at + 1) % keys.len();
            other.hops.swap(at, with);
            prop_assert_eq!(other.verify(), Err(Fault::Exchanged(at.min(with) + 1, at.max(with) + 1)));

            let mut doubled = good.clone();
            doubled.hops.remove(at);
            prop_assert!(doubled.verify().is_err());

            let mut altered = good.clone();
            let mut key = *altered.hops[at].key.as_bytes();
            key[3] ^= 1;
            altered.hops[at].key = HopSecret::from_bytes(key);
            prop_assert_eq!(altered.verify(), Err(Fault::Altered));

            let mut digest = good.clone();
            digest.hops[at].processing = Processing::ALL.into_iter().find(|p| *p != digest.hops[at].processing).unwrap();
            prop_assert_eq!(digest.verify(), Err(Fault::Altered));
        }

        #[test]
        fn splitting_never_panics(mut packet in proptest::collection::vec(any::<u8>(), 0..80)) {
            let before = packet.clone();
            match split_off(&mut packet) {
                None => prop_assert!(before.len() < 32),
                Some(tally) => {
                    append(&mut packet, &tally);
                    prop_assert_eq!(packet, before);
                }
            }
        }
    }

    #[test]
    fn an_answer_without_a_tally_proves_nothing() {
        let mut none = receipt(&[[1; 32]], &[Processing::Sha256]);
        none.last = None;
        assert_eq!(none.verify(), Err(Fault::NoTally));
        none.hops.clear();
        none.last = Some(none.first);
        assert_eq!(none.verify(), Err(Fault::NoTally));
    }
}

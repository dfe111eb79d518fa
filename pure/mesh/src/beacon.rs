//! Beacons: datagrams to everybody on a LAN.
//!
//! ```text
//! "hw" | version u8 | shown u8 | port u16 | slot u32 | key 32 | 32 tokens of 16 | if shown: name length u8, name, zeros up to 64
//! ```

use std::net::IpAddr;

use rand_core::CryptoRng;
use wire::{NodeId, Timestamp};

use crate::pair::{Pair, Spot, TOKEN_LEN, Token};

/// Number of tokens in every beacon, however many contacts the sender has (`MESH-001`).
pub(crate) const TOKENS: usize = 32;
/// Longest name in a beacon, bytes.
pub(crate) const NAME_LEN: usize = 64;
/// Length of a slot, ms. Tokens change with each slot.
pub(crate) const SLOT_MS: u64 = 300_000;
/// How many slots a beacon may be off, since clocks that nobody sets are wrong by hours.
const SLOT_TOLERANCE: u32 = 12 * 36;

const MAGIC: &[u8; 3] = b"hw\x01";
/// Length of a beacon without a name, bytes.
pub(crate) const PRIVATE_LEN: usize = 42 + TOKENS * TOKEN_LEN;
/// Length of a beacon with a name, bytes.
pub(crate) const SHOWN_LEN: usize = PRIVATE_LEN + 1 + NAME_LEN;

/// The slot at `now`.
#[must_use]
pub(crate) fn slot_of(now: Timestamp) -> u32 {
    // Slots wrap around after 40,000 years.
    u32::try_from(now.period(SLOT_MS) & u64::from(u32::MAX)).unwrap_or(0)
}

/// A received beacon.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Beacon {
    /// TCP port of the sender.
    pub(crate) port: u16,
    /// The slot of its tokens.
    pub(crate) slot: u32,
    /// The key that the sender's links prove.
    pub(crate) key: NodeId,
    /// Tokens and noise, which only a contact can tell apart.
    pub(crate) tokens: Vec<Token>,
    /// The name of a sender who is visible to everybody, not sanitized yet.
    pub(crate) name: Option<String>,
}

impl Beacon {
    /// Reads a datagram; `None` when it is not a beacon.
    #[must_use]
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(MAGIC)?;
        let (shown, rest) = rest.split_first()?;
        let (port, rest) = rest.split_first_chunk::<2>()?;
        let (slot, rest) = rest.split_first_chunk::<4>()?;
        let (key, rest) = rest.split_first_chunk::<32>()?;
        let (tokens, rest) = rest.split_at_checked(TOKENS.checked_mul(TOKEN_LEN)?)?;
        let tokens = tokens.chunks_exact(TOKEN_LEN).filter_map(|t| t.try_into().ok()).collect();
        let name = match (shown, rest) {
            (0, []) => None,
            (1, [len, name @ ..]) if name.len() == NAME_LEN => {
                let text = name.get(..usize::from(*len))?;
                Some(std::str::from_utf8(text).ok()?.to_owned())
            }
            _ => return None,
        };
        Some(Beacon {
            port: u16::from_be_bytes(*port),
            slot: u32::from_be_bytes(*slot),
            key: NodeId::new(*key),
            tokens,
            name,
        })
    }

    /// Whether its slot is near enough to the slot at `now`. Beacons recorded earlier are
    /// worthless.
    #[must_use]
    pub(crate) fn is_timely(&self, now: Timestamp) -> bool {
        let ours = slot_of(now);
        self.slot.abs_diff(ours) <= SLOT_TOLERANCE
    }

    /// Where the sender listens.
    #[must_use]
    pub(crate) const fn spot(&self, ip: IpAddr) -> Spot {
        Spot { ip, port: self.port, key: self.key }
    }
}

/// Writes a beacon sent from this spot: the tokens of these contacts, at most [`TOKENS`], mixed
/// with noise.
#[must_use]
pub(crate) fn write(
    now: Timestamp,
    spot: &Spot,
    pairs: &[&Pair],
    name: Option<&str>,
    rng: &mut dyn CryptoRng,
) -> Vec<u8> {
    let slot = slot_of(now);
    let mut tokens: Vec<Token> =
        pairs.iter().take(TOKENS).map(|p| p.token(true, slot, spot)).collect();
    while tokens.len() < TOKENS {
        let mut noise = [0; TOKEN_LEN];
        rng.fill_bytes(&mut noise);
        tokens.push(noise);
    }
    // Sorting by value hides which are noise: to everybody but a contact, tokens are random.
    tokens.sort_unstable();
    let mut out = MAGIC.to_vec();
    out.push(u8::from(name.is_some()));
    out.extend_from_slice(&spot.port.to_be_bytes());
    out.extend_from_slice(&slot.to_be_bytes());
    out.extend_from_slice(spot.key.as_bytes());
    tokens.iter().for_each(|t| out.extend_from_slice(t));
    if let Some(name) = name {
        let cut =
            (0..=NAME_LEN.min(name.len())).rev().find(|at| name.is_char_boundary(*at)).unwrap_or(0);
        let name = name.get(..cut).unwrap_or_default();
        out.push(u8::try_from(name.len()).unwrap_or(0));
        out.extend_from_slice(name.as_bytes());
        out.resize(SHOWN_LEN, 0);
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;
    use crate::pair::tests::pair_of;

    fn spot() -> Spot {
        Spot { ip: "10.0.0.1".parse().unwrap(), port: 45_454, key: NodeId::new([7; 32]) }
    }

    //= MESH-001
    #[test]
    fn all_private_beacons_are_of_one_length_and_tell_nobody_how_many_contacts_there_are() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let pairs: Vec<_> = (0..40).map(|n| pair_of(n).0).collect();
        let now = Timestamp::from_millis(1_800_000_000_000);
        for count in [0, 1, 32, 40] {
            let some: Vec<&Pair> = pairs.iter().take(count).collect();
            let bytes = write(now, &spot(), &some, None, &mut rng);
            assert_eq!(bytes.len(), PRIVATE_LEN);
            let heard = Beacon::parse(&bytes).unwrap();
            assert_eq!((heard.tokens.len(), heard.name.as_deref()), (TOKENS, None));
            assert!(heard.is_timely(now));
            let known =
                (0..40).map(|n| pair_of(n).1.token(false, heard.slot, &heard.spot(spot().ip)));
            assert_eq!(known.filter(|t| heard.tokens.contains(t)).count(), count.min(TOKENS));
        }
    }

    #[test]
    fn a_name_is_carried_and_cut_at_a_character() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let long = "é".repeat(60);
        for (name, back) in [("Ann", "Ann"), (long.as_str(), &long[..64])] {
            let bytes = write(Timestamp::ZERO, &spot(), &[], Some(name), &mut rng);
            assert_eq!(bytes.len(), SHOWN_LEN);
            assert_eq!(Beacon::parse(&bytes).unwrap().name.as_deref(), Some(back));
        }
    }

    proptest! {
        #[test]
        fn no_datagram_makes_the_parser_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..700), head: bool) {
            if head && bytes.len() > 3 {
                bytes[..3].copy_from_slice(MAGIC);
            }
            let _ = Beacon::parse(&bytes);
        }
    }
}

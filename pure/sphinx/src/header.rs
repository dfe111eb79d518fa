//! The nested header, built from the last hop to the first.

use rand_core::CryptoRng;

use crate::command::{self, Command, Destination, Orders};
use crate::geometry::VERSION_LEN;
use crate::primitives::{HopKeys, HopSecret, PayloadKey, xor};
use crate::{Error, Geometry, Id, MAC_LEN, PublicKey, Scheme, kem};

/// The first bytes of every header.
pub(crate) const VERSION: [u8; VERSION_LEN] = [0, 0];

/// One hop of a path.
#[derive(Clone)]
pub struct PathHop {
    /// The node's id, by which the previous hop finds it.
    pub id: Id,
    /// The node's key for this epoch.
    pub key: PublicKey,
    /// Commands for the node: at most one delay and, at the last hop, a recipient. Building adds
    /// next hops and the SURB id.
    pub commands: Vec<Command>,
}

impl core::fmt::Debug for PathHop {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("PathHop(..)")
    }
}

/// A finished header and the payload key of each hop, first hop first.
pub(crate) struct Header {
    pub(crate) bytes: Vec<u8>,
    pub(crate) payload_keys: Vec<PayloadKey>,
    /// The secret that each hop shares with the sender; empty with X25519-NIKE.
    pub(crate) secrets: Vec<HopSecret>,
}

/// Builds a header for `path`; `last` is appended to the last hop's commands (SPHINX-008).
pub(crate) fn build(
    geometry: &Geometry,
    path: &[PathHop],
    last: &[Command],
    rng: &mut impl CryptoRng,
) -> Result<Header, Error> {
    let free = geometry.max_hops().checked_sub(path.len()).ok_or(Error::Path)?;
    if path.is_empty() || path.iter().any(|hop| hop.key.scheme() != geometry.scheme()) {
        return Err(Error::Path);
    }
    let hops = hop_keys(path, rng)?;
    let streams = streams(geometry, &hops)?;

    // Unused slots are random, so that the last hop cannot tell how long the path was.
    let mut routing_info = vec![0; geometry.slot_len().checked_mul(free).ok_or(Error::Geometry)?];
    rng.fill_bytes(&mut routing_info);
    let mut next: Option<(Id, &[u8], [u8; MAC_LEN])> = None;
    for ((hop, (ciphertext, keys)), stream) in path.iter().zip(&hops).zip(&streams).rev() {
        let mut inner = slot(geometry, &hop.commands, last, next)?;
        inner.append(&mut routing_info);
        xor(&mut inner, &stream.over);
        routing_info = inner;
        let mac = keys.sign(&[&VERSION, ciphertext, &routing_info, &stream.padding])?;
        next = Some((hop.id, ciphertext, mac));
    }

    let (_, ciphertext, mac) = next.ok_or(Error::Path)?;
    let mut bytes = Vec::with_capacity(geometry.packet_len());
    for part in [&VERSION[..], ciphertext, &routing_info, &mac] {
        bytes.extend_from_slice(part);
    }
    let payload_keys = hops.iter().map(|(_, keys)| keys.payload().clone()).collect();
    let secrets = hops.iter().filter_map(|(_, keys)| keys.secret(geometry.scheme())).collect();
    Ok(Header { bytes, payload_keys, secrets })
}

fn hop_keys(path: &[PathHop], rng: &mut impl CryptoRng) -> Result<Vec<(Vec<u8>, HopKeys)>, Error> {
    if path.iter().any(|hop| hop.key.scheme() == Scheme::X25519Nike) {
        return kem::nike_path(path.iter().map(|hop| &hop.key), rng);
    }
    path.iter()
        .map(|hop| {
            let sent = kem::encapsulate(&hop.key, rng)?;
            Ok((sent.ciphertext, HopKeys::derive(&sent.secret)?))
        })
        .collect()
}

/// One hop's key stream, as it acts on the header.
struct Stream {
    /// The part over the slots of this hop and those after it.
    over: Vec<u8>,
    /// What the previous hops leave behind those slots: decrypted zeros. Empty for the first hop.
    padding: Vec<u8>,
}

fn streams(geometry: &Geometry, hops: &[(Vec<u8>, HopKeys)]) -> Result<Vec<Stream>, Error> {
    let mut kept = geometry.routing_info_len();
    let mut left = Vec::new();
    let mut out = Vec::with_capacity(hops.len());
    for (_, keys) in hops {
        let mut over = vec![
            0;
            geometry
                .routing_info_len()
                .checked_add(geometry.slot_len())
                .ok_or(Error::Geometry)?
        ];
        keys.apply_stream(&mut over)?;
        let padding = left;
        left = over.split_off(kept);
        xor(&mut left, &padding);
        kept = kept.saturating_sub(geometry.slot_len());
        out.push(Stream { over, padding });
    }
    Ok(out)
}

/// One hop's slot: commands, zero padding, and the next hop's ciphertext at the end (not for
/// X25519-NIKE).
fn slot(
    geometry: &Geometry,
    commands: &[Command],
    last: &[Command],
    next: Option<(Id, &[u8], [u8; MAC_LEN])>,
) -> Result<Vec<u8>, Error> {
    let mut all = commands.to_vec();
    match next {
        Some((id, _, mac)) => all.push(Command::NextHop { id, mac }),
        None => all.extend_from_slice(last),
    }
    let orders = Orders::read(&all)?;
    if matches!(orders.to, Destination::Next { .. }) != next.is_some() {
        return Err(Error::Commands);
    }
    let mut slot = Vec::with_capacity(geometry.slot_len());
    all.iter().for_each(|command| command.encode(&mut slot));
    if slot.len() > command::AREA_LEN {
        return Err(Error::Commands);
    }
    slot.resize(command::AREA_LEN, 0);
    if let Some((_, ciphertext, _)) = next
        && geometry.scheme() != Scheme::X25519Nike
    {
        slot.extend_from_slice(ciphertext);
    }
    slot.resize(geometry.slot_len(), 0);
    Ok(slot)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PrivateKey;
    use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

    //= SPHINX-008
    #[test]
    fn slots_are_laid_out_and_unused_ones_are_random() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let geometry = Geometry::new(Scheme::X25519Kem, 5, 10).unwrap();
        let keys: Vec<_> =
            (0..2_u8).map(|_| PrivateKey::generate(Scheme::X25519Kem, &mut rng).unwrap()).collect();
        let hop = |i: usize, commands| PathHop {
            id: [i as u8; 32],
            key: keys[i].public().clone(),
            commands,
        };
        let path = [hop(0, vec![Command::Delay(7)]), hop(1, vec![Command::Recipient([9; 32])])];
        let mut header = build(&geometry, &path, &[], &mut rng).unwrap().bytes;

        let parts = geometry.parts(&mut header).unwrap();
        let hop_keys =
            HopKeys::derive(&kem::decapsulate(&keys[0], parts.ciphertext).unwrap()).unwrap();
        let mut info = [parts.routing_info, &mut [0; 114][..]].concat();
        hop_keys.apply_stream(&mut info).unwrap();
        assert_eq!(info[..6], [0x80, 0, 0, 0, 7, 1]);
        assert_eq!(info[6..38], [1; 32]);
        let next_mac = info[38..70].to_vec();
        assert_eq!(info[70..82], [0; 12]);
        let next_ciphertext = info[82..114].to_vec();
        info.drain(..114);

        let hop_keys =
            HopKeys::derive(&kem::decapsulate(&keys[1], &next_ciphertext).unwrap()).unwrap();
        assert_eq!(hop_keys.sign(&[&VERSION, &next_ciphertext, &info]).unwrap()[..], next_mac);
        hop_keys.apply_stream(&mut info).unwrap();
        assert_eq!(info[..33], [&[2], &[9; 32][..]].concat());
        assert_eq!(info[33..114], [0; 81]);
        // Three unused slots: random, so about half of their bits are set.
        let ones: u32 = info[114..456].iter().map(|b| b.count_ones()).sum();
        assert!((1200..1540).contains(&ones), "{ones} of 2736");
    }
}

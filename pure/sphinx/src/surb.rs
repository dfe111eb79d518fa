//! Single-use reply blocks: a header that the receiver of an answer makes in advance.

use rand_core::CryptoRng;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::geometry::PAYLOAD_KEY_LEN;
use crate::header::{self, VERSION};
use crate::packet::{body_mut, with_payload};
use crate::primitives::PayloadKey;
use crate::unwrap::strip_tag;
use crate::{Command, Error, Geometry, ID_LEN, Id, PAYLOAD_TAG_LEN, Packet, PathHop, SurbId};

/// A reply block. Its holder can send one reply along a path that it cannot see.
///
/// Bytes: header, id of the first hop (32), AEZ key (48) and IV (16) of the reply. This is the only
/// payload key that leaves its maker; those of the hops stay in [`SurbKeys`].
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Surb {
    bytes: Vec<u8>,
}

impl core::fmt::Debug for Surb {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Surb(..)")
    }
}

impl Surb {
    /// Makes a SURB whose reply travels along `path`, and the keys that open that reply. `surb_id`
    /// is added to the last hop's commands, which must name the maker as recipient.
    ///
    /// # Errors
    /// As [`build`](crate::build).
    pub fn create(
        geometry: &Geometry,
        path: &[PathHop],
        surb_id: SurbId,
        rng: &mut impl CryptoRng,
    ) -> Result<(Self, SurbKeys), Error> {
        let first = path.first().ok_or(Error::Path)?.id;
        let header = header::build(geometry, path, &[Command::SurbReply(surb_id)], rng)?;
        let mut reply_key = Zeroizing::new([0; PAYLOAD_KEY_LEN]);
        rng.fill_bytes(reply_key.as_mut_slice());
        let reply_key = PayloadKey::from_bytes(*reply_key);

        let mut bytes = Vec::with_capacity(geometry.surb_len());
        for part in [&header.bytes[..], &first, reply_key.as_bytes()] {
            bytes.extend_from_slice(part);
        }
        let mut hops = header.payload_keys;
        hops.reverse();
        Ok((Self { bytes }, SurbKeys { hops, reply: reply_key }))
    }

    /// Reads a SURB. Only its first hop can tell whether the header is valid.
    ///
    /// # Errors
    /// [`Error::Length`] unless there are exactly [`Geometry::surb_len`] bytes; [`Error::Version`].
    pub fn from_bytes(geometry: &Geometry, bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() != geometry.surb_len() {
            return Err(Error::Length);
        }
        if !bytes.starts_with(&VERSION) {
            return Err(Error::Version);
        }
        Ok(Self { bytes: bytes.to_vec() })
    }

    /// The SURB's bytes. Everybody who sees them can use it up.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The first node of the reply's path.
    #[must_use]
    pub fn first_hop(&self) -> Id {
        self.split().map(|(_, first, _)| first).unwrap_or_default()
    }

    /// Makes the reply: a packet and the node to send it to. `payload` is zero-padded to
    /// [`Geometry::reply_len`].
    ///
    /// # Errors
    /// [`Error::PayloadTooLong`]; [`Error::Length`] if the SURB is of another geometry.
    pub fn reply(self, geometry: &Geometry, payload: &[u8]) -> Result<(Packet, Id), Error> {
        if payload.len() > geometry.reply_len() {
            return Err(Error::PayloadTooLong);
        }
        if self.bytes.len() != geometry.surb_len() {
            return Err(Error::Length);
        }
        let (header, first, key) = self.split().ok_or(Error::Length)?;
        let mut packet = Vec::with_capacity(geometry.packet_len());
        packet.extend_from_slice(header);
        let mut packet = with_payload(geometry, packet, payload);
        key.encrypt(body_mut(geometry, &mut packet)?);
        Ok((Packet(packet), first))
    }

    /// Header, first hop, reply key.
    fn split(&self) -> Option<(&[u8], Id, PayloadKey)> {
        let (rest, key) = self.bytes.split_last_chunk::<PAYLOAD_KEY_LEN>()?;
        let (header, first) = rest.split_last_chunk::<ID_LEN>()?;
        Some((header, *first, PayloadKey::from_bytes(*key)))
    }
}

/// What the maker of a SURB keeps: opens one reply. Wiped when dropped.
///
/// Bytes: 64 (AEZ key 48, IV 16) for each hop, last hop first, then 64 for the reply itself.
pub struct SurbKeys {
    /// Last hop first, the order in which their layers come off.
    hops: Vec<PayloadKey>,
    reply: PayloadKey,
}

impl core::fmt::Debug for SurbKeys {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("SurbKeys(..)")
    }
}

// Both fields wipe themselves.
impl ZeroizeOnDrop for SurbKeys {}

impl SurbKeys {
    /// Reads keys that [`SurbKeys::to_bytes`] wrote.
    ///
    /// # Errors
    /// [`Error::Length`] unless the bytes are keys of at least one and at most the geometry's limit
    /// of hops, and a reply.
    pub fn from_bytes(geometry: &Geometry, bytes: &[u8]) -> Result<Self, Error> {
        let (keys, rest) = bytes.as_chunks::<PAYLOAD_KEY_LEN>();
        let (reply, hops) = keys.split_last().ok_or(Error::Length)?;
        if !rest.is_empty() || hops.is_empty() || hops.len() > geometry.max_hops() {
            return Err(Error::Length);
        }
        let hops = hops.iter().map(|k| PayloadKey::from_bytes(*k)).collect();
        Ok(Self { hops, reply: PayloadKey::from_bytes(*reply) })
    }

    /// The keys' bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let keys = || self.hops.iter().chain([&self.reply]);
        let mut out =
            Zeroizing::new(Vec::with_capacity(keys().count().saturating_mul(PAYLOAD_KEY_LEN)));
        keys().for_each(|key| out.extend_from_slice(key.as_bytes()));
        out
    }

    /// Opens the reply in place. `payload` is what the last hop handed over, with its tag. Returns
    /// [`Geometry::reply_len`] bytes.
    ///
    /// # Errors
    /// [`Error::Length`]; [`Error::PayloadTag`] if the reply was altered or belongs to another
    /// SURB.
    pub fn open(self, geometry: &Geometry, payload: Vec<u8>) -> Result<Vec<u8>, Error> {
        let mut payload = payload;
        if Some(payload.len()) != geometry.reply_len().checked_add(PAYLOAD_TAG_LEN) {
            return Err(Error::Length);
        }
        // Each hop has "decrypted" a reply that was never encrypted for it. Encrypting undoes that.
        for hop in &self.hops {
            hop.encrypt(&mut payload);
        }
        self.reply.decrypt(&mut payload);
        strip_tag(&mut payload)?;
        Ok(payload)
    }
}

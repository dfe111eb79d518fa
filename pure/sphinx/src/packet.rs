//! Packets, and how a sender builds them.

use aws_lc_rs::digest;
use rand_core::CryptoRng;

use crate::header::{self, VERSION};
use crate::primitives::PayloadKey;
use crate::{Error, Geometry, HopSecret, PAYLOAD_TAG_LEN, PathHop};

/// The tag by which a replay filter knows a packet: SHA-512/256 of its KEM ciphertext or group
/// element.
pub type ReplayTag = [u8; 32];

/// A packet at any point of its path. Its length and version were checked, nothing else.
#[derive(Clone, PartialEq, Eq)]
pub struct Packet(pub(crate) Vec<u8>);

impl core::fmt::Debug for Packet {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Packet(..)")
    }
}

impl Packet {
    /// Takes bytes from outside, without copying them.
    ///
    /// # Errors
    /// [`Error::Length`] unless there are exactly [`Geometry::packet_len`] bytes;
    /// [`Error::Version`].
    pub fn from_bytes(geometry: &Geometry, bytes: Vec<u8>) -> Result<Self, Error> {
        if bytes.len() != geometry.packet_len() {
            return Err(Error::Length);
        }
        if !bytes.starts_with(&VERSION) {
            return Err(Error::Version);
        }
        Ok(Self(bytes))
    }

    /// The packet's bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The packet's bytes, without copying them.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// The packet's replay tag, which is known before any key is used. Insert it into a replay filter
/// only after the packet was unwrapped, or anybody could fill the filter.
///
/// # Errors
/// [`Error::Length`] if the packet is of another geometry.
pub fn replay_tag(geometry: &Geometry, packet: &Packet) -> Result<ReplayTag, Error> {
    let (_, rest) = packet.0.split_at_checked(VERSION.len()).ok_or(Error::Length)?;
    tag_of(rest.get(..geometry.scheme().ciphertext_len()).ok_or(Error::Length)?)
}

pub(crate) fn tag_of(ciphertext: &[u8]) -> Result<ReplayTag, Error> {
    digest::digest(&digest::SHA512_256, ciphertext).as_ref().try_into().map_err(|_| Error::Crypto)
}

/// Builds a packet that travels along `path` and delivers `payload`, zero-padded to
/// [`Geometry::forward_payload_len`] bytes, to the recipient in the last hop's commands.
///
/// # Errors
/// [`Error::Path`], [`Error::Commands`], [`Error::PayloadTooLong`]; [`Error::Key`] or
/// [`Error::Ciphertext`] if a hop's key is unusable.
pub fn build(
    geometry: &Geometry,
    path: &[PathHop],
    payload: &[u8],
    rng: &mut impl CryptoRng,
) -> Result<Packet, Error> {
    build_with_secrets(geometry, path, payload, rng).map(|(packet, _)| packet)
}

/// Like [`build`], and also returns the secret that each hop shares with the sender, first hop
/// first; none with X25519-NIKE.
///
/// # Errors
/// As [`build`].
pub fn build_with_secrets(
    geometry: &Geometry,
    path: &[PathHop],
    payload: &[u8],
    rng: &mut impl CryptoRng,
) -> Result<(Packet, Vec<HopSecret>), Error> {
    if payload.len() > geometry.forward_payload_len() {
        return Err(Error::PayloadTooLong);
    }
    let header = header::build(geometry, path, &[], rng)?;
    let mut packet = with_payload(geometry, header.bytes, payload);
    let body = body_mut(geometry, &mut packet)?;
    for key in header.payload_keys.iter().rev() {
        PayloadKey::encrypt(key, body);
    }
    Ok((Packet(packet), header.secrets))
}

/// Appends the zero tag and the zero-padded payload to a header.
pub(crate) fn with_payload(geometry: &Geometry, header: Vec<u8>, payload: &[u8]) -> Vec<u8> {
    let mut packet = header;
    packet.reserve_exact(geometry.packet_len().saturating_sub(packet.len()));
    packet.extend_from_slice(&[0; PAYLOAD_TAG_LEN]);
    packet.extend_from_slice(payload);
    packet.resize(geometry.packet_len(), 0);
    packet
}

/// Tag and payload of a packet.
pub(crate) fn body_mut<'a>(
    geometry: &Geometry,
    packet: &'a mut [u8],
) -> Result<&'a mut [u8], Error> {
    packet.get_mut(geometry.header_len()..).ok_or(Error::Length)
}

//! Unwrapping: a node checks a packet, peels one layer, and forwards or delivers the rest.

use subtle::ConstantTimeEq;

use crate::command::{self, Command, Destination, Orders};
use crate::geometry::Parts;
use crate::header::VERSION;
use crate::packet::tag_of;
use crate::primitives::{HopKeys, HopSecret};
use crate::{
    Error, Geometry, Id, PAYLOAD_TAG_LEN, Packet, PrivateKey, ReplayTag, Scheme, SurbId, kem,
};

/// A packet with one layer removed, before its commands are followed.
pub struct Peeled {
    /// The hop's commands in their order, known not to contradict each other.
    pub commands: Vec<Command>,
    /// For the replay filter.
    pub tag: ReplayTag,
    /// What is left of the packet.
    pub rest: Rest,
    /// The secret that this hop shares with the sender; `None` with X25519-NIKE.
    pub secret: Option<HopSecret>,
    orders: Orders,
}

/// What is left of a packet under one layer.
pub enum Rest {
    /// The packet for the next hop.
    Packet(Packet),
    /// At the last hop: tag (32 bytes) and payload, neither checked.
    Payload(Vec<u8>),
}

/// What the node that unwrapped a packet must do.
#[derive(PartialEq, Eq)]
pub enum Unwrapped {
    /// Forward the packet to `next` after `delay_ms` milliseconds.
    Forward {
        /// The next node.
        next: Id,
        /// The delay in milliseconds; 0 if the packet names none.
        delay_ms: u32,
        /// The packet for the next node.
        packet: Packet,
        /// For the replay filter.
        tag: ReplayTag,
        /// The secret that this hop shares with the sender; `None` with X25519-NIKE.
        secret: Option<HopSecret>,
    },
    /// Hand a payload, whose tag was checked, to a recipient at this node.
    Deliver {
        /// The recipient at this node.
        recipient: Id,
        /// The delay in milliseconds; 0 if the packet names none.
        delay_ms: u32,
        /// The forward payload: [`Geometry::forward_payload_len`] bytes.
        payload: Vec<u8>,
        /// For the replay filter.
        tag: ReplayTag,
        /// The secret that this hop shares with the sender; `None` with X25519-NIKE.
        secret: Option<HopSecret>,
    },
    /// Hand a reply to the maker of its SURB. Only [`SurbKeys::open`](crate::SurbKeys::open) can
    /// read or check it.
    Reply {
        /// The recipient at this node.
        recipient: Id,
        /// The delay in milliseconds; 0 if the packet names none.
        delay_ms: u32,
        /// The SURB's id, by which the recipient finds its keys.
        surb_id: SurbId,
        /// 32 bytes of tag and [`Geometry::reply_len`] bytes of reply, encrypted.
        payload: Vec<u8>,
        /// For the replay filter.
        tag: ReplayTag,
        /// The secret that this hop shares with the sender; `None` with X25519-NIKE.
        secret: Option<HopSecret>,
    },
}

impl core::fmt::Debug for Peeled {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Peeled(..)")
    }
}

impl core::fmt::Debug for Rest {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Packet(_) => "Packet(..)",
            Self::Payload(_) => "Payload(..)",
        })
    }
}

impl core::fmt::Debug for Unwrapped {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Forward { .. } => "Forward(..)",
            Self::Deliver { .. } => "Deliver(..)",
            Self::Reply { .. } => "Reply(..)",
        })
    }
}

/// Unwraps a packet: removes one layer and reads what to do, all in the packet's own buffer.
///
/// # Errors
/// As [`peel`], and at the last hop of a forward path [`Error::PayloadTag`] if the payload was
/// altered.
pub fn unwrap(geometry: &Geometry, key: &PrivateKey, packet: Packet) -> Result<Unwrapped, Error> {
    let Peeled { tag, rest, secret, orders: Orders { delay_ms, to }, .. } =
        peel(geometry, key, packet)?;
    match (to, rest) {
        (Destination::Next { id, .. }, Rest::Packet(packet)) => {
            Ok(Unwrapped::Forward { next: id, delay_ms, packet, tag, secret })
        }
        (Destination::Recipient(recipient), Rest::Payload(mut payload)) => {
            strip_tag(&mut payload)?;
            Ok(Unwrapped::Deliver { recipient, delay_ms, payload, tag, secret })
        }
        (Destination::Reply(recipient, surb_id), Rest::Payload(payload)) => {
            Ok(Unwrapped::Reply { recipient, delay_ms, surb_id, payload, tag, secret })
        }
        _ => Err(Error::Commands),
    }
}

/// Removes one layer of a packet. This is the raw step below [`unwrap`] and does not check the
/// payload's tag.
///
/// # Errors
/// [`Error::Length`] and [`Error::Key`] if packet or key belong to another geometry;
/// [`Error::Ciphertext`]; [`Error::Mac`] if the header was altered or is for another key;
/// [`Error::Commands`].
pub fn peel(geometry: &Geometry, key: &PrivateKey, packet: Packet) -> Result<Peeled, Error> {
    if key.scheme() != geometry.scheme() {
        return Err(Error::Key);
    }
    let mut bytes = packet.0;
    if bytes.len() != geometry.packet_len() {
        return Err(Error::Length);
    }
    let parts = geometry.parts(&mut bytes).ok_or(Error::Length)?;
    if parts.version != VERSION {
        return Err(Error::Version);
    }
    let secret = kem::decapsulate(key, parts.ciphertext)?;
    let tag = tag_of(parts.ciphertext)?;
    let keys = HopKeys::derive(&secret)?;
    keys.verify(&[parts.version, parts.ciphertext, parts.routing_info], parts.mac)?;

    let decrypted = routing_info(geometry, &keys, &parts)?;
    let (slot, next_info) = decrypted.split_at_checked(geometry.slot_len()).ok_or(Error::Length)?;
    let (area, next_ciphertext) = slot.split_at_checked(command::AREA_LEN).ok_or(Error::Length)?;
    let commands = Command::parse_all(area)?;
    let orders = Orders::read(&commands)?;
    keys.payload().decrypt(parts.payload);

    let rest = if let Destination::Next { mac, .. } = orders.to {
        if geometry.scheme() == Scheme::X25519Nike {
            let blinded = kem::blind(&keys, parts.ciphertext)?;
            parts.ciphertext.copy_from_slice(blinded.as_slice());
        } else {
            parts.ciphertext.copy_from_slice(next_ciphertext);
        }
        parts.routing_info.copy_from_slice(next_info);
        parts.mac.copy_from_slice(&mac);
        Rest::Packet(Packet(bytes))
    } else {
        if next_ciphertext.iter().any(|b| *b != 0) {
            return Err(Error::Commands);
        }
        bytes.drain(..geometry.header_len());
        Rest::Payload(bytes)
    };
    Ok(Peeled { commands, tag, rest, secret: keys.secret(geometry.scheme()), orders })
}

/// The routing info and one slot of zeros after it, decrypted: this hop's slot, then the next hop's
/// routing info.
fn routing_info(geometry: &Geometry, keys: &HopKeys, parts: &Parts<'_>) -> Result<Vec<u8>, Error> {
    let len =
        geometry.routing_info_len().checked_add(geometry.slot_len()).ok_or(Error::Geometry)?;
    let mut out = Vec::with_capacity(len);
    out.extend_from_slice(parts.routing_info);
    out.resize(len, 0);
    keys.apply_stream(&mut out)?;
    Ok(out)
}

/// Removes the 32 tag bytes, which must be zero. The time does not depend on their value.
pub(crate) fn strip_tag(payload: &mut Vec<u8>) -> Result<(), Error> {
    let (tag, _) = payload.split_at_checked(PAYLOAD_TAG_LEN).ok_or(Error::Length)?;
    if !bool::from(tag.ct_eq(&[0; PAYLOAD_TAG_LEN])) {
        return Err(Error::PayloadTag);
    }
    payload.drain(..PAYLOAD_TAG_LEN);
    Ok(())
}

//! The lengths of packets and their parts.

use crate::{Error, ID_LEN, MAC_LEN, PAYLOAD_TAG_LEN, Scheme, command};

/// Most hops that a geometry may allow.
pub const MAX_HOPS: usize = 20;
/// Longest forward payload, in bytes, that a geometry may have.
pub(crate) const MAX_PAYLOAD_LEN: usize = 1 << 20;
/// Header bytes before the KEM ciphertext: `00 00`.
pub(crate) const VERSION_LEN: usize = 2;
/// AEZ key (48 bytes) and IV (16 bytes) of one payload layer.
pub(crate) const PAYLOAD_KEY_LEN: usize = 64;
/// Flag bytes at the start of a forward payload.
pub(crate) const FLAGS_LEN: usize = 2;

/// The lengths of all packets in a network. They follow from key scheme, hop limit and payload
/// length.
///
/// All packets of a geometry have the same length, whatever their path and payload. All lengths are
/// in bytes. Source: Katzenpost `core/sphinx/geo`; docs/spec/sphinx.md, SPHINX-001.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    scheme: Scheme,
    max_hops: usize,
    payload_len: usize,
    slot_len: usize,
    routing_info_len: usize,
    header_len: usize,
    surb_len: usize,
    packet_len: usize,
}

impl Geometry {
    /// The geometry of packets with at most `max_hops` hops and `payload_len` bytes of forward
    /// payload (Katzenpost's `ForwardPayloadLength`; the 32-byte tag is not counted).
    ///
    /// # Errors
    /// [`Error::Geometry`] unless `1 <= max_hops <= MAX_HOPS` and `payload_len <= MAX_PAYLOAD_LEN`.
    pub fn new(scheme: Scheme, max_hops: usize, payload_len: usize) -> Result<Self, Error> {
        if !(1..=MAX_HOPS).contains(&max_hops) || payload_len > MAX_PAYLOAD_LEN {
            return Err(Error::Geometry);
        }
        let sum = |parts: &[usize]| {
            parts.iter().try_fold(0_usize, |a, b| a.checked_add(*b)).ok_or(Error::Geometry)
        };
        // With a KEM, each hop needs a ciphertext of its own, which the slot before it holds. With
        // X25519-NIKE the one group element is blinded instead.
        let slot_len = match scheme {
            Scheme::XWing | Scheme::X25519Kem => {
                sum(&[command::AREA_LEN, scheme.ciphertext_len()])?
            }
            Scheme::X25519Nike => command::AREA_LEN,
        };
        let routing_info_len = slot_len.checked_mul(max_hops).ok_or(Error::Geometry)?;
        let header_len = sum(&[VERSION_LEN, scheme.ciphertext_len(), routing_info_len, MAC_LEN])?;
        Ok(Self {
            scheme,
            max_hops,
            payload_len,
            slot_len,
            routing_info_len,
            header_len,
            surb_len: sum(&[header_len, ID_LEN, PAYLOAD_KEY_LEN])?,
            packet_len: sum(&[header_len, PAYLOAD_TAG_LEN, payload_len])?,
        })
    }

    /// The key scheme.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Most hops of a path.
    #[must_use]
    pub(crate) fn max_hops(&self) -> usize {
        self.max_hops
    }

    /// Bytes of the whole header: version, ciphertext, routing info, MAC.
    #[must_use]
    pub fn header_len(&self) -> usize {
        self.header_len
    }

    /// Bytes of one hop's part of the routing info.
    #[must_use]
    pub fn slot_len(&self) -> usize {
        self.slot_len
    }

    /// Bytes of the routing info: `max_hops` slots.
    #[must_use]
    pub fn routing_info_len(&self) -> usize {
        self.routing_info_len
    }

    /// Bytes of a [`Surb`](crate::Surb).
    #[must_use]
    pub fn surb_len(&self) -> usize {
        self.surb_len
    }

    /// Bytes of a [`Packet`](crate::Packet).
    #[must_use]
    pub fn packet_len(&self) -> usize {
        self.packet_len
    }

    /// Bytes of a forward payload, and of a reply: the most that [`build`](crate::build) and
    /// [`Surb::reply`](crate::Surb::reply) carry.
    #[must_use]
    pub fn forward_payload_len(&self) -> usize {
        self.payload_len
    }

    /// Most bytes of user data in a [`ForwardPayload`](crate::ForwardPayload), with or without a
    /// SURB. `None` if not even the flags and the SURB fit.
    #[must_use]
    pub fn user_len(&self, with_surb: bool) -> Option<usize> {
        let room = self.payload_len.checked_sub(FLAGS_LEN)?;
        if with_surb { room.checked_sub(self.surb_len) } else { Some(room) }
    }

    /// Most bytes of data in a reply. A reply has no flags, so it is the whole payload.
    #[must_use]
    pub fn reply_len(&self) -> usize {
        self.payload_len
    }

    /// Splits a packet or header of this geometry; `None` if it is too short.
    pub(crate) fn parts<'a>(&self, bytes: &'a mut [u8]) -> Option<Parts<'a>> {
        let (version, rest) = bytes.split_at_mut_checked(VERSION_LEN)?;
        let (ciphertext, rest) = rest.split_at_mut_checked(self.scheme.ciphertext_len())?;
        let (routing_info, rest) = rest.split_at_mut_checked(self.routing_info_len)?;
        let (mac, payload) = rest.split_at_mut_checked(MAC_LEN)?;
        Some(Parts { version, ciphertext, routing_info, mac, payload })
    }
}

/// The fields of a packet, in their order.
pub(crate) struct Parts<'a> {
    pub(crate) version: &'a mut [u8],
    pub(crate) ciphertext: &'a mut [u8],
    pub(crate) routing_info: &'a mut [u8],
    pub(crate) mac: &'a mut [u8],
    /// Tag and payload; empty for a bare header.
    pub(crate) payload: &'a mut [u8],
}

#[cfg(test)]
mod tests {
    use super::*;

    //= SPHINX-001
    #[test]
    fn lengths_are_those_of_the_deployed_format() {
        let g = Geometry::new(Scheme::XWing, 5, 9262).unwrap();
        assert_eq!((g.slot_len(), g.routing_info_len(), g.header_len()), (1202, 6010, 7164));
        assert_eq!((g.surb_len(), g.packet_len()), (7260, 16458));
        assert_eq!(
            (g.user_len(true), g.user_len(false), g.reply_len()),
            (Some(2000), Some(9260), 9262)
        );
        let g = Geometry::new(Scheme::X25519Kem, 5, 103).unwrap();
        assert_eq!(
            (g.slot_len(), g.header_len(), g.surb_len(), g.packet_len()),
            (114, 636, 732, 771)
        );
        assert_eq!((g.user_len(true), g.user_len(false)), (None, Some(101)));
        let g = Geometry::new(Scheme::X25519Nike, 5, 103).unwrap();
        assert_eq!(
            (g.slot_len(), g.header_len(), g.surb_len(), g.packet_len()),
            (82, 476, 572, 611)
        );
    }

    //= SPHINX-001
    #[test]
    fn bounds_hold() {
        for (hops, len) in [
            (0, 10),
            (MAX_HOPS + 1, 10),
            (usize::MAX, 10),
            (3, MAX_PAYLOAD_LEN + 1),
            (3, usize::MAX),
        ] {
            assert_eq!(Geometry::new(Scheme::XWing, hops, len), Err(Error::Geometry));
        }
        assert_eq!(Geometry::new(Scheme::XWing, 1, 0).unwrap().user_len(false), None);
        assert!(Geometry::new(Scheme::XWing, MAX_HOPS, MAX_PAYLOAD_LEN).is_ok());
    }
}

//! The network's packet geometry: from the document's form to the one that Sphinx computes with.

use sphinx::{Geometry, Scheme};
use wire::Tally;
use wire::document::{GeometrySpec, PacketScheme};
use wire::frame::{PACKET_PREFIX, REPLY_PREFIX};

use crate::Error;

/// Room for a request next to a SURB, bytes: a `put` of a standard box with its envelope.
pub(crate) const REQUEST_CAPACITY: usize = 2_304;

/// The geometry of a network whose paths have at most `max_relays` relays before the hub.
///
/// The payload has room for a SURB with the longest reply path and a `put` of a standard box. With
/// X-Wing, a reply then has room for three standard boxes.
///
/// # Errors
/// [`Error::Sphinx`] when there are too many hops.
pub fn spec_for(scheme: PacketScheme, max_relays: u8) -> Result<GeometrySpec, Error> {
    let max_hops = max_relays.saturating_add(1);
    // The SURB's length does not depend on the payload's.
    let surb = Geometry::new(to_scheme(scheme), usize::from(max_hops), 64)?.surb_len();
    let payload = surb.saturating_add(REQUEST_CAPACITY).saturating_add(2);
    let payload_len = u32::try_from(payload).map_err(|_| sphinx::Error::Geometry)?;
    Ok(GeometrySpec { scheme, max_hops, payload_len })
}

/// The geometry in Sphinx's own type.
///
/// # Errors
/// [`Error::Sphinx`] when a number is out of Sphinx's range.
pub fn to_sphinx(spec: &GeometrySpec) -> Result<Geometry, Error> {
    let payload = usize::try_from(spec.payload_len).map_err(|_| sphinx::Error::Geometry)?;
    Ok(Geometry::new(to_scheme(spec.scheme), usize::from(spec.max_hops), payload)?)
}

/// The packet scheme in Sphinx's own type.
#[must_use]
pub const fn to_scheme(scheme: PacketScheme) -> Scheme {
    match scheme {
        PacketScheme::XWing => Scheme::XWing,
        PacketScheme::X25519Kem => Scheme::X25519Kem,
        PacketScheme::X25519Nike => Scheme::X25519Nike,
    }
}

/// Length of the padded payload in a `Reply` frame, bytes. It makes the body as long as a `Packet`
/// frame's, which with `tally` ends in a tally, so that frames of both kinds look alike.
#[must_use]
pub fn reply_frame_payload(geometry: &Geometry, tally: bool) -> usize {
    let tally = if tally { Tally::LEN } else { 0 };
    geometry
        .packet_len()
        .saturating_add(tally)
        .saturating_add(PACKET_PREFIX)
        .saturating_sub(REPLY_PREFIX)
}

/// Overhead of a response, bytes: everything but its boxes, with the tally and the CBOR framing of
/// three boxes beyond 96 bytes each.
const RESPONSE_OVERHEAD: usize = 100;

/// Room for boxes in one reply, bytes, where a box takes 96 bytes and its ciphertext.
#[must_use]
pub fn reply_room(geometry: &Geometry) -> usize {
    geometry.reply_len().saturating_sub(RESPONSE_OVERHEAD)
}

#[cfg(test)]
mod tests {
    use wire::hub::{Answer, BoxBytes, Operation, Request, Response};
    use wire::id::AccessKey;
    use wire::{BootId, encode};

    use super::*;

    fn standard_box() -> BoxBytes {
        BoxBytes { id: [255; 32], ciphertext: vec![255; 2048], signature: [255; 64] }
    }

    //= MIX-001
    #[test]
    fn a_put_fits_beside_a_surb_and_three_boxes_fit_into_a_reply() {
        let put = Request {
            access: AccessKey::new([255; 16]),
            operation: Operation::Put(standard_box()),
        };
        let boxes = |n| Response {
            boot: BootId::new([255; 16]),
            answer: Answer::Boxes(vec![standard_box(); n]),
            tally: Some(wire::Tally::new([255; 32])),
        };
        for scheme in [PacketScheme::XWing, PacketScheme::X25519Kem, PacketScheme::X25519Nike] {
            for relays in [1, 3, 5, 8] {
                let geometry = to_sphinx(&spec_for(scheme, relays).unwrap()).unwrap();
                assert!(encode(&put).len() + 2 <= geometry.user_len(true).unwrap());
                let fits = if scheme == PacketScheme::XWing && relays >= 3 { 3 } else { 1 };
                assert!(
                    encode(&boxes(fits)).len() + 2 <= geometry.reply_len(),
                    "{scheme:?} {relays}"
                );
                assert!(geometry.packet_len() + 4 + 32 <= wire::limits::MAX_PACKET);
            }
        }
    }

    //= HUB-007
    #[test]
    fn boxes_that_the_room_takes_fit_into_a_reply() {
        let of = |len: usize| BoxBytes {
            id: [255; 32],
            ciphertext: vec![255; len],
            signature: [255; 64],
        };
        let ladder = [512, 1_024, 2_048, 4_096];
        for scheme in [PacketScheme::XWing, PacketScheme::X25519Kem, PacketScheme::X25519Nike] {
            for relays in [1, 2, 3, 5, 8, 11] {
                let geometry = to_sphinx(&spec_for(scheme, relays).unwrap()).unwrap();
                let room = reply_room(&geometry);
                for n in 0..64 {
                    let lens = [ladder[n % 4], ladder[n / 4 % 4], ladder[n / 16]];
                    let boxes: Vec<BoxBytes> =
                        lens[..1 + n % 3].iter().map(|len| of(*len)).collect();
                    let counted: usize = boxes.iter().map(|b| b.ciphertext.len() + 96).sum();
                    let tally = Some(wire::Tally::new([255; 32]));
                    let response = Response {
                        boot: BootId::new([255; 16]),
                        answer: Answer::Boxes(boxes),
                        tally,
                    };
                    assert!(
                        counted > room || encode(&response).len() + 2 <= geometry.reply_len(),
                        "{scheme:?} {relays}"
                    );
                }
                // A large box fits every reply with X-Wing, and none without.
                assert_eq!(
                    room >= 4_096 + 96,
                    scheme == PacketScheme::XWing,
                    "{scheme:?} {relays}"
                );
                assert!(room >= 2_048 + 96);
            }
        }
    }

    #[test]
    fn too_many_hops_are_refused() {
        assert!(spec_for(PacketScheme::XWing, 200).is_err());
    }
}

//! Messages between neighbours on a LAN: that they know each other, which boxes they carry, and
//! which they lack.

use minicbor::{Decode, Encode};

use crate::codec;
use crate::hub::{BoxAddress, BoxBytes};
use crate::limits::{MAX_MESH_BOXES, MAX_MESH_IDS, MAX_MESH_RANGES};

/// The first frame in each direction. It proves knowledge of the pair's secret, bound to both keys
/// of the link, so it cannot be relayed. To anybody else it is noise. `Debug` prints no byte.
#[derive(Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct Proof(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 32]);

impl std::fmt::Debug for Proof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Proof")
    }
}

/// A stranger asks to become a contact. Only people who are visible to everybody accept it.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct Knock {
    /// The stranger's name, at most 64 bytes, not sanitized yet.
    #[cbor(
        n(0),
        encode_with = "minicbor::bytes::encode",
        decode_with = "codec::bounded_bytes::<_, 64>"
    )]
    pub name: Vec<u8>,
}

impl std::fmt::Debug for Knock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Knock")
    }
}

/// The answer to a knock.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct Welcomed {
    /// The text of a single-use invite, at most 4,096 bytes, or empty to decline.
    #[cbor(
        n(0),
        encode_with = "minicbor::bytes::encode",
        decode_with = "codec::bounded_bytes::<_, 4096>"
    )]
    pub invite: Vec<u8>,
}

impl std::fmt::Debug for Welcomed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Welcomed")
    }
}

/// A box that a neighbour offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Offered {
    /// Its address.
    #[n(0)]
    pub id: BoxAddress,
    /// How many more hops it may travel from the sender.
    #[n(1)]
    pub hops: u8,
}

/// A box on its way from neighbour to neighbour.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Carried {
    /// How many more hops it may travel from the sender.
    #[n(0)]
    pub hops: u8,
    /// The box.
    #[n(1)]
    pub content: BoxBytes,
}

/// A message between linked neighbours.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Message {
    /// A step of a reconciliation from the side that started it (negentropy v1).
    #[n(0)]
    Ranges(
        #[cbor(
            n(0),
            encode_with = "minicbor::bytes::encode",
            decode_with = "codec::bounded_bytes::<_, MAX_MESH_RANGES>"
        )]
        Vec<u8>,
    ),
    /// The answer to such a step.
    #[n(1)]
    Answer(
        #[cbor(
            n(0),
            encode_with = "minicbor::bytes::encode",
            decode_with = "codec::bounded_bytes::<_, MAX_MESH_RANGES>"
        )]
        Vec<u8>,
    ),
    /// The sender carries these boxes.
    #[n(2)]
    Offer(#[cbor(n(0), decode_with = "codec::bounded::<_, _, MAX_MESH_IDS>")] Vec<Offered>),
    /// The sender asks for these boxes.
    #[n(3)]
    Want(#[cbor(n(0), decode_with = "codec::bounded::<_, _, MAX_MESH_IDS>")] Vec<BoxAddress>),
    /// Boxes that were asked for.
    #[n(4)]
    Boxes(#[cbor(n(0), decode_with = "codec::bounded::<_, _, MAX_MESH_BOXES>")] Vec<Carried>),
    /// The sender no longer has these boxes.
    #[n(5)]
    Gone(#[cbor(n(0), decode_with = "codec::bounded::<_, _, MAX_MESH_IDS>")] Vec<BoxAddress>),
}

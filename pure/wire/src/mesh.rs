//! What neighbours on one LAN say to each other: who they are to each other, what they carry, what
//! they lack.

use minicbor::{Decode, Encode};

use crate::codec;
use crate::hub::{BoxAddress, BoxBytes};
use crate::limits::{MAX_MESH_BOXES, MAX_MESH_IDS, MAX_MESH_RANGES};

/// The first frame each way: that the sender knows the pair's secret, bound to both keys of the
/// link. To anybody else it is noise. `Debug` prints no byte.
#[derive(Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct Proof(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 32]);

impl std::fmt::Debug for Proof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Proof")
    }
}

/// A stranger asks to become a contact. Only somebody who shows themselves to all takes it.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct Knock {
    /// How the stranger wants to be called, at most 64 bytes; not neutralised yet.
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

/// The answer to a knock: the text of a single-use invite, or nothing.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct Welcomed {
    /// The invite's text, at most 4,096 bytes; empty for a no.
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

/// A box that is there to be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Offered {
    /// Its address.
    #[n(0)]
    pub id: BoxAddress,
    /// How many hops it may still travel from the one who offers it.
    #[n(1)]
    pub hops: u8,
}

/// A box on its way.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Carried {
    /// How many hops it may still travel from the one who gives it.
    #[n(0)]
    pub hops: u8,
    /// The box.
    #[n(1)]
    pub content: BoxBytes,
}

/// What two linked neighbours say.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Message {
    /// A step of a reconciliation, by whoever began it: negentropy v1.
    #[n(0)]
    Ranges(
        #[cbor(
            n(0),
            encode_with = "minicbor::bytes::encode",
            decode_with = "codec::bounded_bytes::<_, MAX_MESH_RANGES>"
        )]
        Vec<u8>,
    ),
    /// The answer to that step.
    #[n(1)]
    Answer(
        #[cbor(
            n(0),
            encode_with = "minicbor::bytes::encode",
            decode_with = "codec::bounded_bytes::<_, MAX_MESH_RANGES>"
        )]
        Vec<u8>,
    ),
    /// I carry these.
    #[n(2)]
    Offer(#[cbor(n(0), decode_with = "codec::bounded::<_, _, MAX_MESH_IDS>")] Vec<Offered>),
    /// Give me these.
    #[n(3)]
    Want(#[cbor(n(0), decode_with = "codec::bounded::<_, _, MAX_MESH_IDS>")] Vec<BoxAddress>),
    /// Here they are.
    #[n(4)]
    Boxes(#[cbor(n(0), decode_with = "codec::bounded::<_, _, MAX_MESH_BOXES>")] Vec<Carried>),
    /// I do not have these any more.
    #[n(5)]
    Gone(#[cbor(n(0), decode_with = "codec::bounded::<_, _, MAX_MESH_IDS>")] Vec<BoxAddress>),
}

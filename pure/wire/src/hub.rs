//! The box protocol: `put(box)` and `get(ids, deadline)`, and the `echo` that cover loops use.
//!
//! Requests have the same form in Sphinx payloads and in frames on a direct link. On a direct link
//! the hub answers a `get` the moment a box arrives; on the onion route with cover traffic it
//! answers at the deadline.

use minicbor::{Decode, Encode};

use crate::id::AccessKey;
use crate::limits::{
    BULK_CIPHERTEXT, LARGE_CIPHERTEXT, MAX_GET_IDS, MAX_RESPONSE_BOXES, MEDIUM_CIPHERTEXT,
    SMALL_CIPHERTEXT, STANDARD_CIPHERTEXT,
};
use crate::{BootId, Tally, codec};

/// A box as it crosses a trust boundary. Its lengths are checked, its signature is not.
///
/// `Debug` prints no byte. The ciphertext has the length of a class: 0 (tombstone), 512, 1024,
/// 2048, 4096 or 32,768 bytes.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct BoxBytes {
    /// The address, a blinded Ed25519 public key.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub id: [u8; 32],
    /// The ciphertext, of one of the lengths above.
    #[cbor(n(1), encode_with = "minicbor::bytes::encode", decode_with = "decode_class")]
    pub ciphertext: Vec<u8>,
    /// Ed25519 signature by `id` over the ciphertext.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub signature: [u8; 64],
}

impl std::fmt::Debug for BoxBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "BoxBytes({} B)", self.ciphertext.len())
    }
}

fn decode_class<C>(
    d: &mut minicbor::Decoder<'_>,
    _: &mut C,
) -> Result<Vec<u8>, minicbor::decode::Error> {
    let bytes = d.bytes()?;
    match bytes.len() {
        0 | SMALL_CIPHERTEXT | MEDIUM_CIPHERTEXT | STANDARD_CIPHERTEXT | LARGE_CIPHERTEXT
        | BULK_CIPHERTEXT => Ok(bytes.to_vec()),
        _ => Err(minicbor::decode::Error::message("not a box class")),
    }
}

/// The address of a box in a request. `Debug` prints no byte.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct BoxAddress(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 32]);

impl std::fmt::Debug for BoxAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BoxAddress")
    }
}

/// A request to a hub.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Request {
    /// The key of the asker's access class.
    #[n(0)]
    pub access: AccessKey,
    /// What to do.
    #[n(1)]
    pub operation: Operation,
}

/// The operation that a request asks for.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Operation {
    /// Store this box, which nothing can replace until it expires.
    #[n(0)]
    Put(#[n(0)] BoxBytes),
    /// Answer when one of these boxes arrives, or at the deadline.
    #[n(1)]
    Get {
        /// Addresses, at most [`MAX_GET_IDS`].
        #[cbor(n(0), decode_with = "codec::bounded::<_, _, MAX_GET_IDS>")]
        ids: Vec<BoxAddress>,
        /// Longest time to wait, ms from the request's arrival; capped at
        /// [`crate::limits::MAX_GET_DEADLINE_MS`].
        #[n(1)]
        deadline_ms: u32,
        /// Whether to answer at the deadline even when a box arrives earlier. Used with cover
        /// traffic, so that the time of an answer shows nothing.
        #[n(2)]
        hold: bool,
    },
    /// Answer at once. Cover loops and connection checks use it.
    #[n(2)]
    Echo,
}

/// A hub's response.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Response {
    /// Changes when the hub restarts. It has then forgotten all open `get`s.
    #[n(0)]
    pub boot: BootId,
    /// The answer.
    #[n(1)]
    pub answer: Answer,
    /// On the onion route of a network with tallies: the request's tally, including the hub's fold.
    #[n(2)]
    pub tally: Option<Tally>,
}

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Answer {
    /// To `put`.
    #[n(0)]
    Put(#[n(0)] PutOutcome),
    /// To `get`: the boxes that are there, in the order of the ids asked for. Empty if there is
    /// none at the deadline.
    #[n(1)]
    Boxes(#[cbor(n(0), decode_with = "codec::bounded::<_, _, MAX_RESPONSE_BOXES>")] Vec<BoxBytes>),
    /// To `echo`.
    #[n(2)]
    Echo,
    /// The request was refused.
    #[n(3)]
    Refused(#[n(0)] Refusal),
}

/// The outcome of a `put`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum PutOutcome {
    /// The box is durable now.
    #[n(0)]
    Stored,
    /// The very same box was there already. A harmless retry.
    #[n(1)]
    Same,
    /// Another box has this id.
    #[n(2)]
    Taken,
    /// The access class has used up its storage.
    #[n(3)]
    Full,
    /// The access class or connection is over its rate; try later.
    #[n(4)]
    SlowDown,
}

impl PutOutcome {
    /// Whether the hub holds the box durably.
    #[must_use]
    pub const fn is_stored(self) -> bool {
        matches!(self, PutOutcome::Stored | PutOutcome::Same)
    }
}

/// Why a request was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
#[cbor(index_only)]
#[non_exhaustive]
pub enum Refusal {
    /// The access key belongs to no class of this hub.
    #[n(0)]
    NotAdmitted,
    /// The box is invalid: bad id, signature or length.
    #[n(1)]
    BadBox,
    /// The request is malformed or over a bound.
    #[n(2)]
    BadRequest,
    /// Too many open requests or over the rate; try later.
    #[n(3)]
    SlowDown,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{decode, encode};

    fn sample_box(len: usize) -> BoxBytes {
        BoxBytes { id: [1; 32], ciphertext: vec![2; len], signature: [3; 64] }
    }

    //= WIRE-003
    #[test]
    fn only_box_classes_are_decoded() {
        let classes = [0, 512, 1024, 2048, 4096, 32_768];
        let others = [1, 511, 513, 2047, 2049, 4095, 8192, 16_384, 32_769];
        for (len, ok) in classes.map(|c| (c, true)).into_iter().chain(others.map(|o| (o, false))) {
            let bytes = encode(&sample_box(len));
            assert_eq!(decode::<BoxBytes>(&bytes, "box").is_ok(), ok, "{len}");
        }
    }

    //= WIRE-004
    #[test]
    fn lists_are_bounded() {
        let get = |n: usize| Request {
            access: AccessKey::new([0; 16]),
            operation: Operation::Get {
                ids: vec![BoxAddress([0; 32]); n],
                deadline_ms: 5,
                hold: false,
            },
        };
        let ok = get(MAX_GET_IDS);
        assert_eq!(decode::<Request>(&encode(&ok), "request").unwrap(), ok);
        assert!(decode::<Request>(&encode(&get(MAX_GET_IDS + 1)), "request").is_err());
    }

    #[test]
    fn responses_survive_a_round_trip() {
        for answer in [
            Answer::Put(PutOutcome::Taken),
            Answer::Boxes(vec![sample_box(2048), sample_box(0)]),
            Answer::Echo,
            Answer::Refused(Refusal::BadBox),
        ] {
            let mut response = Response { boot: BootId::new([9; 16]), answer, tally: None };
            assert_eq!(
                encode(&response)[0],
                0x82,
                "an answer without a tally is as it was before there were any"
            );
            assert_eq!(decode::<Response>(&encode(&response), "response").unwrap(), response);
            response.tally = Some(Tally::new([4; 32]));
            assert_eq!(decode::<Response>(&encode(&response), "response").unwrap(), response);
        }
    }

    #[test]
    fn debug_prints_no_byte() {
        let text = format!("{:?}", sample_box(2048));
        assert_eq!(text, "BoxBytes(2048 B)");
    }
}

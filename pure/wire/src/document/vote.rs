//! What the authorities of a network say to each other before they sign a document.

use minicbor::{Decode, Encode};

use super::{DocumentSignature, GeometrySpec, Mixing, PathPolicy, SignedDescriptor};
use crate::id::{DocumentHash, VoteHash};
use crate::limits::{MAX_ADDRESSES, MAX_AUTHORITIES, MAX_NODES, MAX_VOTE};
use crate::{Address, NetworkId, Timestamp, codec};

/// What the operators of a network's directories have to agree on: it is in every document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Parameters {
    /// Length of an epoch, ms.
    #[n(0)]
    pub epoch_ms: u64,
    /// Packet geometry.
    #[n(1)]
    pub geometry: GeometrySpec,
    /// Mixing parameters.
    #[n(2)]
    pub mixing: Mixing,
    /// Path policy.
    #[n(3)]
    pub paths: PathPolicy,
    /// Whether packets carry a tally.
    #[n(4)]
    pub tally: bool,
    /// Whether documents are for enrolled clients only.
    #[n(5)]
    pub sealed: bool,
}

/// The nodes that one authority would list in an epoch.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct Vote {
    /// Always [`VERSION`](super::VERSION).
    #[n(0)]
    pub version: u8,
    /// The network.
    #[n(1)]
    pub network: NetworkId,
    /// The epoch that it is for.
    #[n(2)]
    pub epoch: u64,
    /// When it was made: of two by one authority for one epoch, the later one counts.
    #[n(3)]
    pub made: Timestamp,
    /// The authority's parameters.
    #[n(4)]
    pub parameters: Parameters,
    /// The nodes, in ascending order of id, none twice.
    #[cbor(n(5), decode_with = "codec::bounded::<_, _, MAX_NODES>")]
    pub nodes: Vec<SignedDescriptor>,
    /// Relays that it does not reach and that have come to it, in ascending order of id, none
    /// twice, and none of `nodes`.
    #[cbor(n(6), default, decode_with = "codec::bounded::<_, _, MAX_NODES>")]
    pub dials_only: Vec<SignedDescriptor>,
    /// Where the authority's own directory is.
    #[cbor(n(7), default, decode_with = "codec::bounded::<_, _, MAX_ADDRESSES>")]
    pub addresses: Vec<Address>,
}

/// A vote with its authority's signatures.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct SignedVote {
    /// CBOR of a [`Vote`], exactly the bytes that were signed.
    #[cbor(
        n(0),
        encode_with = "minicbor::bytes::encode",
        decode_with = "codec::bounded_bytes::<_, MAX_VOTE>"
    )]
    pub vote: Vec<u8>,
    /// Both signatures, with a domain of their own, and whose they are.
    #[n(1)]
    pub signature: DocumentSignature,
}

/// One of the votes that a document is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct ProposedVote {
    /// Position of its authority in the set.
    #[n(0)]
    pub authority: u8,
    /// The vote.
    #[n(1)]
    pub vote: VoteHash,
}

/// What everybody needs to compute the next document.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Proposal {
    /// Always [`VERSION`](super::VERSION).
    #[n(0)]
    pub version: u8,
    /// The network.
    #[n(1)]
    pub network: NetworkId,
    /// Epoch of the document.
    #[n(2)]
    pub epoch: u64,
    /// Revision of the document.
    #[n(3)]
    pub revision: u32,
    /// When it is published.
    #[n(4)]
    pub published: Timestamp,
    /// The votes, in ascending order of authority, none twice.
    #[cbor(n(5), decode_with = "codec::bounded::<_, _, MAX_AUTHORITIES>")]
    pub votes: Vec<ProposedVote>,
}

/// A proposal with its leader's signatures: whoever gets two for one document can prove it.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct SignedProposal {
    /// CBOR of a [`Proposal`], exactly the bytes that were signed.
    #[cbor(
        n(0),
        encode_with = "minicbor::bytes::encode",
        decode_with = "codec::bounded_bytes::<_, 1024>"
    )]
    pub proposal: Vec<u8>,
    /// Both signatures, with a domain of their own, and whose they are.
    #[n(1)]
    pub signature: DocumentSignature,
}

/// An authority's signature of a proposed document, for the authority that proposed it.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct Cosignature {
    /// Epoch of the document.
    #[n(0)]
    pub epoch: u64,
    /// Revision of the document.
    #[n(1)]
    pub revision: u32,
    /// The document as the signer computed it.
    #[n(2)]
    pub hash: DocumentHash,
    /// The signatures.
    #[n(3)]
    pub signature: DocumentSignature,
}

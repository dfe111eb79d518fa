//! Frames: how every link cuts its byte stream.
//!
//! ```text
//! kind u8 | body length u24 big-endian | body
//! ```
//!
//! The bodies of `Packet` and `Reply` are raw and, within one network, have one length. All other
//! bodies are CBOR.

use minicbor::{Decode, Encode};

use crate::id::{AdmissionToken, DocumentHash, EnrolmentId, VoteHash};
use crate::limits::{
    MAX_ADDRESSES, MAX_DESCRIPTOR, MAX_DOCUMENT, MAX_MESH_MESSAGE, MAX_PACKET, MAX_SEALED_DOCUMENT,
    MAX_SUSPECTS, MAX_VOTE,
};
use crate::{
    Address, BootId, ClientToken, Error, NodeId, RequestId, codec, decode, encode, hub, mesh,
};

/// Length of a frame header, bytes.
pub const HEADER_LEN: usize = 4;
/// Bytes before the packet in a `Packet` body: its epoch.
pub const PACKET_PREFIX: usize = 4;
/// Bytes before the payload in a `Reply` body: its SURB id.
pub const REPLY_PREFIX: usize = 16;

/// What a frame holds. The numbers are the kind bytes on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum FrameKind {
    /// A Sphinx packet on its way.
    Packet = 1,
    /// A reply payload from the entry relay to its client.
    Reply = 2,
    /// Client to entry relay: deliver replies for this token here.
    Attach = 3,
    /// The entry relay agrees.
    Attached = 4,
    /// Are you there?
    Ping = 5,
    /// I am.
    Pong = 6,
    /// Ask for the network document.
    GetDocument = 16,
    /// The signed network document.
    Document = 17,
    /// The document you have is the newest.
    NotModified = 18,
    /// A relay or hub registers its descriptor.
    Register = 19,
    /// The descriptor is admitted.
    Registered = 20,
    /// The request is refused.
    Refused = 21,
    /// Ask for the network document where not everybody gets it.
    GetDocumentAs = 22,
    /// The signed network document, sealed to one client's key.
    SealedDocument = 23,
    /// An authority's signed vote, to another authority.
    Vote = 24,
    /// Ask another authority for a vote.
    GetVote = 25,
    /// Which votes the next document is made of, to be signed by the other authorities.
    Proposal = 26,
    /// An authority's signature of what was proposed.
    Cosignature = 27,
    /// A registered relay says who loses its packets.
    Report = 28,
    /// A directory tells a node where it is now.
    Moved = 30,
    /// A request of the box protocol on a direct link.
    HubRequest = 32,
    /// Its response.
    HubResponse = 33,
    /// The first frame each way between neighbours.
    MeshProof = 48,
    /// A stranger asks to become a contact.
    MeshKnock = 49,
    /// The answer to a knock.
    MeshWelcomed = 50,
    /// What linked neighbours say.
    Mesh = 51,
}

impl FrameKind {
    /// Maximum length of a body of this kind, bytes.
    #[must_use]
    pub const fn max_len(self) -> usize {
        match self {
            FrameKind::Packet | FrameKind::Reply => MAX_PACKET,
            FrameKind::Attach
            | FrameKind::Attached
            | FrameKind::GetDocument
            | FrameKind::GetDocumentAs
            | FrameKind::GetVote
            | FrameKind::Registered
            | FrameKind::Refused
            | FrameKind::MeshProof
            | FrameKind::MeshKnock => 128,
            FrameKind::Ping | FrameKind::Pong | FrameKind::NotModified => 0,
            FrameKind::Document => MAX_DOCUMENT,
            FrameKind::SealedDocument => MAX_SEALED_DOCUMENT,
            FrameKind::Vote => MAX_VOTE,
            FrameKind::Proposal => 8192,
            FrameKind::Cosignature => 4096,
            FrameKind::Report => 2048,
            FrameKind::Register => MAX_DESCRIPTOR,
            FrameKind::Moved => 1024,
            FrameKind::HubRequest => 64 * 1024,
            FrameKind::HubResponse => 256 * 1024,
            FrameKind::MeshWelcomed => 8 * 1024,
            FrameKind::Mesh => MAX_MESH_MESSAGE,
        }
    }
}

impl TryFrom<u8> for FrameKind {
    type Error = Error;

    fn try_from(byte: u8) -> Result<Self, Error> {
        Ok(match byte {
            1 => FrameKind::Packet,
            2 => FrameKind::Reply,
            3 => FrameKind::Attach,
            4 => FrameKind::Attached,
            5 => FrameKind::Ping,
            6 => FrameKind::Pong,
            16 => FrameKind::GetDocument,
            17 => FrameKind::Document,
            18 => FrameKind::NotModified,
            19 => FrameKind::Register,
            20 => FrameKind::Registered,
            21 => FrameKind::Refused,
            22 => FrameKind::GetDocumentAs,
            23 => FrameKind::SealedDocument,
            24 => FrameKind::Vote,
            25 => FrameKind::GetVote,
            26 => FrameKind::Proposal,
            27 => FrameKind::Cosignature,
            28 => FrameKind::Report,
            30 => FrameKind::Moved,
            32 => FrameKind::HubRequest,
            33 => FrameKind::HubResponse,
            48 => FrameKind::MeshProof,
            49 => FrameKind::MeshKnock,
            50 => FrameKind::MeshWelcomed,
            51 => FrameKind::Mesh,
            other => return Err(Error::UnknownKind(other)),
        })
    }
}

/// A checked frame header: a known kind with a permitted length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    kind: FrameKind,
    len: usize,
}

impl Header {
    /// Checks the four header bytes. Callers allocate room for the body only afterwards
    /// (`WIRE-001`).
    ///
    /// # Errors
    /// [`Error::UnknownKind`], [`Error::TooLong`].
    pub fn parse(bytes: [u8; HEADER_LEN]) -> Result<Self, Error> {
        let [kind, a, b, c] = bytes;
        let kind = FrameKind::try_from(kind)?;
        let len = usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap_or(usize::MAX);
        let max = kind.max_len();
        if len > max {
            return Err(Error::TooLong { kind, len, max });
        }
        Ok(Header { kind, len })
    }

    /// The kind.
    #[must_use]
    pub const fn kind(&self) -> FrameKind {
        self.kind
    }

    /// Body length, bytes.
    #[must_use]
    pub const fn body_len(&self) -> usize {
        self.len
    }
}

/// Why a directory or relay refuses a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
#[non_exhaustive]
pub enum RefusedReason {
    /// The admission token is unknown to this directory.
    #[n(0)]
    NotAdmitted,
    /// The descriptor's signature, keys, epochs or addresses are wrong.
    #[n(1)]
    BadDescriptor,
    /// No document has been published yet.
    #[n(2)]
    NotReady,
    /// This node does not offer that service.
    #[n(3)]
    NotHere,
    /// Too busy; try later.
    #[n(4)]
    Busy,
    /// The document is for enrolled clients, and the asker named no enrolled key.
    #[n(5)]
    NotEnrolled,
    /// The node does not answer at the addresses in its descriptor, and is not listed.
    #[n(6)]
    Unreachable,
}

/// What may lose packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub enum Suspect {
    /// A node.
    #[n(0)]
    Node(#[n(0)] NodeId),
    /// The way from one node to another.
    #[n(1)]
    Link(#[n(0)] NodeId, #[n(1)] NodeId),
}

/// Somebody who is suspected, and for how long already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Suspected {
    /// Who.
    #[n(0)]
    pub suspect: Suspect,
    /// For how long, ms.
    #[n(1)]
    pub since_ms: u32,
}

/// How somebody asks for a document that is not public.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Credential {
    /// As a node that may register. It gets the document unsealed.
    #[n(0)]
    Node(#[n(0)] AdmissionToken),
    /// As an enrolled client. It gets the document sealed to the key with this id. Asking needs no
    /// proof, since only the key's holder can open the answer.
    #[n(1)]
    Client(#[n(0)] EnrolmentId),
}

/// Where a directory is now.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Moved {
    /// All its addresses, at most four.
    #[cbor(n(0), decode_with = "codec::bounded::<_, _, MAX_ADDRESSES>")]
    pub addresses: Vec<Address>,
}

/// A message on a link. `Debug` prints the kind alone.
#[derive(Clone, PartialEq, Eq)]
pub enum Frame {
    /// A Sphinx packet.
    Packet {
        /// Low 32 bits of the epoch whose keys open the packet.
        epoch: u32,
        /// The packet, exactly the geometry's length.
        packet: Vec<u8>,
    },
    /// A reply for the SURB with this id.
    Reply {
        /// The id inside the SURB's last hop.
        surb_id: [u8; 16],
        /// Reply payload, then zeros up to the length of a packet body.
        padded: Vec<u8>,
    },
    /// Client to entry relay: deliver replies for this token here.
    Attach(ClientToken),
    /// The entry relay agrees, and says which start of it this is.
    Attached(BootId),
    /// Are you there?
    Ping,
    /// I am.
    Pong,
    /// Ask for the document, unless it has this hash.
    GetDocument(Option<DocumentHash>),
    /// A signed document, still sealed: [`crate::document::SignedDocument`].
    Document(Vec<u8>),
    /// The asker already has the newest document.
    NotModified,
    /// Register a descriptor: [`crate::document::SignedDescriptor`].
    Register {
        /// Admits the node.
        token: AdmissionToken,
        /// The signed descriptor, CBOR.
        descriptor: Vec<u8>,
    },
    /// The descriptor is admitted; the number is the directory's epoch.
    Registered(u64),
    /// The request is refused.
    Refused(RefusedReason),
    /// Ask for a document that is not public, unless it has this hash.
    GetDocumentAs(Option<DocumentHash>, Credential),
    /// A signed document, sealed to the key that the request named.
    SealedDocument(Vec<u8>),
    /// An authority's vote, still sealed: [`crate::document::SignedVote`].
    Vote(Vec<u8>),
    /// Ask another authority for the vote with this hash.
    GetVote(VoteHash),
    /// Which votes the next document is made of, from its leader or passed on, still sealed:
    /// [`crate::document::SignedProposal`].
    Proposal(Vec<u8>),
    /// A signature of the document that was proposed, still sealed:
    /// [`crate::document::Cosignature`].
    Cosignature(Vec<u8>),
    /// Who loses the packets of a registered relay: replaces what it said before.
    Report(Vec<Suspected>),
    /// A directory tells a node where it is now, on a link that proves who it is (`DIR-019`).
    Moved(Moved),
    /// A box request on a direct link.
    HubRequest(RequestId, hub::Request),
    /// A box response on a direct link.
    HubResponse(RequestId, hub::Response),
    /// The first frame each way between neighbours.
    MeshProof(mesh::Proof),
    /// A stranger asks to become a contact.
    MeshKnock(mesh::Knock),
    /// The answer to a knock.
    MeshWelcomed(mesh::Welcomed),
    /// What linked neighbours say.
    Mesh(mesh::Message),
}

impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Frame::{:?}", self.kind())
    }
}

#[derive(Encode, Decode)]
struct RegisterBody {
    #[n(0)]
    token: AdmissionToken,
    #[cbor(
        n(1),
        encode_with = "minicbor::bytes::encode",
        decode_with = "codec::bounded_bytes::<_, MAX_DESCRIPTOR>"
    )]
    descriptor: Vec<u8>,
}

#[derive(Encode, Decode)]
struct ReportBody {
    #[cbor(n(0), decode_with = "codec::bounded::<_, _, MAX_SUSPECTS>")]
    suspected: Vec<Suspected>,
}

impl Frame {
    /// The kind.
    #[must_use]
    pub(crate) const fn kind(&self) -> FrameKind {
        match self {
            Frame::Packet { .. } => FrameKind::Packet,
            Frame::Reply { .. } => FrameKind::Reply,
            Frame::Attach(_) => FrameKind::Attach,
            Frame::Attached(_) => FrameKind::Attached,
            Frame::Ping => FrameKind::Ping,
            Frame::Pong => FrameKind::Pong,
            Frame::GetDocument(_) => FrameKind::GetDocument,
            Frame::Document(_) => FrameKind::Document,
            Frame::NotModified => FrameKind::NotModified,
            Frame::Register { .. } => FrameKind::Register,
            Frame::Registered(_) => FrameKind::Registered,
            Frame::Refused(_) => FrameKind::Refused,
            Frame::GetDocumentAs(..) => FrameKind::GetDocumentAs,
            Frame::SealedDocument(_) => FrameKind::SealedDocument,
            Frame::Vote(_) => FrameKind::Vote,
            Frame::GetVote(_) => FrameKind::GetVote,
            Frame::Proposal(_) => FrameKind::Proposal,
            Frame::Cosignature(_) => FrameKind::Cosignature,
            Frame::Report(_) => FrameKind::Report,
            Frame::Moved(_) => FrameKind::Moved,
            Frame::HubRequest(..) => FrameKind::HubRequest,
            Frame::HubResponse(..) => FrameKind::HubResponse,
            Frame::MeshProof(_) => FrameKind::MeshProof,
            Frame::MeshKnock(_) => FrameKind::MeshKnock,
            Frame::MeshWelcomed(_) => FrameKind::MeshWelcomed,
            Frame::Mesh(_) => FrameKind::Mesh,
        }
    }

    /// Parses the body of a frame whose header has been accepted.
    ///
    /// # Errors
    /// [`Error::Malformed`], [`Error::Trailing`].
    pub fn parse(kind: FrameKind, body: &[u8]) -> Result<Self, Error> {
        Ok(match kind {
            FrameKind::Packet => {
                let (epoch, packet) =
                    body.split_first_chunk::<PACKET_PREFIX>().ok_or(Error::Malformed("packet"))?;
                Frame::Packet { epoch: u32::from_be_bytes(*epoch), packet: packet.to_vec() }
            }
            FrameKind::Reply => {
                let (id, padded) =
                    body.split_first_chunk::<REPLY_PREFIX>().ok_or(Error::Malformed("reply"))?;
                Frame::Reply { surb_id: *id, padded: padded.to_vec() }
            }
            FrameKind::Attach => Frame::Attach(decode(body, "attach")?),
            FrameKind::Attached => Frame::Attached(decode(body, "attached")?),
            FrameKind::Ping => empty(body, Frame::Ping)?,
            FrameKind::Pong => empty(body, Frame::Pong)?,
            FrameKind::GetDocument => Frame::GetDocument(decode(body, "document request")?),
            FrameKind::Document => Frame::Document(body.to_vec()),
            FrameKind::NotModified => empty(body, Frame::NotModified)?,
            FrameKind::Register => {
                let RegisterBody { token, descriptor } = decode(body, "registration")?;
                Frame::Register { token, descriptor }
            }
            FrameKind::Registered => Frame::Registered(decode(body, "registered")?),
            FrameKind::Refused => Frame::Refused(decode(body, "refusal")?),
            FrameKind::GetDocumentAs => {
                let (known, credential) = decode(body, "document request")?;
                Frame::GetDocumentAs(known, credential)
            }
            FrameKind::SealedDocument => Frame::SealedDocument(body.to_vec()),
            FrameKind::Vote => Frame::Vote(body.to_vec()),
            FrameKind::GetVote => Frame::GetVote(decode(body, "vote request")?),
            FrameKind::Proposal => Frame::Proposal(body.to_vec()),
            FrameKind::Cosignature => Frame::Cosignature(body.to_vec()),
            FrameKind::Report => {
                let ReportBody { suspected } = decode(body, "report")?;
                Frame::Report(suspected)
            }
            FrameKind::Moved => Frame::Moved(decode(body, "moved")?),
            FrameKind::HubRequest => {
                let (id, request) = decode(body, "box request")?;
                Frame::HubRequest(id, request)
            }
            FrameKind::HubResponse => {
                let (id, response) = decode(body, "box response")?;
                Frame::HubResponse(id, response)
            }
            FrameKind::MeshProof => Frame::MeshProof(decode(body, "proof")?),
            FrameKind::MeshKnock => Frame::MeshKnock(decode(body, "knock")?),
            FrameKind::MeshWelcomed => Frame::MeshWelcomed(decode(body, "answer to a knock")?),
            FrameKind::Mesh => Frame::Mesh(decode(body, "neighbour's message")?),
        })
    }

    /// Appends header and body to `out`.
    ///
    /// # Errors
    /// [`Error::TooLong`] when the body would exceed the maximum for its kind. Nothing is appended
    /// then.
    pub fn write_to(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        match self {
            Frame::Packet { epoch, packet } => {
                return put(out, FrameKind::Packet, &[&epoch.to_be_bytes(), packet]);
            }
            Frame::Reply { surb_id, padded } => {
                return put(out, FrameKind::Reply, &[surb_id, padded]);
            }
            Frame::Document(bytes) => return put(out, FrameKind::Document, &[bytes]),
            Frame::SealedDocument(bytes) => return put(out, FrameKind::SealedDocument, &[bytes]),
            Frame::Vote(bytes) => return put(out, FrameKind::Vote, &[bytes]),
            Frame::Proposal(bytes) => return put(out, FrameKind::Proposal, &[bytes]),
            Frame::Cosignature(bytes) => return put(out, FrameKind::Cosignature, &[bytes]),
            _ => {}
        }
        let body = match self {
            Frame::Attach(token) => encode(token),
            Frame::Attached(boot) => encode(boot),
            Frame::GetDocument(known) => encode(known),
            Frame::Register { token, descriptor } => {
                encode(&RegisterBody { token: *token, descriptor: descriptor.clone() })
            }
            Frame::Registered(epoch) => encode(epoch),
            Frame::Refused(reason) => encode(reason),
            Frame::GetDocumentAs(known, credential) => encode(&(known, credential)),
            Frame::GetVote(hash) => encode(hash),
            Frame::Report(suspected) => encode(&ReportBody { suspected: suspected.clone() }),
            Frame::Moved(moved) => encode(moved),
            Frame::HubRequest(id, request) => encode(&(id, request)),
            Frame::HubResponse(id, response) => encode(&(id, response)),
            Frame::MeshProof(proof) => encode(proof),
            Frame::MeshKnock(knock) => encode(knock),
            Frame::MeshWelcomed(welcomed) => encode(welcomed),
            Frame::Mesh(message) => encode(message),
            _ => Vec::new(),
        };
        put(out, self.kind(), &[&body])
    }

    /// Encodes header and body.
    ///
    /// # Errors
    /// [`Error::TooLong`].
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        let mut out = Vec::new();
        self.write_to(&mut out)?;
        Ok(out)
    }
}

fn empty(body: &[u8], frame: Frame) -> Result<Frame, Error> {
    if body.is_empty() { Ok(frame) } else { Err(Error::Trailing("empty frame")) }
}

fn put(out: &mut Vec<u8>, kind: FrameKind, parts: &[&[u8]]) -> Result<(), Error> {
    let len = parts.iter().fold(0usize, |sum, part| sum.saturating_add(part.len()));
    let max = kind.max_len();
    let too_long = Error::TooLong { kind, len, max };
    if len > max {
        return Err(too_long);
    }
    let [_, a, b, c] = u32::try_from(len).map_err(|_| too_long)?.to_be_bytes();
    out.reserve(len.saturating_add(HEADER_LEN));
    out.extend_from_slice(&[kind_byte(kind), a, b, c]);
    for part in parts {
        out.extend_from_slice(part);
    }
    Ok(())
}

#[allow(clippy::as_conversions, reason = "a fieldless repr(u8) enum to its own representation")]
const fn kind_byte(kind: FrameKind) -> u8 {
    kind as u8
}

#[cfg(test)]
mod tests;

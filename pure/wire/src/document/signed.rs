//! Signed documents: the authorities of a network and their signatures.

use minicbor::{Decode, Encode};

use crate::codec;
use crate::limits::{MAX_AUTHORITIES, MAX_DOCUMENT};

/// Public keys of one directory authority.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct AuthorityKeys {
    /// Ed25519 public key.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub ed25519: [u8; 32],
    /// ML-DSA-65 public key, 1952 bytes.
    #[cbor(
        n(1),
        encode_with = "minicbor::bytes::encode",
        decode_with = "codec::bounded_bytes::<_, 1952>"
    )]
    pub ml_dsa: Vec<u8>,
}

/// Who may sign the documents of a network, and how many must. The hash of the set is the
/// [`NetworkId`](crate::NetworkId), so a network's authorities never change.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct AuthoritySet {
    /// Least number of authorities that must sign.
    #[n(0)]
    pub threshold: u8,
    /// The authorities. Signatures refer to them by position.
    #[cbor(n(1), decode_with = "codec::bounded::<_, _, MAX_AUTHORITIES>")]
    pub authorities: Vec<AuthorityKeys>,
}

/// One authority's signatures. Both must be good, so that neither a quantum computer nor a flaw in
/// the younger scheme is enough to forge a document.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct DocumentSignature {
    /// Position in the authority set.
    #[n(0)]
    pub authority: u8,
    /// Ed25519 signature (RFC 8032), with domain separation.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub ed25519: [u8; 64],
    /// ML-DSA-65 signature (FIPS 204), 3309 bytes.
    #[cbor(
        n(2),
        encode_with = "minicbor::bytes::encode",
        decode_with = "codec::bounded_bytes::<_, 3309>"
    )]
    pub ml_dsa: Vec<u8>,
}

/// A document as published. `mix::directory` opens and checks it.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct SignedDocument {
    /// CBOR of the [`AuthoritySet`], exactly the bytes whose hash is the network id.
    #[cbor(
        n(0),
        encode_with = "minicbor::bytes::encode",
        decode_with = "codec::bounded_bytes::<_, 65536>"
    )]
    pub authorities: Vec<u8>,
    /// CBOR of a [`NetworkDocument`](super::NetworkDocument), exactly the bytes that were signed.
    #[cbor(
        n(1),
        encode_with = "minicbor::bytes::encode",
        decode_with = "codec::bounded_bytes::<_, MAX_DOCUMENT>"
    )]
    pub document: Vec<u8>,
    /// Signatures over the document.
    #[cbor(n(2), decode_with = "codec::bounded::<_, _, MAX_AUTHORITIES>")]
    pub signatures: Vec<DocumentSignature>,
}

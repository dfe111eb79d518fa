//! The deciding box: which commit ends an epoch (DESIGN 4).
//!
//! Whoever writes the lowest index of the epoch's deciding stream with a box that verifies has
//! decided. Only members of the epoch can compute that stream. The commit's body lies elsewhere, in
//! a stream of its own, so that a crash between body and decision blocks nobody.

use minicbor::bytes::ByteArray;
use minicbor::{Decode, Encode};
use sha2::{Digest, Sha256};
use streams::ReadCapability;

use super::group::Group;
use super::member;
use crate::{Error, codec};

/// BACAP context of deciding streams; the stream itself is the epoch's own.
pub const DECIDE_CONTEXT: &[u8] = b"hushwing decide v1";
/// Domain of a decision's signature.
const DOMAIN: &[u8] = b"hushwing decision v1";
/// Longest body, in parts of a box.
const MAX_PARTS: u32 = 1_024;

/// A verified deciding box.
#[derive(Clone)]
pub struct Decision {
    /// The committer's leaf.
    pub leaf: u32,
    /// Where the body begins: a stream of its own.
    pub body: ReadCapability,
    /// Boxes of the body.
    pub parts: u32,
    /// SHA-256 of the body.
    pub digest: [u8; 32],
}

#[derive(Encode, Decode)]
struct Wire {
    #[n(0)]
    version: u8,
    #[n(1)]
    epoch: u64,
    #[n(2)]
    leaf: u32,
    #[cbor(n(3), with = "minicbor::bytes")]
    body: Vec<u8>,
    #[n(4)]
    parts: u32,
    #[n(5)]
    digest: ByteArray<32>,
    #[n(6)]
    signature: ByteArray<64>,
}

impl Wire {
    fn signed(&self, group: &[u8]) -> Vec<u8> {
        let hash = Sha256::new()
            .chain_update(group)
            .chain_update(self.epoch.to_be_bytes())
            .chain_update(self.leaf.to_be_bytes())
            .chain_update(&self.body)
            .chain_update(self.parts.to_be_bytes())
            .chain_update(*self.digest)
            .finalize();
        [DOMAIN, &hash].concat()
    }
}

impl Decision {
    /// Signs the decision for a body that was written to `body`: the box's content.
    #[must_use]
    pub fn sign(group: &Group, body: &ReadCapability, parts: u32, content: &[u8]) -> Vec<u8> {
        let mut wire = Wire {
            version: 1,
            epoch: group.epoch(),
            leaf: group.me(),
            body: body.to_bytes().to_vec(),
            parts,
            digest: <[u8; 32]>::from(Sha256::digest(content)).into(),
            signature: [0; 64].into(),
        };
        let signature = group.secret().signing_key().sign(&wire.signed(group.id()));
        wire.signature = <[u8; 64]>::from(signature).into();
        wire::encode(&wire)
    }

    /// Checks a box of the deciding stream: for this epoch, by a member of it (`GROUP-004`).
    ///
    /// # Errors
    /// [`Error::Malformed`], [`Error::BadSignature`]; such a box is skipped.
    pub fn verify(group: &Group, content: &[u8]) -> Result<Self, Error> {
        let wire: Wire = codec::decode(content).ok_or(Error::Malformed("decision"))?;
        if wire.version != 1
            || wire.epoch != group.epoch()
            || !(1..=MAX_PARTS).contains(&wire.parts)
        {
            return Err(Error::Malformed("decision"));
        }
        let key = group.signature_key_at(wire.leaf).ok_or(Error::BadSignature("decision"))?;
        if !member::verify(&key, &wire.signed(group.id()), &wire.signature) {
            return Err(Error::BadSignature("decision"));
        }
        Ok(Decision {
            leaf: wire.leaf,
            body: ReadCapability::from_bytes(&wire.body)?,
            parts: wire.parts,
            digest: *wire.digest,
        })
    }

    /// Whether this is the body that was decided on.
    #[must_use]
    pub fn fits(&self, content: &[u8]) -> bool {
        <[u8; 32]>::from(Sha256::digest(content)) == self.digest
    }
}

impl std::fmt::Debug for Decision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Decision")
    }
}

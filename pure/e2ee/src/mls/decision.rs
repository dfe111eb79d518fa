//! The deciding box: which commit ends an epoch (DESIGN 4).
//!
//! ```text
//! deciding stream of epoch n:  [garbage] [decision by leaf 3] [decision by leaf 1] …
//!                               skipped      wins │               lost: withdrawn
//!                                                 ▼
//! body stream of leaf 3:                     [commit, part 1] [part 2] … ──apply──► epoch n + 1
//! ```
//!
//! The first box of the epoch's deciding stream that verifies has decided. Only members of the
//! epoch can compute that stream. The commit itself, the *body*, is in a stream of its own and is
//! written first, so a crash between body and decision blocks nobody.

use minicbor::bytes::ByteArray;
use minicbor::{Decode, Encode};
use sha2::{Digest, Sha256};
use streams::ReadCapability;

use super::group::Group;
use super::member;
use crate::{Error, codec};

/// BACAP context of deciding streams. It is constant because each epoch has its own stream.
pub const DECIDE_CONTEXT: &[u8] = b"hushwing decide v1";
/// Domain separation of the signature.
const DOMAIN: &[u8] = b"hushwing decision v1";
/// Most boxes of a body.
const MAX_PARTS: u32 = 1_024;

/// A verified deciding box.
#[derive(Clone)]
pub struct Decision {
    /// The committer's leaf.
    pub leaf: u32,
    /// The body's stream, from its first box on.
    pub body: ReadCapability,
    /// Number of boxes of the body.
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

// The signature covers the group and epoch, so a decision cannot be replayed elsewhere, and the
// place and hash of the body, so nobody can swap it. All lengths are fixed except the capability's,
// which has one length: the hash input is unambiguous.
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
    /// Signs a decision for the body `content`, written to the stream `body` in `parts` boxes.
    /// Returns the content of the deciding box.
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

    /// Checks that a box of the deciding stream is for this epoch and by a member of it
    /// (`GROUP-004`).
    ///
    /// # Errors
    /// [`Error::Malformed`], [`Error::BadSignature`]. Skip such a box and look at the next index.
    pub fn verify(group: &Group, content: &[u8]) -> Result<Self, Error> {
        let wire: Wire = codec::decode(content).ok_or(Error::Malformed("decision"))?;
        if wire.version != 1
            || wire.epoch != group.epoch()
            || !(1..=MAX_PARTS).contains(&wire.parts)
        {
            return Err(Error::Malformed("decision"));
        }
        // The tree of this epoch decides who may sign: a member who was removed before has no leaf.
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

    /// Whether `content` is the body that was decided on.
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

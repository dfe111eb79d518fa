//! The network document: what the directory authorities agree on for one epoch.
//!
//! This module defines the shapes and checks ranges. Who may sign a document, and which of two is
//! newer, is decided in `mix::directory`.

mod node;
mod policy;
mod signed;
#[cfg(test)]
mod tests;
mod vote;

use minicbor::{Decode, Encode};

pub use self::node::{EpochKey, NodeDescriptor, Processing, Role, SignedDescriptor, Tag};
pub use self::policy::{CoverLevel, CoverRates, GeometrySpec, Mixing, PacketScheme, PathPolicy};
pub use self::signed::{AuthorityKeys, AuthoritySet, DocumentSignature, SignedDocument};
pub use self::vote::{
    Cosignature, Parameters, Proposal, ProposedVote, SignedProposal, SignedVote, Vote,
};
use crate::limits::{MAX_DIRECTORIES, MAX_HOPS, MAX_NODES, MAX_PACKET};
use crate::{DirectoryPointer, Error, NetworkId, NodeId, Timestamp, codec, decode};

/// The version of all shapes in this module.
pub const VERSION: u8 = 1;

/// The longest delay is at least so many times the mean: of a sample from the exponential
/// distribution, a cap there cuts off one in 10^12.
pub const MIN_DELAY_CAP: u32 = 28;

/// The network in one epoch, as the authorities publish it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct NetworkDocument {
    /// Always [`VERSION`].
    #[n(0)]
    pub version: u8,
    /// The network it describes.
    #[n(1)]
    pub network: NetworkId,
    /// The epoch: `published / epoch_ms`, or later if the directory's clock went back.
    #[n(2)]
    pub epoch: u64,
    /// Counts the documents published within one epoch, from 0.
    #[n(3)]
    pub revision: u32,
    /// Length of an epoch, ms.
    #[n(4)]
    pub epoch_ms: u64,
    /// When it was signed. Readers' clocks follow it: see document time in `mix::directory`.
    #[n(5)]
    pub published: Timestamp,
    /// When it expires.
    #[n(6)]
    pub valid_until: Timestamp,
    /// Packet geometry.
    #[n(7)]
    pub geometry: GeometrySpec,
    /// Mixing parameters.
    #[n(8)]
    pub mixing: Mixing,
    /// Path policy.
    #[n(9)]
    pub paths: PathPolicy,
    /// Relays and hubs that others reach, in ascending order of id, none twice.
    #[cbor(n(10), decode_with = "codec::bounded::<_, _, MAX_NODES>")]
    pub nodes: Vec<NodeDescriptor>,
    /// Whether every packet carries a tally. It never changes in a network, like the geometry.
    #[cbor(n(11), default)]
    pub tally: bool,
    /// Whether only enrolled clients get the document, sealed to their keys. Then nodes do not hand
    /// it out.
    #[cbor(n(12), default)]
    pub sealed: bool,
    /// Relays that nobody reaches: they open the links to all others, and packets to them travel
    /// back on those. In ascending order of id, none twice. Older versions see none of them.
    #[cbor(n(13), default, decode_with = "codec::bounded::<_, _, MAX_NODES>")]
    pub dials_only: Vec<NodeDescriptor>,
    /// Where the directories are now: whoever has a document finds them, though they have moved
    /// since its link was written (`DIR-018`).
    #[cbor(n(14), default, decode_with = "codec::bounded::<_, _, MAX_DIRECTORIES>")]
    pub directories: Vec<DirectoryPointer>,
}

/// Shortest epoch, ms (trials).
pub(crate) const MIN_EPOCH_MS: u64 = 1_000;
/// Longest epoch, ms.
pub(crate) const MAX_EPOCH_MS: u64 = 24 * 3_600_000;

impl NetworkDocument {
    /// Decodes a document and checks ranges, order and counts (`DIR-001`).
    ///
    /// # Errors
    /// [`Error::OutOfRange`] names what is wrong; [`Error::Version`], [`Error::Malformed`] and
    /// [`Error::Trailing`] as for any value.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let document: NetworkDocument = decode(bytes, "network document")?;
        document.check()?;
        Ok(document)
    }

    /// The relays that others reach, in ascending order of id.
    pub fn relays(&self) -> impl Iterator<Item = &NodeDescriptor> {
        self.nodes.iter().filter(|n| n.role == Role::Relay)
    }

    /// The most relays that one path can have: those that others reach, and one that dials only.
    #[must_use]
    pub fn longest_path(&self) -> usize {
        self.relays().count().saturating_add(usize::from(!self.dials_only.is_empty()))
    }

    /// All hubs, in ascending order of id.
    pub fn hubs(&self) -> impl Iterator<Item = &NodeDescriptor> {
        self.nodes.iter().filter(|n| n.role == Role::Hub)
    }

    /// The node with this id, whether others reach it or not.
    #[must_use]
    pub fn node(&self, id: &NodeId) -> Option<&NodeDescriptor> {
        self.nodes.iter().chain(&self.dials_only).find(|n| n.id == *id)
    }

    /// When the document's epoch starts.
    #[must_use]
    pub fn epoch_start(&self) -> Timestamp {
        Timestamp::from_millis(self.epoch.saturating_mul(self.epoch_ms))
    }

    fn check(&self) -> Result<(), Error> {
        if self.version != VERSION {
            return Err(Error::Version(self.version));
        }
        let range = |ok: bool, what| {
            if ok { Ok(()) } else { Err(Error::OutOfRange(what)) }
        };
        let p = &self.paths;
        range((MIN_EPOCH_MS..=MAX_EPOCH_MS).contains(&self.epoch_ms), "epoch length")?;
        range(self.published.period(self.epoch_ms) <= self.epoch, "publication time")?;
        range(self.valid_until > self.published, "validity")?;
        range((1..=MAX_HOPS).contains(&self.geometry.max_hops), "hops of the geometry")?;
        let payload = usize::try_from(self.geometry.payload_len).unwrap_or(usize::MAX);
        range((64..MAX_PACKET).contains(&payload), "payload length")?;
        range(p.min_relays >= 1 && p.min_relays <= p.max_relays, "relays of a path")?;
        range(p.max_relays < self.geometry.max_hops, "relays of a path")?;
        range(p.forward_ppm <= 1_000_000, "forwarding probability")?;
        range(p.layers <= p.max_relays, "layers")?;
        let least = self.mixing.mean_delay_ms.checked_mul(MIN_DELAY_CAP);
        range(least.is_some_and(|least| least <= self.mixing.max_delay_ms), "delays")?;
        // A tally is keyed by spare bytes of Sphinx's key derivation, and X25519-NIKE spares none.
        range(
            !self.tally || self.geometry.scheme != PacketScheme::X25519Nike,
            "tally of this packet scheme",
        )?;
        let ascending = |nodes: &[NodeDescriptor]| {
            nodes.iter().zip(nodes.iter().skip(1)).all(|(a, b)| a.id < b.id)
        };
        range(ascending(&self.nodes) && ascending(&self.dials_only), "order of nodes")?;
        let count = self.nodes.len().saturating_add(self.dials_only.len());
        range(count <= MAX_NODES, "number of nodes")?;
        range(self.nodes.iter().all(|n| !n.addresses.is_empty()), "addresses of a node")?;
        let twice = |n: &NodeDescriptor| self.nodes.binary_search_by(|o| o.id.cmp(&n.id)).is_ok();
        let fit = |n: &NodeDescriptor| n.may_dial_only() && !twice(n);
        range(self.dials_only.iter().all(fit), "nodes that dial only")?;
        self.nodes.iter().chain(&self.dials_only).try_for_each(NodeDescriptor::check)
    }
}

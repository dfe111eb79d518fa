//! One authority's vote: signed, opened, and what several of them make together.

use std::collections::BTreeMap;
use std::sync::Arc;

use wire::document::{
    AuthoritySet, NodeDescriptor, Parameters, SignedDescriptor, SignedVote, VERSION, Vote,
};
use wire::id::VoteHash;
use wire::limits::MAX_NODES;
use wire::{NetworkId, NodeId, Timestamp};

use crate::Error;
use crate::directory::assembler::keys_fit;
use crate::directory::authority::{AuthorityKey, holds, vote_hash, vote_message};
use crate::directory::verify_descriptor;

/// A vote whose signatures and content are good.
pub(super) struct CheckedVote {
    pub(super) authority: u8,
    pub(super) hash: VoteHash,
    pub(super) epoch: u64,
    pub(super) made: Timestamp,
    nodes: BTreeMap<NodeId, NodeDescriptor>,
    /// The signed vote, to be passed on.
    pub(super) bytes: Vec<u8>,
}

/// Why a vote does not count.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum BadVote {
    /// Its author cannot be told: nobody is to blame.
    Unsigned,
    /// Its author has signed something that cannot be right.
    Nonsense(u8),
    /// Its author's settings are different.
    OtherParameters(u8, &'static str),
}

/// Signs our vote.
pub(super) fn make(
    key: &AuthorityKey,
    me: u8,
    network: NetworkId,
    parameters: &Parameters,
    (epoch, made): (u64, Timestamp),
    nodes: Vec<SignedDescriptor>,
) -> Result<Vec<u8>, Error> {
    let vote = Vote { version: VERSION, network, epoch, made, parameters: *parameters, nodes };
    let vote = wire::encode(&vote);
    let signature = key.sign(me, &vote_message(&network, &vote))?;
    Ok(wire::encode(&SignedVote { vote, signature }))
}

/// Opens a vote and checks everything in it (`DIR-013`).
pub(super) fn open(
    bytes: &[u8],
    set: &AuthoritySet,
    network: &NetworkId,
    parameters: &Parameters,
) -> Result<CheckedVote, BadVote> {
    let SignedVote { vote, signature } =
        wire::decode(bytes, "signed vote").map_err(|_| BadVote::Unsigned)?;
    let authority = signature.authority;
    let keys = set.authorities.get(usize::from(authority)).ok_or(BadVote::Unsigned)?;
    if !holds(keys, &signature, &vote_message(network, &vote)) {
        return Err(BadVote::Unsigned);
    }
    let hash = vote_hash(authority, &vote);
    let nonsense = BadVote::Nonsense(authority);
    let Ok(Vote { version: VERSION, network: of, epoch, made, parameters: theirs, nodes }) =
        wire::decode(&vote, "vote")
    else {
        return Err(nonsense);
    };
    if of != *network {
        return Err(nonsense);
    }
    if let Some(what) = difference(parameters, &theirs) {
        return Err(BadVote::OtherParameters(authority, what));
    }
    let mut listed = BTreeMap::new();
    for signed in &nodes {
        let node = verify_descriptor(signed).ok();
        let usable =
            |node: &NodeDescriptor| node.key_for(epoch).is_some() && keys_fit(parameters, node);
        let Some(node) = node.filter(usable) else { return Err(nonsense) };
        // In ascending order, none twice.
        if listed.last_key_value().is_some_and(|(last, _)| *last >= node.id) {
            return Err(nonsense);
        }
        listed.insert(node.id, node);
    }
    Ok(CheckedVote { authority, hash, epoch, made, nodes: listed, bytes: bytes.to_vec() })
}

/// In what the settings of two directories differ.
fn difference(ours: &Parameters, theirs: &Parameters) -> Option<&'static str> {
    if ours == theirs {
        None
    } else if ours.epoch_ms != theirs.epoch_ms {
        Some("epoch_seconds")
    } else if ours.geometry != theirs.geometry {
        Some("scheme or max_relays")
    } else if ours.paths != theirs.paths {
        Some("min_relays, max_relays, forward_probability, layers or distinct_regions")
    } else if ours.mixing != theirs.mixing {
        Some("mean_delay_ms, max_delay_ms, cover or mix_loops_per_minute")
    } else {
        Some("tally or enrolled")
    }
}

/// The nodes that enough of these votes list, in ascending order of id (`DIR-014`). Of a node's
/// descriptors the one that most votes have counts; of equally many the one with the latest keys,
/// then the greatest. It is the node's own in any case.
pub(super) fn together(votes: &[Arc<CheckedVote>], threshold: u8) -> Vec<NodeDescriptor> {
    let mut nodes: BTreeMap<NodeId, Vec<&NodeDescriptor>> = BTreeMap::new();
    for vote in votes {
        for (id, node) in &vote.nodes {
            nodes.entry(*id).or_default().push(node);
        }
    }
    nodes.retain(|_, votes| votes.len() >= usize::from(threshold));
    // Each vote is bounded; all together may have more.
    let mut ranked: Vec<(usize, NodeId)> =
        nodes.iter().map(|(id, votes)| (votes.len(), *id)).collect();
    ranked.sort_by(|(n, a), (m, b)| m.cmp(n).then(a.cmp(b)));
    for (_, surplus) in ranked.iter().skip(MAX_NODES) {
        nodes.remove(surplus);
    }
    nodes.into_values().filter_map(|votes| most_voted(&votes).cloned()).collect()
}

fn most_voted<'a>(descriptors: &[&'a NodeDescriptor]) -> Option<&'a NodeDescriptor> {
    let rank = |node: &NodeDescriptor| {
        let votes = descriptors.iter().filter(|other| **other == node).count();
        (votes, node.keys.last().map(|key| key.epoch), wire::encode(node))
    };
    if descriptors.windows(2).all(|pair| matches!(pair, [a, b] if a == b)) {
        return descriptors.first().copied();
    }
    descriptors.iter().copied().max_by_key(|node| rank(node))
}

//! One authority's vote: signed, opened, and what several of them make together.

use std::collections::BTreeMap;
use std::sync::Arc;

use wire::document::{
    AuthoritySet, NodeDescriptor, Parameters, SignedDescriptor, SignedVote, VERSION, Vote,
};
use wire::id::VoteHash;
use wire::limits::MAX_NODES;
use wire::pointer::in_turn;
use wire::{Address, NetworkId, NodeId, Timestamp};

use crate::Error;
use crate::directory::assembler::{Ballot, Listed, keys_fit};
use crate::directory::authority::{AuthorityKey, holds, vote_hash, vote_message};
use crate::directory::verify_descriptor;

/// A vote whose signatures and content are good.
pub(super) struct CheckedVote {
    pub(super) authority: u8,
    pub(super) hash: VoteHash,
    pub(super) epoch: u64,
    pub(super) made: Timestamp,
    nodes: BTreeMap<NodeId, NodeDescriptor>,
    dials_only: BTreeMap<NodeId, NodeDescriptor>,
    pub(super) addresses: Vec<Address>,
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
    ballot: Ballot,
) -> Result<Vec<u8>, Error> {
    let Ballot { nodes, dials_only, addresses } = ballot;
    let parameters = *parameters;
    let vote = wire::encode(&Vote {
        version: VERSION,
        network,
        epoch,
        made,
        parameters,
        nodes,
        dials_only,
        addresses,
    });
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
    let Ok(vote) = wire::decode::<Vote>(&vote, "vote") else { return Err(nonsense) };
    let Vote { epoch, made, addresses, .. } = vote;
    if vote.version != VERSION || vote.network != *network {
        return Err(nonsense);
    }
    if let Some(what) = difference(parameters, &vote.parameters) {
        return Err(BadVote::OtherParameters(authority, what));
    }
    let usable =
        |node: &NodeDescriptor| node.key_for(epoch).is_some() && keys_fit(parameters, node);
    let nodes = checked(&vote.nodes, |node| usable(node) && !node.addresses.is_empty());
    let dials_only = checked(&vote.dials_only, |node| usable(node) && node.may_dial_only());
    let Some((nodes, dials_only)) = nodes.zip(dials_only) else { return Err(nonsense) };
    if dials_only.keys().any(|id| nodes.contains_key(id)) {
        return Err(nonsense);
    }
    let bytes = bytes.to_vec();
    Ok(CheckedVote { authority, hash, epoch, made, nodes, dials_only, addresses, bytes })
}

/// Opens the descriptors of a vote, all of which must be good, in ascending order, and none twice.
fn checked(
    descriptors: &[SignedDescriptor],
    good: impl Fn(&NodeDescriptor) -> bool,
) -> Option<BTreeMap<NodeId, NodeDescriptor>> {
    let mut listed = BTreeMap::new();
    for signed in descriptors {
        let node = verify_descriptor(signed).ok().filter(&good)?;
        if listed.last_key_value().is_some_and(|(last, _)| *last >= node.id) {
            return None;
        }
        listed.insert(node.id, node);
    }
    Some(listed)
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

/// What these votes make together (`DIR-014`): the nodes that enough of them list, in ascending
/// order of id, and where the directories are whose votes they are. Of a node's descriptors the one
/// that most votes have counts; of equally many the one with the latest keys, then the greatest. It
/// is the node's own in any case.
pub(super) fn together(votes: &[Arc<CheckedVote>], threshold: u8, ids: &[NodeId]) -> Listed {
    /// Its descriptors in the votes of those that reach it, and of the others.
    #[derive(Default)]
    struct Seen<'a>(Vec<&'a NodeDescriptor>, Vec<&'a NodeDescriptor>);
    let mut nodes: BTreeMap<NodeId, Seen<'_>> = BTreeMap::new();
    for vote in votes {
        vote.nodes.iter().for_each(|(id, node)| nodes.entry(*id).or_default().0.push(node));
        vote.dials_only.iter().for_each(|(id, node)| nodes.entry(*id).or_default().1.push(node));
    }
    let count = |Seen(reached, others): &Seen<'_>| reached.len().saturating_add(others.len());
    let threshold = usize::from(threshold);
    nodes.retain(|_, seen| count(seen) >= threshold);
    // Each vote is bounded; all together may have more.
    let mut ranked: Vec<(usize, NodeId)> =
        nodes.iter().map(|(id, seen)| (count(seen), *id)).collect();
    ranked.sort_by(|(n, a), (m, b)| m.cmp(n).then(a.cmp(b)));
    for (_, surplus) in ranked.iter().skip(MAX_NODES) {
        nodes.remove(surplus);
    }
    let mut listed = Listed::default();
    for Seen(reached, others) in nodes.into_values() {
        if reached.len() >= threshold {
            listed.nodes.extend(most_voted(&reached).cloned());
        } else {
            let all: Vec<_> = reached.into_iter().chain(others).collect();
            let node = most_voted(&all).filter(|node| node.may_dial_only());
            listed.dials_only.extend(node.cloned());
        }
    }
    let places = votes.iter().filter_map(|vote| {
        Some((*ids.get(usize::from(vote.authority))?, vote.addresses.as_slice()))
    });
    listed.directories = in_turn(&places.collect::<Vec<_>>());
    listed
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

//! Probes through each node, and over each link between two.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use e2ee::NetworkPlace;
use mix::Fault;
use mix::directory::{EnrolmentKey, VerifiedDocument};
use mix::path::EntryPolicy;
use net::Dialer;
use routes::{CarrierEvent, OnionCarrier, OnionOptions};
use tokio::time::Instant;
use wire::NodeId;

/// Entries that are tried; each has a link of its own.
const ENTRIES: usize = 8;
/// Probes from one entry.
const PROBES: usize = 64;

/// A probe: the relays that it went over, from the entry on, and whether it came back.
struct Probe {
    relays: Vec<NodeId>,
    came_back: bool,
}

/// What the probes of all entries say.
pub(super) struct Verdict {
    /// How many came back.
    pub(super) back: usize,
    /// Of how many.
    pub(super) sent: usize,
    /// Who loses packets, the likeliest first.
    pub(super) faults: Vec<Fault>,
}

/// Sends probes over all relays in turn, from several entries at a time.
pub(super) async fn probe_all(
    place: &NetworkPlace,
    dialer: &Dialer,
    key: Option<Arc<EnrolmentKey>>,
    document: &VerifiedDocument,
    patience: Duration,
) -> Verdict {
    let relays: Vec<NodeId> = document.relays().map(|node| node.id).collect();
    // Nobody's entry, and never two on one path.
    let dialing: Vec<NodeId> = document.dials_only.iter().map(|node| node.id).collect();
    let length = usize::from(document.paths.min_relays).max(1);
    let from = |entry: NodeId| {
        let others: Vec<NodeId> =
            relays.iter().chain(&dialing).copied().filter(|r| *r != entry).collect();
        let mut ways = ways(entry, &others, length);
        ways.retain(|way| way.iter().filter(|relay| dialing.contains(relay)).count() < 2);
        from_one(place, dialer, key.clone(), (entry, ways), patience)
    };
    let mut tasks = tokio::task::JoinSet::new();
    for entry in relays.iter().take(ENTRIES) {
        tasks.spawn(from(*entry));
    }
    let probes: Vec<Probe> = tasks.join_all().await.into_iter().flatten().collect();
    let back = probes.iter().filter(|probe| probe.came_back).count();
    Verdict { back, sent: probes.len(), faults: faults(&probes, place.hub) }
}

/// Ways of this length that begin at an entry: each of the others follows each other one once, and
/// comes last.
fn ways(entry: NodeId, others: &[NodeId], length: usize) -> Vec<Vec<NodeId>> {
    let Some(tail) = length.checked_sub(1).filter(|tail| *tail > 0 && *tail <= others.len()) else {
        return vec![vec![entry]];
    };
    let mut all = Vec::new();
    for step in 1..others.len().max(2) {
        for first in 0..others.len() {
            let way = (0..tail).filter_map(|n| others.get((first + n * step) % others.len()));
            let way: Vec<NodeId> = [entry].into_iter().chain(way.copied()).collect();
            let distinct: BTreeSet<&NodeId> = way.iter().collect();
            if distinct.len() == length && !all.contains(&way) {
                all.push(way);
            }
        }
    }
    all.truncate(PROBES);
    all
}

/// The probes of one entry. If it cannot be reached, none of them comes back.
fn from_one(
    place: &NetworkPlace,
    dialer: &Dialer,
    key: Option<Arc<EnrolmentKey>>,
    (entry, ways): (NodeId, Vec<Vec<NodeId>>),
    patience: Duration,
) -> impl Future<Output = Vec<Probe>> + Send + use<> {
    let options = OnionOptions {
        pointer: place.network_pointer(),
        hub: place.hub,
        access: place.access,
        cover: Some(wire::document::CoverLevel::Off),
        entry: EntryPolicy::Only(entry),
        dir: None,
        dialer: dialer.clone(),
        key,
    };
    async move {
        let mut carrier = OnionCarrier::start(options);
        let mut waiting: BTreeMap<u32, Vec<NodeId>> = (0..).zip(ways).collect();
        let mut done = Vec::new();
        let end = Instant::now() + patience * 2;
        let mut sent = false;
        while !waiting.is_empty() {
            let event = match tokio::time::timeout_at(end, carrier.next()).await {
                Ok(event) => event,
                Err(_) => break,
            };
            match event {
                CarrierEvent::Status(status) if status.up && !sent => {
                    sent = true;
                    for (number, way) in &waiting {
                        carrier.probe_over(*number, way, patience);
                    }
                }
                CarrierEvent::Probed(number, came_back) => {
                    done.extend(waiting.remove(&number).map(|relays| Probe { relays, came_back }));
                }
                _ => {}
            }
        }
        done.extend(waiting.into_values().map(|relays| Probe { relays, came_back: false }));
        done
    }
}

/// All that a probe passed. It goes back by the way that it came, so of a link it cannot tell which
/// direction is broken.
fn passed(probe: &Probe, hub: NodeId) -> BTreeSet<Fault> {
    let route: Vec<NodeId> = probe.relays.iter().copied().chain([hub]).collect();
    let links = route.windows(2).filter_map(|pair| match pair {
        [one, other] => Some(Fault::Link(*one.min(other), *one.max(other))),
        _ => None,
    });
    route.iter().map(|node| Fault::Node(*node)).chain(links).collect()
}

/// Whoever explains most of the probes that did not come back, until all are explained. What any
/// probe passed that came back is in order.
fn faults(probes: &[Probe], hub: NodeId) -> Vec<Fault> {
    let (back, lost): (Vec<&Probe>, Vec<&Probe>) = probes.iter().partition(|p| p.came_back);
    let fine: BTreeSet<Fault> = back.iter().flat_map(|probe| passed(probe, hub)).collect();
    let mut lost: Vec<BTreeSet<Fault>> =
        lost.iter().map(|probe| passed(probe, hub).difference(&fine).copied().collect()).collect();
    let mut found = Vec::new();
    loop {
        let mut counts: BTreeMap<Fault, usize> = BTreeMap::new();
        for fault in lost.iter().flatten() {
            *counts.entry(*fault).or_default() += 1;
        }
        let of = |(fault, count): &(Fault, usize)| (*count, matches!(fault, Fault::Node(_)));
        let Some((fault, _)) = counts.into_iter().max_by_key(of) else { return found };
        lost.retain(|open| !open.contains(&fault));
        found.push(fault);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> NodeId {
        NodeId::new([n; 32])
    }

    const HUB: u8 = 99;

    /// All ways of three among so many relays, of which those come back that `eats` lets through.
    fn probes(relays: u8, eats: impl Fn(&Fault) -> bool) -> Vec<Probe> {
        let all = |entry| (0..relays).filter(move |n| *n != entry).map(id).collect::<Vec<_>>();
        let ways = (0..relays).flat_map(|entry| ways(id(entry), &all(entry), 3));
        ways.map(|relays| {
            let probe = Probe { relays, came_back: false };
            let came_back = !passed(&probe, id(HUB)).iter().any(&eats);
            Probe { came_back, ..probe }
        })
        .collect()
    }

    #[test]
    fn every_way_is_made_of_different_relays_and_every_pair_occurs() {
        for relays in [3_u8, 4, 5, 8] {
            let all = probes(relays, |_| false);
            let mut links = BTreeSet::new();
            for probe in &all {
                assert_eq!(probe.relays.iter().collect::<BTreeSet<_>>().len(), 3);
                links.extend(
                    passed(probe, id(HUB)).into_iter().filter(|f| matches!(f, Fault::Link(..))),
                );
            }
            let n = usize::from(relays);
            assert_eq!(links.len(), n * (n - 1) / 2 + n, "{relays}");
        }
        assert_eq!(ways(id(0), &[], 1), [vec![id(0)]]);
    }

    #[test]
    fn the_broken_piece_is_named_and_nothing_else() {
        assert_eq!(faults(&probes(4, |_| false), id(HUB)), []);
        for broken in [Fault::Node(id(2)), Fault::Link(id(1), id(3)), Fault::Link(id(2), id(HUB))] {
            for relays in [4, 5, 7] {
                assert_eq!(
                    faults(&probes(relays, |f| *f == broken), id(HUB)),
                    [broken],
                    "{broken:?}"
                );
            }
        }
        let two = [Fault::Node(id(0)), Fault::Link(id(2), id(3))];
        let mut found = faults(&probes(6, |f| two.contains(f)), id(HUB));
        found.sort();
        assert_eq!(found, two);
        assert_eq!(
            faults(&probes(4, |f| *f == Fault::Node(id(HUB))), id(HUB)),
            [Fault::Node(id(HUB))]
        );
    }
}

//! A node's life in the directory:
//!
//! ```text
//!   register          link up              link down
//! ──────────► known ──────────► listed ──────────────► known ──► forgotten (all keys expired)
//!                              reached ⇄ dials only
//!                                  │ │ retire
//!                                  │ └────────► retired (never listed again)
//!                                  │ others accuse it
//!                                  └──────────► left out, for a time (`reports.rs`)
//! ```
//!
//! How a directory assembles its document: which nodes registered, which are present, and when a
//! new document is due.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use sphinx::PublicKey;
use wire::document::{
    NetworkDocument, NodeDescriptor, Parameters, Role, SignedDescriptor, VERSION,
};
use wire::frame::{RefusedReason, Suspected};
use wire::id::{AdmissionToken, TokenHash};
use wire::limits::MAX_NODES;
use wire::{Address, DirectoryPointer, NetworkId, NodeId, Timestamp};

use super::ledger::Ledger;
use super::reports::{Accused, Reports};
use super::{token_hash, verify_descriptor};
use crate::geometry::to_scheme;

/// Changes within this time make one revision, ms.
const DEBOUNCE_MS: u64 = 300;
/// How long a restarted directory waits for its nodes to reconnect before it signs a document
/// without them, ms.
const RETURN_MS: u64 = 3_000;

/// Most further revisions in [`REVISIONS_MS`] that a directory signs alone, or proposes; of
/// several, each signs twice as many.
pub(super) const MAX_REVISIONS: usize = 20;
/// Five minutes.
pub(super) const REVISIONS_MS: u64 = 300_000;
/// How long a document is good at least, ms: so long a network goes on without its directory.
const LAST_MS: u64 = 24 * 3_600_000;

/// What the operator of a directory decides.
#[derive(Debug, Clone)]
pub struct AssemblerConfig {
    /// The network.
    pub network: NetworkId,
    /// Hashes of the tokens under which nodes may register.
    pub tokens: Vec<TokenHash>,
    /// What every document says.
    pub parameters: Parameters,
    /// Where this directory is.
    pub directories: Vec<DirectoryPointer>,
    /// Epochs and revisions that earlier runs signed, as [`Assembler::signed`] gave them.
    pub signed: Vec<(u64, u32)>,
}

/// How others get at a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// Not at all: its link is gone, or it answers nowhere and could not do without.
    Away,
    /// By the links that it opens itself.
    DialsOnly,
    /// At one of its addresses.
    Reached,
}

struct Entry {
    descriptor: NodeDescriptor,
    /// The same as its node signed it.
    signed: SignedDescriptor,
    presence: Presence,
    /// Left out of documents although it is present.
    retired: bool,
    /// Left out for as long as others say that it loses packets.
    left_out: bool,
}

impl Entry {
    const fn new(descriptor: NodeDescriptor, signed: SignedDescriptor) -> Self {
        let presence = Presence::Away;
        Entry { descriptor, signed, presence, retired: false, left_out: false }
    }

    fn is_relay(&self) -> bool {
        self.descriptor.role == Role::Relay
    }
}

/// Collects registrations and makes documents.
pub struct Assembler {
    config: AssemblerConfig,
    nodes: BTreeMap<NodeId, Entry>,
    reports: Reports,
    ledger: Ledger,
    /// The epoch of the last document or vote.
    last: Option<u64>,
    /// When the latest revisions were due.
    revisions: VecDeque<Timestamp>,
    /// When the last document became out of date.
    changed: Option<Timestamp>,
    /// Set by the first poll. Nothing is signed earlier.
    not_before: Option<Timestamp>,
}

impl Assembler {
    /// An assembler that knows no nodes yet.
    #[must_use]
    pub fn new(config: AssemblerConfig) -> Self {
        let ledger = Ledger::new(config.signed.clone());
        Assembler {
            last: ledger.last(),
            ledger,
            config,
            nodes: BTreeMap::new(),
            reports: Reports::default(),
            revisions: VecDeque::new(),
            changed: Some(Timestamp::ZERO),
            not_before: None,
        }
    }

    /// The epoch at `now`.
    #[must_use]
    pub fn epoch(&self, now: Timestamp) -> u64 {
        now.period(self.config.parameters.epoch_ms)
    }

    /// Admits a node, or updates its descriptor (`DIR-003`).
    ///
    /// # Errors
    /// [`RefusedReason::NotAdmitted`], [`RefusedReason::BadDescriptor`], [`RefusedReason::Busy`]
    /// when the network is full.
    pub fn register(
        &mut self,
        now: Timestamp,
        token: &AdmissionToken,
        signed: &SignedDescriptor,
    ) -> Result<NodeId, RefusedReason> {
        if !self.admits(token) {
            return Err(RefusedReason::NotAdmitted);
        }
        let descriptor = verify_descriptor(signed).map_err(|_| RefusedReason::BadDescriptor)?;
        self.check_keys(now, &descriptor)?;
        let id = descriptor.id;
        let full = self.nodes.len() >= MAX_NODES;
        match self.nodes.get_mut(&id) {
            Some(entry) if entry.descriptor == descriptor => {}
            Some(entry) => {
                entry.descriptor = descriptor;
                entry.signed = signed.clone();
                self.touch(now);
            }
            None if full => return Err(RefusedReason::Busy),
            None => {
                let signed = signed.clone();
                self.nodes.insert(id, Entry::new(descriptor, signed));
                self.touch(now);
            }
        }
        Ok(id)
    }

    /// Whether this token admits nodes.
    #[must_use]
    pub fn admits(&self, token: &AdmissionToken) -> bool {
        self.config.tokens.contains(&token_hash(token))
    }

    /// Leaves these nodes out of all further documents (`DIR-009`). They may still forward packets
    /// that are under way.
    pub fn retire(&mut self, now: Timestamp, nodes: &[NodeId]) {
        for node in nodes {
            if let Some(entry) = self.nodes.get_mut(node).filter(|e| !e.retired) {
                entry.retired = true;
                self.touch(now);
            }
        }
    }

    fn check_keys(&self, now: Timestamp, descriptor: &NodeDescriptor) -> Result<(), RefusedReason> {
        let epoch = self.epoch(now);
        let near = epoch.saturating_sub(1)..=epoch.saturating_add(3);
        let good = descriptor.keys.iter().all(|key| near.contains(&key.epoch));
        if good && keys_fit(&self.config.parameters, descriptor) {
            Ok(())
        } else {
            Err(RefusedReason::BadDescriptor)
        }
    }

    /// Notes how others get at a node (`DIR-011`, `DIR-020`). One that cannot do by its own links
    /// alone is away unless it is reached.
    pub fn presence(&mut self, now: Timestamp, node: NodeId, presence: Presence) {
        let Some(entry) = self.nodes.get_mut(&node) else { return };
        let alone = entry.descriptor.may_dial_only();
        let presence = match presence {
            Presence::DialsOnly if !alone => Presence::Away,
            Presence::Reached if entry.descriptor.addresses.is_empty() => Presence::DialsOnly,
            presence => presence,
        };
        if entry.presence != presence {
            entry.presence = presence;
            // No document lists a retired node, so nothing changes.
            if !entry.retired {
                self.touch(now);
            }
        }
    }

    /// The directory itself is somewhere else from now on.
    pub fn moved(&mut self, now: Timestamp, directories: Vec<DirectoryPointer>) {
        if self.config.directories != directories {
            self.config.directories = directories;
            self.touch(now);
        }
    }

    /// A registered node says who loses its packets. Only relays send packets that show it.
    pub fn report(&mut self, steady: Timestamp, from: NodeId, suspected: &[Suspected]) {
        if self.nodes.get(&from).is_some_and(Entry::is_relay) {
            self.reports.report(steady, from, suspected);
        }
    }

    /// Decides which relays are left out (`DIR-017`); whether that has changed. `steady` is a clock
    /// that nobody sets.
    pub fn review(&mut self, now: Timestamp, steady: Timestamp) -> bool {
        let least = usize::from(self.config.parameters.paths.min_relays);
        let present = self.present_relays();
        let changed = self.reports.review(steady, &present, least);
        for (id, entry) in &mut self.nodes {
            entry.left_out = self.reports.leaves_out(steady, id);
        }
        if changed {
            self.touch(now);
        }
        changed
    }

    /// Relays that are accused or left out, with the addresses of those that are registered.
    #[must_use]
    pub fn accused(&self, steady: Timestamp) -> Vec<(Accused, Vec<Address>)> {
        let addresses = |id: &NodeId| {
            self.nodes.get(id).map(|e| e.descriptor.addresses.clone()).unwrap_or_default()
        };
        let accused = self.reports.accused(steady, &self.present_relays());
        accused.into_iter().map(|a| (a, addresses(&a.relay))).collect()
    }

    /// The ways between relays that are accused, and how many relays accuse each.
    #[must_use]
    pub fn accused_links(&self) -> Vec<((NodeId, NodeId), usize)> {
        self.reports.links(&self.present_relays()).into_iter().collect()
    }

    fn present_relays(&self) -> BTreeSet<NodeId> {
        let present = |e: &Entry| e.presence != Presence::Away && !e.retired && e.is_relay();
        self.nodes.iter().filter(|(_, e)| present(e)).map(|(id, _)| *id).collect()
    }

    fn touch(&mut self, now: Timestamp) {
        self.changed = Some(self.changed.unwrap_or(now));
    }

    /// The document to sign, if one is due: at the start of each epoch, and soon after nodes came,
    /// went or changed. For a directory that signs alone.
    pub fn poll(&mut self, now: Timestamp) -> Option<NetworkDocument> {
        let epoch = self.due(now)?;
        let revision = self.ledger.next(epoch)?;
        self.ledger.note(epoch, revision);
        let listed = |how| self.listed(epoch, how).map(|e| e.descriptor.clone()).collect();
        let (nodes, dials_only) = (listed(Presence::Reached), listed(Presence::DialsOnly));
        let AssemblerConfig { network, parameters, directories, .. } = &self.config;
        let listed = Listed { nodes, dials_only, directories: directories.clone() };
        Some(document(*network, parameters, (epoch, revision), now, listed))
    }

    /// What to vote for, if a vote is due, and its epoch: as [`Assembler::poll`], for one of
    /// several directories.
    pub fn poll_vote(&mut self, now: Timestamp) -> Option<(u64, Ballot)> {
        let epoch = self.due(now)?;
        let listed = |how| self.listed(epoch, how).map(|e| e.signed.clone()).collect();
        let (nodes, dials_only) = (listed(Presence::Reached), listed(Presence::DialsOnly));
        let addresses = self.config.directories.iter().map(|d| d.address).collect();
        Some((epoch, Ballot { nodes, dials_only, addresses }))
    }

    /// Where this directory is.
    #[must_use]
    pub fn directories(&self) -> &[DirectoryPointer] {
        &self.config.directories
    }

    /// The epochs signed lately and the last revision of each, the latest signed at the end: to be
    /// kept before a document is signed, and given to the next run.
    #[must_use]
    pub fn signed(&self) -> &[(u64, u32)] {
        self.ledger.signed()
    }

    /// The epoch for which something is due.
    fn due(&mut self, now: Timestamp) -> Option<u64> {
        let wait = if self.config.signed.is_empty() { 0 } else { RETURN_MS };
        let not_before = *self.not_before.get_or_insert(now.plus_millis(wait));
        // Later than that from now it can only be if the clock was set back.
        if (1..=RETURN_MS).contains(&not_before.millis_since(now)) {
            return None;
        }
        let epoch = self.due_epoch(now);
        let new_epoch = self.last != Some(epoch);
        let settled =
            self.changed.is_some_and(|at| at > now || now.millis_since(at) >= DEBOUNCE_MS);
        let due = new_epoch || settled && self.may_revise(now);
        if !due {
            return None;
        }
        self.last = Some(epoch);
        self.changed = None;
        self.drop_outdated(epoch);
        Some(epoch)
    }

    /// The epoch of the next document. If the clock went back a little, stay at the last one, for
    /// readers refuse a rollback. If it went back by more, it was wrong before: no reader whose
    /// clock was right has taken what was signed then.
    fn due_epoch(&self, now: Timestamp) -> u64 {
        let epoch = self.epoch(now);
        match self.last {
            Some(last) if last == epoch.saturating_add(1) => last,
            _ => epoch,
        }
    }

    /// Whether another revision is due: a node that comes and goes must not make all clients fetch
    /// documents without end.
    fn may_revise(&mut self, now: Timestamp) -> bool {
        self.revisions.retain(|at| *at <= now && now.millis_since(*at) < REVISIONS_MS);
        let may = self.revisions.len() < MAX_REVISIONS;
        if may {
            self.revisions.push_back(now);
        }
        may
    }

    /// Forgets absent nodes whose keys have all expired.
    fn drop_outdated(&mut self, epoch: u64) {
        self.nodes.retain(|_, e| {
            e.presence != Presence::Away
                || !e.retired && e.descriptor.keys.iter().any(|k| k.epoch >= epoch)
        });
    }

    /// The nodes to list in an epoch that others get at in this way, in ascending order of id.
    fn listed(&self, epoch: u64, how: Presence) -> impl Iterator<Item = &Entry> {
        let listed = move |e: &Entry| e.presence == how && !e.retired && !e.left_out;
        self.nodes.values().filter(move |e| listed(e) && e.descriptor.key_for(epoch).is_some())
    }
}

/// Whether all keys are of the network's scheme.
pub(super) fn keys_fit(parameters: &Parameters, descriptor: &NodeDescriptor) -> bool {
    let scheme = to_scheme(parameters.geometry.scheme);
    descriptor.keys.iter().all(|key| PublicKey::from_bytes(scheme, &key.key).is_ok())
}

/// What one of several directories votes for.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Ballot {
    /// Nodes that it reaches, in ascending order of id.
    pub nodes: Vec<SignedDescriptor>,
    /// Relays that it does not reach and that have come to it, in ascending order of id.
    pub dials_only: Vec<SignedDescriptor>,
    /// Where it is itself.
    pub addresses: Vec<Address>,
}

/// What a document says of its network's nodes and directories.
#[derive(Default)]
pub(super) struct Listed {
    pub(super) nodes: Vec<NodeDescriptor>,
    pub(super) dials_only: Vec<NodeDescriptor>,
    pub(super) directories: Vec<DirectoryPointer>,
}

impl Listed {
    /// Whether a document has these nodes. Where its directories are makes no document due: it can
    /// wait for the next one, and one directory's word must not use up what may be revised.
    pub(super) fn nodes_are_of(&self, document: &NetworkDocument) -> bool {
        self.nodes == document.nodes && self.dials_only == document.dials_only
    }
}

/// The document with this epoch and revision.
pub(super) fn document(
    network: NetworkId,
    parameters: &Parameters,
    (epoch, revision): (u64, u32),
    published: Timestamp,
    listed: Listed,
) -> NetworkDocument {
    let Parameters { epoch_ms, geometry, mixing, paths, tally, sealed } = *parameters;
    let end = Timestamp::from_millis(epoch.saturating_add(1).saturating_mul(epoch_ms));
    NetworkDocument {
        version: VERSION,
        network,
        epoch,
        revision,
        epoch_ms,
        published,
        valid_until: end.plus_millis(epoch_ms).max(published.plus_millis(LAST_MS)),
        geometry,
        mixing,
        paths,
        nodes: listed.nodes,
        tally,
        sealed,
        dials_only: listed.dials_only,
        directories: listed.directories,
    }
}

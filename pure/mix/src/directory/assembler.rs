//! A node's life in the directory:
//!
//! ```text
//!   register          link up              link down
//! ──────────► known ──────────► listed ──────────────► known ──► forgotten (all keys expired)
//!                                  │ retire
//!                                  └────────► retired (never listed again)
//! ```
//!
//! How a directory assembles its document: which nodes registered, which are present, and when a
//! new document is due.

use std::collections::{BTreeMap, VecDeque};

use sphinx::PublicKey;
use wire::document::{
    GeometrySpec, Mixing, NetworkDocument, NodeDescriptor, PathPolicy, SignedDescriptor, VERSION,
};
use wire::frame::RefusedReason;
use wire::id::AdmissionToken;
use wire::limits::MAX_NODES;
use wire::{NetworkId, NodeId, Timestamp};

use super::verify_descriptor;
use crate::geometry::to_scheme;

/// Changes within this time make one revision, ms.
const DEBOUNCE_MS: u64 = 300;
/// How long a restarted directory waits for its nodes to reconnect before it signs a document
/// without them, ms.
const RETURN_MS: u64 = 3_000;

/// Most revisions in [`REVISIONS_MS`].
const MAX_REVISIONS: usize = 20;
/// Five minutes.
const REVISIONS_MS: u64 = 300_000;
/// Epochs of which a directory remembers what it has signed.
const MAX_SIGNED: usize = 16;
/// How long a document is good at least, ms: so long a network goes on without its directory.
const LAST_MS: u64 = 24 * 3_600_000;

/// What the operator of a directory decides.
#[derive(Debug, Clone)]
pub struct AssemblerConfig {
    /// The network.
    pub network: NetworkId,
    /// Tokens under which nodes may register.
    pub tokens: Vec<AdmissionToken>,
    /// Length of an epoch, ms.
    pub epoch_ms: u64,
    /// Packet geometry.
    pub geometry: GeometrySpec,
    /// Mixing parameters.
    pub mixing: Mixing,
    /// Path policy.
    pub paths: PathPolicy,
    /// Whether packets carry a tally.
    pub tally: bool,
    /// Whether the document is for enrolled clients only.
    pub sealed: bool,
    /// Epochs and revisions that earlier runs signed, as [`Assembler::signed`] gave them.
    pub signed: Vec<(u64, u32)>,
}

struct Entry {
    descriptor: NodeDescriptor,
    present: bool,
    /// Left out of documents although it is present.
    retired: bool,
}

/// Collects registrations and makes documents.
pub struct Assembler {
    config: AssemblerConfig,
    nodes: BTreeMap<NodeId, Entry>,
    /// The epochs signed lately with their last revisions, the latest signed at the end.
    signed: Vec<(u64, u32)>,
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
        let signed = config.signed.clone();
        Assembler {
            config,
            nodes: BTreeMap::new(),
            signed,
            revisions: VecDeque::new(),
            changed: Some(Timestamp::ZERO),
            not_before: None,
        }
    }

    /// The epoch at `now`.
    #[must_use]
    pub fn epoch(&self, now: Timestamp) -> u64 {
        now.period(self.config.epoch_ms)
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
                self.touch(now);
            }
            None if full => return Err(RefusedReason::Busy),
            None => {
                self.nodes.insert(id, Entry { descriptor, present: false, retired: false });
                self.touch(now);
            }
        }
        Ok(id)
    }

    /// Whether this token admits nodes.
    #[must_use]
    pub fn admits(&self, token: &AdmissionToken) -> bool {
        self.config.tokens.contains(token)
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
        let scheme = to_scheme(self.config.geometry.scheme);
        let good = descriptor
            .keys
            .iter()
            .all(|k| near.contains(&k.epoch) && PublicKey::from_bytes(scheme, &k.key).is_ok());
        if good { Ok(()) } else { Err(RefusedReason::BadDescriptor) }
    }

    /// Notes that a node's link came up or went down.
    pub fn presence(&mut self, now: Timestamp, node: NodeId, up: bool) {
        if let Some(entry) = self.nodes.get_mut(&node)
            && entry.present != up
        {
            entry.present = up;
            // No document lists a retired node, so nothing changes.
            if !entry.retired {
                self.touch(now);
            }
        }
    }

    fn touch(&mut self, now: Timestamp) {
        self.changed = Some(self.changed.unwrap_or(now));
    }

    /// The document to sign, if one is due: at the start of each epoch, and soon after nodes came,
    /// went or changed.
    pub fn poll(&mut self, now: Timestamp) -> Option<NetworkDocument> {
        let wait = if self.config.signed.is_empty() { 0 } else { RETURN_MS };
        let not_before = *self.not_before.get_or_insert(now.plus_millis(wait));
        // Later than that from now it can only be if the clock was set back.
        if (1..=RETURN_MS).contains(&not_before.millis_since(now)) {
            return None;
        }
        let epoch = self.due_epoch(now);
        let new_epoch = self.signed.last().is_none_or(|(last, _)| *last != epoch);
        let settled =
            self.changed.is_some_and(|at| at > now || now.millis_since(at) >= DEBOUNCE_MS);
        let due = new_epoch || settled && self.may_revise(now);
        if !due {
            return None;
        }
        let revision = match self.signed.iter().find(|(signed, _)| *signed == epoch) {
            Some((_, revision)) => revision.checked_add(1)?,
            None => 0,
        };
        self.signed.retain(|(signed, _)| *signed != epoch);
        self.signed.push((epoch, revision));
        let surplus = self.signed.len().saturating_sub(MAX_SIGNED);
        self.signed.drain(..surplus);
        self.changed = None;
        self.drop_outdated(epoch);
        Some(self.document(now, epoch, revision))
    }

    /// The epochs signed lately and the last revision of each, the latest signed at the end: to be
    /// kept before a document is signed, and given to the next run.
    #[must_use]
    pub fn signed(&self) -> &[(u64, u32)] {
        &self.signed
    }

    /// The epoch of the next document. If the clock went back a little, stay at the last one, for
    /// readers refuse a rollback. If it went back by more, it was wrong before: no reader whose
    /// clock was right has taken what was signed then.
    fn due_epoch(&self, now: Timestamp) -> u64 {
        let epoch = self.epoch(now);
        match self.signed.last() {
            Some((last, _)) if *last == epoch.saturating_add(1) => *last,
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
            e.present || !e.retired && e.descriptor.keys.iter().any(|k| k.epoch >= epoch)
        });
    }

    fn document(&self, now: Timestamp, epoch: u64, revision: u32) -> NetworkDocument {
        let listed = self
            .nodes
            .values()
            .filter(|e| e.present && !e.retired && e.descriptor.key_for(epoch).is_some());
        let end =
            Timestamp::from_millis(epoch.saturating_add(1).saturating_mul(self.config.epoch_ms));
        NetworkDocument {
            version: VERSION,
            network: self.config.network,
            epoch,
            revision,
            epoch_ms: self.config.epoch_ms,
            published: now,
            valid_until: end.plus_millis(self.config.epoch_ms).max(now.plus_millis(LAST_MS)),
            geometry: self.config.geometry,
            mixing: self.config.mixing,
            paths: self.config.paths,
            nodes: listed.map(|e| e.descriptor.clone()).collect(),
            tally: self.config.tally,
            sealed: self.config.sealed,
        }
    }
}

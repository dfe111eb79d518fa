//! Epoch keys and replay journals on disk: the part of a node's state that must outlive its
//! process, but not its epoch.

use std::collections::BTreeMap;

use jail::StateDir;
use mix::epoch::EpochKeys;
use mix::relay::Relay;
use rand::rand_core::UnwrapErr;
use rand::rngs::SysRng;
use sphinx::Scheme;

use crate::Error;
use crate::journal::{Journal, machine_boot};

pub(super) const FILE: &str = "epoch-keys";

/// The keys of this epoch and the next two, with their journals.
pub(crate) struct KeyRing {
    state: StateDir,
    keys: EpochKeys,
    journals: BTreeMap<u64, Journal>,
    boot: [u8; 16],
}

impl KeyRing {
    /// Loads the keys of an earlier run, if they belong to this scheme.
    pub(crate) fn open(state: StateDir, scheme: Scheme) -> Result<Self, Error> {
        let kept = match state.kept(FILE) {
            Err(jail::Error::Damaged(file)) => {
                tracing::warn!(file, "damaged: this node makes new keys, and is listed with them");
                None
            }
            kept => kept?,
        };
        let keys = kept.and_then(|bytes| EpochKeys::from_bytes(scheme, &bytes).ok());
        let keys = keys.unwrap_or_else(|| EpochKeys::new(scheme));
        Ok(KeyRing { state, keys, journals: BTreeMap::new(), boot: machine_boot() })
    }

    /// Makes keys up to two epochs ahead, stores them, and installs in `relay` those it lacks.
    pub(crate) fn advance(&mut self, epoch: u64, relay: &mut Relay) -> Result<(), Error> {
        let mut rng = UnwrapErr(SysRng);
        // If the journal of a key that we have may be incomplete, the key must not be used again.
        let mut seen = BTreeMap::new();
        for known in self.keys.epochs() {
            if let Some(tags) = self.open_journal(known)? {
                seen.insert(known, tags);
            }
        }
        self.keys.advance(epoch, &mut rng)?;
        // The journals of new keys are on disk before the keys: a key without one was used.
        for new in self.keys.epochs() {
            if !self.journals.contains_key(&new) {
                self.journals.insert(new, Journal::create(&self.state, new, &self.boot)?);
            }
        }
        self.state.keep(FILE, self.keys.to_bytes().as_ref())?;
        for epoch in self.keys.epochs() {
            if !relay.has_key(epoch)
                && let Some(key) = self.keys.private(epoch)
            {
                relay.install_key(epoch, key, seen.remove(&epoch).unwrap_or_default());
            }
        }
        Ok(())
    }

    /// Erases everything older than `epoch`.
    pub(crate) fn erase_before(&mut self, epoch: u64, relay: &mut Relay) -> Result<(), Error> {
        let old: Vec<u64> = self.keys.epochs().into_iter().filter(|e| *e < epoch).collect();
        if old.is_empty() {
            return Ok(());
        }
        self.keys.erase_before(epoch);
        relay.erase_before(epoch);
        self.state.keep(FILE, self.keys.to_bytes().as_ref())?;
        for epoch in old {
            self.journals.remove(&epoch);
            Journal::delete(&self.state, epoch)?;
        }
        Ok(())
    }

    /// Replaces the keys of coming epochs.
    pub(crate) fn rotate(&mut self, epoch: u64, relay: &mut Relay) -> Result<(), Error> {
        for later in self.keys.epochs().into_iter().filter(|e| *e > epoch) {
            self.keys.renew_epoch(later);
            relay.drop_key(later);
            self.journals.remove(&later);
            Journal::delete(&self.state, later)?;
        }
        self.advance(epoch, relay)
    }

    /// Notes a tag; [`KeyRing::flush`] must succeed before its packet leaves.
    pub(crate) fn remember(&mut self, epoch: u64, tag: &[u8; 16]) {
        if let Some(journal) = self.journals.get_mut(&epoch) {
            journal.push(tag);
        }
    }

    /// Writes all noted tags.
    pub(crate) fn flush(&mut self) -> Result<(), Error> {
        self.journals.values_mut().try_for_each(Journal::flush)
    }

    /// Public keys for the descriptor.
    pub(crate) fn public_from(&self, epoch: u64) -> Vec<wire::document::EpochKey> {
        self.keys.public_from(epoch)
    }

    /// Opens the journal of a key that we have, if it is not open, and returns the tags in it. If
    /// it may be incomplete, drops the key.
    fn open_journal(&mut self, epoch: u64) -> Result<Option<Vec<[u8; 16]>>, Error> {
        if self.journals.contains_key(&epoch) {
            return Ok(None);
        }
        if let Some((journal, tags)) = Journal::open(&self.state, epoch, &self.boot)? {
            self.journals.insert(epoch, journal);
            return Ok(Some(tags));
        }
        tracing::warn!(
            epoch,
            "the machine went down in this epoch, or its replay journal is lost: its key is dropped rather than risk a replay"
        );
        self.keys.drop_epoch(epoch);
        Journal::delete(&self.state, epoch)?;
        Ok(None)
    }
}

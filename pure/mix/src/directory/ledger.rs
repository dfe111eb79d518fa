//! Which documents an authority has signed: no pair of epoch and revision twice.

/// Epochs of which a directory remembers what it has signed.
const MAX_SIGNED: usize = 16;

/// The epochs signed lately with their last revisions, the latest signed at the end.
pub(super) struct Ledger(Vec<(u64, u32)>);

impl Ledger {
    /// What an earlier run has signed.
    pub(super) const fn new(signed: Vec<(u64, u32)>) -> Self {
        Ledger(signed)
    }

    /// What to keep on the disk, and to give to the next run.
    pub(super) fn signed(&self) -> &[(u64, u32)] {
        &self.0
    }

    /// The epoch signed last.
    pub(super) fn last(&self) -> Option<u64> {
        self.0.last().map(|(epoch, _)| *epoch)
    }

    /// The last revision that was signed in this epoch.
    pub(super) fn revision(&self, epoch: u64) -> Option<u32> {
        self.0.iter().find(|(signed, _)| *signed == epoch).map(|(_, revision)| *revision)
    }

    /// The first revision of this epoch that was not signed; none beyond the last.
    pub(super) fn next(&self, epoch: u64) -> Option<u32> {
        self.revision(epoch).map_or(Some(0), |revision| revision.checked_add(1))
    }

    /// Notes that this pair is about to be signed. It must be durable before the signature leaves.
    pub(super) fn note(&mut self, epoch: u64, revision: u32) {
        self.0.retain(|(signed, _)| *signed != epoch);
        self.0.push((epoch, revision));
        let surplus = self.0.len().saturating_sub(MAX_SIGNED);
        self.0.drain(..surplus);
    }
}

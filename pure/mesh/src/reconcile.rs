//! Set reconciliation: finding out which ids each of two sides lacks, with version 1 of the
//! `negentropy` protocol.
//!
//! Both sides compare fingerprints of ranges of ids and split the ranges that differ. So the cost
//! grows with the difference and with the logarithm of the store. All items have time 0, since ids
//! are uniformly random already.

use std::sync::Arc;

use negentropy::{Id, Negentropy, NegentropyStorageVector};
use streams::BoxId;
use wire::limits::MAX_MESH_RANGES;

use crate::Error;

const BAD: Error = Error::PeerMisbehaved("a step of a reconciliation that cannot be read");

/// The ids of a store at one moment, in order.
#[derive(Clone)]
pub struct Snapshot(Arc<NegentropyStorageVector>);

impl Snapshot {
    /// Makes a snapshot. Repeated ids count once.
    #[must_use]
    pub fn new(ids: impl Iterator<Item = BoxId>) -> Self {
        let mut ids: Vec<BoxId> = ids.collect();
        ids.sort_unstable();
        ids.dedup();
        let mut vector = NegentropyStorageVector::with_capacity(ids.len());
        for id in ids {
            // Inserting fails only after sealing, and sealing only when done twice or with
            // duplicates.
            let _ = vector.insert(0, Id::from_byte_array(*id.as_bytes()));
        }
        let _ = vector.seal();
        Snapshot(Arc::new(vector))
    }

    /// Answers one step of the side that started. Keeps no state between steps.
    ///
    /// # Errors
    /// [`Error::PeerMisbehaved`].
    pub fn answer(&self, ranges: &[u8]) -> Result<Vec<u8>, Error> {
        self.side()?.reconcile(ranges).map_err(|_| BAD)
    }

    fn side(&self) -> Result<Negentropy<'_, NegentropyStorageVector>, Error> {
        let limit = u64::try_from(MAX_MESH_RANGES).unwrap_or(u64::MAX);
        Negentropy::borrowed(self.0.as_ref(), limit).map_err(|_| BAD)
    }
}

/// The result of one step.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Ids that only this side has.
    pub they_lack: Vec<BoxId>,
    /// Ids that only the other side has.
    pub we_lack: Vec<BoxId>,
    /// The next step to send; `None` when the reconciliation is complete.
    pub next: Option<Vec<u8>>,
}

/// A running reconciliation, on the side that started it.
pub struct Reconciliation {
    snapshot: Snapshot,
}

impl Reconciliation {
    /// Starts a reconciliation. Returns the first step to send.
    ///
    /// # Errors
    /// [`Error::PeerMisbehaved`], which cannot happen within the library's limits.
    pub fn begin(snapshot: Snapshot) -> Result<(Self, Vec<u8>), Error> {
        let first = snapshot.side()?.initiate().map_err(|_| BAD)?;
        Ok((Reconciliation { snapshot }, first))
    }

    /// Takes the answer to the last step.
    ///
    /// # Errors
    /// [`Error::PeerMisbehaved`].
    pub fn step(&mut self, answer: &[u8]) -> Result<Difference, Error> {
        let mut side = self.snapshot.side()?;
        side.set_initiator();
        let (mut have, mut need) = (Vec::new(), Vec::new());
        let next = side.reconcile_with_ids(answer, &mut have, &mut need).map_err(|_| BAD)?;
        let ids = |ids: Vec<Id>| ids.into_iter().map(|id| BoxId::new(id.to_bytes())).collect();
        Ok(Difference { they_lack: ids(have), we_lack: ids(need), next })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn id(n: u32) -> BoxId {
        // Spread over the whole space, as real ids are.
        let mut bytes = [0; 32];
        let mut x = u64::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        for chunk in bytes.chunks_mut(8) {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            chunk.copy_from_slice(&x.to_be_bytes());
        }
        bytes[31] = n.to_be_bytes()[3];
        BoxId::new(bytes)
    }

    /// Runs to the end: what each lacks, bytes and steps.
    fn run(ours: &[BoxId], theirs: &[BoxId]) -> (BTreeSet<BoxId>, BTreeSet<BoxId>, usize, usize) {
        let (a, b) = (Snapshot::new(ours.iter().copied()), Snapshot::new(theirs.iter().copied()));
        let (mut side, mut step) = Reconciliation::begin(a).unwrap();
        let (mut we, mut they, mut bytes, mut steps) = (BTreeSet::new(), BTreeSet::new(), 0, 0);
        loop {
            let answer = b.answer(&step).unwrap();
            assert!(step.len() <= MAX_MESH_RANGES && answer.len() <= MAX_MESH_RANGES);
            bytes += step.len() + answer.len();
            steps += 1;
            let difference = side.step(&answer).unwrap();
            we.extend(difference.we_lack);
            they.extend(difference.they_lack);
            match difference.next {
                Some(next) => step = next,
                None => return (we, they, bytes, steps),
            }
        }
    }

    //= MESH-008
    #[test]
    fn the_cost_grows_with_the_difference_and_not_with_the_store() {
        let mut costs = Vec::new();
        for total in [10_000_u32, 100_000] {
            let ours: Vec<BoxId> = (0..total).map(id).collect();
            let theirs: Vec<BoxId> = (20..total + 20).map(id).collect();
            let (we, they, bytes, _) = run(&ours, &theirs);
            assert_eq!((we.len(), they.len()), (20, 20));
            costs.push(bytes);
        }
        assert!(costs[1] < 3 * costs[0], "{costs:?}");
        assert!(costs[1] < 100_000, "less than a thirtieth of the ids: {costs:?}");
    }

    #[test]
    fn sets_that_are_equal_cost_a_handful_of_fingerprints() {
        let all: Vec<BoxId> = (0..50_000).map(id).collect();
        let (we, they, bytes, steps) = run(&all, &all);
        assert!(
            we.is_empty() && they.is_empty() && steps == 1 && bytes < 600,
            "{bytes} B in {steps}"
        );
    }

    proptest! {
        #[test]
        fn both_learn_exactly_what_they_lack(
            ours in proptest::collection::btree_set(0..400_u32, 0..300),
            theirs in proptest::collection::btree_set(0..400_u32, 0..300),
        ) {
            let ids = |s: &BTreeSet<u32>| s.iter().copied().map(id).collect::<Vec<_>>();
            let (we, they, ..) = run(&ids(&ours), &ids(&theirs));
            prop_assert_eq!(we, theirs.difference(&ours).copied().map(id).collect::<BTreeSet<_>>());
            prop_assert_eq!(they, ours.difference(&theirs).copied().map(id).collect::<BTreeSet<_>>());
        }

        #[test]
        fn no_step_makes_either_side_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), head: bool) {
            let mut bytes = bytes;
            if head { bytes.insert(0, 0x61); }
            let all = Snapshot::new((0..100).map(id));
            let _ = all.answer(&bytes);
            let (mut side, _) = Reconciliation::begin(all).unwrap();
            let _ = side.step(&bytes);
        }
    }
}

//! Reads one stream: in order, each box once, gaps noticed.

use std::collections::{BTreeMap, VecDeque};

use streams::{BoxId, ReadCapability, VerifiedBox};
use wire::Timestamp;
use zeroize::Zeroizing;

use crate::Error;

// What is in them must not reach a log: `Debug` shows the kind alone.
wire::kind_debug!(
    enum Read {
        Plain,
        Nothing,
        Gap,
        Late,
    }
);

/// Boxes asked for at a time. A writer never has more than this many in flight.
pub const WINDOW: usize = 8;

/// How long a later box waits for an earlier one before the gap is told and passed over, or before
/// the hub is asked about it, ms.
pub const GAP_PATIENCE_MS: u64 = 60_000;
/// The same where one writer puts a box until the hub takes it, ms: a full disk, or a hub that
/// moves, may need minutes.
pub(crate) const WRITER_PATIENCE_MS: u64 = 300_000;
/// Boxes asked for of a stream in which little is written: two, because the second shows that the
/// first is missing, or that more is there.
const NEXT: usize = 2;
/// Boxes that were passed over and are still asked for, of a stream.
const LATE: usize = 4;

/// The next thing a stream says.
pub enum Read {
    /// The plaintext of the next box.
    Plain(Zeroizing<Vec<u8>>),
    /// The next index is a tombstone or a box that does not open: nothing to show.
    Nothing,
    /// This many boxes never came although later ones did.
    Gap(usize),
    /// The plaintext of a box that was passed over before.
    Late(Zeroizing<Vec<u8>>),
}

/// One index of the window: the capability at it, and the ids it may have, one per context.
struct Slot {
    capability: ReadCapability,
    ids: Vec<BoxId>,
}

/// Reads one stream from a capability on.
///
/// A stream may go over to a new box context (a re-keyed room): while two contexts are known each
/// index is asked for under both, and once a box of the newer one has been read the older is
/// forgotten.
pub struct StreamReader {
    contexts: Vec<Vec<u8>>,
    /// The capability behind the window's last slot.
    tail: ReadCapability,
    /// Slots of the window.
    size: usize,
    window: VecDeque<Slot>,
    /// Boxes that came early: offset in the window → context and box.
    early: BTreeMap<usize, (usize, VerifiedBox)>,
    /// What was passed over and may come after all, the latest last.
    late: VecDeque<Slot>,
    late_plain: VecDeque<Zeroizing<Vec<u8>>>,
    gap_since: Option<Timestamp>,
    gap: Gap,
    patience_ms: u64,
}

/// What becomes of a missing box.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gap {
    /// It is passed over after a time.
    Passes,
    /// It is waited for without end.
    Waits,
    /// It is passed over once the hub has said that it is not there.
    Asks,
    /// The hub is being asked.
    Asked,
    /// The hub has said so.
    Absent,
}

impl StreamReader {
    /// Starts at the capability's index.
    ///
    /// # Errors
    /// [`Error::Streams`] when the stream's counter would overflow.
    pub fn new(capability: ReadCapability, context: Vec<u8>) -> Result<Self, Error> {
        Self::with_window(capability, context, WINDOW)
    }

    /// As [`StreamReader::new`], for a writer that has `size` boxes in flight.
    ///
    /// # Errors
    /// See [`StreamReader::new`].
    pub fn with_window(
        capability: ReadCapability,
        context: Vec<u8>,
        size: usize,
    ) -> Result<Self, Error> {
        let mut reader = StreamReader {
            contexts: vec![context],
            tail: capability,
            size,
            window: VecDeque::with_capacity(size),
            early: BTreeMap::new(),
            late: VecDeque::new(),
            late_plain: VecDeque::new(),
            gap_since: None,
            gap: Gap::Passes,
            patience_ms: GAP_PATIENCE_MS,
        };
        reader.refill()?;
        Ok(reader)
    }

    /// Waits for a missing box during so many ms, instead of [`GAP_PATIENCE_MS`].
    #[must_use]
    pub const fn patient_for(mut self, ms: u64) -> Self {
        self.patience_ms = ms;
        self
    }

    /// Never passes over a missing box: for streams whose order decides.
    #[must_use]
    pub const fn patient(mut self) -> Self {
        self.gap = Gap::Waits;
        self
    }

    /// Passes over a missing box only when the hub itself has said that it is not there: an answer
    /// that did not come says nothing. See [`StreamReader::question`]. It is still asked for, and
    /// read if it comes after all.
    #[must_use]
    pub const fn asking(mut self) -> Self {
        self.gap = Gap::Asks;
        self
    }

    /// The ids about which the hub is to be asked now, if there are any: those that later boxes
    /// have waited for. [`StreamReader::answered`] must follow.
    pub fn question(&mut self, now: Timestamp) -> Option<Vec<BoxId>> {
        let (&missing, _) = self.early.first_key_value()?;
        if self.gap != Gap::Asks || missing == 0 || !self.has_waited(now) {
            return None;
        }
        self.gap = Gap::Asked;
        let slots = self.window.iter().take(missing);
        Some(slots.flat_map(|slot| slot.ids.iter().copied()).collect())
    }

    /// The question is settled: the hub has answered it, and what it has was accepted; or, if
    /// `heard` is false, no answer came, and it is asked again.
    pub fn answered(&mut self, heard: bool) {
        if self.gap == Gap::Asked {
            self.gap = if heard { Gap::Absent } else { Gap::Asks };
        }
    }

    fn has_waited(&self, now: Timestamp) -> bool {
        self.gap_since.is_some_and(|since| now.millis_since(since) >= self.patience_ms)
    }

    /// The capability at the next index to be read.
    #[must_use]
    pub fn capability(&self) -> &ReadCapability {
        self.window.front().map_or(&self.tail, |slot| &slot.capability)
    }

    /// From now on boxes may also come under `context`.
    pub fn add_context(&mut self, context: Vec<u8>) {
        if self.contexts.contains(&context) {
            return;
        }
        // Two at most: the one in use and the one to come.
        self.contexts.truncate(1);
        self.contexts.push(context);
        self.refresh_ids();
    }

    /// Counter of the next index to be read.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.window.front().map_or(u64::MAX, |slot| slot.capability.index().counter())
    }

    /// Ids of the window that are not here yet, and of boxes that were passed over: what to `get`.
    #[must_use]
    pub fn wanted(&self) -> Vec<BoxId> {
        let missing = |(offset, _): &(usize, &Slot)| !self.early.contains_key(offset);
        let window = self.window.iter().enumerate().filter(missing).map(|(_, slot)| slot);
        window.chain(&self.late).flat_map(|slot| slot.ids.iter().copied()).collect()
    }

    /// As [`StreamReader::wanted`], with the next boxes of the window alone: what to `get` of a
    /// writer who says one thing at a time.
    #[must_use]
    pub fn wanted_next(&self) -> Vec<BoxId> {
        let next = self.window.iter().take(NEXT).chain(&self.late);
        next.flat_map(|slot| slot.ids.iter().copied()).collect()
    }

    /// Whether boxes are here that wait for an earlier one.
    #[must_use]
    pub fn waits_for_earlier(&self) -> bool {
        !self.early.is_empty()
    }

    /// Passes over all up to the last box that waits for an earlier one, and drops those.
    ///
    /// # Errors
    /// [`Error::Streams`] when the stream's counter would overflow.
    pub fn drop_waiting(&mut self) -> Result<(), Error> {
        if let Some((&last, _)) = self.early.last_key_value() {
            self.early.clear();
            self.advance(last.saturating_add(1))?;
            self.gap_since = None;
        }
        Ok(())
    }

    /// Takes a box that a carrier brought; false if it is not one that this reader waits for.
    pub fn accept(&mut self, found: VerifiedBox) -> bool {
        let place = self.window.iter().enumerate().find_map(|(offset, slot)| {
            slot.ids.iter().position(|id| *id == found.id()).map(|context| (offset, context))
        });
        let Some((offset, context)) = place else {
            return self.accept_late(&found);
        };
        self.early.insert(offset, (context, found));
        true
    }

    fn accept_late(&mut self, found: &VerifiedBox) -> bool {
        let place = self.late.iter().position(|slot| slot.ids.contains(&found.id()));
        let Some(slot) = place.and_then(|place| self.late.remove(place)) else { return false };
        let mut contexts = self.contexts.iter();
        self.late_plain.extend(contexts.find_map(|c| slot.capability.open(c, found).ok()));
        true
    }

    /// The next thing in order, if it is here, or what is late. Call until `None`.
    ///
    /// # Errors
    /// [`Error::Streams`] when the stream's counter would overflow.
    pub fn next(&mut self, now: Timestamp) -> Result<Option<Read>, Error> {
        if let Some(plain) = self.late_plain.pop_front() {
            return Ok(Some(Read::Late(plain)));
        }
        if let Some((context, found)) = self.early.remove(&0) {
            let plain = self.open_front(context, &found);
            if context > 0 {
                self.contexts.drain(..context);
                self.refresh_ids();
            }
            self.advance(1)?;
            // Whatever is missing now has been in nobody's way before.
            self.gap_since = None;
            self.gap_since = self.first_gap(now);
            return Ok(Some(plain.map_or(Read::Nothing, Read::Plain)));
        }
        self.gap_since = self.first_gap(now);
        let may_pass = matches!(self.gap, Gap::Passes | Gap::Absent) && self.has_waited(now);
        match self.early.first_key_value() {
            Some((&missing, _)) if may_pass => {
                let asked = self.gap == Gap::Absent;
                let passed = self.advance(missing)?;
                if asked {
                    self.late.extend(passed);
                    self.late.drain(..self.late.len().saturating_sub(LATE));
                }
                self.gap_since = None;
                Ok(Some(Read::Gap(missing)))
            }
            _ => Ok(None),
        }
    }

    /// When [`StreamReader::next`] must be asked again although nothing came.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        let due = self.gap_since.map(|since| since.plus_millis(self.patience_ms));
        due.filter(|_| self.gap != Gap::Asked)
    }

    fn first_gap(&self, now: Timestamp) -> Option<Timestamp> {
        if self.early.is_empty() || self.gap == Gap::Waits {
            None
        } else {
            Some(self.gap_since.unwrap_or(now))
        }
    }

    fn open_front(&self, context: usize, found: &VerifiedBox) -> Option<Zeroizing<Vec<u8>>> {
        let slot = self.window.front()?;
        let context = self.contexts.get(context)?;
        slot.capability.open(context, found).ok()
    }

    /// Moves the window on; what is behind it now.
    fn advance(&mut self, by: usize) -> Result<VecDeque<Slot>, Error> {
        let ahead = self.window.split_off(by.min(self.window.len()));
        let passed = std::mem::replace(&mut self.window, ahead);
        // Whatever is missing now is another question.
        if matches!(self.gap, Gap::Asked | Gap::Absent) {
            self.gap = Gap::Asks;
        }
        self.early = std::mem::take(&mut self.early)
            .into_iter()
            .filter_map(|(offset, found)| Some((offset.checked_sub(by)?, found)))
            .collect();
        self.refill()?;
        Ok(passed)
    }

    fn refill(&mut self) -> Result<(), Error> {
        while self.window.len() < self.size {
            let ids = ids_of(&self.tail, &self.contexts);
            self.window.push_back(Slot { capability: self.tail.clone(), ids });
            self.tail = self.tail.next()?;
        }
        Ok(())
    }

    fn refresh_ids(&mut self) {
        for slot in self.window.iter_mut().chain(&mut self.late) {
            slot.ids = ids_of(&slot.capability, &self.contexts);
        }
        // Contexts have moved: what came early is asked for again.
        self.early.clear();
        self.answered(false);
    }
}

fn ids_of(capability: &ReadCapability, contexts: &[Vec<u8>]) -> Vec<BoxId> {
    contexts.iter().map(|c| capability.box_id(c)).collect()
}

#[cfg(test)]
mod tests {
    use streams::WriteCapability;

    use super::*;

    //= GROUP-021
    #[test]
    fn each_missing_box_is_waited_for_by_itself() {
        let mut writer = WriteCapability::from_seed(&[7; 32]);
        let mut reader = StreamReader::new(writer.read_capability(), b"lane".to_vec()).unwrap();
        let mut boxes = VecDeque::new();
        for n in 0..24 {
            boxes.push_back(writer.seal(b"lane", &[n]).unwrap());
            writer = writer.next().unwrap();
        }
        let mut now = Timestamp::from_millis(1);
        let mut read = 0;
        let mut late = boxes.pop_front();
        assert!(reader.accept(boxes.pop_front().unwrap()));
        // Of each two the first comes 20 s after the second, and the next second is there by then.
        while let Some(missing) = late.take() {
            assert!(reader.next(now).unwrap().is_none());
            now = now.plus_millis(GAP_PATIENCE_MS / 3);
            late = boxes.pop_front();
            assert!(boxes.pop_front().is_none_or(|early| reader.accept(early)));
            assert!(reader.accept(missing));
            while let Some(found) = reader.next(now).unwrap() {
                assert!(matches!(found, Read::Plain(plain) if plain.as_slice() == [read]));
                read += 1;
            }
        }
        assert_eq!(read, 24);
    }
}

//! Reading decisions: which commit ends the current epoch.
//!
//! ```text
//!                 a look finds nothing
//! [open] ──► [not caught up] ─────────────► [caught up: commits and messages may leave]
//!               │        ▲                        │
//!               │        └── the hub was away, or our deciding box came second
//!               └───────────────┬─────────────────┘
//!                               │ the first box that verifies (GROUP-004, GROUP-005)
//!                    ┌──────────┴──────────┐
//!                  ours                another's
//!                    │                     ▼
//!                    │                 [decided: the body is fetched]
//!                    │                     │ bad, or late by ten minutes (GROUP-007)
//!                    │                     ├───────────────► [held up: told once]
//!                    │                     │ whole, and it fits     │ comes after all
//!                    ▼                     ▼                        │
//!                 next epoch ◄──────── applied ◄────────────────────┘
//! ```
//!
//! A decision is never passed over, not even when its body is bad: a second decision for one epoch
//! would split the group.

use e2ee::id::MemberId;
use e2ee::mls::{DECIDE_CONTEXT, Decision, Group};
use streams::{BoxClass, VerifiedBox, WriteCapability, pad, unpad};
use wire::Timestamp;
use zeroize::Zeroizing;

use super::link::Link;
use crate::Error;
use crate::context::{Purpose, StepContext};
use crate::parts::{Joined, Joiner};
use crate::reader::{Read, StreamReader};
use crate::request::{Call, CallId};
use crate::sealed::BoxBytes;

/// BACAP context of the streams that hold the bodies of commits.
pub(super) const BODY_CONTEXT: &[u8] = b"hushwing commit v1";
/// How long to wait for a commit's body before the group is reported as held up, ms.
const HELD_MS: u64 = 600_000;
/// How long one may be away without missing decisions that the hub has forgotten, ms.
const AWAY_MS: u64 = 13 * 86_400_000;
/// How often the time of the last look is written down, ms: a restart in between changes nothing.
const NOTE_MS: u64 = 3_600_000;

/// Reads the deciding stream of the current epoch.
pub(super) struct Deciding {
    stream: Option<Stream>,
    /// When the stream was last known to be empty ahead of us, ms.
    pub(super) decided_at: u64,
    /// Whose commit holds the conversation up.
    pub(super) held_by: Option<MemberId>,
    /// Nothing was decided in this epoch when we last asked.
    pub(super) caught_up: bool,
    /// When we asked so that the answer said that our epoch of then was not over.
    pub(super) undecided_at: Option<Timestamp>,
    pub(super) dirty: bool,
}

/// The deciding stream of one epoch: every member may write it.
struct Stream {
    epoch: u64,
    write: WriteCapability,
    reader: StreamReader,
    open: Option<CallId>,
    asked_at: Timestamp,
    decided: Option<Decided>,
    /// Something that decides nothing lies among the boxes that we have read.
    squatted: bool,
}

/// A decision by somebody else.
struct Decided {
    decision: Decision,
    by: MemberId,
    since: Timestamp,
    reader: StreamReader,
    joiner: Joiner,
    open: Option<CallId>,
    body: Option<Zeroizing<Vec<u8>>>,
    bad: bool,
    told: bool,
}

/// What the deciding stream gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing new.
    Nothing,
    /// Our own decision came first.
    Ours,
    /// Another member's did.
    Theirs,
}

impl Deciding {
    pub(super) const fn new(decided_at: u64, held_by: Option<MemberId>) -> Self {
        let (stream, undecided_at) = (None, None);
        Deciding { stream, decided_at, held_by, caught_up: false, undecided_at, dirty: false }
    }

    /// Begins with the deciding stream of the group's epoch.
    pub(super) fn open(
        &mut self,
        cx: &mut StepContext<'_>,
        group: Option<&Group>,
    ) -> Result<(), Error> {
        self.calls().for_each(|call| cx.out.cancel(call));
        self.stream = None;
        let Some(group) = group.filter(|g| g.is_active()) else { return Ok(()) };
        let write = group.deciding_stream(cx.mls)?;
        let reader = StreamReader::new(write.read_capability(), DECIDE_CONTEXT.to_vec())?.patient();
        self.stream = Some(Stream {
            epoch: group.epoch(),
            write,
            reader,
            open: None,
            asked_at: cx.now,
            decided: None,
            squatted: false,
        });
        Ok(())
    }

    /// We have no place any more; the caller has cancelled our requests.
    pub(super) fn close(&mut self) {
        self.stream = None;
        self.caught_up = false;
    }

    /// Whether we were away for so long that the hub may have forgotten decisions (`GROUP-010`).
    pub(super) fn is_away(&self, now: Timestamp) -> bool {
        now.as_millis().saturating_sub(self.decided_at) > AWAY_MS
    }

    /// Whether nobody has decided yet, as far as is known.
    pub(super) fn is_undecided(&self) -> bool {
        self.stream.as_ref().is_some_and(|s| s.decided.is_none())
    }

    /// Whether a member has written junk into the current epoch's deciding stream.
    pub(super) fn is_squatted(&self) -> bool {
        self.stream.as_ref().is_some_and(|s| s.squatted)
    }

    /// Asks at once whether the epoch is over: an empty answer shows that we have caught up.
    pub(super) fn look(&mut self, cx: &mut StepContext<'_>, link: &Link) {
        let Some(stream) = &mut self.stream else { return };
        if let Some(call) = stream.open.take() {
            cx.out.cancel(call);
        }
        let look = Call::Look(stream.reader.wanted());
        stream.asked_at = cx.now;
        stream.open = Some(link.call(cx, Purpose::Decide(stream.epoch), look));
    }

    /// Keeps a request open for the next decision, or for the body of the one that is there.
    pub(super) fn follow(&mut self, cx: &mut StepContext<'_>, link: &Link) {
        let Some(stream) = &mut self.stream else { return };
        let epoch = stream.epoch;
        match &mut stream.decided {
            Some(decided) if decided.open.is_none() && decided.body.is_none() && !decided.bad => {
                let get = Call::Get(decided.reader.wanted());
                decided.open = Some(link.call(cx, Purpose::Body(epoch), get));
            }
            None if stream.open.is_none() && link.can_decide() => {
                let wanted = stream.reader.wanted();
                let call = if self.caught_up { Call::Get(wanted) } else { Call::Look(wanted) };
                stream.asked_at = cx.now;
                stream.open = Some(link.call(cx, Purpose::Decide(epoch), call));
            }
            Some(_) | None => {}
        }
    }

    /// Deciding boxes, or none.
    pub(super) fn on_boxes(&mut self, now: Timestamp, epoch: u64, boxes: Vec<VerifiedBox>) {
        let Some(stream) = self.stream.as_mut().filter(|s| s.epoch == epoch) else { return };
        stream.open = None;
        if boxes.is_empty() {
            self.caught_up = true;
            self.undecided_at = Some(stream.asked_at);
            if now.as_millis().saturating_sub(self.decided_at) > NOTE_MS {
                self.decided_at = now.as_millis();
                self.dirty = true;
            }
        }
        for found in boxes {
            stream.reader.accept(found);
        }
    }

    /// The request was not answered: it is made again.
    pub(super) fn on_unanswered(&mut self, epoch: u64) {
        if let Some(stream) = self.stream.as_mut().filter(|s| s.epoch == epoch) {
            stream.open = None;
        }
    }

    /// Boxes of the decided body.
    pub(super) fn on_body(&mut self, epoch: u64, boxes: Vec<VerifiedBox>) {
        let stream = self.stream.as_mut().filter(|s| s.epoch == epoch);
        let Some(decided) = stream.and_then(|s| s.decided.as_mut()) else { return };
        decided.open = None;
        for found in boxes {
            decided.reader.accept(found);
        }
    }

    /// Reads deciding boxes until one counts. `ours` is the content of our own deciding box; on a
    /// LAN only the creator's count (`GROUP-016`).
    pub(super) fn read(
        &mut self,
        cx: &mut StepContext<'_>,
        group: &Group,
        ours: Option<&[u8]>,
        only: Option<MemberId>,
    ) -> Result<Verdict, Error> {
        let Some(stream) = self.stream.as_mut().filter(|s| s.decided.is_none()) else {
            return Ok(Verdict::Nothing);
        };
        loop {
            let content = match stream.reader.next(cx.now)? {
                None => return Ok(Verdict::Nothing),
                Some(Read::Plain(plain)) => unpad(&plain).map(<[u8]>::to_vec).unwrap_or_default(),
                Some(Read::Nothing | Read::Gap(_) | Read::Late(_)) => continue,
            };
            // Every member can write here, so junk costs one step and nothing else.
            let Ok(decision) = Decision::verify(group, &content) else {
                stream.squatted = true;
                continue;
            };
            if ours == Some(content.as_slice()) {
                return Ok(Verdict::Ours);
            }
            let members = group.members()?;
            let Some(by) = members.into_iter().find(|m| m.leaf == decision.leaf).map(|m| m.id)
            else {
                continue;
            };
            if only.is_some_and(|only| only != by) {
                continue;
            }
            let reader = StreamReader::new(decision.body.clone(), BODY_CONTEXT.to_vec())?.patient();
            stream.decided = Some(Decided {
                decision,
                by,
                since: cx.now,
                reader,
                joiner: Joiner::default(),
                open: None,
                body: None,
                bad: false,
                told: false,
            });
            if let Some(call) = stream.open.take() {
                cx.out.cancel(call);
            }
            return Ok(Verdict::Theirs);
        }
    }

    /// Puts the body together. Gives who holds the conversation up, once, when the body is bad or
    /// late; the time without the hub does not count.
    pub(super) fn read_body(
        &mut self,
        now: Timestamp,
        can_decide: bool,
    ) -> Result<Option<MemberId>, Error> {
        let Some(decided) = self.stream.as_mut().and_then(|s| s.decided.as_mut()) else {
            return Ok(None);
        };
        while decided.body.is_none() && !decided.bad {
            let joined = match decided.reader.next(now)? {
                None => break,
                Some(Read::Plain(plain)) => {
                    unpad(&plain).map_or(Joined::Broken, |content| decided.joiner.push(content))
                }
                Some(Read::Nothing | Read::Gap(_) | Read::Late(_)) => Joined::Broken,
            };
            match joined {
                Joined::More => {}
                Joined::Whole(body) if decided.decision.fits(&body) => decided.body = Some(body),
                Joined::Whole(_) | Joined::Broken => decided.bad = true,
            }
        }
        let waited = now.millis_since(decided.since) >= HELD_MS;
        let late = can_decide && waited && decided.body.is_none();
        if !(decided.bad || late) || decided.told {
            return Ok(None);
        }
        decided.told = true;
        self.held_by = Some(decided.by);
        self.dirty = true;
        Ok(self.held_by)
    }

    /// The commit that was decided on, once its body is whole: leaf and member, and the body.
    pub(super) fn decided(&self) -> Option<(u32, MemberId, &[u8])> {
        let decided = self.stream.as_ref()?.decided.as_ref().filter(|d| !d.bad)?;
        Some((decided.decision.leaf, decided.by, decided.body.as_deref()?))
    }

    /// MLS refuses the body.
    pub(super) fn refuse_body(&mut self) {
        if let Some(decided) = self.stream.as_mut().and_then(|s| s.decided.as_mut()) {
            decided.bad = true;
        }
    }

    /// A commit was applied: whatever held us up is over.
    pub(super) fn moved_on(&mut self, now: Timestamp) {
        self.held_by = None;
        self.decided_at = self.decided_at.max(now.as_millis());
        self.dirty = true;
    }

    /// We were added again, in an epoch that is current.
    pub(super) fn added_again(&mut self, now: Timestamp) {
        self.held_by = None;
        self.decided_at = now.as_millis();
        self.dirty = true;
    }

    /// The hub has come back: we have to ask again, and bodies have not been late so far.
    pub(super) fn hub_came(&mut self, now: Timestamp) {
        self.caught_up = false;
        if let Some(decided) = self.stream.as_mut().and_then(|s| s.decided.as_mut()) {
            decided.since = now;
        }
    }

    /// Seals a deciding box at the first index that nobody has taken, as far as we have read.
    pub(super) fn seal(&self, decision: &[u8]) -> Result<Option<BoxBytes>, Error> {
        let Some(stream) = &self.stream else { return Ok(None) };
        let at = stream.write.advance_to(stream.reader.position())?;
        let padded = pad(decision, BoxClass::Standard)?;
        Ok(Some(BoxBytes::of(&at.seal(DECIDE_CONTEXT, &padded)?.into_sealed())))
    }

    /// When a body that is waited for counts as late.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        let decided = self.stream.as_ref()?.decided.as_ref()?;
        let waiting = decided.body.is_none() && !decided.told;
        waiting.then(|| decided.since.plus_millis(HELD_MS))
    }

    pub(super) fn calls(&self) -> impl Iterator<Item = CallId> + '_ {
        let stream = self.stream.iter();
        stream.flat_map(|s| s.open.into_iter().chain(s.decided.as_ref().and_then(|d| d.open)))
    }

    /// Boxes of a member who squats on the next deciding ids.
    #[cfg(any(test, feature = "hostile"))]
    pub(super) fn junk(&self, count: usize) -> Vec<streams::SealedBox> {
        let Some(stream) = &self.stream else { return Vec::new() };
        let junk = vec![b"junk".to_vec(); count];
        let sizes = streams::Sizes::Uniform;
        let (boxes, _) =
            crate::sealed::seal_all(stream.write.clone(), DECIDE_CONTEXT, &junk, sizes).unwrap();
        boxes.iter().map(|b| b.to_box().unwrap()).collect()
    }
}

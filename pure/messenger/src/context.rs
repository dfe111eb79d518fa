//! What every handler is given, and where it puts what is to be done.

use std::collections::{BTreeMap, VecDeque};

use e2ee::id::{ConversationId, MemberId, MessageId, TransferId};
use e2ee::mls::{KeyValue, Mls};
use rand_core::CryptoRng;
use wire::Timestamp;
use zeroize::Zeroizing;

use crate::body::FileOffer;
use crate::event::{Event, Output, PlaceId};
use crate::request::{Call, CallId};
use crate::store::{Space, Store};

// What is in them must not reach a log: `Debug` shows the kind alone.
wire::kind_debug!(
    enum Effect {
        Invited,
        Accepted,
        Welcomed,
        Added,
        Deleted,
        Offered,
        RescueAsked,
        RescueOffered,
    }
);

/// Time, randomness, store and output of one step.
pub(crate) struct StepContext<'a> {
    pub(crate) now: Timestamp,
    /// Local time, by which things disappear (`GONE-001`). Nothing that travels names it.
    pub(crate) local: Timestamp,
    pub(crate) rng: &'a mut dyn CryptoRng,
    pub(crate) store: &'a dyn Store,
    pub(crate) via: &'static str,
    pub(crate) mls: &'a Mls,
    pub(crate) out: &'a mut Out,
}

impl StepContext<'_> {
    pub(crate) fn kept(&self) -> MlsSpace<'_> {
        MlsSpace(self.store)
    }

    pub(crate) fn event(&mut self, event: Event) {
        self.out.queue.push_back(Output::Event(event));
    }

    /// When a message that is said or comes now disappears, in local time.
    pub(crate) fn disappears(&self, ttl: Option<u32>) -> Option<Timestamp> {
        ttl.map(|s| self.local.plus_millis(u64::from(s).saturating_mul(1_000)))
    }

    /// A random time of up to `span_ms` from now.
    pub(crate) fn soon(&mut self, least_ms: u64, span_ms: u64) -> Timestamp {
        let drawn = self.rng.next_u64().checked_rem(span_ms.max(1)).unwrap_or(0);
        self.now.plus_millis(least_ms.saturating_add(drawn))
    }
}

/// The part of the store where the MLS library keeps its state.
pub(crate) struct MlsSpace<'a>(pub(crate) &'a dyn Store);

impl KeyValue for MlsSpace<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, String> {
        self.0.get(Space::Mls, key).map_err(|e| e.0)
    }
    fn put(&self, key: &[u8], value: &[u8]) -> Result<(), String> {
        self.0.put(Space::Mls, key, value).map_err(|e| e.0)
    }
    fn remove(&self, key: &[u8]) -> Result<(), String> {
        self.0.remove(Space::Mls, key).map_err(|e| e.0)
    }
}

/// Who made a request, so that the answer finds its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    Conversation(ConversationId, Purpose),
    Inviting(MessageId, InvitePurpose),
    Accepting(MessageId, InvitePurpose),
    Transfer(TransferId, u64),
}

/// What a conversation's request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Boxes of this member in this epoch.
    Lane(MemberId, u64),
    /// Our message, its part.
    Message(u64, usize),
    /// The decision that ends this epoch.
    Decide(u64),
    /// The body that was decided on in this epoch.
    Body(u64),
    /// A part of the body of our commit.
    CommitBody(usize),
    /// Our deciding box.
    CommitDecision,
    /// This member's rescue boxes of this day.
    Rescue(MemberId, u64),
    /// The box that lies where ours should, by the word of the hub.
    Taken,
    /// The next part of our rescue messages.
    RescueWrite,
}

/// What an invite's request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InvitePurpose {
    /// A part of the payload.
    Put(usize),
    /// The other's payload.
    Read,
    /// Whether somebody else has tried.
    Attempts,
    /// The box that says that we have tried.
    Attempt,
}

/// What one conversation has for another.
pub(crate) enum Effect {
    /// Somebody invites us into a group.
    Invited { via: ConversationId, token: MessageId, title: String, members: u32 },
    /// Somebody answers our invitation.
    Accepted { via: ConversationId, token: MessageId, key_package: Option<Vec<u8>> },
    /// Somebody sends the welcome that belongs to their invitation.
    Welcomed { via: ConversationId, token: MessageId, welcome: Vec<u8> },
    /// Our commit has added the person whom that invitation was for.
    Added { via: ConversationId, token: MessageId, welcome: Vec<u8> },
    /// Somebody has deleted their message.
    Deleted { conversation: ConversationId, id: MessageId },
    /// Somebody offers a file.
    Offered { conversation: ConversationId, id: MessageId, offer: FileOffer },
    /// A member who is also our contact has lost their place.
    RescueAsked {
        conversation: ConversationId,
        contact: ConversationId,
        member: MemberId,
        package: Vec<u8>,
    },
    /// A member answers our request to be added again. It counts if that contact is verified.
    RescueOffered {
        conversation: ConversationId,
        contact: ConversationId,
        from: MemberId,
        welcome: Vec<u8>,
    },
}

/// Where handlers put what is to be done.
#[derive(Default)]
pub(crate) struct Out {
    next_call: u64,
    pub(crate) calls: BTreeMap<CallId, Owner>,
    pub(crate) queue: VecDeque<Output>,
    pub(crate) effects: VecDeque<Effect>,
    /// When the next early edit or deletion is given up, in local time.
    pub(crate) orphans_end: Option<Timestamp>,
}

impl Out {
    /// Numbers requests from here on.
    pub(crate) fn starting_at(next_call: u64) -> Self {
        Out { next_call, ..Out::default() }
    }

    pub(crate) fn call(&mut self, owner: Owner, place: PlaceId, call: Call) -> CallId {
        self.ask(owner, place, call, false)
    }

    pub(crate) fn ask(
        &mut self,
        owner: Owner,
        place: PlaceId,
        call: Call,
        hub_only: bool,
    ) -> CallId {
        let id = CallId(self.next_call);
        self.next_call = self.next_call.saturating_add(1);
        self.calls.insert(id, owner);
        self.queue.push_back(Output::Call { id, place, call, hub_only });
        id
    }

    pub(crate) fn cancel(&mut self, id: CallId) {
        if self.calls.remove(&id).is_some() {
            self.queue.push_back(Output::Cancel(id));
        }
    }
}

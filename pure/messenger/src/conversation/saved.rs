//! What a conversation keeps: its card, its record, and the messages on their way.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use e2ee::Floor;
use e2ee::id::{ConversationId, MemberId, MessageId};
use e2ee::mls::MemberSecret;
use serde::{Deserialize, Serialize};
use wire::Timestamp;

use crate::codec::Bytes;
use crate::sealed::BoxBytes;

// What is in them must not reach a log: `Debug` shows the kind alone.
wire::kind_debug!(
    enum Intent {
        Add,
        Readd,
        Remove,
        Rename,
        Refresh,
    }
);

/// Who a conversation is with, and how to ask to be re-added: all that a backup holds of it.
#[derive(Clone, Serialize, Deserialize)]
pub struct Card {
    /// The user's own name for it; nothing from outside ever changes it.
    #[serde(default)]
    pub own: Option<String>,
    /// What others call it: the title of a group, the nick of a contact. Cards of format 0 hold
    /// one name here, which may be the user's own.
    #[serde(alias = "name")]
    pub given: String,
    /// Given names that it had before, newest last; see [`crate::names::rename`].
    #[serde(default)]
    pub formerly: Vec<String>,
    /// How the names are to be read: 0 in cards written before there were own names.
    #[serde(default)]
    pub(crate) format: u8,
    /// Whether it is a direct chat: a contact.
    pub direct: bool,
    /// Whether the user has compared the safety words.
    pub verified: bool,
    /// Read capability of the contact's rescue stream when words were last compared: the holder of
    /// its root is that person, also after either side was added again.
    #[serde(default)]
    pub(crate) compared: Option<Vec<u8>>,
    /// It was stopped, because what others sent or what is kept of it breaks it (`DIRECT-027`).
    #[serde(default)]
    pub(crate) stopped: bool,
    /// The user wants to hear nothing from this contact, here or in groups (`DIRECT-028`).
    #[serde(default)]
    pub(crate) blocked: bool,
    /// The contact has other keys than those that were compared, and the user has said neither yes
    /// nor compared again: messages wait (`DIRECT-026`).
    #[serde(default)]
    pub(crate) changed: bool,
    /// The key from outside that the contact has signed with.
    #[serde(default)]
    pub(crate) identity: Option<Identity>,
    /// Our own choice of routes; the charter's holds as well.
    pub floor: Floor,
    /// CBOR of the place.
    pub(crate) place: Vec<u8>,
    /// The floor that the charter names.
    pub(crate) charter_floor: Floor,
    /// Who we are in it.
    pub(crate) me: MemberId,
    /// Who made it.
    pub(crate) creator: MemberId,
    /// Write capability of our rescue stream.
    pub(crate) rescue: Bytes,
    /// BACAP context of rescue boxes.
    pub(crate) rescue_context: Bytes,
    /// The MLS group id, which tells re-adding from another group.
    pub(crate) group: Vec<u8>,
    /// The others.
    pub(crate) members: BTreeMap<MemberId, Known>,
    /// When it began, ms.
    pub(crate) began: u64,
}

impl Card {
    /// Format of cards that this version writes.
    pub(crate) const FORMAT: u8 = 1;

    /// The name in this profile, without a tag: not unique.
    #[must_use]
    pub fn bare(&self) -> &str {
        match self.own.as_deref().unwrap_or(&self.given) {
            "" => "unnamed",
            name => name,
        }
    }

    /// Splits the one name of an old card; `given` is what others call it now, if that is known. A
    /// name that is not theirs, or not known to be, was the user's choice: as an own name it stays
    /// what it is whatever others do. True when something changed.
    pub(super) fn split_old_name(&mut self, given: Option<String>) -> bool {
        if self.format >= Self::FORMAT {
            return false;
        }
        self.format = Self::FORMAT;
        if given.as_ref() != Some(&self.given) {
            let given = given.unwrap_or_else(|| self.given.clone());
            self.own = Some(std::mem::replace(&mut self.given, given));
        }
        true
    }
}

/// A key from outside that a contact is bound to.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    /// Fingerprint of the OpenPGP key: 40 or 64 hexadecimal digits, upper case.
    pub(crate) fingerprint: String,
    /// What it has signed.
    pub(crate) statement: String,
}

/// A member, as this profile remembers it.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Known {
    pub(crate) name: String,
    /// Read capability of its rescue stream.
    pub(crate) rescue: Vec<u8>,
    /// The direct chat with the same person, when we brought them in.
    pub(crate) contact: Option<ConversationId>,
}

/// Where we write.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct MyLane {
    pub(super) epoch: u64,
    /// Write capability at the next free index; empty while we have no place.
    pub(super) next: Bytes,
    /// Boxes that we have sealed in this epoch.
    pub(super) count: u64,
}

/// What we want to change about the group.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Intent {
    /// Add the member of this KeyPackage; the welcome goes through that direct chat.
    Add { key_package: Vec<u8>, via: ConversationId, token: MessageId },
    /// Add somebody again who lost their place; the welcome goes on our rescue stream.
    Readd { member: MemberId, key_package: Vec<u8> },
    /// Remove a member.
    Remove { member: MemberId },
    /// Another title.
    Rename { title: String },
    /// New keys for us.
    Refresh,
}

/// Our commit under way.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct PendingCommit {
    /// What it does: one change, or several people that come.
    pub(super) intents: Vec<Intent>,
    /// Sealed boxes of the body; emptied when all are stored.
    pub(super) body: Vec<BoxBytes>,
    /// Content of the deciding box.
    pub(super) decision: Vec<u8>,
    /// The deciding box, once it is sealed at an index.
    pub(super) placed: Option<BoxBytes>,
    pub(super) welcome: Option<Bytes>,
}

/// We have lost our place, and ask to be added again.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Lost {
    /// What we have asked with, newest last: the answer may be to an earlier one.
    #[serde(default)]
    pub(super) asked: Vec<Asked>,
    /// Since when, ms.
    pub(super) since: u64,
}

/// One request to be added again.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Asked {
    /// The secrets that we shall have.
    pub(super) secret: Bytes,
    /// The KeyPackage, whose private halves wait in the MLS store.
    pub(super) package: Vec<u8>,
}

/// What is kept of the rescue streams.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct RescueRecord {
    /// The day that we write in, in days of document time.
    pub(super) day: Option<u64>,
    /// Write capability at the next index of that day.
    pub(super) next: Bytes,
    /// Messages that are still to be written.
    pub(super) out: VecDeque<Bytes>,
    /// Parts of the first of them that are written.
    pub(super) written: usize,
    /// How far we have read the others, by day.
    pub(super) read: BTreeMap<u64, BTreeMap<MemberId, Bytes>>,
    /// When we looked last, ms; 0: never.
    pub(super) looked_at: u64,
    /// Authenticators of the last epochs that we were in, 32 bytes each: they show forks.
    pub(super) heads: BTreeMap<u64, Vec<u8>>,
    /// The newest epoch of which people were told that it has forked.
    pub(super) forked: Option<u64>,
}

/// The record of a conversation: the state of all its parts, except for what has records of its own
/// because it is large and changes at other times (epochs, lanes, messages on their way).
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) secret: Bytes,
    pub(super) mine: MyLane,
    pub(super) late_acks: Vec<LateAck>,
    /// What we want to change, and not before when, ms.
    pub(super) intents: VecDeque<(u64, Intent)>,
    pub(super) commit: Option<PendingCommit>,
    /// Seconds until messages disappear.
    pub(super) timer: Option<u32>,
    pub(super) next_seq: u64,
    /// When an acknowledgement is due, ms.
    pub(super) ack_due: Option<u64>,
    /// When the deciding stream was last known to be empty ahead of us, ms.
    pub(super) decided_at: u64,
    /// Whose commit holds the conversation up.
    pub(super) held_by: Option<MemberId>,
    pub(super) lost: Option<Lost>,
    /// Messages that we sent since we drew new keys, and when that was, ms.
    pub(super) unrefreshed: u64,
    pub(super) refreshed_at: u64,
    /// We have left, or the other has.
    pub(super) over: bool,
    #[serde(default)]
    pub(super) rescue: RescueRecord,
    /// By which the two of a direct chat find each other on a LAN. Not in the card, because a
    /// backup must not hold it (`DIRECT-021`).
    #[serde(default)]
    pub(super) near: Option<Bytes>,
}

impl Record {
    /// A conversation that begins now.
    pub(super) fn fresh(secret: &MemberSecret, now: Timestamp) -> Self {
        let now = now.as_millis();
        Record {
            secret: secret.to_bytes(),
            mine: MyLane::default(),
            late_acks: Vec::new(),
            intents: VecDeque::new(),
            commit: None,
            timer: None,
            next_seq: 0,
            ack_due: None,
            decided_at: now,
            held_by: None,
            lost: None,
            unrefreshed: 0,
            refreshed_at: now,
            over: false,
            rescue: RescueRecord { looked_at: now, ..RescueRecord::default() },
            near: None,
        }
    }
}

/// What is still to be acknowledged of a lane that is no longer read.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct LateAck {
    pub(super) author: MemberId,
    pub(super) epoch: u64,
    pub(super) count: u64,
    pub(super) holes: Vec<u64>,
}

/// Our message that not every recipient has yet.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Pending {
    pub(super) id: MessageId,
    /// The envelope.
    pub(super) envelope: Bytes,
    pub(super) tracked: bool,
    pub(super) shown: bool,
    /// When it was queued, ms.
    pub(super) queued_at: u64,
    pub(super) placed: Option<Placed>,
}

/// Where our message lies in our lane.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Placed {
    pub(super) epoch: u64,
    /// First position, and the one behind the last.
    pub(super) from: u64,
    pub(super) to: u64,
    /// Boxes that are not stored; empty once all are.
    pub(super) boxes: Vec<BoxBytes>,
    /// When the hub had all of them, ms; without a hub, when neighbours could fetch all of them.
    pub(super) stored_at: Option<u64>,
    /// Neighbours can fetch all of them from us: what is left is to bring them to the hub.
    #[serde(default)]
    pub(super) carried: bool,
    /// Recipients in all, and those that have not acknowledged it.
    pub(super) recipients: usize,
    pub(super) waiting: BTreeSet<MemberId>,
    /// A recipient does not want it shown that it has the message.
    pub(super) hidden: bool,
}

impl Pending {
    /// Whether it is sealed, and not at the hub.
    pub(super) fn is_unstored(&self) -> bool {
        self.placed.as_ref().is_some_and(|p| p.stored_at.is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{pack, unpack};

    #[test]
    fn what_earlier_versions_kept_of_a_lost_place_is_read() {
        #[derive(Serialize)]
        struct Old {
            secret: Bytes,
            request: Vec<BoxBytes>,
            since: u64,
        }
        let old =
            Old { secret: zeroize::Zeroizing::new(vec![7; 3]), request: Vec::new(), since: 9 };
        let lost: Lost = unpack(&pack(&old).unwrap()).unwrap();
        assert_eq!((lost.asked.len(), lost.since), (0, 9));
    }
}

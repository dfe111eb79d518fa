//! How two people become contacts: both ends of an invite (DESIGN 4, `docs/spec/direct.md`).

mod accepting;
mod inviting;

use e2ee::Floor;
use e2ee::id::{ConversationId, MessageId};
use e2ee::invite::CONTEXT;
use e2ee::mls::Group;
use serde::{Deserialize, Serialize};
use streams::{VerifiedBox, unpad};
use wire::Timestamp;

pub(crate) use self::accepting::{Accepted, Accepting, AcceptingSaved};
pub(crate) use self::inviting::{Inviting, InvitingSaved};
use crate::Error;
use crate::codec::Bytes;
use crate::parts::{Joined, Joiner};
use crate::reader::{Read, StreamReader};
use crate::request::CallId;

/// How far an invite that we made got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InviteState {
    /// Its payload is neither at the hub nor with neighbours yet.
    Preparing,
    /// The link works.
    Open,
    /// Somebody used it.
    Used,
    /// Revoked; the hub does not know yet.
    Revoking,
    /// Revoked.
    Revoked,
    /// Nobody used it in time.
    Expired,
    /// Somebody else's invite, which we accept.
    Accepting,
}

/// Reading a stream of parts.
struct Parts {
    reader: StreamReader,
    joiner: Joiner,
    open: Option<CallId>,
}

impl Parts {
    fn new(stream: &streams::WriteCapability) -> Result<Self, Error> {
        let reader = StreamReader::new(stream.read_capability(), CONTEXT.to_vec())?.patient();
        Ok(Parts { reader, joiner: Joiner::default(), open: None })
    }

    fn take(&mut self, now: Timestamp, boxes: Vec<VerifiedBox>) -> Result<Option<Joined>, Error> {
        self.open = None;
        for found in boxes {
            self.reader.accept(found);
        }
        while let Some(read) = self.reader.next(now)? {
            let joined = match read {
                Read::Plain(plain) => {
                    unpad(&plain).map_or(Joined::Broken, |content| self.joiner.push(content))
                }
                Read::Nothing | Read::Gap(_) | Read::Late(_) => Joined::Broken,
            };
            if joined != Joined::More {
                return Ok(Some(joined));
            }
        }
        Ok(None)
    }
}

/// The person at the other end of an invite.
pub(crate) struct NewContact {
    pub(crate) group: Group,
    /// What the user wants to call them.
    pub(crate) own: Option<String>,
    pub(crate) floor: Floor,
}

fn inviting_key(id: MessageId) -> Vec<u8> {
    [b"o".as_slice(), id.as_bytes()].concat()
}

fn accepting_key(id: MessageId) -> Vec<u8> {
    [b"a".as_slice(), id.as_bytes()].concat()
}

/// An invitation into a group that we sent or got.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct GroupInvitation {
    /// The direct chat.
    pub(crate) via: ConversationId,
    /// Ours: the group. Theirs: none.
    pub(crate) group: Option<ConversationId>,
    pub(crate) title: String,
    /// Theirs, once accepted: the secrets of our membership.
    pub(crate) secret: Option<Bytes>,
    /// Theirs, once accepted: our KeyPackage, whose private half waits for the welcome.
    #[serde(default)]
    pub(crate) package: Option<Bytes>,
    /// Ours: whether the contact has accepted it, and takes a seat.
    #[serde(default)]
    pub(crate) used: bool,
}

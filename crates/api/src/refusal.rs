//! Why a request was refused: whose fault it is, a code to act on, and a sentence to show.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wire::ErrorKind;

use crate::id::{ConversationId, MemberId, RoomId, TalkerId};
use crate::kinds::code_of;

// What is in them must not reach a log: `Debug` shows the kind alone.
wire::kind_debug!(struct Candidate);

/// Why a request was refused. Nothing was changed.
///
/// The sentence names no command, key or button: what to do about it is for the front end to say,
/// by the reason.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Refusal {
    /// Whose fault it is.
    #[serde(with = "kind_word")]
    #[schemars(with = "String")]
    pub kind: ErrorKind,
    /// What front ends decide by.
    #[serde(flatten)]
    pub reason: Reason,
    /// One sentence for people, without a full stop.
    pub text: String,
}

/// What front ends decide by: the code, with what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "reason", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// What the request names does not exist (any more).
    NoSuch {
        /// The kind of thing.
        what: Thing,
    },
    /// A typed name fits several things, or used to.
    Ambiguous {
        /// All that it could mean.
        candidates: Vec<Candidate>,
    },
    /// Nothing is called so now, but something used to be, before others renamed it.
    Renamed {
        /// What was called so.
        candidates: Vec<Candidate>,
    },
    /// A name that is taken, or not a name.
    BadName,
    /// A text, a link, a number or a path that does not say what it should.
    BadValue {
        /// The kind of value.
        what: Value,
    },
    /// A text, file or list over its limit.
    TooLarge {
        /// The limit: bytes for texts and files, else a count.
        limit: u64,
    },
    /// Too much waits to leave.
    QueueFull,
    /// The profile knows no network to meet anybody in.
    NoNetwork,
    /// No allowed route leads there.
    NoRoute,
    /// The local network is switched off in this profile.
    LanOff,
    /// Tor is switched off in this profile.
    TorOff,
    /// The conversation cannot do this now, or not at all.
    NotNow,
    /// Only somebody else may do this: a room's owner, a group's creator.
    NotYours,
    /// An invite that was used, taken back, or is over.
    InviteOver,
    /// Nobody answered in time, or they said no.
    NoAnswer,
    /// A file or directory on this machine cannot be read or written.
    Disk,
    /// The profile cannot be opened as asked.
    Profile {
        /// What is in the way.
        obstacle: Obstacle,
    },
    /// The daemon speaks another version of this protocol.
    OtherVersion {
        /// Its version.
        theirs: u32,
        /// This program's version.
        ours: u32,
    },
    /// The daemon does not go through the proxy that was asked for.
    OtherProxy,
    /// The engine or the daemon has stopped.
    Stopped,
    /// This build of the program lacks it.
    NotBuilt,
    /// None of the others: the sentence says what.
    Other,
}

/// What a request can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Thing {
    Conversation,
    Member,
    Message,
    Invite,
    GroupInvite,
    Transfer,
    Room,
    Talker,
    Knock,
    Person,
    Setting,
}

/// What can be mistyped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Value {
    InviteLink,
    RoomLink,
    NetworkLink,
    Route,
    Path,
    Key,
    OpenPgp,
    Setting,
}

/// Why a profile does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Obstacle {
    /// It does not exist.
    Missing,
    /// It exists already.
    Exists,
    /// Another process has it.
    InUse,
    /// The passphrase or key file does not open it.
    WrongKey,
    /// There is no passphrase to try.
    NoPassphrase,
    /// A line of `config.toml` is wrong.
    Settings,
    /// The vault or the backup is damaged, incomplete, or from a newer version.
    Damaged,
    /// The directory cannot be used.
    Directory,
}

/// Something that a typed name could mean.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Candidate {
    /// The thing itself.
    pub target: Target,
    /// Its name as shown, unique now.
    pub label: String,
    /// Its short id, for people.
    pub short: String,
}

/// What a name can stand for.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// A contact or group.
    Conversation(ConversationId),
    /// An open room.
    Room(RoomId),
    /// A member of a conversation.
    Member(MemberId),
    /// A talker in an open room.
    Talker(TalkerId),
}

impl Target {
    /// The short id, for people.
    #[must_use]
    pub fn short(&self) -> String {
        match self {
            Target::Conversation(id) => id.short(),
            Target::Room(id) => id.short(),
            Target::Member(id) => id.short(),
            Target::Talker(id) => id.short(),
        }
    }
}

impl Refusal {
    /// Of this kind, for this reason.
    pub fn new(kind: ErrorKind, reason: Reason, text: impl Into<String>) -> Self {
        Refusal { kind, reason, text: text.into() }
    }

    /// The person asked for something wrong.
    pub fn wrong(reason: Reason, text: impl Into<String>) -> Self {
        Refusal::new(ErrorKind::LocalConfig, reason, text)
    }

    /// What the request names does not exist.
    #[must_use]
    pub fn no_such(what: Thing) -> Self {
        let word = match what {
            Thing::Conversation => "conversation",
            Thing::Member => "member",
            Thing::Message => "message",
            Thing::Invite => "invite",
            Thing::GroupInvite => "invitation",
            Thing::Transfer => "file transfer",
            Thing::Room => "room",
            Thing::Talker => "talker",
            Thing::Knock => "knock",
            Thing::Person => "person",
            Thing::Setting => "setting",
        };
        Refusal::wrong(Reason::NoSuch { what }, format!("{word} not found"))
    }

    /// The engine or the daemon has stopped before it answered.
    #[must_use]
    pub fn stopped() -> Self {
        Refusal::new(ErrorKind::Bug, Reason::Stopped, "the engine has stopped")
    }

    /// A mistake of the program itself.
    pub fn bug(text: impl Into<String>) -> Self {
        Refusal::new(ErrorKind::Bug, Reason::Other, text)
    }
}

/// Without the sentence, which may name a person.
impl std::fmt::Debug for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Refusal")
            .field("kind", &self.kind)
            .field("reason", &self.reason)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Refusal {}

/// A kind of error as a word.
mod kind_word {
    use serde::{Deserialize, Deserializer, Serializer};
    use wire::ErrorKind;

    use super::code_of;
    use crate::kinds::KINDS;

    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    pub(super) fn serialize<S: Serializer>(kind: &ErrorKind, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(code_of(*kind).1)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<ErrorKind, D::Error> {
        let word = std::borrow::Cow::<str>::deserialize(from)?;
        // A word of a newer version is a bug to this one.
        Ok(KINDS.iter().find(|(_, known)| *known == word).map_or(ErrorKind::Bug, |(kind, _)| *kind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_survives_json_with_its_code_and_data() {
        let candidate = Candidate {
            target: Target::Conversation(ConversationId::new([3; 16])),
            label: "family".to_owned(),
            short: ConversationId::new([3; 16]).short(),
        };
        let reasons = [
            Reason::NoSuch { what: Thing::Message },
            Reason::Ambiguous { candidates: vec![candidate] },
            Reason::OtherVersion { theirs: 2, ours: 1 },
            Reason::Other,
        ];
        for reason in reasons {
            let refusal = Refusal::new(ErrorKind::Network, reason, "because");
            let json = serde_json::to_string(&refusal).unwrap();
            assert!(
                json.contains("\"kind\":\"network\"") && json.contains("\"reason\":"),
                "{json}"
            );
            assert_eq!(serde_json::from_str::<Refusal>(&json).unwrap(), refusal);
        }
    }
}

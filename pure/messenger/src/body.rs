//! What members say to each other, inside MLS messages.

use e2ee::id::{MemberId, MessageId, TransferId};
use minicbor::bytes::ByteArray;
use minicbor::{Decode, Encode};
use wire::Timestamp;

use crate::Error;

// What is in them must not reach a log: `Debug` shows the kind alone.
wire::kind_debug!(struct Envelope, FileOffer);
wire::kind_debug!(
    enum Body {
        Text,
        Edit,
        Delete,
        React,
        Timer,
        Ack,
        Seen,
        File,
        Invite,
        Accept,
        Welcome,
        Leave,
    }
);

/// Longest text, bytes of UTF-8.
pub const MAX_TEXT: usize = 64 * 1_024;
/// Longest reaction, bytes.
pub const MAX_EMOJI: usize = 32;
/// Longest file name, bytes.
pub const MAX_FILE_NAME: usize = 200;
/// Entries of one acknowledgement, and ids of one read receipt.
pub const MAX_ENTRIES: usize = 128;
/// Positions that one acknowledgement names as unreadable.
pub const MAX_HOLES: usize = 32;
/// Longest time until messages disappear, s: ten years.
pub const MAX_TIMER_S: u32 = 10 * 366 * 86_400;

/// One message.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct Envelope {
    #[n(0)]
    version: u8,
    /// Its random id. A message that is sent again keeps it.
    #[n(1)]
    pub id: MessageId,
    /// When it was said, ms, by its author.
    #[n(2)]
    at: u64,
    /// What it says.
    #[n(3)]
    pub body: Body,
}

/// How far somebody has read somebody's boxes.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct AckEntry {
    /// Whose boxes.
    #[n(0)]
    pub author: MemberId,
    /// Of which epoch.
    #[n(1)]
    pub epoch: u64,
    /// Boxes that were read, from the first.
    #[n(2)]
    pub count: u64,
    /// But not these, counted from 0: they never came or did not open.
    #[n(3)]
    pub holes: Vec<u64>,
}

/// A file on offer.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct FileOffer {
    /// Names the transfer.
    #[n(0)]
    pub transfer: TransferId,
    /// Name, as the sender chose it: to be sanitised before it is used.
    #[n(1)]
    pub name: String,
    /// Bytes.
    #[n(2)]
    pub size: u64,
    /// SHA-256 of all bytes.
    #[n(3)]
    pub sha256: ByteArray<32>,
    /// Read capability of the stream that holds it.
    #[cbor(n(4), with = "minicbor::bytes")]
    pub stream: Vec<u8>,
}

/// The kinds of messages (`DIRECT-005`).
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub enum Body {
    /// A text.
    #[n(0)]
    Text {
        /// The text.
        #[n(0)]
        text: String,
        /// What it answers.
        #[n(1)]
        reply_to: Option<MessageId>,
        /// When it disappears, s after it was sent or came.
        #[n(2)]
        ttl: Option<u32>,
    },
    /// Another text for a message of the same author.
    #[n(1)]
    Edit {
        /// The message to change.
        #[n(0)]
        target: MessageId,
        /// The new text.
        #[n(1)]
        text: String,
    },
    /// A message of the same author is to go.
    #[n(2)]
    Delete {
        /// The message to delete.
        #[n(0)]
        target: MessageId,
    },
    /// A reaction.
    #[n(3)]
    React {
        /// To which message.
        #[n(0)]
        target: MessageId,
        /// A short text.
        #[n(1)]
        emoji: String,
        /// Whether it comes or goes.
        #[n(2)]
        add: bool,
    },
    /// From now on messages disappear after this many seconds; 0: they stay.
    #[n(4)]
    Timer {
        /// Seconds.
        #[n(0)]
        seconds: u32,
    },
    /// How far the sender has read.
    #[n(5)]
    Ack {
        /// By author and epoch.
        #[n(0)]
        entries: Vec<AckEntry>,
        /// Whether this may be displayed.
        #[n(1)]
        show: bool,
    },
    /// These messages were seen by a person.
    #[n(6)]
    Seen {
        /// The messages that were seen.
        #[n(0)]
        ids: Vec<MessageId>,
    },
    /// A file.
    #[n(7)]
    File {
        /// Where it lies and what it is.
        #[n(0)]
        offer: FileOffer,
        /// As for a text.
        #[n(1)]
        ttl: Option<u32>,
    },
    /// Come into a group. In direct chats only.
    #[n(8)]
    Invite {
        /// Names this invitation.
        #[n(0)]
        token: MessageId,
        /// The group's title.
        #[n(1)]
        title: String,
        /// How many are in.
        #[n(2)]
        members: u32,
    },
    /// Answer to an invitation: a KeyPackage, or none for no.
    #[n(9)]
    Accept {
        /// Which invitation.
        #[n(0)]
        token: MessageId,
        /// The KeyPackage.
        #[cbor(n(1), with = "minicbor::bytes")]
        key_package: Option<Vec<u8>>,
    },
    /// The MLS welcome into the group.
    #[n(10)]
    Welcome {
        /// Which invitation.
        #[n(0)]
        token: MessageId,
        /// The welcome.
        #[cbor(n(1), with = "minicbor::bytes")]
        welcome: Vec<u8>,
    },
    /// The sender wants to be removed.
    #[n(11)]
    Leave,
}

impl Envelope {
    /// A message said now.
    #[must_use]
    pub const fn new(id: MessageId, at: Timestamp, body: Body) -> Self {
        Envelope { version: 1, id, at: at.as_millis(), body }
    }

    /// When it was said, by its author.
    #[must_use]
    pub const fn at(&self) -> Timestamp {
        Timestamp::from_millis(self.at)
    }

    /// Its bytes.
    #[must_use]
    pub fn to_bytes(&self) -> zeroize::Zeroizing<Vec<u8>> {
        zeroize::Zeroizing::new(wire::encode(self))
    }

    /// Reads a message.
    ///
    /// # Errors
    /// [`Error::Unreadable`] when it is of a later version, or breaks a bound.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let envelope: Envelope = wire::decode(bytes, "message").map_err(|_| Error::Unreadable)?;
        if envelope.version == 1 && envelope.body.is_bounded() {
            Ok(envelope)
        } else {
            Err(Error::Unreadable)
        }
    }
}

impl Body {
    /// Whether the author keeps it until every recipient has acknowledged it. An acknowledgement is
    /// not acknowledged.
    #[must_use]
    pub const fn is_tracked(&self) -> bool {
        !matches!(self, Body::Ack { .. } | Body::Seen { .. })
    }

    /// Whether a person sees it as a message with a state.
    #[must_use]
    pub const fn is_shown(&self) -> bool {
        matches!(self, Body::Text { .. } | Body::File { .. })
    }

    fn is_bounded(&self) -> bool {
        let timer = |ttl: &Option<u32>| ttl.is_none_or(|s| (1..=MAX_TIMER_S).contains(&s));
        match self {
            Body::Text { text, ttl, .. } => {
                !text.is_empty() && text.len() <= MAX_TEXT && timer(ttl)
            }
            Body::Edit { text, .. } => !text.is_empty() && text.len() <= MAX_TEXT,
            Body::React { emoji, .. } => !emoji.is_empty() && emoji.len() <= MAX_EMOJI,
            Body::Timer { seconds } => *seconds <= MAX_TIMER_S,
            Body::Ack { entries, .. } => {
                entries.len() <= MAX_ENTRIES && entries.iter().all(|e| e.holes.len() <= MAX_HOLES)
            }
            Body::Seen { ids } => ids.len() <= MAX_ENTRIES,
            Body::File { offer, ttl } => offer.name.len() <= MAX_FILE_NAME && timer(ttl),
            Body::Invite { title, .. } => title.len() <= 4 * e2ee::mls::MAX_TITLE_CHARS,
            Body::Delete { .. } | Body::Accept { .. } | Body::Welcome { .. } | Body::Leave => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(text: &str) -> Body {
        Body::Text { text: text.into(), reply_to: None, ttl: None }
    }

    //= DIRECT-005
    #[test]
    fn every_kind_survives_its_bytes() {
        let id = MessageId::new([3; 16]);
        let entry = AckEntry { author: MemberId::new([4; 16]), epoch: 1, count: 9, holes: vec![2] };
        let offer = FileOffer {
            transfer: TransferId::new([5; 16]),
            name: "a.txt".into(),
            size: 7,
            sha256: [6; 32].into(),
            stream: vec![7; 136],
        };
        let bodies = [
            Body::Text { text: "hé".into(), reply_to: Some(id), ttl: Some(60) },
            Body::Edit { target: id, text: "x".into() },
            Body::Delete { target: id },
            Body::React { target: id, emoji: "👍".into(), add: true },
            Body::Timer { seconds: 0 },
            Body::Ack { entries: vec![entry], show: false },
            Body::Seen { ids: vec![id] },
            Body::File { offer, ttl: None },
            Body::Invite { token: id, title: "t".into(), members: 3 },
            Body::Accept { token: id, key_package: None },
            Body::Accept { token: id, key_package: Some(vec![1; 3_000]) },
            Body::Welcome { token: id, welcome: vec![1; 9_000] },
            Body::Leave,
        ];
        for body in bodies {
            let envelope = Envelope::new(id, Timestamp::from_millis(77), body);
            assert_eq!(Envelope::parse(&envelope.to_bytes()).unwrap(), envelope);
        }
    }

    //= DIRECT-005
    #[test]
    fn bounds_hold() {
        let parse = |body| {
            Envelope::parse(
                &Envelope::new(MessageId::new([0; 16]), Timestamp::ZERO, body).to_bytes(),
            )
        };
        assert!(parse(text(&"x".repeat(MAX_TEXT))).is_ok());
        for body in [
            text(&"x".repeat(MAX_TEXT + 1)),
            text(""),
            Body::Text { text: "x".into(), reply_to: None, ttl: Some(0) },
            Body::Timer { seconds: MAX_TIMER_S + 1 },
            Body::Seen { ids: vec![MessageId::new([0; 16]); MAX_ENTRIES + 1] },
        ] {
            assert!(matches!(parse(body), Err(Error::Unreadable)));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Envelope::parse(&bytes);
        }
    }
}

//! What a talker writes in its stream, box by box, and how long texts are reassembled.

use std::fmt;

use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};
use streams::Sizes;
use wire::Timestamp;

use crate::{Error, Nick, codec};

/// Version of the layout.
const VERSION: u8 = 1;
/// Longest piece of text in one box, bytes of UTF-8; it needs a large box.
pub(crate) const MAX_CHUNK: usize = 4_000;
/// Longest piece of text in a standard box, bytes of UTF-8.
pub const STANDARD_CHUNK: usize = 1_900;
/// Longest text, bytes of UTF-8.
pub const MAX_TEXT: usize = 16 * 1_024;
/// Most parts of a text.
pub const MAX_PARTS: u8 = 16;

/// A piece of text: 1 to 4,000 bytes of UTF-8, not sanitized yet (see [`crate::sanitize()`]).
#[derive(Clone, PartialEq, Eq)]
pub struct TextChunk(String);

impl TextChunk {
    /// Checks the length.
    ///
    /// # Errors
    /// [`Error::Empty`] or [`Error::TooLong`].
    pub fn new(text: &str) -> Result<Self, Error> {
        if text.is_empty() {
            return Err(Error::Empty("text"));
        }
        if text.len() > MAX_CHUNK {
            return Err(Error::TooLong("text"));
        }
        Ok(Self(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for TextChunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TextChunk")
    }
}

impl<C> Encode<C> for TextChunk {
    fn encode<W: encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        e.str(&self.0)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for TextChunk {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
        Self::new(d.str()?).map_err(|_| decode::Error::message("text"))
    }
}

/// The message in one box of a talker.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Say {
    /// "I am here", under this nick.
    #[n(0)]
    Here {
        /// The nick.
        #[n(0)]
        nick: Nick,
    },
    /// A text or a part of one.
    #[n(1)]
    Text {
        /// Position of the part, from 0, below [`MAX_PARTS`].
        #[n(0)]
        part: u8,
        /// Whether this is the last part.
        #[n(1)]
        last: bool,
        /// The part.
        #[n(2)]
        text: TextChunk,
    },
    /// The talker changes its nick.
    #[n(2)]
    Nick {
        /// The new nick.
        #[n(0)]
        nick: Nick,
    },
    /// The talker leaves.
    #[n(3)]
    Left,
    /// The talker has moved on to a later generation of the room.
    #[n(4)]
    Moved {
        /// The generation.
        #[n(0)]
        generation: u32,
    },
}

/// The content of one box in a talker's stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Talk {
    /// When the sender says it wrote it: document time, whole seconds.
    pub at: Timestamp,
    /// The message.
    pub say: Say,
}

#[derive(Encode, Decode)]
struct Body {
    #[n(0)]
    version: u8,
    #[n(1)]
    at_s: u64,
    #[n(2)]
    say: Say,
}

impl Talk {
    /// Makes the content of one box. The time is rounded down to seconds.
    #[must_use]
    pub fn new(now: Timestamp, say: Say) -> Self {
        Self { at: whole_seconds(now), say }
    }

    /// Splits a text into the contents of consecutive boxes (`ROOM-012`), as few as `sizes` allows.
    ///
    /// # Errors
    /// [`Error::Empty`], or [`Error::TooLong`] above [`MAX_TEXT`].
    pub fn text(now: Timestamp, text: &str, sizes: Sizes) -> Result<Vec<Self>, Error> {
        let longest = match sizes {
            Sizes::Uniform => STANDARD_CHUNK,
            Sizes::Ladder => MAX_CHUNK,
        };
        if text.is_empty() {
            return Err(Error::Empty("text"));
        }
        if text.len() > MAX_TEXT {
            return Err(Error::TooLong("text"));
        }
        let mut talks = Vec::new();
        let mut rest = text;
        let mut part = 0u8;
        while !rest.is_empty() {
            let (head, tail) = rest.split_at(boundary(rest, longest));
            let say = Say::Text { part, last: tail.is_empty(), text: TextChunk::new(head)? };
            talks.push(Self::new(now, say));
            rest = tail;
            part = part.saturating_add(1);
        }
        Ok(talks)
    }

    /// Encodes the box's content, before padding. It fits a standard box if its text has at most
    /// [`STANDARD_CHUNK`] bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        wire::encode(&Body { version: VERSION, at_s: seconds(self.at), say: self.say.clone() })
    }

    /// Reads a box's content.
    ///
    /// # Errors
    /// [`Error::Malformed`], [`Error::Version`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let malformed = Error::Malformed("talk");
        match codec::version(bytes) {
            Some(VERSION) => {}
            Some(other) => return Err(Error::Version(other)),
            None => return Err(malformed),
        }
        let body: Body = codec::decode(bytes).ok_or(malformed)?;
        if matches!(body.say, Say::Text { part, .. } if part >= MAX_PARTS) {
            return Err(Error::Malformed("part of a text"));
        }
        Ok(Self { at: from_seconds(body.at_s)?, say: body.say })
    }
}

/// The last character boundary of `text` at or before byte `longest`.
fn boundary(text: &str, longest: usize) -> usize {
    let furthest = longest.min(text.len());
    let is_boundary = |n: &usize| text.is_char_boundary(*n);
    (0..=furthest).rev().find(is_boundary).unwrap_or(0)
}

pub(crate) fn whole_seconds(now: Timestamp) -> Timestamp {
    Timestamp::from_millis(seconds(now).saturating_mul(1_000))
}

pub(crate) fn seconds(at: Timestamp) -> u64 {
    at.period(1_000)
}

pub(crate) fn from_seconds(s: u64) -> Result<Timestamp, Error> {
    s.checked_mul(1_000).map(Timestamp::from_millis).ok_or(Error::Malformed("time"))
}

/// What a talker did, with texts reassembled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// It arrived under this nick.
    Here(Nick),
    /// It wrote a text, not sanitized yet.
    Said {
        /// When its first part was written, according to the sender.
        at: Timestamp,
        /// The text, at most [`MAX_TEXT`] bytes.
        text: wire::Sensitive<String>,
    },
    /// It changed its nick.
    Renamed(Nick),
    /// It left.
    Left,
    /// It moved on to this generation of the room.
    Moved(u32),
}

/// Reassembles the texts of one talker from its boxes, taken in stream order. Holds at most
/// [`MAX_TEXT`] bytes.
#[derive(Default)]
pub struct Assembler {
    pending: Option<Pending>,
}

struct Pending {
    at: Timestamp,
    next: u8,
    text: String,
}

impl Assembler {
    /// An assembler with nothing pending.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next box of the stream. A pending text is dropped when something else interrupts
    /// it, and, with an error, when it grows too long or a part is out of order. The next text then
    /// starts over.
    ///
    /// # Errors
    /// [`Error::PartOutOfOrder`], [`Error::Malformed`].
    pub fn push(&mut self, talk: Talk) -> Result<Option<Event>, Error> {
        let pending = self.pending.take();
        let event = match talk.say {
            Say::Here { nick } => Event::Here(nick),
            Say::Nick { nick } => Event::Renamed(nick),
            Say::Left => Event::Left,
            Say::Moved { generation } => Event::Moved(generation),
            Say::Text { part, last, text } => {
                return self.part(pending, talk.at, part, last, &text);
            }
        };
        Ok(Some(event))
    }

    fn part(
        &mut self,
        pending: Option<Pending>,
        at: Timestamp,
        part: u8,
        last: bool,
        chunk: &TextChunk,
    ) -> Result<Option<Event>, Error> {
        let mut pending = match pending {
            _ if part == 0 => Pending { at, next: 0, text: String::new() },
            Some(pending) if pending.next == part => pending,
            _ => return Err(Error::PartOutOfOrder),
        };
        if pending.text.len().saturating_add(chunk.as_str().len()) > MAX_TEXT || part >= MAX_PARTS {
            return Err(Error::Malformed("text beyond its bound"));
        }
        pending.text.push_str(chunk.as_str());
        pending.next = part.saturating_add(1);
        if last {
            return Ok(Some(Event::Said { at: pending.at, text: wire::Sensitive(pending.text) }));
        }
        self.pending = Some(pending);
        Ok(None)
    }
}

impl fmt::Debug for Assembler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Assembler")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    fn part(part: u8, last: bool, text: &str) -> Talk {
        let text = TextChunk::new(text).unwrap();
        Talk::new(at(0), Say::Text { part, last, text })
    }

    fn run(boxes: Vec<Talk>) -> Vec<Result<Option<Event>, Error>> {
        let mut assembler = Assembler::new();
        boxes.into_iter().map(|t| assembler.push(t)).collect()
    }

    fn said(text: &str) -> Result<Option<Event>, Error> {
        Ok(Some(Event::Said { at: at(0), text: wire::Sensitive(text.into()) }))
    }

    //= ROOM-012
    #[test]
    fn a_text_longer_than_a_box_spans_boxes_that_fit() {
        for text in ["x".repeat(MAX_TEXT), "語".repeat(MAX_TEXT / 3)] {
            let boxes = Talk::text(at(12_345), &text, Sizes::Uniform).unwrap();
            assert_eq!(boxes.len(), 9);
            let mut assembler = Assembler::new();
            let mut events = Vec::new();
            for talk in boxes {
                let bytes = talk.to_bytes();
                assert!(bytes.len() <= 2_030);
                events.extend(assembler.push(Talk::from_bytes(&bytes).unwrap()).unwrap());
            }
            let text = wire::Sensitive(text);
            assert_eq!(events, [Event::Said { at: at(12_000), text }]);
        }
        assert_eq!(
            Talk::text(at(0), &"x".repeat(MAX_TEXT + 1), Sizes::Uniform),
            Err(Error::TooLong("text"))
        );
        assert_eq!(Talk::text(at(0), "", Sizes::Ladder), Err(Error::Empty("text")));
    }

    #[test]
    fn broken_texts_are_dropped_and_the_next_begins_afresh() {
        let broken = run(vec![
            part(1, true, "b"),
            part(0, false, "a"),
            part(2, true, "c"),
            part(0, false, "a"),
            part(0, true, "new"),
            part(0, false, "cut"),
            Talk::new(at(0), Say::Left),
            part(1, true, "off"),
            part(0, false, "a"),
            part(1, true, "b"),
        ]);
        let disorder = || Err(Error::PartOutOfOrder);
        assert_eq!(
            broken,
            [
                disorder(),
                Ok(None),
                disorder(),
                Ok(None),
                said("new"),
                Ok(None),
                Ok(Some(Event::Left)),
                disorder(),
                Ok(None),
                said("ab")
            ]
        );
    }

    //= BOX-011, ROOM-012
    #[test]
    fn texts_of_up_to_4000_bytes_are_one_box_of_the_ladder() {
        let mut classes = std::collections::BTreeSet::new();
        for len in 1..=4_000 {
            let boxes = Talk::text(at(u64::MAX / 2), &"x".repeat(len), Sizes::Ladder).unwrap();
            let [talk] = boxes.as_slice() else { panic!("{len} bytes in {} boxes", boxes.len()) };
            let content = talk.to_bytes();
            let padded = Sizes::Ladder.pad(&content).unwrap();
            assert_eq!(streams::unpad(&padded).unwrap(), content);
            classes.insert(Sizes::Ladder.class_for(content.len()).ciphertext_len());
        }
        assert_eq!(Vec::from_iter(classes), [512, 1_024, 2_048, 4_096]);
    }

    #[test]
    fn a_text_without_end_stops_at_its_bound() {
        let chunk = "x".repeat(STANDARD_CHUNK);
        let result = run((0..MAX_PARTS).map(|n| part(n, false, &chunk)).collect());
        assert_eq!(result[8], Err(Error::Malformed("text beyond its bound")));
        assert!(result[9..].iter().all(|r| *r == Err(Error::PartOutOfOrder)));
        let bytes = part(MAX_PARTS, true, "x").to_bytes();
        assert_eq!(Talk::from_bytes(&bytes), Err(Error::Malformed("part of a text")));
    }

    //= ROOM-006
    #[test]
    fn bytes_are_those_of_the_specification() {
        let hex = |say| data_encoding::HEXLOWER.encode(&Talk::new(at(7_000), say).to_bytes());
        let nick = Nick::new("bob").unwrap();
        let text = TextChunk::new("hi").unwrap();
        assert_eq!(hex(Say::Here { nick: nick.clone() }), "8301078200 8163626f62".replace(' ', ""));
        let say = Say::Text { part: 0, last: true, text };
        assert_eq!(hex(say), "8301078201 8300f5626869".replace(' ', ""));
        assert_eq!(hex(Say::Nick { nick }), "8301078202 8163626f62".replace(' ', ""));
        assert_eq!(hex(Say::Left), "8301078203 80".replace(' ', ""));
        assert_eq!(hex(Say::Moved { generation: 5 }), "8301078204 8105".replace(' ', ""));
    }

    #[test]
    fn other_versions_and_other_encodings_are_refused() {
        let bytes = Talk::new(at(5_000), Say::Left).to_bytes();
        assert!(Talk::from_bytes(&bytes).is_ok());
        let mut other = bytes.clone();
        other[1] = 2;
        assert_eq!(Talk::from_bytes(&other), Err(Error::Version(2)));
        // The same value with an indefinite-length outer array.
        let mut loose = bytes.clone();
        loose[0] = 0x9f;
        loose.push(0xff);
        assert_eq!(Talk::from_bytes(&loose), Err(Error::Malformed("talk")));
    }

    #[test]
    fn debug_shows_no_text() {
        let shown = format!("{:?} {:?}", part(0, true, "hello"), said("hello"));
        assert!(!shown.contains("hello"));
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Talk::from_bytes(&bytes);
        }

        //= ROOM-012
        #[test]
        fn any_text_comes_back(text in ".{1,3000}", ladder in any::<bool>()) {
            let sizes = if ladder { Sizes::Ladder } else { Sizes::Uniform };
            let mut assembler = Assembler::new();
            let mut whole = None;
            for talk in Talk::text(at(0), &text, sizes).unwrap() {
                prop_assert!(whole.is_none());
                prop_assert!(talk.to_bytes().len() <= sizes.content_len());
                whole = assembler.push(Talk::from_bytes(&talk.to_bytes()).unwrap()).unwrap();
            }
            prop_assert_eq!(Ok(whole), said(&text));
        }
    }
}

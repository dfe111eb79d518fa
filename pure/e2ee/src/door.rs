//! Doors: shared streams, one for each hour and lane, on which talkers announce themselves.

use std::fmt;

use minicbor::{Decode, Encode};
use sha2::{Digest, Sha256};
use streams::{ReadCapability, WriteCapability};

use crate::door_key::DoorKey;
use crate::kdf::derive;
use crate::{Error, Nick, RoomId, RoomKeys, TalkerKey, TalkerSecret, codec};

/// Most announcements of one door that a reader takes. Each needs work of its own.
pub const MAX_ANNOUNCEMENTS: usize = 512;
/// Most boxes of one door that a reader fetches. Any holder of the link can write to a door, and
/// boxes without work cost their writer nothing but the hub's room.
pub const MAX_DOOR_BOXES: u32 = 4_096;

/// Version of the layout.
const VERSION: u8 = 1;
/// Length of a read capability, bytes.
const CAPABILITY_LEN: usize = 136;
/// Longest inner part of an announcement, bytes.
const MAX_BODY: usize = 1_536;

const SIGN_DOMAIN: &[u8] = b"hushwing room announcement v1";
const WORK_DOMAIN: &[u8] = b"hushwing room work v1";
const LANE_DOMAIN: &[u8] = b"hushwing room lane v1";

impl RoomKeys {
    /// Opens the door of `hour` and `lane`.
    ///
    /// # Errors
    /// [`Error::NoKeyForHour`] unless `hour` is among [`RoomKeys::hours`]; [`Error::OutOfRange`]
    /// for a lane that the room does not have.
    pub fn door(&self, hour: u64, lane: u8) -> Result<Door, Error> {
        if lane >= self.settings().lanes() {
            return Err(Error::OutOfRange("lane"));
        }
        let seed = derive(self.chain_of(hour)?.reveal(), "door", &[lane])?;
        Ok(Door {
            stream: WriteCapability::from_seed(seed.reveal()),
            scope: Scope { room: *self.id(), generation: self.generation(), hour, lane },
            lanes: self.settings().lanes(),
            pow_bits: self.settings().pow_bits(),
        })
    }

    /// The lane on which `talker` announces itself in `hour` (`ROOM-007`). It follows from the key
    /// and the hour, so a flooded lane hides a talker for one hour only.
    #[must_use]
    pub fn lane_of(&self, talker: &TalkerKey, hour: u64) -> u8 {
        lane_of(talker, hour, self.settings().lanes())
    }
}

fn lane_of(talker: &TalkerKey, hour: u64, lanes: u8) -> u8 {
    let hash = Sha256::new()
        .chain_update(LANE_DOMAIN)
        .chain_update(talker.as_bytes())
        .chain_update(hour.to_be_bytes())
        .finalize();
    let head: [u8; 8] = std::array::from_fn(|i| hash.get(i).copied().unwrap_or(0));
    let lane = u64::from_be_bytes(head).checked_rem(u64::from(lanes));
    lane.and_then(|n| u8::try_from(n).ok()).unwrap_or(0)
}

/// What an announcement is valid for: one lane of one hour of one generation of one room.
#[derive(Clone, Copy)]
struct Scope {
    room: RoomId,
    generation: u32,
    hour: u64,
    lane: u8,
}

impl Scope {
    fn bytes(&self, domain: &[u8]) -> Vec<u8> {
        [
            domain,
            self.room.as_bytes(),
            &self.generation.to_be_bytes(),
            &self.hour.to_be_bytes(),
            &[self.lane],
        ]
        .concat()
    }

    fn signed(&self, body: &[u8]) -> Vec<u8> {
        let mut message = self.bytes(SIGN_DOMAIN);
        message.extend_from_slice(body);
        message
    }

    fn work(&self, body: &[u8]) -> Sha256 {
        Sha256::new().chain_update(self.bytes(WORK_DOMAIN)).chain_update(body)
    }
}

/// Number of leading zero bits.
fn zero_bits(hash: &[u8]) -> u32 {
    let mut bits = 0u32;
    for byte in hash {
        bits = bits.saturating_add(byte.leading_zeros());
        if *byte != 0 {
            break;
        }
    }
    bits
}

/// The work that this nonce is, if it is enough.
fn work_done(prefix: &Sha256, nonce: u64, bits: u8) -> Option<Work> {
    let hash = prefix.clone().chain_update(nonce.to_be_bytes()).finalize();
    (zero_bits(&hash) >= u32::from(bits)).then(|| Work(hash.into()))
}

/// A proof of work that holds for one door. A copy of an announcement has the same.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Work([u8; 32]);

impl fmt::Debug for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Work")
    }
}

/// The door of one hour and lane: a stream that every holder of the room's keys can write and read.
pub struct Door {
    stream: WriteCapability,
    scope: Scope,
    lanes: u8,
    pow_bits: u8,
}

impl Door {
    /// The door's stream at its first index. Announcements go to the next free index.
    #[must_use]
    pub const fn stream(&self) -> &WriteCapability {
        &self.stream
    }

    /// The hour, counted in the room's hours of document time.
    #[must_use]
    pub const fn hour(&self) -> u64 {
        self.scope.hour
    }

    /// The lane, from 0.
    #[must_use]
    pub const fn lane(&self) -> u8 {
        self.scope.lane
    }

    /// Signs an announcement of `talker`, whose next box will be at `stream`'s index, and starts
    /// its proof of work.
    ///
    /// # Errors
    /// [`Error::ForeignStream`] if the stream's root is not the talker's key; [`Error::WrongLane`]
    /// if the talker belongs on another lane.
    pub fn announce(
        &self,
        talker: &TalkerSecret,
        stream: &ReadCapability,
        nick: &Nick,
        door_key: &DoorKey,
    ) -> Result<Mining, Error> {
        let key = talker.public();
        if stream.root_public() != *key.as_bytes() {
            return Err(Error::ForeignStream);
        }
        if lane_of(&key, self.scope.hour, self.lanes) != self.scope.lane {
            return Err(Error::WrongLane);
        }
        let body = wire::encode(&Body {
            capability: capability_bytes(stream)?,
            nick: nick.clone(),
            door_key: door_key.clone(),
        });
        Ok(Mining {
            work: self.scope.work(&body),
            signature: talker.sign(&self.scope.signed(&body)),
            body,
            nonce: 0,
            bits: self.pow_bits,
        })
    }

    /// Checks and reads the content of a box found at this door. The order bounds what a flood
    /// costs: the work first, then form and lane, and the signature last.
    ///
    /// # Errors
    /// [`Error::Malformed`], [`Error::Version`], [`Error::TooLittleWork`], [`Error::WrongLane`],
    /// [`Error::BadSignature`], [`Error::BadKey`], or an error of `streams` (`ROOM-008` to
    /// `ROOM-010`).
    pub fn open(&self, content: &[u8]) -> Result<Announcement, Error> {
        let malformed = Error::Malformed("announcement");
        match codec::version(content) {
            Some(VERSION) => {}
            Some(other) => return Err(Error::Version(other)),
            None => return Err(malformed),
        }
        let outer: Outer = codec::decode(content).ok_or(malformed)?;
        let body = outer.body.as_slice();
        if body.len() > MAX_BODY {
            return Err(malformed);
        }
        let work = work_done(&self.scope.work(body), outer.nonce, self.pow_bits);
        let work = work.ok_or(Error::TooLittleWork)?;
        let inner: Body = codec::decode(body).ok_or(malformed)?;
        let stream = ReadCapability::from_bytes(&inner.capability)?;
        let talker = TalkerKey::new(stream.root_public())?;
        if lane_of(&talker, self.scope.hour, self.lanes) != self.scope.lane {
            return Err(Error::WrongLane);
        }
        if !talker.verify(&self.scope.signed(body), &outer.signature) {
            return Err(Error::BadSignature("announcement"));
        }
        Ok(Announcement { talker, stream, nick: inner.nick, door_key: inner.door_key, work })
    }
}

fn capability_bytes(stream: &ReadCapability) -> Result<[u8; CAPABILITY_LEN], Error> {
    let bytes = stream.to_bytes();
    bytes.as_slice().try_into().map_err(|_| Error::Malformed("capability"))
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Door")
    }
}

#[derive(Encode, Decode)]
struct Outer {
    #[n(0)]
    version: u8,
    #[cbor(n(1), with = "minicbor::bytes")]
    body: Vec<u8>,
    #[n(2)]
    nonce: u64,
    #[cbor(n(3), with = "minicbor::bytes")]
    signature: [u8; 64],
}

#[derive(Encode, Decode)]
struct Body {
    #[cbor(n(0), with = "minicbor::bytes")]
    capability: [u8; CAPABILITY_LEN],
    #[n(1)]
    nick: Nick,
    #[n(2)]
    door_key: DoorKey,
}

/// A signed announcement that still lacks its proof of work.
pub struct Mining {
    work: Sha256,
    body: Vec<u8>,
    signature: [u8; 64],
    nonce: u64,
    bits: u8,
}

impl Mining {
    /// Tries at most `tries` nonces, so that the caller can do other things between calls. Returns
    /// the content of the announcement's box once one fits, on average after 2^bits tries in all.
    pub fn mine(&mut self, tries: u32) -> Option<Vec<u8>> {
        for _ in 0..tries {
            let nonce = self.nonce;
            if work_done(&self.work, nonce, self.bits).is_some() {
                return Some(wire::encode(&Outer {
                    version: VERSION,
                    body: self.body.clone(),
                    nonce,
                    signature: self.signature,
                }));
            }
            self.nonce = nonce.wrapping_add(1);
        }
        None
    }
}

impl fmt::Debug for Mining {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mining")
    }
}

/// A checked announcement: with enough work, and signed by the root key of the stream it names.
#[derive(Clone)]
pub struct Announcement {
    talker: TalkerKey,
    stream: ReadCapability,
    nick: Nick,
    door_key: DoorKey,
    work: Work,
}

impl Announcement {
    /// The talker's identity.
    #[must_use]
    pub const fn talker(&self) -> &TalkerKey {
        &self.talker
    }

    /// The talker's stream, from its next box on.
    #[must_use]
    pub const fn stream(&self) -> &ReadCapability {
        &self.stream
    }

    /// The nick it chose. Nobody owns a nick, so show it through [`crate::display_names`].
    #[must_use]
    pub const fn nick(&self) -> &Nick {
        &self.nick
    }

    /// The key to which the owner may seal the room's next generation.
    #[must_use]
    pub const fn door_key(&self) -> &DoorKey {
        &self.door_key
    }

    /// Its work, by which a reader counts announcements.
    #[must_use]
    pub const fn work(&self) -> Work {
        self.work
    }
}

impl fmt::Debug for Announcement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Announcement")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leading_zero_bits_are_counted_across_bytes() {
        assert_eq!(zero_bits(&[0x80, 0]), 0);
        assert_eq!(zero_bits(&[0x01, 0]), 7);
        assert_eq!(zero_bits(&[0, 0x10, 0xff]), 11);
        assert_eq!(zero_bits(&[0; 32]), 256);
    }

    //= ROOM-007
    #[test]
    fn lanes_spread_talkers_and_change_with_the_hour() {
        let key = TalkerSecret::from_seed(crate::Secret::new([1; 32])).public();
        let mut seen = [false; 8];
        for hour in 0..200 {
            let lane = lane_of(&key, hour, 8);
            assert!(lane < 8);
            seen[usize::from(lane)] = true;
            assert_eq!(lane_of(&key, hour, 1), 0);
        }
        assert_eq!(seen, [true; 8]);
    }
}

//! A room and its people, as the stories need them.

use e2ee::*;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use streams::{ReadCapability, WriteCapability};
use wire::id::AccessKey;
use wire::{DirectoryPointer, NetworkId, NodeId, Timestamp};

pub(super) const HOUR: u64 = 483_000;

pub(super) fn rng(seed: u8) -> ChaCha20Rng {
    ChaCha20Rng::from_seed([seed; 32])
}

pub(super) fn place() -> NetworkPlace {
    NetworkPlace {
        network: NetworkId::new([0xa1; 32]),
        directories: vec![DirectoryPointer {
            id: NodeId::new([0xa2; 32]),
            address: "255.255.255.255:65535".parse().unwrap(),
        }],
        hub: NodeId::new([0xa3; 32]),
        access: AccessKey::new([0xa4; 16]),
    }
}

pub(super) fn room_with(settings: RoomSettings) -> (Owner, RoomKeys) {
    Owner::create(&mut rng(1), place(), settings, HOUR).unwrap()
}

pub(super) fn room() -> (Owner, RoomKeys) {
    room_with(RoomSettings::new(3_600, 4, 6).unwrap())
}

/// Joins as people do: through the text of the link.
pub(super) fn join(keys: &RoomKeys) -> RoomKeys {
    RoomKeys::from_link(&RoomLink::parse(&keys.link_now().to_text()).unwrap()).unwrap()
}

pub(super) fn at_hour(keys: &RoomKeys, hour: u64) -> Timestamp {
    Timestamp::from_millis(hour * keys.settings().hour_ms() + 1_234)
}

pub(super) struct Person {
    pub(super) secret: TalkerSecret,
    pub(super) stream: WriteCapability,
    pub(super) door: DoorSecret,
    pub(super) nick: Nick,
}

pub(super) fn person(seed: u8, nick: &str) -> Person {
    let mut rng = rng(seed);
    let secret = TalkerSecret::random(&mut rng);
    Person {
        stream: secret.new_stream(&mut rng),
        door: DoorSecret::random(&mut rng),
        nick: Nick::new(nick).unwrap(),
        secret,
    }
}

pub(super) fn door_of(keys: &RoomKeys, who: &Person) -> Door {
    let hour = keys.hour();
    keys.door(hour, keys.lane_of(&who.secret.public(), hour)).unwrap()
}

pub(super) fn begin(door: &Door, who: &Person) -> Result<Mining, Error> {
    let stream = who.stream.read_capability();
    door.announce(&who.secret, &stream, &who.nick, &who.door.public())
}

pub(super) fn announce(door: &Door, who: &Person) -> Vec<u8> {
    begin(door, who).unwrap().mine(u32::MAX).unwrap()
}

pub(super) fn first_id(stream: &ReadCapability, keys: &RoomKeys) -> String {
    format!("{:?}", stream.box_id(keys.context()).as_bytes())
}

pub(super) fn door_id(keys: &RoomKeys, hour: u64) -> Result<String, Error> {
    let door = keys.door(hour, 0)?;
    Ok(first_id(&door.stream().read_capability(), keys))
}

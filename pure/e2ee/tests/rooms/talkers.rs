//! Talkers announce themselves and are heard.

use e2ee::*;
use streams::{BoxClass, ReadCapability, Sizes, VerifiedBox, WriteCapability};
use wire::Timestamp;

use super::world::*;

//= ROOM-003
//= ROOM-007
#[test]
fn alice_joins_by_link_and_is_heard() {
    let (_, keys) = room();
    let alice_keys = join(&keys);
    assert_eq!(alice_keys.id(), keys.id());
    let alice = person(10, "alice");
    let door = door_of(&alice_keys, &alice);
    let content = announce(&door, &alice);
    assert!(content.len() <= 2_030, "{} bytes", content.len());

    // Another holder of the link finds the same door and reads the announcement there.
    let reader = join(&keys);
    let reader_door = door_of(&reader, &alice);
    assert_eq!(
        first_id(&reader_door.stream().read_capability(), &reader),
        first_id(&door.stream().read_capability(), &alice_keys)
    );
    let heard = reader_door.open(&content).unwrap();
    assert_eq!(*heard.talker(), alice.secret.public());
    assert_eq!(heard.nick().as_str(), "alice");
    assert!(*heard.door_key() == alice.door.public());
    assert_eq!(
        first_id(heard.stream(), &reader),
        first_id(&alice.stream.read_capability(), &alice_keys)
    );
}

fn seal(stream: &mut WriteCapability, keys: &RoomKeys, content: &[u8]) -> VerifiedBox {
    let padded = streams::pad(content, BoxClass::Standard).unwrap();
    let sealed = stream.seal(keys.context(), &padded).unwrap();
    *stream = stream.next().unwrap();
    // Over the hub and back, where anybody can check it.
    sealed.into_sealed().verify().unwrap()
}

/// The content of the next box, if it is among those stored; moves on when it is.
fn fetch(stream: &mut ReadCapability, keys: &RoomKeys, hub: &[VerifiedBox]) -> Option<Vec<u8>> {
    let id = stream.box_id(keys.context());
    let found = hub.iter().find(|b| b.id() == id)?;
    let padded = stream.open(keys.context(), found).unwrap();
    *stream = stream.next().unwrap();
    Some(streams::unpad(&padded).unwrap().to_vec())
}

//= ROOM-003
//= ROOM-005
//= ROOM-012
//= ROOM-018
#[test]
fn a_whole_conversation_through_boxes() {
    let (owner, mut keys) = room();
    let mut hub = Vec::new();
    let mut alice = person(10, "alice");

    // Alice announces herself at the stream position of her next box, and says something long.
    let alice_keys = join(&keys);
    let door = door_of(&alice_keys, &alice);
    let content = announce(&door, &alice);
    hub.push(seal(&mut door.stream().clone(), &alice_keys, &content));
    let long = "Owls hear better than they see. ".repeat(100);
    let now = at_hour(&keys, HOUR);
    for talk in Talk::text(now, &long, Sizes::Uniform).unwrap() {
        hub.push(seal(&mut alice.stream, &alice_keys, &talk.to_bytes()));
    }
    // The owner greets all and mutes nobody.
    let text = TextChunk::new("Welcome.").unwrap();
    let notice = Control::new(now, Order::Notice { text });
    let mut control = owner.control_stream(&keys).unwrap();
    hub.push(seal(&mut control, &keys, &notice.to_bytes()));

    // Carol, who came in the same hour, hears it all.
    let carol = join(&keys);
    let door = door_of(&carol, &alice);
    let mut at_door = door.stream().read_capability();
    let heard = door.open(&fetch(&mut at_door, &carol, &hub).unwrap()).unwrap();
    assert!(fetch(&mut at_door, &carol, &hub).is_none(), "nobody else came");
    let mut stream = heard.stream().clone();
    let mut assembler = Assembler::new();
    let mut events = Vec::new();
    while let Some(content) = fetch(&mut stream, &carol, &hub) {
        events.extend(assembler.push(Talk::from_bytes(&content).unwrap()).unwrap());
    }
    let at = Timestamp::from_millis(now.as_millis() / 1_000 * 1_000);
    let text = wire::Sensitive(long);
    assert_eq!(events, [Event::Said { at, text }]);
    let mut orders = carol.control_stream().unwrap();
    let order = fetch(&mut orders, &carol, &hub).unwrap();
    assert_eq!(Control::from_bytes(&order), Ok(notice));

    // In the next hour Alice announces herself again, at the index that she has reached. Somebody
    // who joins now hears what she says from here on, and has no way back to what she said before.
    keys.advance_to(HOUR + 1).unwrap();
    let mut bob = join(&keys);
    let content = announce(&door_of(&keys, &alice), &alice);
    hub.push(seal(&mut door_of(&keys, &alice).stream().clone(), &keys, &content));
    hub.push(seal(&mut alice.stream, &keys, &Talk::new(now, Say::Left).to_bytes()));
    bob.advance_to(HOUR + 1).unwrap();
    let door = door_of(&bob, &alice);
    let content = fetch(&mut door.stream().read_capability(), &bob, &hub).unwrap();
    let heard = door.open(&content).unwrap();
    assert_eq!(heard.stream().index().counter(), stream.index().counter());
    let content = fetch(&mut heard.stream().clone(), &bob, &hub).unwrap();
    assert_eq!(Talk::from_bytes(&content).unwrap().say, Say::Left);
}

//= ROOM-008
#[test]
fn an_announcement_needs_its_work() {
    let (_, keys) = room_with(RoomSettings::new(3_600, 1, 8).unwrap());
    let (_, lax) = room_with(RoomSettings::new(3_600, 1, 0).unwrap());
    let alice = person(10, "alice");
    let mut refused = 0;
    for seed in 0..20 {
        let who = person(seed, "alice");
        let free = announce(&door_of(&lax, &who), &who);
        match door_of(&keys, &who).open(&free) {
            Err(Error::TooLittleWork) => refused += 1,
            other => assert!(other.is_ok(), "one in 256 is lucky"),
        }
    }
    assert!(refused >= 18);

    // Mining in small steps ends at the same nonce as mining at once.
    let door = door_of(&keys, &alice);
    let mut mining = begin(&door, &alice).unwrap();
    let mut calls = 0;
    let slow = loop {
        calls += 1;
        if let Some(content) = mining.mine(3) {
            break content;
        }
    };
    assert_eq!(slow, announce(&door, &alice));
    assert!(calls > 1);
    assert!(door.open(&slow).is_ok());
    assert!(begin(&door, &alice).unwrap().mine(0).is_none());
}

//= ROOM-009
//= ROOM-010
#[test]
fn forged_and_displaced_announcements_are_refused() {
    let (_, keys) = room_with(RoomSettings::new(3_600, 4, 0).unwrap());
    let alice = person(10, "alice");
    let eve = person(11, "alice");
    let door = door_of(&keys, &alice);
    let content = announce(&door, &alice);
    assert!(door.open(&content).is_ok());

    // Eve cannot announce Alice's stream under her own key.
    let stolen = door_of(&keys, &eve).announce(
        &eve.secret,
        &alice.stream.read_capability(),
        &eve.nick,
        &eve.door.public(),
    );
    assert_eq!(stolen.unwrap_err(), Error::ForeignStream);

    // Nor change the nick or anything else in what Alice signed.
    let text = content.windows(5).position(|w| w == b"alice").unwrap();
    let mut forged = content.clone();
    forged[text..text + 5].copy_from_slice(b"alicf");
    assert_eq!(door.open(&forged).unwrap_err(), Error::BadSignature("announcement"));
    let mut forged = content.clone();
    *forged.last_mut().unwrap() ^= 1;
    assert_eq!(door.open(&forged).unwrap_err(), Error::BadSignature("announcement"));

    // Nor carry it to another lane, hour, generation or room.
    let (hour, lane) = (keys.hour(), door.lane());
    let other_lane = keys.door(hour, (lane + 1) % 4).unwrap();
    assert_eq!(other_lane.open(&content).unwrap_err(), Error::WrongLane);
    assert_eq!(begin(&other_lane, &alice).unwrap_err(), Error::WrongLane);
    let one_lane = RoomSettings::new(3_600, 1, 0).unwrap();
    let (owner, mut keys) = room_with(one_lane);
    let content = announce(&keys.door(hour, 0).unwrap(), &alice);
    let (next, _) = owner.rekey(&mut rng(3), &keys, at_hour(&keys, hour), one_lane, &[]).unwrap();
    let (_, other_room) = Owner::create(&mut rng(9), place(), one_lane, hour).unwrap();
    keys.advance_to(hour + 1).unwrap();
    for door in [
        keys.door(hour + 1, 0).unwrap(),
        next.door(hour, 0).unwrap(),
        other_room.door(hour, 0).unwrap(),
    ] {
        assert_eq!(door.open(&content).unwrap_err(), Error::BadSignature("announcement"));
    }
    assert!(keys.door(hour, 0).unwrap().open(&content).is_ok());
}

//= ROOM-006
#[test]
fn an_announcement_has_one_encoding() {
    let (_, keys) = room_with(RoomSettings::new(3_600, 1, 0).unwrap());
    let alice = person(10, "alice");
    let door = door_of(&keys, &alice);
    let content = announce(&door, &alice);
    let mut trailing = content.clone();
    trailing.push(0);
    assert_eq!(door.open(&trailing).unwrap_err(), Error::Malformed("announcement"));
    let mut version = content.clone();
    version[1] = 9;
    assert_eq!(door.open(&version).unwrap_err(), Error::Version(9));
    assert_eq!(door.open(&[]).unwrap_err(), Error::Malformed("announcement"));
    for cut in 0..content.len() {
        assert!(door.open(&content[..cut]).is_err());
    }
}

//= ROOM-011
#[test]
fn keys_of_small_or_mixed_order_are_no_identities() {
    let good = person(10, "alice").secret.public();
    assert!(TalkerKey::new(*good.as_bytes()).is_ok());
    let mut identity = [0; 32];
    identity[0] = 1;
    let mut non_canonical = [0xff; 32];
    non_canonical[0] = 0xee;
    non_canonical[31] = 0x7f;
    // The order-two point (0, -1), and Alice's key plus it.
    let mut order_two = [0xff; 32];
    order_two[0] = 0xec;
    order_two[31] = 0x7f;
    let decompress = |b| curve25519_dalek::edwards::CompressedEdwardsY(b).decompress().unwrap();
    let mixed = (decompress(*good.as_bytes()) + decompress(order_two)).compress().0;
    for bad in [identity, non_canonical, order_two, mixed, [0; 32], [2; 32]] {
        assert_eq!(TalkerKey::new(bad), Err(Error::BadKey));
    }
}

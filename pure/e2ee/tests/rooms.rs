//! Stories of an open room: what each holder of a link can and cannot do.

use e2ee::*;
use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use streams::{BoxClass, ReadCapability, Sizes, VerifiedBox, WriteCapability};
use wire::{DirectoryPointer, NetworkId, NodeId, Timestamp, id::AccessKey};

const HOUR: u64 = 483_000;

fn rng(seed: u8) -> ChaCha20Rng {
    ChaCha20Rng::from_seed([seed; 32])
}

fn place() -> NetworkPlace {
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

fn room_with(settings: RoomSettings) -> (Owner, RoomKeys) {
    Owner::create(&mut rng(1), place(), settings, HOUR).unwrap()
}

fn room() -> (Owner, RoomKeys) {
    room_with(RoomSettings::new(3_600, 4, 6).unwrap())
}

/// Joins as people do: through the text of the link.
fn join(keys: &RoomKeys) -> RoomKeys {
    RoomKeys::from_link(&RoomLink::parse(&keys.link_now().to_text()).unwrap()).unwrap()
}

fn at_hour(keys: &RoomKeys, hour: u64) -> Timestamp {
    Timestamp::from_millis(hour * keys.settings().hour_ms() + 1_234)
}

struct Person {
    secret: TalkerSecret,
    stream: WriteCapability,
    door: DoorSecret,
    nick: Nick,
}

fn person(seed: u8, nick: &str) -> Person {
    let mut rng = rng(seed);
    let secret = TalkerSecret::random(&mut rng);
    Person {
        stream: secret.new_stream(&mut rng),
        door: DoorSecret::random(&mut rng),
        nick: Nick::new(nick).unwrap(),
        secret,
    }
}

fn door_of(keys: &RoomKeys, who: &Person) -> Door {
    let hour = keys.hour();
    keys.door(hour, keys.lane_of(&who.secret.public(), hour)).unwrap()
}

fn begin(door: &Door, who: &Person) -> Result<Mining, Error> {
    let stream = who.stream.read_capability();
    door.announce(&who.secret, &stream, &who.nick, &who.door.public())
}

fn announce(door: &Door, who: &Person) -> Vec<u8> {
    begin(door, who).unwrap().mine(u32::MAX).unwrap()
}

fn first_id(stream: &ReadCapability, keys: &RoomKeys) -> String {
    format!("{:?}", stream.box_id(keys.context()).as_bytes())
}

fn door_id(keys: &RoomKeys, hour: u64) -> Result<String, Error> {
    let door = keys.door(hour, 0)?;
    Ok(first_id(&door.stream().read_capability(), keys))
}

//= ROOM-001
#[test]
fn a_link_is_short_and_survives_its_text() {
    let (owner, keys) = room();
    let link = keys.link_now();
    let text = link.to_text();
    assert!(text.starts_with("hushwing:room#"));
    assert!(text.len() < 400, "{} characters", text.len());
    let again: RoomLink = format!("  {}\n", text.as_str()).parse().unwrap();
    assert_eq!(again, link);
    let kept = owner.link_now(&keys).unwrap();
    let kept_text = kept.to_text();
    assert!(kept_text.starts_with("hushwing:room-owner#"));
    assert_eq!(OwnerLink::parse(&kept_text).unwrap(), kept);
    assert_eq!(*kept.link(), link);

    let mut wide = place();
    wide.directories = vec![wide.directories[0]; 3];
    assert!(Owner::create(&mut rng(1), wide.clone(), RoomSettings::default(), HOUR).is_ok());
    wide.directories.push(wide.directories[0]);
    for directories in [vec![], wide.directories] {
        let place = NetworkPlace { directories, ..place() };
        let made = Owner::create(&mut rng(1), place, RoomSettings::default(), HOUR);
        assert_eq!(made.unwrap_err(), Error::OutOfRange("number of directories"));
    }
}

//= ROOM-001
#[test]
fn links_say_clearly_why_they_are_refused() {
    let (owner, keys) = room();
    let text = keys.link_now().to_text();
    let kept = owner.link_now(&keys).unwrap().to_text();
    let parse = |text: &str| RoomLink::parse(text).unwrap_err();
    assert_eq!(parse("https://example.org/"), Error::NotALink);
    assert_eq!(parse(""), Error::NotALink);
    assert_eq!(parse(&kept), Error::OwnersLink);
    assert_eq!(OwnerLink::parse(&text).unwrap_err(), Error::MembersLink);
    assert_eq!(OwnerLink::parse("x").unwrap_err(), Error::NotALink);
    assert_eq!(parse(&text[..text.len() - 3]), Error::DamagedLink);
    assert_eq!(parse(&format!("{}AAAA", text.as_str())), Error::DamagedLink);
    assert_eq!(parse(&format!("{}!", text.as_str())), Error::DamagedLink);
    assert_eq!(parse(&"hushwing:room#".repeat(200)), Error::DamagedLink);
    // An owner's secret does not slip through under the members' scheme, nor the reverse.
    let swapped = kept.replace("room-owner#", "room#");
    assert_eq!(parse(&swapped), Error::OwnersLink);
    let swapped = text.replace("room#", "room-owner#");
    assert_eq!(OwnerLink::parse(&swapped).unwrap_err(), Error::MembersLink);

    let scheme = "hushwing:room#";
    let bytes = data_encoding::BASE64URL_NOPAD.decode(text[scheme.len()..].as_bytes()).unwrap();
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = bytes.clone();
        change(&mut bytes);
        parse(&format!("{scheme}{}", data_encoding::BASE64URL_NOPAD.encode(&bytes)))
    };
    assert_eq!(with(&|b| b[1] = 2), Error::LinkVersion(2));
    let end = bytes.len();
    // The settings stand last: hour 19 0e10, lanes 04, bits 06.
    assert_eq!(bytes[end - 6..], [0x83, 0x19, 0x0e, 0x10, 0x04, 0x06]);
    assert_eq!(with(&|b| b[end - 2] = 0), Error::OutOfRange("number of lanes"));
    // A number in a longer form than needed is another encoding of the same link.
    assert_eq!(
        with(&|b| {
            b.splice(end - 2..end - 1, [0x18, 0x04]);
        }),
        Error::DamagedLink
    );
}

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

    // In the next hour Alice announces herself anew, at the index that she has reached; whoever
    // joins now hears what she says from here on, and holds no way back to what she said before.
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

//= ROOM-004
//= ROOM-005
#[test]
fn bob_by_a_later_link_opens_no_earlier_door() {
    let (_, mut keys) = room();
    let before = door_id(&keys, HOUR).unwrap();
    keys.advance(at_hour(&keys, HOUR + 1)).unwrap();
    assert_eq!(keys.hours().collect::<Vec<_>>(), [HOUR, HOUR + 1]);
    assert_eq!(door_id(&keys, HOUR).unwrap(), before, "the boundary's other side");
    let now = door_id(&keys, HOUR + 1).unwrap();
    assert_ne!(now, before);

    let bob = join(&keys);
    assert_eq!(bob.hours().collect::<Vec<_>>(), [HOUR + 1]);
    assert_eq!(door_id(&bob, HOUR + 1).unwrap(), now);
    assert_eq!(door_id(&bob, HOUR), Err(Error::NoKeyForHour));
    assert_eq!(door_id(&bob, HOUR + 2), Err(Error::NoKeyForHour));

    keys.advance_to(HOUR + 2).unwrap();
    assert_eq!(door_id(&keys, HOUR), Err(Error::NoKeyForHour), "erased");
    assert_eq!(door_id(&keys, HOUR + 1).unwrap(), now);
    assert!(keys.door(HOUR + 2, 4).is_err(), "the room has four lanes");
}

//= ROOM-004
#[test]
fn the_ratchet_goes_forward_only_and_not_without_end() {
    let (_, mut keys) = room();
    let mut leap = keys.clone();
    for hour in HOUR + 1..=HOUR + 50 {
        keys.advance_to(hour).unwrap();
    }
    leap.advance_to(HOUR + 50).unwrap();
    assert_eq!(keys.link_now(), leap.link_now());
    assert_eq!(door_id(&keys, HOUR + 49), door_id(&leap, HOUR + 49));

    keys.advance_to(HOUR).unwrap();
    keys.advance(Timestamp::ZERO).unwrap();
    assert_eq!(keys.hour(), HOUR + 50, "document time never goes back");
    for far in [HOUR + 50 + MAX_STEPS + 1, u64::MAX] {
        assert_eq!(keys.advance_to(far), Err(Error::HourTooFar));
        assert_eq!(keys.hour(), HOUR + 50);
    }
    keys.advance_to(HOUR + 50 + MAX_STEPS).unwrap();
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

//= ROOM-013
#[test]
fn rekeying_kills_old_links_for_all_who_were_not_sealed_to() {
    let (owner, keys) = room();
    let (alice, bob, eve) = (person(10, "alice"), person(11, "bob"), person(12, "eve"));
    let now = at_hour(&keys, HOUR + 3);
    let harder = RoomSettings::new(3_600, 2, 7).unwrap();
    let recipients = [alice.door.public(), bob.door.public()];
    let (next, controls) = owner.rekey(&mut rng(5), &keys, now, harder, &recipients).unwrap();
    assert_eq!(controls.len(), 2);
    assert_eq!((next.generation(), next.hour(), next.id()), (1, HOUR + 3, keys.id()));

    // Readers follow the control stream of the old generation, box by box.
    let rekeys: Vec<Rekey> = controls
        .iter()
        .map(|control| {
            let bytes = control.to_bytes();
            assert!(bytes.len() <= 2_030, "{} bytes", bytes.len());
            match Control::from_bytes(&bytes).unwrap().order {
                Order::Rekey { rekey } => rekey,
                other => panic!("{other:?}"),
            }
        })
        .collect();
    assert_eq!(rekeys.iter().map(Rekey::is_last).collect::<Vec<_>>(), [false, true]);
    let open = |who: &Person| -> Vec<Result<RoomLink, Error>> {
        let old = join(&keys);
        let opened = rekeys.iter().map(|r| r.open(&old, &who.door));
        opened.map(|r| r.map(|keys| keys.link_now())).collect()
    };
    assert_eq!(open(&alice), [Ok(next.link_now()), Err(Error::NotForUs)]);
    assert_eq!(open(&bob), [Err(Error::NotForUs), Ok(next.link_now())]);
    assert_eq!(open(&eve), [Err(Error::NotForUs), Err(Error::NotForUs)]);

    // Eve's link leads to none of the new generation's ids, at no hour and in neither context.
    let mut old = join(&keys);
    old.advance(now).unwrap();
    assert_eq!(old.hour(), next.hour());
    let door = |k: &RoomKeys, ctx: &RoomKeys| {
        let stream = k.door(HOUR + 3, 0).unwrap().stream().read_capability();
        first_id(&stream, ctx)
    };
    assert_ne!(old.context(), next.context());
    assert_ne!(door(&old, &next), door(&next, &next));
    assert_ne!(door(&old, &old), door(&next, &next));
    let control = |k: &RoomKeys| first_id(&k.control_stream().unwrap(), k);
    assert_ne!(control(&old), control(&next));
    // Alice's own stream has other ids there, too, though she keeps her capability.
    let stream = alice.stream.read_capability();
    assert_ne!(first_id(&stream, &old), first_id(&stream, &next));

    // A share does not open twice along the line: it belongs between these two generations.
    assert_eq!(rekeys[0].open(&next, &alice.door).unwrap_err(), Error::BadSeal);
}

//= ROOM-013
#[test]
fn a_rekeying_for_nobody_still_says_so() {
    let (owner, keys) = room();
    let now = at_hour(&keys, HOUR);
    let settings = *keys.settings();
    let (_, controls) = owner.rekey(&mut rng(5), &keys, now, settings, &[]).unwrap();
    assert_eq!(controls.len(), 1);
    let Order::Rekey { rekey } = &controls[0].order else { panic!() };
    assert!(rekey.is_last());
    assert_eq!(rekey.generation(), 1);
    let alice = person(10, "alice");
    assert_eq!(rekey.open(&keys, &alice.door).unwrap_err(), Error::NotForUs);
    let many = vec![alice.door.public(); MAX_RECIPIENTS + 1];
    let made = owner.rekey(&mut rng(5), &keys, now, settings, &many);
    assert_eq!(made.unwrap_err(), Error::TooLong("list of recipients"));
}

//= ROOM-018
#[test]
fn the_control_stream_is_the_owners_and_the_same_for_all_links() {
    let (owner, mut keys) = room();
    let early = join(&keys);
    keys.advance_to(HOUR + 9).unwrap();
    let late = join(&keys);
    let ours = owner.control_stream(&keys).unwrap().read_capability();
    assert_eq!(ours.root_public(), *owner.secret().public().as_bytes());
    for reader in [&early, &late] {
        let theirs = reader.control_stream().unwrap();
        assert_eq!(first_id(&theirs, reader), first_id(&ours, &keys));
    }
    let again = OwnerLink::parse(&owner.link_now(&keys).unwrap().to_text()).unwrap();
    let (owner_again, keys_again) = Owner::from_link(&again).unwrap();
    let stream = owner_again.control_stream(&keys_again).unwrap();
    assert_eq!(first_id(&stream.read_capability(), &keys), first_id(&ours, &keys));

    let (stranger, _) =
        Owner::create(&mut rng(77), place(), RoomSettings::default(), HOUR).unwrap();
    assert!(stranger.control_stream(&keys).is_err());
    assert!(stranger.link_now(&keys).is_err());
    let settings = *keys.settings();
    assert!(stranger.rekey(&mut rng(5), &keys, Timestamp::ZERO, settings, &[]).is_err());
}

//= ROOM-018
#[test]
fn orders_survive_their_bytes() {
    let talker = person(10, "alice").secret.public();
    let text = TextChunk::new("Be kind.").unwrap();
    for order in [Order::Mute { talker }, Order::Unmute { talker }, Order::Notice { text }] {
        let control = Control::new(Timestamp::from_millis(5_999), order);
        assert_eq!(control.at, Timestamp::from_millis(5_000));
        assert_eq!(Control::from_bytes(&control.to_bytes()), Ok(control));
    }
}

//= ROOM-017
#[test]
fn nothing_secret_is_printed() {
    let (owner, keys) = room();
    let alice = person(10, "alice");
    let door = door_of(&keys, &alice);
    let announcement = door.open(&announce(&door, &alice)).unwrap();
    let order = Order::Mute { talker: alice.secret.public() };
    let shown = [
        format!("{keys:?} {:?} {:?}", keys.link_now(), keys.id()),
        format!("{owner:?} {:?}", owner.link_now(&keys).unwrap()),
        format!("{door:?} {announcement:?} {:?}", begin(&door, &alice).unwrap()),
        format!("{:?} {:?}", alice.secret, alice.door),
        format!("{:?} {:?}", alice.door.public(), alice.nick),
        format!("{:?}", place()),
        format!("{:?}", Control::new(Timestamp::ZERO, order)),
    ];
    assert_eq!(
        shown.join("\n"),
        "RoomKeys RoomLink RoomId\nOwner OwnerLink\nDoor Announcement Mining\nTalkerSecret DoorSecret\n\
         DoorKey Nick\nNetworkPlace { network: NetworkId, directories: [DirectoryPointer { id: NodeId, address: Address }], \
         hub: NodeId, access: AccessKey }\n\
         Control { at: Timestamp(0), order: Mute { talker: TalkerKey } }"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    //= ROOM-006
    #[test]
    fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..400), text in "\\PC{0,80}") {
        let (_, keys) = room_with(RoomSettings::new(3_600, 1, 0).unwrap());
        let door = keys.door(HOUR, 0).unwrap();
        prop_assert!(door.open(&bytes).is_err());
        let _ = Control::from_bytes(&bytes);
        let _ = Talk::from_bytes(&bytes);
        let encoded = data_encoding::BASE64URL_NOPAD.encode(&bytes);
        for text in [text.clone(), format!("hushwing:room#{text}"), format!("hushwing:room#{encoded}")] {
            prop_assert!(RoomLink::parse(&text).is_err());
            prop_assert!(OwnerLink::parse(&text.replace("room#", "room-owner#")).is_err());
        }
    }

    #[test]
    fn a_damaged_link_or_control_box_never_panics(at in 0usize..4_000, with in 1u8..=255) {
        let (owner, keys) = room();
        let text = keys.link_now().to_text();
        let mut bytes = text.as_bytes().to_vec();
        let i = at % bytes.len();
        bytes[i] ^= with;
        let damaged = String::from_utf8_lossy(&bytes);
        if let Ok(link) = RoomLink::parse(&damaged) {
            prop_assert!(link != keys.link_now() || damaged.trim() == text.trim());
        }
        let alice = person(10, "alice");
        let (_, controls) = owner
            .rekey(&mut rng(5), &keys, Timestamp::ZERO, *keys.settings(), &[alice.door.public()])
            .unwrap();
        let mut bytes = controls[0].to_bytes();
        let i = at % bytes.len();
        bytes[i] ^= with;
        if let Ok(Control { order: Order::Rekey { rekey }, .. }) = Control::from_bytes(&bytes) {
            let time_or_last_flag = rekey.open(&keys, &alice.door).is_ok();
            prop_assert!(!time_or_last_flag || i < 8 || i == bytes.len() - 1);
        }
    }
}

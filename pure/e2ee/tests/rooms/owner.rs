//! The owner orders and re-keys; nothing secret is printed.

use e2ee::*;
use proptest::prelude::*;
use wire::Timestamp;

use super::world::*;

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

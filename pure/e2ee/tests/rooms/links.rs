//! What the holder of a link can open, and what not.

use e2ee::*;
use wire::Timestamp;

use super::world::*;

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

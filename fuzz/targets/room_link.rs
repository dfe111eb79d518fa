//! Links that somebody pasted, and the texts that strangers put on our screens.
#![no_main]

use data_encoding::BASE64URL_NOPAD;
use e2ee::Nick;
use e2ee::link::{OWNER_SCHEME, OwnerLink, RoomLink, SCHEME};
use e2ee::sanitize::{Newlines, sanitize};
use libfuzzer_sys::fuzz_target;

fn member(text: &str) {
    if let Ok(link) = RoomLink::parse(text) {
        assert!(RoomLink::parse(&link.to_text()).expect("our own text") == link);
    }
}

fn owner(text: &str) {
    if let Ok(link) = OwnerLink::parse(text) {
        let text = link.to_text();
        assert!(OwnerLink::parse(&text).expect("our own text").to_text() == text);
        assert!(RoomLink::parse(&text).is_err(), "an owner's link must not pass for a member's");
    }
}

fn shown(text: &str) {
    let clean = sanitize(text, Newlines::Keep);
    assert!(!clean.chars().any(|c| c.is_control() && c != '\n'));
    assert_eq!(sanitize(&clean, Newlines::Keep), clean);
    assert!(!sanitize(text, Newlines::Fold).contains('\n'));
    if let Ok(nick) = Nick::new(text) {
        assert!(!nick.as_str().chars().any(char::is_control));
        assert!(Nick::new(nick.as_str()).is_ok_and(|again| again.as_str() == nick.as_str()));
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((mode, data)) = data.split_first() else { return };
    match mode % 4 {
        0 => member(&format!("{SCHEME}{}", BASE64URL_NOPAD.encode(data))),
        1 => owner(&format!("{OWNER_SCHEME}{}", BASE64URL_NOPAD.encode(data))),
        2 => {
            let text = String::from_utf8_lossy(data);
            member(&text);
            owner(&text);
        }
        _ => shown(&String::from_utf8_lossy(data)),
    }
});

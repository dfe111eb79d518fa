//! What members and strangers put into private conversations: invites, their payloads, messages,
//! parts, KeyPackages.
#![no_main]

use std::sync::OnceLock;

use data_encoding::BASE64URL_NOPAD;
use e2ee::Invite;
use e2ee::invite::{Answer, SCHEME};
use e2ee::mls::{Invited, Mls};
use libfuzzer_sys::fuzz_target;
use messenger::body::Envelope;
use messenger::parts::{Joined, Joiner, MAX_MESSAGE};
use messenger::transfer::safe_name;

fn invite(data: &[u8]) {
    let text = format!("{SCHEME}{}", BASE64URL_NOPAD.encode(data));
    if let Ok(invite) = Invite::parse(&text) {
        assert!(Invite::parse(&invite.to_text()).expect("our own text") == invite);
        let _ = invite.open_offer(data);
    }
    let _ = Answer::parse(data);
}

fn message(data: &[u8]) {
    if let Ok(envelope) = Envelope::parse(data) {
        assert!(Envelope::parse(&envelope.to_bytes()).expect("our own bytes") == envelope);
    }
}

fn parts(data: &[u8]) {
    let mut joiner = Joiner::default();
    for part in data.chunks(7) {
        if let Joined::Whole(message) = joiner.push(part) {
            assert!(message.len() <= MAX_MESSAGE);
        }
    }
}

fn key_package(data: &[u8]) {
    static MLS: OnceLock<Mls> = OnceLock::new();
    let mls = MLS.get_or_init(|| Mls::new().expect("randomness"));
    let _ = Invited::parse(mls, data);
}

fn file_name(data: &[u8]) {
    let name = safe_name(&String::from_utf8_lossy(data));
    assert!(!name.is_empty() && !name.contains(['/', '\\', '\0']) && !name.starts_with('.'));
    assert!(name.len() <= 200 && !name.chars().any(char::is_control));
}

fuzz_target!(|data: &[u8]| {
    let Some((mode, data)) = data.split_first() else { return };
    match mode % 5 {
        0 => invite(data),
        1 => message(data),
        2 => parts(data),
        3 => key_package(data),
        _ => file_name(data),
    }
});

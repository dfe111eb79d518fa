//! What people write, their names, keys and links show in no `Debug`: each type that holds some is
//! filled with marks, and printed.

use std::fmt::Debug;

use e2ee::id::{ConversationId, MemberId, MessageId, TransferId};
use e2ee::{Floor, TalkerKey, TalkerSecret};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use wire::Timestamp;
use zeroize::Zeroizing;

use crate::body::{Body, Envelope, FileOffer};
use crate::context::Effect;
use crate::conversation::Participant;
use crate::event::{Event, Output, Why};
use crate::invite::InviteState;
use crate::messenger::{InviteOverview, Overview};
use crate::names::Named;
use crate::parts::Joined;
use crate::reader::Read;
use crate::room::{Present, RoomEvent, Who};
use crate::transfer::NewFile;

const CONVERSATION: ConversationId = ConversationId::new([215; 16]);
const MESSAGE: MessageId = MessageId::new([215; 16]);
const MEMBER: MemberId = MemberId::new([215; 16]);

fn text() -> String {
    "planted".to_owned()
}

fn bytes() -> Vec<u8> {
    vec![215; 40]
}

/// Shows the kind, and no mark: neither the text nor a byte of the keys.
fn silent(kind: &str, value: &dyn Debug) {
    for shown in [format!("{value:?}"), format!("{value:#?}")] {
        assert!(shown.contains(kind), "{shown}");
        assert!(!shown.contains("planted") && !shown.contains("215") && !shown.contains("d7d7"));
    }
}

fn offer() -> FileOffer {
    FileOffer {
        transfer: TransferId::new([215; 16]),
        name: text(),
        size: 1,
        sha256: [215; 32].into(),
        stream: bytes(),
    }
}

#[test]
fn what_members_say_shows_its_kind_alone() {
    let token = MESSAGE;
    let bodies = [
        ("Text", Body::Text { text: text(), reply_to: None, ttl: None }),
        ("Edit", Body::Edit { target: MESSAGE, text: text() }),
        ("React", Body::React { target: MESSAGE, emoji: text(), add: true }),
        ("File", Body::File { offer: offer(), ttl: None }),
        ("Invite", Body::Invite { token, title: text(), members: 2 }),
        ("Accept", Body::Accept { token, key_package: Some(bytes()) }),
        ("Welcome", Body::Welcome { token, welcome: bytes() }),
    ];
    for (kind, body) in bodies {
        silent(kind, &body);
        silent("Envelope", &Envelope::new(MESSAGE, Timestamp::ZERO, body));
    }
    silent("FileOffer", &offer());
    silent("Plain", &Read::Plain(Zeroizing::new(bytes())));
    silent("Whole", &Joined::Whole(Zeroizing::new(bytes())));
}

#[test]
fn what_conversations_have_for_each_other_shows_its_kind_alone() {
    let (via, conversation, token) = (CONVERSATION, CONVERSATION, MESSAGE);
    let effects = [
        ("Invited", Effect::Invited { via, token, title: text(), members: 2 }),
        ("Accepted", Effect::Accepted { via, token, key_package: Some(bytes()) }),
        ("Welcomed", Effect::Welcomed { via, token, welcome: bytes() }),
        ("Added", Effect::Added { via, token, welcome: bytes() }),
        ("Offered", Effect::Offered { conversation, id: MESSAGE, offer: offer() }),
        (
            "RescueAsked",
            Effect::RescueAsked { conversation, contact: via, member: MEMBER, package: bytes() },
        ),
    ];
    for (kind, effect) in effects {
        silent(kind, &effect);
    }
}

#[test]
fn what_the_user_is_told_shows_its_kind_alone() {
    let conversation = CONVERSATION;
    let renamed = Event::Renamed { conversation, from: text(), to: text() };
    silent("Renamed", &renamed);
    silent("Conversation", &Event::Conversation { conversation, text: text() });
    let invite = Event::GroupInvite { conversation, token: MESSAGE, title: text(), members: 2 };
    silent("GroupInvite", &invite);
    silent("HeldUp", &Event::HeldUp { conversation, by: MEMBER, name: text() });
    silent("Event", &Output::Event(renamed));
    let transfer = TransferId::new([215; 16]);
    silent("WriteChunk", &Output::WriteChunk { transfer, offset: 0, bytes: bytes() });
    silent("Why", &Why { text: text(), since: Timestamp::ZERO });
    silent("NewFile", &NewFile { name: text(), size: 1, sha256: [215; 32], path: text() });
    let overview = Overview {
        id: conversation,
        own: Some(text()),
        given: text(),
        formerly: vec![text()],
        direct: true,
        verified: true,
        pgp: Some(text()),
        floor: Floor::Anywhere,
        open: true,
        timer: None,
        members: 2,
        unseen: 0,
        unacknowledged: 0,
        unstored: 0,
        changing: false,
        blocked: false,
        changed: false,
        stopped: false,
    };
    silent("Overview", &overview);
    let invite = InviteOverview {
        id: MESSAGE,
        name: Some(text()),
        state: InviteState::Open,
        expires: Timestamp::ZERO,
        link: Zeroizing::new(text()),
    };
    silent("InviteOverview", &invite);
    let name = Named {
        key: MEMBER,
        own: Some(text()),
        given: text(),
        formerly: vec![text()],
        tag: text(),
    };
    silent("Named", &name);
    let member = Participant { id: MEMBER, name: text(), me: false, contact: None };
    silent("Participant", &member);
}

#[test]
fn what_a_room_tells_shows_its_kind_alone() {
    let key: TalkerKey = TalkerSecret::random(&mut ChaCha20Rng::from_seed([1; 32])).public();
    let who = || Who { key, name: text() };
    silent("Who", &who());
    silent("Present", &Present { who: who(), me: false, left: false, muted: false });
    let at = Timestamp::ZERO;
    silent("Message", &RoomEvent::Message { from: who(), text: text(), at });
    silent("Here", &RoomEvent::Here(who()));
    silent("Renamed", &RoomEvent::Renamed { from: text(), to: who() });
    silent("Notice", &RoomEvent::Notice(text()));
    silent("Event", &crate::room::Output::Event(RoomEvent::Notice(text())));
}

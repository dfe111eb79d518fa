//! More frames: lists, questions, pages.

use api::{
    AcceptKnock, AnswerGroupInvite, CarriedView, ConversationRef, GetMesh, GroupInviteId,
    GroupInviteView, KnockId, LanMode, ListGroupInvites, ListMembers, ListSettings, LocalPath,
    MemberView, MeshView, NeighbourView, Search, SendFile, SetSetting, SettingSaved, SettingView,
};
use crossterm::event::KeyCode;

use super::*;
use crate::state::Found;

#[test]
fn the_local_network() {
    let mut screen = alice(80, 20);
    screen.key(KeyCode::F(6));
    let carried = CarriedView { boxes: 12, bytes: 24_576 };
    let mesh = MeshView {
        lan: LanMode::On,
        interfaces: vec!["wlan0".into()],
        neighbours: vec![NeighbourView {
            conversation: conversation("bob"),
            label: "bob".into(),
            since_ms: NOW,
            received: carried,
            given: carried,
        }],
        ours: carried,
        others: CarriedView { boxes: 0, bytes: 0 },
    };
    screen.answer::<GetMesh>(&mesh);
    insta::assert_snapshot!("mesh", screen.text());
}

#[test]
fn somebody_knocks() {
    let mut screen = alice(80, 16);
    let (knock, words) = (KnockId::new([0xaa; 16]), "acrobat bicycle candle dolphin".to_owned());
    screen.event(Event::Knock { knock, name: "Mallory?".into(), words });
    insta::assert_snapshot!("knock", screen.text());
    assert_eq!(screen.rung, ["somebody knocks on the local network"]);
    // Enter alone lets nobody in.
    screen.key(KeyCode::Enter);
    assert_eq!(screen.waiting::<AcceptKnock>(), 0);
}

#[test]
fn the_settings() {
    let mut screen = alice(80, 20);
    screen.key(KeyCode::F(8));
    let setting = |key: &str, value: &str, help: &str, choices: &[&str]| SettingView {
        key: key.into(),
        value: value.into(),
        help: help.into(),
        choices: choices.iter().map(|&c| c.to_owned()).collect(),
        restart: true,
    };
    let settings = vec![
        setting("route", "onion", "how messages travel", &["onion", "tor", "tor+onion", "direct"]),
        setting("keep", "forever", "how long history stays: forever, session, or a time", &[]),
        setting(
            "read_receipts",
            "true",
            "whether others are shown that a message was read",
            &["true", "false"],
        ),
    ];
    screen.answer::<ListSettings>(&settings);
    insta::assert_snapshot!("settings", screen.text());
    screen.key(KeyCode::Enter);
    insta::assert_snapshot!("setting", screen.text());
    screen.types("direct");
    screen.key(KeyCode::Enter);
    let request = SetSetting { key: "route".into(), value: "direct".into() };
    assert_eq!(screen.last(), wants(&request));
    screen.answer::<SetSetting>(&SettingSaved { restart: true });
    assert!(screen.shows("takes effect after a restart"));
}

#[test]
fn the_file_picker_goes_through_directories() {
    let mut screen = alice(80, 18);
    screen.history(&[]);
    screen.ctrl('o');
    assert!(matches!(screen.others.pop(), Some(Effect::ReadDir(_, None))));
    let found = |name: &str, dir| Found { name: name.into(), dir, bytes: 1_234_567 };
    let files =
        vec![found("pictures", true), found("notes.txt", false), found("e\u{1b}vil.sh", false)];
    let bob = conversation("bob");
    screen.input(Input::Dir(bob, "/home/alice".into(), Ok(files)));
    insta::assert_snapshot!("files", screen.text());
    screen.types("pict");
    screen.key(KeyCode::Enter);
    let Some(Effect::ReadDir(to, Some(path))) = screen.others.pop() else {
        panic!("a directory is read")
    };
    assert_eq!(path.to_str(), Some("/home/alice/pictures"));
    screen.input(Input::Dir(to, path, Ok(vec![found("sea.png", false)])));
    screen.types("sea");
    screen.key(KeyCode::Enter);
    let path = LocalPath::new("/home/alice/pictures/sea.png");
    assert_eq!(screen.last(), wants(&SendFile { conversation: bob, path }));
}

#[test]
fn members_of_a_group() {
    let mut screen = alice(80, 16);
    screen.alt(KeyCode::Char('3'));
    screen.key(KeyCode::F(3));
    let member = |name: &str, you, contact: Option<&str>, verified| MemberView {
        id: member_id(name),
        name: name.into(),
        you,
        contact: contact.map(|c| ConversationRef { id: conversation(c), label: c.into() }),
        verified,
    };
    let members = vec![
        member("alice", true, None, false),
        member("Robert", false, Some("bob"), true),
        member("dave", false, None, false),
    ];
    screen.answer::<ListMembers>(&members);
    insta::assert_snapshot!("members", screen.text());
}

#[test]
fn invitations_into_groups_are_answered() {
    let mut screen = alice(80, 16);
    let from = ConversationRef { id: conversation("carol"), label: "carol".into() };
    let id = GroupInviteId::new([0xab; 16]);
    let invite = GroupInviteView { id, title: "Chess".into(), from };
    screen.answer::<ListGroupInvites>(&vec![invite]);
    assert!(screen.shows("1 invitation(s)"));
    screen.ctrl('k');
    screen.types("invitations to");
    screen.key(KeyCode::Enter);
    insta::assert_snapshot!("group-invites", screen.text());
    screen.key(KeyCode::Enter);
    assert_eq!(screen.last(), wants(&AnswerGroupInvite { invite: id, accept: true }));
    // Answered, it is no longer listed.
    screen.answer::<AnswerGroupInvite>(&api::Done {});
    screen.answer::<ListGroupInvites>(&vec![]);
    assert!(!screen.shows("1 invitation(s)"));
}

#[test]
fn leaving_warns_of_what_is_not_stored() {
    let mut screen = alice(80, 14);
    screen.ctrl('q');
    let waits = Status { unstored: 2, ..status("alice") };
    screen.answer::<GetStatus>(&waits);
    assert!(!screen.left);
    insta::assert_snapshot!("quit", screen.text());
    screen.input(Input::Tick);
    screen.answer::<GetStatus>(&status("alice"));
    assert!(screen.left, "it leaves by itself once everything is stored");
}

#[test]
fn searching_jumps_to_where_it_was_said() {
    let mut screen = alice(80, 16);
    screen.history(&[]);
    screen.ctrl('f');
    screen.types("eight");
    let hits =
        vec![message("carol", 4, "carol", "we meet at eight, do we not?", "received", 3_000)];
    screen.answer::<Search>(&hits);
    insta::assert_snapshot!("search", screen.text());
    screen.key(KeyCode::Enter);
    screen.history(&[message(
        "carol",
        4,
        "carol",
        "we meet at eight, do we not?",
        "received",
        3_000,
    )]);
    assert!(screen.shows("▌"), "{}", screen.text());
}

#[test]
fn a_long_conversation_scrolls_and_fetches_what_is_older() {
    let mut screen = alice(80, 16);
    let page = |from: i64| -> Vec<MessageView> {
        (from..from + 50)
            .map(|n| {
                message("bob", n, "bob", &format!("number {n}"), "received", 600 - n.unsigned_abs())
            })
            .collect()
    };
    screen.history(&page(51));
    assert!(screen.shows("number 100"));
    for _ in 0..8 {
        screen.key(KeyCode::PageUp);
    }
    let bob = conversation("bob");
    let request = GetHistory { conversation: bob, before: Some(51), limit: Some(50) };
    assert_eq!(screen.last(), wants(&request));
    screen.history(&page(1));
    insta::assert_snapshot!("scrolled", screen.text());
    screen.key(KeyCode::Esc);
    assert!(screen.shows("number 100"));
}

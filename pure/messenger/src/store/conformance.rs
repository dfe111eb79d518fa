//! What every [`Store`] has to do: one function per rule, each on a store of its own.
//!
//! A crate that writes a store calls [`run`] from its tests. A rule that is broken panics.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::as_conversions,
    clippy::arithmetic_side_effects,
    reason = "this module is a test"
)]

use e2ee::id::{ConversationId, MemberId, MessageId};
use wire::Timestamp;

use super::{Author, Kind, NewMessage, Reaction, Space, State, Store, StoredMessage, Value};

const HERE: ConversationId = ConversationId::new([1; 16]);
const THERE: ConversationId = ConversationId::new([2; 16]);
const ANNA: Author = Author::Member(MemberId::new([0xA; 16]));
const BEN: Author = Author::Member(MemberId::new([0xB; 16]));

/// A rule: its name, and its check of an empty store.
pub type Rule = (&'static str, fn(&dyn Store));

/// All rules.
pub const RULES: &[Rule] = &[
    ("records are written, replaced and removed", records),
    ("a scan gives the records of a prefix by key", scans),
    ("spaces and their keys are apart", spaces_are_apart),
    ("a message is given back as it was kept", messages_come_back),
    ("a second copy changes nothing", duplicates),
    ("the same id by another author is another message", authors_are_apart),
    ("only its author edits a message, and not a deleted one", edits),
    ("only its author deletes a message, and its reactions go", deletes),
    ("reactions: once per author and text, in order, removable", reactions),
    ("at most 64 reactions per message", reactions_are_bounded),
    ("a state never goes back", states),
    ("the route of our message", routes),
    ("what is taken back had not left, and stays so", cancelling),
    ("messages disappear when due", expiry),
    ("old messages go, but none of ours under way", forgetting),
    ("history in order, by pages", history),
    ("history from a number on, of one or all conversations", history_after),
    ("numbers grow and are never used again", numbers_grow),
    ("search finds all words, each as a prefix, newest first", search),
    ("search takes any text", odd_searches),
    ("search finds what is written without spaces, and pictures", search_scripts),
    ("search forgets what was edited, deleted or removed", search_forgets),
    ("messages of others are unseen until seen", seen),
    ("a conversation is removed alone", removing),
];

/// Checks all rules. `with_store` makes a new empty store, within a transaction, and hands it to
/// the function it gets.
pub fn run(mut with_store: impl FnMut(&dyn Fn(&dyn Store))) {
    for (name, rule) in RULES {
        let mut ran = std::cell::Cell::new(false);
        with_store(&|store| {
            rule(store);
            ran.set(true);
        });
        assert!(*ran.get_mut(), "not run: {name}");
    }
}

fn at(ms: u64) -> Timestamp {
    Timestamp::from_millis(ms)
}

fn id(n: u16) -> MessageId {
    let mut bytes = [0; 16];
    bytes[..2].copy_from_slice(&n.to_be_bytes());
    MessageId::new(bytes)
}

fn message(n: u16, author: Author, text: &str) -> NewMessage {
    NewMessage {
        conversation: HERE,
        id: id(n),
        author,
        author_name: "name".to_owned(),
        sent_at: at(u64::from(n)),
        received_at: at(u64::from(n) + 1),
        kind: Kind::Text,
        text: text.to_owned(),
        reply_to: None,
        state: if author == Author::Me { State::Queued } else { State::Received },
        expires_at: None,
        route: "onion".to_owned(),
    }
}

fn add(s: &dyn Store, n: u16, author: Author, text: &str) {
    assert!(s.add_message(&message(n, author, text)).unwrap());
}

fn one(s: &dyn Store, n: u16) -> StoredMessage {
    s.message(&HERE, &id(n)).unwrap().expect("the message")
}

fn ids(found: &[StoredMessage]) -> Vec<MessageId> {
    found.iter().map(|m| m.message.id).collect()
}

fn records(s: &dyn Store) {
    assert_eq!(s.get(Space::Card, b"k").unwrap(), None);
    s.put(Space::Card, b"k", b"one").unwrap();
    s.put(Space::Card, b"k", b"two").unwrap();
    assert_eq!(s.get(Space::Card, b"k").unwrap().unwrap()[..], *b"two");
    s.put(Space::Card, b"", b"").unwrap();
    assert_eq!(s.get(Space::Card, b"").unwrap().unwrap()[..], *b"");
    s.put(Space::Mls, b"big", &[0; 300_000]).unwrap();
    assert_eq!(s.get(Space::Mls, b"big").unwrap().unwrap().len(), 300_000);
    s.remove(Space::Card, b"k").unwrap();
    s.remove(Space::Card, b"k").unwrap();
    assert_eq!(s.get(Space::Card, b"k").unwrap(), None);
    s.put(Space::Card, b"k", b"again").unwrap();
    assert_eq!(s.get(Space::Card, b"k").unwrap().unwrap()[..], *b"again");
}

fn scans(s: &dyn Store) {
    let keys: [&[u8]; 8] = [b"", b"a", b"a\0", b"ab", b"a\xFF", b"a\xFF\xFF", b"b", b"\xFF\xFF"];
    for key in keys.iter().rev() {
        s.put(Space::Outbox, key, &[key, b"!".as_slice()].concat()).unwrap();
    }
    let scan = |prefix: &[u8]| -> Vec<Vec<u8>> {
        let found = s.scan(Space::Outbox, prefix).unwrap();
        assert!(found.iter().all(|(k, v)| **v == [k.as_slice(), b"!"].concat()));
        found.into_iter().map(|(k, _)| k).collect()
    };
    assert_eq!(scan(b""), keys);
    assert_eq!(scan(b"a"), keys[1..6]);
    assert_eq!(scan(b"a\xFF"), keys[4..6]);
    assert_eq!(scan(b"\xFF"), keys[7..]);
    assert!(scan(b"c").is_empty());
}

fn spaces_are_apart(s: &dyn Store) {
    for space in Space::ALL {
        s.put(space, b"same", &[space as u8]).unwrap();
    }
    s.remove(Space::Invite, b"same").unwrap();
    for space in Space::ALL {
        let expected = (space != Space::Invite).then(|| Value::new(vec![space as u8]));
        assert_eq!(s.get(space, b"same").unwrap(), expected);
        assert_eq!(s.scan(space, b"").unwrap().len(), usize::from(space != Space::Invite));
    }
}

fn messages_come_back(s: &dyn Store) {
    let mut full = message(1, ANNA, "text \u{1F600} \u{0} 'quoted' \u{202E}");
    full.reply_to = Some(id(9));
    full.expires_at = Some(Timestamp::MAX);
    full.kind = Kind::File;
    full.sent_at = Timestamp::ZERO;
    assert!(s.add_message(&full).unwrap());
    let mut ours = message(2, Author::Me, "");
    ours.kind = Kind::Notice;
    ours.conversation = THERE;
    assert!(s.add_message(&ours).unwrap());
    let back = one(s, 1);
    assert!(back.message == full);
    assert!(!back.edited && !back.deleted && !back.seen && back.reactions.is_empty());
    assert!(s.message(&HERE, &id(2)).unwrap().is_none(), "in the other conversation");
    assert!(s.message(&THERE, &id(2)).unwrap().unwrap().message == ours);
    assert!(s.message(&HERE, &id(3)).unwrap().is_none());
}

fn duplicates(s: &dyn Store) {
    add(s, 1, ANNA, "first");
    let mut second = message(1, ANNA, "second");
    second.author_name = "other".to_owned();
    let before = one(s, 1);
    assert!(!s.add_message(&second).unwrap());
    assert!(one(s, 1) == before);
    assert!(s.search(None, "second", 9).unwrap().is_empty());
    second.conversation = THERE;
    assert!(s.add_message(&second).unwrap(), "another conversation");
    assert!(s.delete_message(&HERE, &id(1), ANNA).unwrap());
    assert!(
        !s.add_message(&message(1, ANNA, "first")).unwrap(),
        "a deleted message is still there"
    );
}

fn authors_are_apart(s: &dyn Store) {
    add(s, 1, ANNA, "hers");
    add(s, 1, BEN, "his");
    add(s, 1, Author::Me, "mine");
    let all: Vec<_> =
        s.history(&HERE, None, 9).unwrap().into_iter().map(|m| m.message.text).collect();
    assert_eq!(all, ["hers", "his", "mine"]);
    assert!(one(s, 1).message.author == ANNA, "the first that came");
    assert!(s.edit_message(&HERE, &id(1), BEN, "changed").unwrap());
    assert!(s.set_state(&HERE, &id(1), State::Sent).unwrap(), "ours");
    let all = s.history(&HERE, None, 9).unwrap();
    assert_eq!(all[0].message.text, "hers");
    assert_eq!(all[0].message.state, State::Received);
    assert_eq!(all[1].message.text, "changed");
    assert_eq!(all[2].message.state, State::Sent);
}

fn edits(s: &dyn Store) {
    add(s, 1, ANNA, "old");
    assert!(!s.edit_message(&HERE, &id(1), BEN, "forged").unwrap());
    assert!(!s.edit_message(&HERE, &id(1), Author::Me, "forged").unwrap());
    assert!(!s.edit_message(&THERE, &id(1), ANNA, "elsewhere").unwrap());
    assert!(!one(s, 1).edited);
    assert!(s.edit_message(&HERE, &id(1), ANNA, "new").unwrap());
    let m = one(s, 1);
    assert!(m.edited && !m.deleted && m.message.text == "new");
    assert!(s.delete_message(&HERE, &id(1), ANNA).unwrap());
    assert!(!s.edit_message(&HERE, &id(1), ANNA, "back").unwrap());
    assert_eq!(one(s, 1).message.text, "");
}

fn heart(author: Author) -> Reaction {
    Reaction { author, author_name: "n".to_owned(), emoji: "\u{2764}".to_owned() }
}

fn deletes(s: &dyn Store) {
    add(s, 1, ANNA, "text");
    add(s, 2, ANNA, "other");
    assert!(s.react(&HERE, &id(1), &heart(BEN), true).unwrap());
    assert!(s.react(&HERE, &id(2), &heart(BEN), true).unwrap());
    assert!(!s.delete_message(&HERE, &id(1), BEN).unwrap());
    assert!(!s.delete_message(&HERE, &id(3), ANNA).unwrap());
    assert_eq!(one(s, 1).message.text, "text");
    assert_eq!(one(s, 1).reactions.len(), 1);
    assert!(s.delete_message(&HERE, &id(1), ANNA).unwrap());
    let m = one(s, 1);
    assert!(m.deleted && m.message.text.is_empty() && m.reactions.is_empty());
    assert!(!s.react(&HERE, &id(1), &heart(BEN), true).unwrap(), "to what is deleted");
    let other = one(s, 2);
    assert!(!other.deleted && other.reactions.len() == 1);
}

fn reactions(s: &dyn Store) {
    assert!(!s.react(&HERE, &id(1), &heart(ANNA), true).unwrap(), "no message");
    add(s, 1, Author::Me, "text");
    let mut thumb = heart(ANNA);
    thumb.emoji = "\u{1F44D}".to_owned();
    assert!(s.react(&HERE, &id(1), &thumb, true).unwrap());
    assert!(s.react(&HERE, &id(1), &heart(Author::Me), true).unwrap());
    assert!(s.react(&HERE, &id(1), &heart(ANNA), true).unwrap());
    assert!(!s.react(&HERE, &id(1), &heart(ANNA), true).unwrap(), "twice");
    assert!(one(s, 1).reactions == [thumb.clone(), heart(Author::Me), heart(ANNA)]);
    assert!(!s.react(&HERE, &id(1), &heart(BEN), false).unwrap(), "not his");
    assert!(s.react(&HERE, &id(1), &thumb, false).unwrap());
    assert!(!s.react(&HERE, &id(1), &thumb, false).unwrap());
    assert!(one(s, 1).reactions == [heart(Author::Me), heart(ANNA)]);
    assert!(s.react(&HERE, &id(1), &thumb, true).unwrap());
    assert!(one(s, 1).reactions.last() == Some(&thumb), "the last that came");
}

fn reactions_are_bounded(s: &dyn Store) {
    add(s, 1, ANNA, "text");
    add(s, 2, ANNA, "text");
    let nth = |n: u8| Reaction { emoji: format!("{n}"), ..heart(BEN) };
    for n in 0..64 {
        assert!(s.react(&HERE, &id(1), &nth(n), true).unwrap());
    }
    assert!(!s.react(&HERE, &id(1), &nth(64), true).unwrap());
    assert!(!s.react(&HERE, &id(1), &heart(ANNA), true).unwrap());
    assert!(s.react(&HERE, &id(2), &heart(ANNA), true).unwrap(), "the bound is each message's own");
    assert!(s.react(&HERE, &id(1), &nth(5), false).unwrap());
    assert!(s.react(&HERE, &id(1), &nth(64), true).unwrap());
    assert_eq!(one(s, 1).reactions.len(), 64);
}

fn states(s: &dyn Store) {
    add(s, 1, Author::Me, "text");
    assert!(!s.set_state(&HERE, &id(1), State::Queued).unwrap());
    for state in [State::Sent, State::Stored, State::Delivered, State::Read] {
        assert!(s.set_state(&HERE, &id(1), state).unwrap());
        assert!(!s.set_state(&HERE, &id(1), state).unwrap());
        assert_eq!(one(s, 1).message.state, state);
    }
    for state in [State::Queued, State::Sent, State::Stored, State::Delivered, State::Received] {
        assert!(!s.set_state(&HERE, &id(1), state).unwrap());
        assert_eq!(one(s, 1).message.state, State::Read);
    }
    add(s, 2, Author::Me, "a step may be left out");
    assert!(s.set_state(&HERE, &id(2), State::Delivered).unwrap());
    assert!(!s.set_state(&HERE, &id(2), State::Stored).unwrap());
    add(s, 3, ANNA, "not ours");
    assert!(!s.set_state(&HERE, &id(3), State::Read).unwrap());
    assert_eq!(one(s, 3).message.state, State::Received);
    assert!(!s.set_state(&HERE, &id(4), State::Sent).unwrap(), "none there");
    assert!(!s.set_state(&THERE, &id(2), State::Read).unwrap(), "none there");
}

fn routes(s: &dyn Store) {
    add(s, 1, BEN, "theirs, of the same id");
    add(s, 1, Author::Me, "ours");
    s.set_route(&HERE, &id(1), "lan").unwrap();
    s.set_route(&HERE, &id(1), "tor").unwrap();
    s.set_route(&THERE, &id(1), "direct").unwrap();
    let routes: Vec<_> =
        s.history(&HERE, None, 9).unwrap().into_iter().map(|m| m.message.route).collect();
    assert_eq!(routes, ["onion", "tor"]);
}

fn cancelling(s: &dyn Store) {
    add(s, 1, Author::Me, "waits");
    assert!(s.set_state(&HERE, &id(1), State::Cancelled).unwrap());
    assert!(!s.set_state(&HERE, &id(1), State::Cancelled).unwrap());
    for state in [State::Queued, State::Sent, State::Read, State::Received] {
        assert!(!s.set_state(&HERE, &id(1), state).unwrap());
    }
    assert_eq!(one(s, 1).message.state, State::Cancelled);
    add(s, 2, Author::Me, "has left");
    assert!(s.set_state(&HERE, &id(2), State::Sent).unwrap());
    assert!(!s.set_state(&HERE, &id(2), State::Cancelled).unwrap());
    assert_eq!(one(s, 2).message.state, State::Sent);
}

fn expiry(s: &dyn Store) {
    assert_eq!(s.next_expiry().unwrap(), None);
    for n in 1..=3 {
        let mut m = message(n, ANNA, "soon gone");
        m.expires_at = Some(at(100 * u64::from(n)));
        assert!(s.add_message(&m).unwrap());
    }
    add(s, 4, ANNA, "stays");
    s.react(&HERE, &id(1), &heart(BEN), true).unwrap();
    assert_eq!(s.next_expiry().unwrap(), Some(at(100)));
    assert!(s.expire(at(99)).unwrap().is_empty());
    assert!(
        s.expire(at(200)).unwrap() == [(HERE, id(1)), (HERE, id(2))],
        "due at this very time, too"
    );
    assert!(s.message(&HERE, &id(1)).unwrap().is_none());
    assert!(s.expire(at(200)).unwrap().is_empty());
    assert_eq!(s.next_expiry().unwrap(), Some(at(300)));
    s.set_expiry(&HERE, &id(4), at(250)).unwrap();
    s.set_expiry(&HERE, &id(77), at(1)).unwrap();
    assert_eq!(s.next_expiry().unwrap(), Some(at(250)));
    assert_eq!(one(s, 4).message.expires_at, Some(at(250)));
    assert_eq!(s.expire(at(1000)).unwrap().len(), 2);
    assert_eq!(s.next_expiry().unwrap(), None);
    assert!(s.history(&HERE, None, 9).unwrap().is_empty());
}

fn forgetting(s: &dyn Store) {
    let states = [
        State::Queued,
        State::Sent,
        State::Stored,
        State::Delivered,
        State::Read,
        State::Cancelled,
    ];
    for (n, state) in (1..).zip(states) {
        let mut m = message(n, Author::Me, "ours");
        m.state = state;
        m.received_at = at(10);
        assert!(s.add_message(&m).unwrap());
    }
    for n in 7..=9 {
        let mut m = message(n, ANNA, "theirs");
        m.sent_at = at(1);
        m.received_at = at(u64::from(n) + 12);
        assert!(s.add_message(&m).unwrap());
    }
    assert!(s.forget_before(at(10)).unwrap().is_empty());
    let gone = [3, 4, 5, 6, 7].map(|n| (HERE, id(n)));
    assert!(s.forget_before(at(20)).unwrap() == gone, "four of ours and one of theirs");
    assert_eq!(ids(&s.history(&HERE, None, 99).unwrap()), [id(1), id(2), id(8), id(9)]);
    assert!(s.forget_before(at(20)).unwrap().is_empty());
    assert!(s.set_state(&HERE, &id(1), State::Stored).unwrap());
    assert!(s.forget_before(at(20)).unwrap() == [(HERE, id(1))]);
    assert!(s.delete_message(&HERE, &id(2), Author::Me).unwrap());
    assert!(s.forget_before(at(20)).unwrap() == [(HERE, id(2))], "deleted: not on its way");
}

fn history(s: &dyn Store) {
    assert!(s.history(&HERE, None, 5).unwrap().is_empty());
    for n in 1..=10 {
        let mut m = message(n, if n % 2 == 0 { Author::Me } else { ANNA }, "text");
        m.sent_at = at(1000 - u64::from(n));
        assert!(s.add_message(&m).unwrap());
        m.conversation = THERE;
        assert!(s.add_message(&m).unwrap());
    }
    let newest = s.history(&HERE, None, 4).unwrap();
    assert_eq!(
        ids(&newest),
        [id(7), id(8), id(9), id(10)],
        "as they came, whatever their authors' clocks say"
    );
    let earlier = s.history(&HERE, Some(newest[0].number), 4).unwrap();
    assert_eq!(ids(&earlier), [id(3), id(4), id(5), id(6)]);
    let first = s.history(&HERE, Some(earlier[0].number), usize::MAX).unwrap();
    assert_eq!(ids(&first), [id(1), id(2)]);
    assert!(s.history(&HERE, Some(first[0].number), 4).unwrap().is_empty());
    assert!(s.history(&HERE, None, 0).unwrap().is_empty());
    assert!(s.history(&HERE, Some(i64::MIN), 4).unwrap().is_empty());
}

fn history_after(s: &dyn Store) {
    for n in 1..=6 {
        let mut m = message(n, ANNA, "text");
        m.conversation = if n % 2 == 0 { THERE } else { HERE };
        assert!(s.add_message(&m).unwrap());
    }
    let all = s.history_after(None, i64::MIN, usize::MAX).unwrap();
    assert_eq!(ids(&all), [1, 2, 3, 4, 5, 6].map(id));
    assert!(all.is_sorted_by(|a, b| a.number < b.number));
    assert_eq!(ids(&s.history_after(None, all[1].number, 2).unwrap()), [id(3), id(4)]);
    assert_eq!(ids(&s.history_after(Some(&HERE), all[0].number, 9).unwrap()), [id(3), id(5)]);
    assert_eq!(ids(&s.history_after(Some(&THERE), 0, 2).unwrap()), [id(2), id(4)]);
    assert!(s.history_after(None, all[5].number, 9).unwrap().is_empty());
    assert!(s.history_after(None, i64::MAX, 9).unwrap().is_empty());
}

fn numbers_grow(s: &dyn Store) {
    add(s, 1, ANNA, "text");
    add(s, 2, ANNA, "text");
    let last = one(s, 2).number;
    s.remove_conversation(&HERE).unwrap();
    add(s, 3, ANNA, "text");
    assert!(one(s, 3).number > last);
}

fn search(s: &dyn Store) {
    add(s, 1, ANNA, "The quick brown fox");
    add(s, 2, Author::Me, "quick as a FOX, café au lait");
    let mut there = message(3, ANNA, "fox there");
    there.conversation = THERE;
    there.kind = Kind::File;
    assert!(s.add_message(&there).unwrap());
    let find = |q: &str| ids(&s.search(None, q, 9).unwrap());
    assert_eq!(find("fox"), [id(3), id(2), id(1)]);
    assert_eq!(find("fox quick"), [id(2), id(1)]);
    assert_eq!(find("qui fox"), [id(2), id(1)]);
    assert_eq!(find("ox"), [], "within a word is no prefix");
    assert_eq!(find("brown cafe"), []);
    assert_eq!(find("CAFE"), [id(2)]);
    assert_eq!(find("cafe\u{301}"), [id(2)]);
    assert_eq!(ids(&s.search(Some(&THERE), "fox", 9).unwrap()), [id(3)]);
    assert_eq!(ids(&s.search(None, "fox", 2).unwrap()), [id(3), id(2)]);
    assert_eq!(ids(&s.search(Some(&HERE), "fox", 1).unwrap()), [id(2)]);
    assert!(s.search(None, "fox", 0).unwrap().is_empty());
}

fn odd_searches(s: &dyn Store) {
    add(s, 1, ANNA, "cats AND dogs OR near birds; it's \"quoted\" 100% a*b foo-bar");
    let find = |q: &str| s.search(None, q, 9).unwrap().len();
    for nothing in [
        "", " ", "\t\n", "\"", "\"\"\"", "*", "()", "-", "^", ":", "\0", "\u{200D}", "'", "%", "_",
        ";--",
    ] {
        assert_eq!(find(nothing), 0, "{nothing:?}");
    }
    for hit in [
        "AND",
        "OR",
        "and dogs",
        "NEAR",
        "it's",
        "\"quoted\"",
        "quoted\"",
        "\"quoted",
        "100%",
        "a*b",
        "foo-bar",
        "cat*",
        "-cats",
        "^cats",
        "cats \"",
        "dogs\0",
        "(cats",
        "cats)",
        "* cats",
        "cats *",
        "foo-b",
        "CATS  DOGS",
    ] {
        assert_eq!(find(hit), 1, "{hit:?}");
    }
    for miss in [
        "NOT",
        "cats NOT birds",
        "message_text:cats",
        "rowid:1",
        "NEAR(cats dogs, 9)",
        "{words}:cats",
    ] {
        assert_eq!(find(miss), 0, "{miss:?}");
    }
    assert_eq!(find(&"cats ".repeat(10_000)), 1);
    let _ = find(&"(".repeat(100_000));
    let _ = find(&"x".repeat(1_000_000));
    let _ = find("a\u{FFFF}\u{10FFFF}\u{FEFF} \u{202E}");
}

fn search_scripts(s: &dyn Store) {
    add(s, 1, ANNA, "\u{660E}\u{5929}\u{7684}\u{4F1A}\u{8BAE}\u{51E0}\u{70B9}");
    add(s, 2, ANNA, "party\u{1F389}now \u{1F44B}\u{1F3FD}");
    add(s, 3, ANNA, "\u{41F}\u{440}\u{438}\u{432}\u{435}\u{442} \u{43C}\u{438}\u{440}");
    add(s, 4, ANNA, "\u{30C6}\u{30B9}\u{30C8}\u{3067}\u{3059}");
    let find = |q: &str| ids(&s.search(None, q, 9).unwrap());
    assert_eq!(find("\u{4F1A}\u{8BAE}"), [id(1)], "within a run");
    assert_eq!(find("\u{8BAE}\u{4F1A}"), [], "in this order only");
    assert_eq!(find("\u{1F389}"), [id(2)]);
    assert_eq!(find("now"), [id(2)]);
    assert_eq!(find("\u{1F44B}\u{1F3FD}"), [id(2)]);
    assert_eq!(find("\u{1F680}"), []);
    assert_eq!(find("\u{43F}\u{440}\u{438}\u{432} \u{41C}\u{418}\u{420}"), [id(3)]);
    assert_eq!(find("\u{30B9}\u{30C8}"), [id(4)]);
}

fn search_forgets(s: &dyn Store) {
    for n in 1..=5 {
        let mut m = message(n, ANNA, "secret word");
        m.expires_at = (n == 3).then(|| at(50));
        m.received_at = at(if n == 4 { 1 } else { 1000 });
        assert!(s.add_message(&m).unwrap());
    }
    let find = |q: &str| ids(&s.search(None, q, 9).unwrap());
    assert_eq!(find("secret").len(), 5);
    assert!(s.edit_message(&HERE, &id(1), ANNA, "other text").unwrap());
    assert_eq!(find("secret").len(), 4);
    assert_eq!(find("other"), [id(1)]);
    assert!(s.delete_message(&HERE, &id(2), ANNA).unwrap());
    assert_eq!(s.expire(at(60)).unwrap().len(), 1);
    assert_eq!(s.forget_before(at(100)).unwrap().len(), 1);
    assert_eq!(find("secret"), [id(5)]);
    s.remove_conversation(&HERE).unwrap();
    assert!(find("secret").is_empty() && find("other").is_empty());
}

fn seen(s: &dyn Store) {
    for n in 1..=4 {
        add(s, n, if n == 2 { Author::Me } else { ANNA }, "text");
    }
    let mut there = message(1, ANNA, "there");
    there.conversation = THERE;
    assert!(s.add_message(&there).unwrap());
    assert_eq!(s.unseen(&HERE).unwrap(), 3);
    let third = one(s, 3).number;
    assert_eq!(s.mark_seen(&HERE, third).unwrap(), [id(1), id(3)]);
    assert!(one(s, 1).seen && one(s, 3).seen && !one(s, 4).seen);
    assert!(s.mark_seen(&HERE, third).unwrap().is_empty(), "once");
    assert_eq!(s.unseen(&HERE).unwrap(), 1);
    assert_eq!(s.mark_seen(&HERE, i64::MAX).unwrap(), [id(4)]);
    assert_eq!(s.unseen(&HERE).unwrap(), 0);
    assert_eq!(s.unseen(&THERE).unwrap(), 1);
    assert_eq!(s.unseen(&ConversationId::new([9; 16])).unwrap(), 0);
}

fn removing(s: &dyn Store) {
    add(s, 1, ANNA, "here");
    let mut there = message(1, ANNA, "there");
    there.conversation = THERE;
    assert!(s.add_message(&there).unwrap());
    s.react(&HERE, &id(1), &heart(BEN), true).unwrap();
    s.react(&THERE, &id(1), &heart(BEN), true).unwrap();
    s.put(Space::Conversation, HERE.as_bytes(), b"record").unwrap();
    s.remove_conversation(&HERE).unwrap();
    s.remove_conversation(&HERE).unwrap();
    assert!(s.message(&HERE, &id(1)).unwrap().is_none());
    assert_eq!(s.unseen(&HERE).unwrap(), 0);
    assert_eq!(s.message(&THERE, &id(1)).unwrap().unwrap().reactions.len(), 1);
    assert!(
        s.get(Space::Conversation, HERE.as_bytes()).unwrap().is_some(),
        "records are the messenger's own affair"
    );
    add(s, 1, ANNA, "again");
    assert!(one(s, 1).reactions.is_empty());
}

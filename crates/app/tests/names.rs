//! Names that other people choose never decide where a message goes: the story of a swap of titles,
//! with real processes, through the command line and JSON-RPC.
//!
//! mallory shares `family` with alice, and `work` with alice and eve. She renames both groups at a
//! moment of her choice. See docs/spec/names.md.

mod common;
mod person;

use common::{Process, SOON, World};
use person::Person;
use person::rpc::Rpc;
use serde_json::{Value, json};

/// `family` with a Cyrillic а.
const FAMILY_LOOKALIKE: &str = "fаmily";
/// `mallory` with a Cyrillic а.
const MALLORY_LOOKALIKE: &str = "mаllory";

/// Alice with a daemon, so that commands and RPC use one profile; the others by RPC.
struct Story {
    alice: Person,
    a: Rpc,
    mallory: Rpc,
    eve: Rpc,
    family: Value,
    work: Value,
    requests: u64,
    /// After those who use them.
    _daemon: Process,
    _home: tempfile::TempDir,
    _world: World,
}

impl Story {
    /// The two groups, all members in them.
    fn begin() -> Self {
        let world = World::new().start();
        let home = tempfile::tempdir().expect("a temporary directory");
        let alice = Person::new(home.path(), "alice", Some(&world));
        let mallory = Person::new(home.path(), "mallory", None);
        let eve = Person::new(home.path(), "eve", None);
        let daemon = alice.start(&["profile", "daemon"]);
        assert!(daemon.stderr.wait_line(0, "ready: ", SOON).is_some(), "{:?}", daemon.stderr.all());
        alice.befriend(&mallory);
        alice.befriend(&eve);
        let (a, mallory, eve) = (Rpc::start(&alice), Rpc::start(&mallory), Rpc::start(&eve));
        let mut story = Story {
            alice,
            a,
            mallory,
            eve,
            family: Value::Null,
            work: Value::Null,
            requests: 0,
            _daemon: daemon,
            _home: home,
            _world: world,
        };
        story.family = story.group("family");
        story.work = story.group("work");
        story.let_in("family", "mallory");
        story.let_in("work", "mallory");
        story.let_in("work", "eve");
        story
    }

    fn group(&mut self, title: &str) -> Value {
        self.alice.ok(&["group", "create", title]);
        self.a.conversation(title)
    }

    /// Alice invites somebody into a group, and they join.
    fn let_in(&mut self, title: &str, who: &str) {
        self.alice.ok(&["group", "invite", title, who]);
        self.requests += 1;
        let rpc = if who == "eve" { &mut self.eve } else { &mut self.mallory };
        let invited = rpc.event("group_invite", |e| e["invite"]["title"] == title);
        let answer = json!({ "invite": invited["invite"]["id"], "accept": true });
        rpc.ask(self.requests, "answer_group_invite", &answer);
        rpc.event("opened", |e| e["label"] == title);
    }

    /// Mallory changes the title of a group that she knows by this one, and alice hears of it.
    fn mallory_renames(&mut self, from: &str, to: &str) {
        self.requests += 1;
        let group = self.mallory.conversation(from);
        let rename = json!({ "group": group, "title": to });
        self.mallory.ask(self.requests, "rename_group", &rename);
        let answer = self.mallory.answer(self.requests);
        assert_eq!(answer["result"], json!({}), "{answer}");
        self.a.event("conversation", |e| {
            e["text"].as_str().is_some_and(|t| t.contains(from) && t.contains(to))
        });
    }

    /// The group with this id, as `group list` shows it.
    fn listed(&self, group: &Value) -> Value {
        let all = self.alice.json(&["group", "list", "--json"]);
        all.into_iter().find(|g| g["id"] == *group).expect("the group")
    }

    fn label(&self, group: &Value) -> String {
        self.listed(group)["label"].as_str().expect("a label").to_owned()
    }

    /// Alice's `send` of this name is refused: it names what could be meant, each with its id, and
    /// the ids it names are the ones to type.
    fn is_refused(&mut self, name: &str, reason: &str, candidates: &[(Value, &str)]) {
        let failed = self.alice.fails(&["send", name, "for the family only"], 3, name);
        let error = self.a.resolve(name)["error"].clone();
        assert_eq!(error["data"]["reason"], reason, "{error}");
        let named = error["data"]["candidates"].as_array().expect("candidates").clone();
        assert_eq!(named.len(), candidates.len(), "{error}");
        for (id, label) in candidates {
            let found = named.iter().find(|c| c["target"]["conversation"] == *id);
            let found = found.unwrap_or_else(|| panic!("{label} is missing: {error}"));
            assert_eq!(found["label"], *label, "{error}");
            let short = found["short"].as_str().expect("a short id");
            let line = format!("  {short}  {label}");
            assert!(failed.stderr.lines().any(|l| l == line), "{line:?} is missing: {failed:?}");
            assert_eq!(self.a.conversation(short), *id);
        }
    }

    /// Eve is sent a message on purpose, and it is the first that she gets: a message that went
    /// astray before would have come before it.
    fn eve_has_heard_nothing_but(&self, text: &str) {
        self.eve.event("message", |e| e["message"]["text"] == text);
        let lines = self.eve.process.stdout.all();
        let events = lines.iter().filter_map(|l| serde_json::from_str::<Value>(l).ok());
        let messages = events.filter(|v| v["params"]["event"] == "message");
        let from_others: Vec<Value> = messages
            .map(|v| v["params"]["message"].clone())
            .filter(|m| m["you"] == false && m["kind"] == "text")
            .map(|m| m["text"].clone())
            .collect();
        assert_eq!(from_others, [json!(text)]);
    }
}

//= NAME-001
//= NAME-007
//= NAME-008
//= NAME-010
//= NAME-012
#[test]
fn a_swap_of_titles_sends_nothing_to_the_wrong_group() {
    let mut story = Story::begin();
    let (family, work) = (story.family.clone(), story.work.clone());
    story.alice.ok(&["group", "name", "work", "office"]);
    story.alice.ok(&["send", "family", "before the swap"]);
    story.mallory.event("message", |e| e["message"]["text"] == "before the swap");

    story.mallory_renames("family", "kin");
    story.mallory_renames("work", "family");

    // Alice's own name for the group at work stays; what the others call it stands beside it.
    let office = story.listed(&work);
    assert_eq!((&office["label"], &office["own_name"]), (&json!("office"), &json!("office")));
    assert_eq!((&office["title"], story.label(&family)), (&json!("family"), "kin".to_owned()));
    let listed = story.alice.ok(&["group", "list"]);
    assert!(listed.lines().any(|l| l.starts_with("office  ") && l.contains("family")), "{listed}");

    // Nothing is called family any more, and alice is told what she could mean.
    let both = [(family.clone(), "kin"), (work.clone(), "office")];
    story.is_refused("family", "renamed", &both);

    // By its own name the group is reached, and a program that kept the id noticed nothing.
    story.alice.ok(&["send", "office", "for all at work"]);
    story.requests += 1;
    let params = json!({ "conversation": family, "text": "by id" });
    story.a.ask(story.requests, "send", &params);
    let kin = story.mallory.conversation("kin");
    story.mallory.event("message", |e| {
        e["message"]["text"] == "by id" && e["message"]["conversation"] == kin
    });
    story.eve_has_heard_nothing_but("for all at work");
}

//= NAME-003
//= NAME-004
//= NAME-006
//= NAME-007
#[test]
fn without_an_own_name_the_swapped_title_bears_a_tag() {
    let mut story = Story::begin();
    let (family, work) = (story.family.clone(), story.work.clone());
    story.mallory_renames("family", "kin");
    story.mallory_renames("work", "family");

    // The group at work is called family now, but another was before it.
    let label = story.label(&work);
    let tag = label.strip_prefix("family~").expect("a tag").to_owned();
    let renamed = story.a.event("renamed", |e| e["conversation"] == work);
    assert_eq!((&renamed["was"], &renamed["label"]), (&json!("work"), &json!(label)));
    let both = [(family.clone(), "kin"), (work.clone(), label.as_str())];
    story.is_refused("family", "ambiguous", &both);
    story.is_refused("work", "renamed", &[(work.clone(), label.as_str())]);

    // A title that only looks like the other one is shown with a tag, too.
    let kin = story.mallory.conversation("kin");
    story.mallory_renames("kin", FAMILY_LOOKALIKE);
    let lookalike = story.label(&family);
    assert!(lookalike.starts_with(&format!("{FAMILY_LOOKALIKE}~")), "{lookalike}");
    let listed = story.alice.ok(&["group", "list"]);
    for label in [&label, &lookalike] {
        assert!(listed.lines().any(|l| l.starts_with(&format!("{label}  "))), "{label}: {listed}");
    }
    for typed in ["family", FAMILY_LOOKALIKE, "FAMILY"] {
        let both = [(family.clone(), lookalike.as_str()), (work.clone(), label.as_str())];
        story.is_refused(typed, "ambiguous", &both);
    }

    // Each of them is reached as it is shown, and by the short id in its tag.
    story.alice.ok(&["send", &lookalike, "to the family"]);
    story.mallory.event("message", |e| {
        e["message"]["text"] == "to the family" && e["message"]["conversation"] == kin
    });
    assert_eq!(story.a.conversation(&tag), work);
    story.alice.ok(&["send", &label, "to those at work"]);
    story.eve_has_heard_nothing_but("to those at work");
}

//= NAME-004
//= NAME-007
#[test]
fn a_nick_that_looks_like_another_is_shown_with_its_tag() {
    let world = World::new().start();
    let home = tempfile::tempdir().expect("a temporary directory");
    let alice = Person::new(home.path(), "alice", Some(&world));
    let mallory = Person::new(home.path(), "mallory", None);
    let eve = Person::new(home.path(), "eve", Some(&world));
    alice.befriend(&mallory);
    assert!(alice.ok(&["contact", "list"]).starts_with("mallory  "));

    // Eve comes as mallory, with another alphabet's а.
    let inviting = eve.start(&["invite", "--wait", "--name-for-me", MALLORY_LOOKALIKE]);
    let link = inviting.stdout.wait_for(SOON, |l| l.first().cloned()).expect("a link");
    let accepted = alice.run_with_input(&["accept", "-"], &format!("{link}\n"));
    assert_eq!(accepted.code, 0, "{accepted:?}");

    let listed = alice.ok(&["contact", "list"]);
    let labels: Vec<&str> = listed.lines().filter_map(|l| l.split("  ").next()).collect();
    let of = |nick: &str| {
        let tagged = format!("{nick}~");
        labels.iter().find(|l| l.starts_with(&tagged)).unwrap_or_else(|| panic!("{listed}"))
    };
    let (first, second) = (of("mallory"), of(MALLORY_LOOKALIKE));
    assert_eq!(accepted.stdout.trim(), *second);
    for typed in ["mallory", MALLORY_LOOKALIKE] {
        let failed = alice.fails(&["send", typed, "to one of them only"], 3, typed);
        assert!(failed.stderr.contains(first) && failed.stderr.contains(second), "{failed:?}");
    }
    // An own name, which nobody else can set, ends the doubt.
    alice.ok(&["contact", "name", first, "mal"]);
    alice.send("mal", "to mallory");
    assert_eq!(mallory.recv(1), ["alice: to mallory"]);
    alice.send(second, "to eve");
    assert_eq!(eve.recv(1), ["alice: to eve"]);
}

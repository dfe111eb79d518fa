//! Profiles on the command line, as people and scripts use them, on a real network.

mod common;
mod person;

use common::{SOON, World};
use person::Person;

/// A network with two who know each other.
fn two() -> (World, tempfile::TempDir, Person, Person) {
    let world = World::new().start();
    let home = tempfile::tempdir().expect("a temporary directory");
    let alice = Person::new(home.path(), "alice", Some(&world));
    let bob = Person::new(home.path(), "bob", None);
    alice.befriend(&bob);
    (world, home, alice, bob)
}

/// Its lines of `contact list` or `group list`: label, short id, allowed routes, what else is
/// known.
fn listed(person: &Person, noun: &str) -> Vec<[String; 4]> {
    let lines = person.ok(&[noun, "list"]);
    let parts = |line: &str| line.splitn(4, "  ").map(str::to_owned).collect::<Vec<_>>();
    lines.lines().map(|line| parts(line).try_into().expect("four parts")).collect()
}

/// The only one of these, which must have this label and these allowed routes: what else is known.
#[track_caller]
fn only(person: &Person, noun: &str, label: &str, routes: &str) -> String {
    let [[shown, id, allowed, marks]] = listed(person, noun).try_into().expect("one");
    assert_eq!((shown.as_str(), id.len(), allowed.as_str()), (label, 7, routes));
    marks
}

#[test]
fn old_spellings_still_work_and_say_the_new_one() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let alice = Person::new(home.path(), "alice", None);
    for (old, new) in [
        (&["contacts"][..], "contact list"),
        (&["groups"], "group list"),
        (&["invites"], "invite list"),
        (&["files"], "file list"),
        (&["config", "show"], "profile config"),
    ] {
        let words: Vec<&str> =
            new.split(' ').chain(old.get(1..).unwrap_or_default().iter().copied()).collect();
        let (before, now) = (alice.run(old), alice.run(&words));
        assert_eq!((before.code, &before.stdout), (0, &now.stdout), "{before:?}");
        let note = format!("note: `hushwing {}` is now `hushwing {new}`\n", old[0]);
        assert!(before.stderr.contains(&note), "{before:?}");
        assert!(!now.stderr.contains("note: "), "{now:?}");
    }
    let refused = alice.fails(&["floor", "bob"], 3, "bob");
    assert!(
        refused.stderr.contains(
            "note: `hushwing floor` is now `hushwing contact routes`, for groups `hushwing group routes`"
        ),
        "{refused:?}"
    );
}

#[test]
fn two_people_talk() {
    let (_world, _home, alice, bob) = two();
    assert!(only(&alice, "contact", "bob", "hidden").starts_with("(not verified"));
    assert!(only(&bob, "contact", "alice", "hidden").starts_with("(not verified"));

    // Both see the same fourteen words.
    let words = alice.ok(&["contact", "verify", "bob"]);
    assert_eq!(words.split_whitespace().count(), 14, "{words}");
    assert_eq!(bob.ok(&["contact", "verify", "alice", "--yes"]), words);
    assert!(only(&bob, "contact", "alice", "hidden").starts_with("(verified"));
    assert_eq!(bob.json(&["contact", "list", "--json"])[0]["verified"], true);
    bob.ok(&["contact", "verify", "alice", "--no"]);
    assert!(only(&bob, "contact", "alice", "hidden").starts_with("(not verified"));
    let members = alice.ok(&["group", "members", "bob"]);
    assert!(
        members.lines().any(|l| l.starts_with("alice  ") && l.ends_with("  (you)")),
        "{members}"
    );

    // Both ways; a text has as many lines as it likes, and is seen once.
    let first = alice.send("bob", "hello bob");
    let piped = alice.run_with_input(&["send", "bob"], "two\nlines\n");
    assert_eq!(piped.code, 0, "{piped:?}");
    assert_eq!(bob.recv(2), ["alice: hello bob", "alice: two", "    lines"]);
    assert_eq!(bob.ok(&["recv"]), "");
    let answer = bob.json(&["send", "alice", "hello alice", "--reply-to", &first[..8], "--json"]);
    assert_ne!(answer[0]["state"], "queued");
    let got = alice.json(&["recv", "--wait", "60", "--count", "1", "--json", "--from", "bob"]);
    assert_eq!(
        (got[0]["text"].as_str(), got[0]["reply_to"].as_str()),
        (Some("hello alice"), Some(first.as_str()))
    );
    let said = alice.json(&["history", "bob", "--json", "--limit", "2"]);
    assert_eq!(said.len(), 2);
    assert!(alice.ok(&["history", "bob"]).contains(" alice: hello bob"));
    assert!(alice.ok(&["search", "hello", "bob"]).starts_with("[bob] "));
    assert_eq!(alice.ok(&["search", "nothing", "of", "this"]), "");

    // A name of one's own for somebody.
    alice.ok(&["contact", "name", "bob", "robert"]);
    alice.ok(&["contact", "routes", "robert", "onion"]);
    assert_eq!(only(&alice, "contact", "robert", "onion"), "(not verified, title or nick: bob)");
    let refused = alice.run(&["contact", "routes", "robert", "basement"]);
    assert!(refused.code == 2 && refused.stderr.contains("hidden, onion"), "{refused:?}");
    //= NAME-008
    let renamed = alice.fails(&["send", "bob", "hi"], 3, "bob");
    let [[_, id, ..]] = listed(&alice, "contact").try_into().expect("one");
    assert!(renamed.stderr.contains(&format!("\n  {id}  robert\n")), "{renamed:?}");
    assert_eq!(alice.json(&["send", &id, "by id", "--queue", "--json"])[0]["state"], "queued");
    alice.fails(&["send", "carol", "hi"], 3, "nothing here is called “carol”");
    alice.ok(&["contact", "timer", "robert", "1d"]);
    let marks = only(&alice, "contact", "robert", "onion");
    assert!(marks.contains("messages disappear after 1d"), "{marks}");
    alice.fails(&["contact", "forget", "robert"], 3, "--yes");
    alice.ok(&["contact", "leave", "robert"]);
    alice.ok(&["contact", "forget", "robert", "--yes"]);
    assert_eq!(alice.ok(&["contact", "list"]), "");
}

#[test]
fn messages_are_changed() {
    let (_world, _home, alice, bob) = two();
    let one = alice.send("bob", "hello Bob");
    let two = alice.send("bob", "a secret");
    assert_eq!(bob.recv(2), ["alice: hello Bob", "alice: a secret"]);
    alice.ok(&["message", "edit", &one[..6], "hello bob"]);
    alice.ok(&["message", "delete", &two]);
    bob.ok(&["message", "react", &one, "👍"]);
    // Whatever changes earlier messages comes before a later one.
    alice.send("bob", "done");
    assert_eq!(bob.recv(1), ["alice: done"]);
    let seen = bob.json(&["history", "alice", "--json"]);
    let find =
        |id: &str| seen.iter().find(|m| m["id"] == id).unwrap_or_else(|| panic!("{id}: {seen:?}"));
    assert_eq!(
        (find(&one)["text"].as_str(), find(&one)["edited"].as_bool()),
        (Some("hello bob"), Some(true))
    );
    assert_eq!(find(&two)["deleted"], true);
    bob.send("alice", "done too");
    assert_eq!(alice.recv(1), ["bob: done too"]);
    let reactions = alice.json(&["history", "bob", "--json"]);
    let reacted = reactions.iter().find(|m| m["id"] == one.as_str()).expect("the message");
    assert_eq!(reacted["reactions"][0]["emoji"], "👍");
    assert!(alice.ok(&["history", "bob"]).contains("hello bob (edited) [bob: 👍]"));
    bob.ok(&["message", "react", &one, "👍", "--remove"]);
    alice.fails(&["message", "edit", &one[..3], "x"], 3, "message not found");
    alice.fails(&["message", "edit", "ffffffffffff", "x"], 3, "message not found: ffffffffffff");
    // The short id, as `history` shows it; one wrong letter names nothing.
    let shown = alice.ok(&["history", "bob"]);
    let line = shown.lines().find(|l| l.contains(" alice: done")).expect("the message");
    let short = line.split(' ').nth(2).expect("an id").to_owned();
    let wrong = format!("{}{}", if short.starts_with('x') { 'y' } else { 'x' }, &short[1..]);
    alice.fails(&["message", "edit", &wrong, "x"], 3, "message not found");
    alice.ok(&["message", "edit", &short, "done!"]);
    assert!(alice.ok(&["history", "bob"]).contains(" alice: done! (edited)"));
}

#[test]
fn what_cannot_leave_says_why() {
    let (mut world, _home, alice, bob) = two();
    world.hub().kill();
    for n in 1..=3 {
        world.relay(n).kill();
    }
    let late = alice.fails(
        &["send", "bob", "are you there?", "--timeout", "2s"],
        5,
        "is not stored yet: ",
    );
    assert!(late.stderr.contains("it stays queued"), "{late:?}");
    let queued = alice.json(&["send", "bob", "queued", "--queue", "--json"]);
    let id = queued[0]["id"].as_str().expect("an id");
    assert_eq!(queued[0]["state"], "queued");
    let why = alice.ok(&["message", "why", id, "--timeout", "1s"]);
    assert!(!why.trim().is_empty() && !why.contains("it is delivered"), "{why}");
    alice.ok(&["message", "cancel", id]);
    let history = alice.json(&["history", "bob", "--json"]);
    assert_eq!(history.iter().find(|m| m["id"] == id).expect("the message")["state"], "cancelled");
    alice.fails(&["recv", "--count", "1", "--wait", "1s"], 5, "received 0 of 1 messages");
    // What stayed in the queue leaves when there is a way; what was taken back does not.
    for n in 1..=3 {
        world.relay(n).restart();
    }
    world.hub().restart();
    alice.send("bob", "and now?");
    assert_eq!(bob.recv(2), ["alice: are you there?", "alice: and now?"]);
}

#[test]
fn a_file_goes_over() {
    let (_world, home, alice, bob) = two();
    let file = home.path().join("picture.bin");
    let bytes: Vec<u8> = (0..50_000_u32).map(|n| (n % 251) as u8).collect();
    std::fs::write(&file, &bytes).expect("a file");
    alice.ok(&["send", "bob", "--file", &file.display().to_string()]);
    let line = bob.recv(1).remove(0);
    assert!(line.starts_with("alice: (file) picture.bin, 49 KiB, fetch "), "{line}");
    let transfer = line.rsplit(' ').next().expect("an id");
    let to = home.path().join("got");
    let path = bob.ok(&["file", "fetch", transfer, "--to", &to.display().to_string()]);
    assert_eq!(std::fs::read(path.trim()).expect("the file"), bytes);
    let files = bob.ok(&["file", "list"]);
    assert!(files.contains("  picture.bin  49 KiB  from alice  done"), "{files}");
    alice.fails(&["send", "bob", "--file", "/nowhere/at/all"], 3, "cannot be read");
    bob.fails(&["file", "fetch", "ffffffff"], 3, "file transfer not found: ffffffff");
    alice.ok(&["send", "bob", "--file", &file.display().to_string()]);
    let line = bob.recv(1).remove(0);
    bob.ok(&["file", "refuse", line.rsplit(' ').next().expect("an id")]);
    assert!(bob.json(&["file", "list", "--json"]).iter().any(|f| f["state"] == "cancelled"));
}

#[test]
fn an_export_is_whole_private_and_overwrites_nothing() {
    let (_world, home, alice, bob) = two();
    alice.send("bob", "<script>alert(1)</script> & \"more\"");
    assert_eq!(bob.recv(1).len(), 1);
    for format in ["txt", "jsonl", "html"] {
        let file = home.path().join(format!("out.{format}"));
        let name = file.display().to_string();
        bob.ok(&["message", "export", "alice", "--format", format, "--out", &name]);
        let text = std::fs::read_to_string(&file).expect("the export");
        let mode = std::os::unix::fs::PermissionsExt::mode(
            &file.metadata().expect("the export").permissions(),
        );
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(bob.ok(&["message", "export", "alice", "--format", format]), text);
        bob.fails(
            &["message", "export", "alice", "--format", format, "--out", &name],
            3,
            "already exists",
        );
        bob.ok(&["message", "export", "alice", "--format", format, "--out", &name, "--force"]);
        match format {
            "html" => {
                assert!(
                    text.contains("&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;more&quot;"),
                    "{text}"
                );
                assert!(!text.contains("<script"), "{text}");
            }
            "jsonl" => text.lines().for_each(|l| {
                let message: serde_json::Value = serde_json::from_str(l).expect("JSON");
                assert_eq!(message["label"], "alice");
                assert_eq!(message["conversation"].as_str().map(str::len), Some(32));
            }),
            _ => assert!(text.contains("alice: <script>"), "{text}"),
        }
    }
    bob.fails(&["message", "export", "alice", "--out", "/nowhere/at/all"], 4, "cannot write");
    bob.fails(&["message", "export", "carol"], 3, "nothing here is called “carol”");
}

#[test]
fn a_group_of_two() {
    let (_world, _home, alice, bob) = two();
    assert_eq!(alice.ok(&["group", "create", "Owls"]), "Owls\n");
    alice.ok(&["group", "invite", "Owls", "bob"]);
    let _ = bob.ok(&["recv"]);
    let invites = bob.json(&["group", "invites", "--json"]);
    assert_eq!(
        (invites[0]["title"].as_str(), invites[0]["from"]["label"].as_str()),
        (Some("Owls"), Some("alice"))
    );
    let mut letting_in = alice.start(&["recv", "--follow"]);
    bob.ok(&["group", "join", &invites[0]["id"].as_str().expect("an id")[..8]]);
    // Alice lets him in while `join` still runs, or later.
    let is_in = (0..20).any(|_| {
        !bob.ok(&["group", "list"]).is_empty() || !bob.ok(&["recv", "--wait", "1s"]).is_empty()
    });
    assert!(is_in, "{:?}", letting_in.stderr.all());
    letting_in.signal("INT");
    assert_eq!(letting_in.wait(SOON).code(), Some(0));
    assert!(only(&bob, "group", "Owls", "hidden").starts_with("(2 members"));
    // He may be in before she has read that her own change counts: what she says until then is for
    // those who are in as far as she knows.
    let knows = (0..20).any(|_| {
        if alice.ok(&["group", "list"]).contains("(2 members") {
            return true;
        }
        let _ = alice.ok(&["recv", "--wait", "1s"]);
        false
    });
    assert!(knows, "alice never hears that bob is in");
    alice.send("Owls", "who?");
    assert_eq!(bob.recv(1), ["Owls/alice: who?"]);
    bob.send("Owls", "me");
    assert_eq!(alice.recv(1), ["Owls/bob: me"]);
    alice.ok(&["group", "rekey", "Owls"]);
    alice.ok(&["group", "rename", "Owls", "Barn owls"]);
    alice.ok(&["group", "remove", "Barn owls", "bob"]);
    assert!(!alice.ok(&["group", "members", "Barn owls"]).contains("bob"));
    bob.fails(&["group", "join", "ffffffff"], 3, "invitation not found: ffffffff");
}

#[test]
fn talk_in_a_pipe() {
    let (_world, home, alice, bob) = two();
    let mut talking = bob.start(&["talk", "alice"]);
    talking.write("hello alice\n//etc\n/nosuch\n/who\n");
    assert_eq!(alice.recv(2), ["bob: hello alice", "bob: /etc"]);
    alice.send("bob", "two\nlines");
    assert!(
        talking.stdout.wait_line(0, "alice: two", SOON).is_some(),
        "{:?}",
        talking.stderr.all()
    );
    talking.write("/react last 👍\n/edit last hello, alice\n/words\n");
    let file = home.path().join("talk.html").display().to_string();
    talking.write(&format!("/export {file}\n/help\n"));
    assert!(
        talking.stderr.wait_line(0, "messages written to", SOON).is_some(),
        "{:?}",
        talking.stderr.all()
    );
    talking.write("/quit\n");
    assert_eq!(talking.wait(SOON).code(), Some(0), "{:?}", talking.stderr.all());
    assert_eq!(talking.stdout.all(), ["alice: two", "    lines"]);
    let told = talking.stderr.all().join("\n");
    for part in ["/nosuch", "alice  (not verified)", "/safety on|off"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(std::fs::read_to_string(file).expect("the export").contains("two\nlines"));
}

#[test]
fn settings_are_shown_and_changed() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let alice = Person::new(home.path(), "alice", None);
    let defaults = alice.ok(&["profile", "config", "show", "--defaults"]);
    for line in [
        "route = \"onion\"",
        "send_delay = \"off\"",
        "dummies = \"off\"",
        "box_sizes = \"uniform\"",
        "tor = \"arti\"",
    ] {
        assert!(defaults.lines().any(|l| l == line), "{line}");
    }
    alice.ok(&["profile", "config", "set", "send_delay", "0.5s-3s"]);
    let shown = alice.ok(&["profile", "config", "show"]);
    assert!(shown.contains("send_delay = \"0.5s-3s\"") && shown.contains("# "), "{shown}");
    alice.fails(&["profile", "config", "set", "rout", "tor"], 3, "route");
    alice.fails(&["profile", "config", "set", "route", "pigeon"], 3, "onion");
    assert_eq!(alice.ok(&["profile", "config", "show"]), shown);
}

#[test]
fn one_process_for_a_profile() {
    let world = World::new().start();
    let home = tempfile::tempdir().expect("a temporary directory");
    let alice = Person::new(home.path(), "alice", Some(&world));
    let mut following = alice.start(&["profile", "rpc"]);
    following.write("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\"}\n");
    assert!(following.stdout.wait_line(0, "\"id\":1", SOON).is_some());
    alice.fails(&["contact", "list"], 3, "in use by another process");
    following.close_stdin();
    assert_eq!(following.wait(SOON).code(), Some(0));
    alice.ok(&["contact", "list"]);
}

#[test]
fn a_passphrase_and_a_backup() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let alice = |passphrase| Person {
        name: "alice",
        home: home.path().to_owned(),
        passphrase,
        namespace: None,
    };
    alice(None).fails(&["contact", "list"], 3, "there is no profile alice");
    alice(Some("correct horse")).ok(&["profile", "init", "--name", "alice"]);
    alice(Some("correct horse")).fails(&["profile", "init"], 3, "already exists");
    alice(Some("correct horse")).ok(&["contact", "list"]);
    alice(Some("battery staple")).fails(&["contact", "list"], 3, "wrong passphrase");
    let file = home.path().join("backup").display().to_string();
    alice(Some("correct horse")).ok(&["profile", "backup", &file]);
    alice(Some("correct horse")).fails(&["profile", "wipe"], 3, "--yes");
    alice(Some("correct horse")).ok(&["profile", "wipe", "--yes"]);
    alice(Some("correct horse")).fails(&["contact", "list"], 3, "there is no profile");
    alice(Some("battery staple")).fails(&["profile", "restore", &file], 3, "wrong passphrase");
    alice(Some("battery staple")).ok(&["profile", "wipe", "--yes"]);
    alice(Some("correct horse")).ok(&["profile", "restore", &file]);
    alice(Some("correct horse")).ok(&["contact", "list"]);
}

#[test]
fn an_invite_that_nobody_waits_for() {
    let world = World::new().start();
    let home = tempfile::tempdir().expect("a temporary directory");
    let alice = Person::new(home.path(), "alice", Some(&world));
    let bob = Person::new(home.path(), "bob", None);
    bob.fails(&["invite"], 3, "--network");
    bob.fails(&["accept", "hushwing:nonsense"], 3, "invalid invite: ");
    let link = alice.ok(&["invite", "--as", "robert", "--name-for-me", "al", "--expires", "1h"]);
    let listed = alice.json(&["invite", "list", "--json"]);
    assert_eq!(
        (listed[0]["state"].as_str(), listed[0]["link"].as_str()),
        (Some("open"), Some(link.trim()))
    );
    assert_eq!(bob.ok(&["accept", link.trim()]), "al\n");
    bob.send("al", "here I am");
    assert_eq!(alice.recv(1), ["robert: here I am"]);
    // Revoked.
    let link = alice.ok(&["invite"]);
    let open = alice
        .json(&["invite", "list", "--json"])
        .into_iter()
        .find(|i| i["state"] == "open")
        .expect("an invite");
    alice.ok(&["invite", "revoke", &open["id"].as_str().expect("an id")[..8]]);
    let states = alice.json(&["invite", "list", "--json"]);
    assert!(states.iter().any(|i| i["id"] == open["id"] && i["state"] == "revoked"), "{states:?}");
    alice.fails(&["invite", "revoke", open["id"].as_str().expect("an id")], 3, "already ended");
    bob.fails(&["accept", link.trim()], 3, "used by somebody else or revoked");
}

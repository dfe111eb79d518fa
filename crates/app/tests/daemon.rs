//! One profile, several front ends: the daemon and what attaches to it.

mod common;
mod person;

use std::os::unix::fs::PermissionsExt;

use common::{Process, SOON, World};
use person::Person;
use person::rpc::Rpc;
use serde_json::json;

fn start(person: &Person) -> Process {
    let daemon = person.start(&["profile", "daemon"]);
    assert!(daemon.stderr.wait_line(0, "ready: ", SOON).is_some(), "{:?}", daemon.stderr.all());
    daemon
}

#[test]
fn what_one_front_end_does_the_others_show() {
    let world = World::new().start();
    let home = tempfile::tempdir().expect("a temporary directory");
    let alice = Person::new(home.path(), "alice", Some(&world));
    let bob = Person::new(home.path(), "bob", None);
    let mut daemon = start(&alice);
    let socket = home.path().join("alice/daemon.sock");
    assert_eq!(std::fs::metadata(&socket).expect("a socket").permissions().mode() & 0o777, 0o600);

    // Contacts are made through the daemon, which has the profile and its network.
    alice.befriend(&bob);
    let (mut one, mut two) = (Rpc::start(&alice), Rpc::start(&alice));
    for front_end in [&mut one, &mut two] {
        // Attached: what happens from now on it is told.
        front_end.ask(0, "status", &json!({}));
        front_end.answer(0);
    }
    let bobs = one.conversation("bob");
    one.ask(1, "send", &json!({ "conversation": bobs, "text": "from a window" }));
    let id = one.answer(1)["result"]["message"].clone();
    for front_end in [&one, &two] {
        front_end.event("message", |e| e["message"]["id"] == id && e["message"]["you"] == true);
    }
    alice.send("bob", "from a command");
    two.event("message", |e| e["message"]["text"] == "from a command");
    assert_eq!(bob.recv(2).len(), 2);
    two.event("state", |e| e["message"] == id && e["state"] == "stored" && e["route"] == "onion");
    bob.send("alice", "hello both");
    for front_end in [&one, &two] {
        front_end.event("message", |e| {
            e["message"]["text"] == "hello both" && e["message"]["route"] == "onion"
        });
    }
    // A refusal is the same through the socket as without it.
    alice.fails(&["send", "nobody", "hi"], 3, "nothing here is called “nobody”");
    alice.fails(&["profile", "daemon"], 3, "in use by another process");

    alice.ok(&["profile", "daemon", "--stop"]);
    assert_eq!(daemon.wait(SOON).code(), Some(0), "{:?}", daemon.stderr.all());
    assert!(!socket.exists());
    // What was attached has noticed, and the next command runs the profile itself.
    drop((one, two));
    assert!(alice.ok(&["history", "bob"]).contains("hello both"));
    alice.fails(&["profile", "daemon", "--stop"], 3, "no daemon runs this profile");
}

#[test]
fn a_daemon_that_was_killed_blocks_nothing_and_nobody_types_the_passphrase_twice() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let alice = |passphrase| Person {
        name: "alice",
        home: home.path().to_owned(),
        passphrase,
        namespace: None,
    };
    alice(Some("correct horse")).ok(&["profile", "init", "--name", "alice"]);
    let mut daemon = start(&alice(Some("correct horse")));
    // Only this user can attach, and the daemon knows the passphrase.
    alice(None).ok(&["contact", "list"]);
    daemon.kill();
    assert!(home.path().join("alice/daemon.sock").exists(), "left behind");
    alice(Some("correct horse")).ok(&["contact", "list"]);
    let mut again = start(&alice(Some("correct horse")));
    alice(None).ok(&["contact", "list"]);
    again.signal("TERM");
    assert_eq!(again.wait(SOON).code(), Some(0));
}

#[test]
fn a_room_is_heard_by_all_front_ends_and_stays_until_it_is_left() {
    let world = World::new().start();
    let home = tempfile::tempdir().expect("a temporary directory");
    let alice = Person::new(home.path(), "alice", Some(&world));
    let bob = Person::new(home.path(), "bob", None);
    let daemon = start(&alice);
    let (mut one, mut two) = (Rpc::start(&alice), Rpc::start(&alice));
    two.ask(0, "rooms", &json!({}));
    assert_eq!(two.answer(0)["result"], json!([]));

    one.ask(1, "create_room", &json!({ "name": "table", "nick": "al" }));
    assert_eq!(one.answer(1)["result"]["owner"], true, "{:?}", one.answer(1));
    let table = one.room("table");
    assert_eq!(one.answer(1)["result"]["id"], table);
    two.event("room", |e| e["room"]["online"] == true && e["room"]["you"] == "al");
    two.ask(1, "room_link", &json!({ "room": table }));
    let link = two.answer(1)["result"]["link"].clone();
    let mut guest = Rpc::start(&bob);
    guest.ask(1, "join_room", &json!({ "link": link, "nick": "bo" }));
    assert_eq!(guest.answer(1)["result"]["label"], "room");
    let room = guest.room("room");
    guest.ask(2, "say", &json!({ "room": room, "text": "anybody here?" }));
    guest.event("room_line", |e| e["line"]["you"] == true && e["line"]["state"] == "stored");
    for front_end in [&one, &two] {
        let line = front_end.event("room_line", |e| e["line"]["text"] == "anybody here?");
        assert_eq!((&line["room"], &line["label"]), (&table, &json!("table")));
        assert_eq!(line["line"]["from"], "bo");
        front_end.event("room", |e| e["room"]["unseen"] == 1 && e["room"]["id"] == table);
    }
    one.ask(2, "room_seen", &json!({ "room": table, "up_to": 1_000 }));
    two.event("room", |e| {
        e["room"]["unseen"] == 0 && e["room"]["people"].as_array().is_some_and(|p| p.len() == 2)
    });
    // The owner mutes a talker, by the id that a typed name resolves to.
    two.ask(2, "resolve_talker", &json!({ "room": table, "name": "bo" }));
    let bo = two.answer(2)["result"].clone();
    two.ask(3, "room_mute", &json!({ "room": table, "talker": bo, "muted": true }));
    assert_eq!(two.answer(3)["result"], json!({}));
    guest.event("room_line", |e| e["line"]["text"].as_str().is_some_and(|t| t.contains("muted")));
    one.ask(3, "room_route", &json!({ "room": table, "route": "pigeon" }));
    assert_eq!(one.answer(3)["error"]["code"], -32_602, "{}", one.answer(3));
    one.ask(4, "say", &json!({ "room": "0".repeat(32), "text": "x" }));
    let data = one.answer(4)["error"]["data"].clone();
    assert_eq!((&data["reason"], &data["what"]), (&json!("no_such"), &json!("room")), "{data}");
    drop((one, two));

    // It is entered again when the profile starts, and no more once it was left.
    alice.ok(&["profile", "daemon", "--stop"]);
    drop(daemon);
    let daemon = start(&alice);
    let mut again = Rpc::start(&alice);
    again.event("room", |e| {
        e["room"]["label"] == "table" && e["room"]["you"] == "al" && e["room"]["owner"] == true
    });
    // Its id is the same as before.
    again.ask(1, "leave_room", &json!({ "room": table }));
    again.event("room_left", |e| e["room"] == table);
    drop(again);
    alice.ok(&["profile", "daemon", "--stop"]);
    drop(daemon);
    let _daemon = start(&alice);
    let mut last = Rpc::start(&alice);
    last.ask(0, "rooms", &json!({}));
    assert_eq!(last.answer(0)["result"], json!([]));
}

#[test]
fn settings_are_read_and_changed_from_any_front_end() {
    let world = World::new().start();
    let home = tempfile::tempdir().expect("a temporary directory");
    let alice = Person::new(home.path(), "alice", Some(&world));
    let bob = Person::new(home.path(), "bob", None);
    let mut rpc = Rpc::start(&alice);
    rpc.ask(1, "settings", &json!({}));
    let settings = rpc.answer(1)["result"].clone();
    let of = |key: &str| {
        settings
            .as_array()
            .and_then(|all| all.iter().find(|s| s["key"] == key).cloned())
            .expect(key)
    };
    assert_eq!((&of("route")["value"], &of("route")["restart"]), (&json!("onion"), &json!(true)));
    assert_eq!(
        (&of("network")["value"], &of("floor")["restart"]),
        (&json!(world.link()), &json!(false))
    );

    rpc.ask(2, "set", &json!({ "key": "file_limit", "value": "1MiB" }));
    assert_eq!(rpc.answer(2)["result"]["restart"], false);
    rpc.ask(3, "set", &json!({ "key": "entry", "value": "random" }));
    assert_eq!(rpc.answer(3)["result"]["restart"], true);
    rpc.ask(4, "set", &json!({ "key": "entry", "value": "lots" }));
    assert!(
        rpc.answer(4)["error"]["message"].as_str().is_some_and(|m| m.contains("`entry` takes"))
    );
    let file =
        std::fs::read_to_string(home.path().join("alice/config.toml")).expect("the settings");
    assert!(
        file.contains("file_limit = \"1MiB\"") && file.contains("entry = \"random\""),
        "{file}"
    );
    // What was changed counts at once.
    let large = home.path().join("large");
    std::fs::write(&large, vec![0; 2 << 20]).expect("a file");
    rpc.end();
    alice.befriend(&bob);
    alice.fails(
        &["send", "bob", "--file", large.to_str().expect("a path")],
        3,
        "larger than the limit of 1MiB",
    );

    let mut rpc = Rpc::start(&alice);
    rpc.event("network", |e| e["online"] == true);
    rpc.ask(1, "networks", &json!({}));
    let networks = rpc.answer(1)["result"].clone();
    assert_eq!(networks[0]["route"], "onion", "{networks}");
    let bobs = json!([{ "id": rpc.conversation("bob"), "label": "bob" }]);
    assert_eq!(networks[0]["conversations"], bobs, "{networks}");
    assert!(networks[0]["document"]["relays"].as_u64() >= Some(3), "{networks}");
    assert_eq!(networks[0]["document"]["hash"].as_str().map(str::len), Some(64), "{networks}");
    rpc.ask(2, "conversations", &json!({}));
    let bobs = rpc.answer(2)["result"][0].clone();
    assert_eq!((&bobs["label"], &bobs["route"]), (&json!("bob"), &json!("onion")), "{bobs}");
}

#[test]
fn a_front_end_that_stays_starts_the_daemon_and_takes_it_along() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let alice = |passphrase| Person {
        name: "alice",
        home: home.path().to_owned(),
        passphrase,
        namespace: None,
    };
    alice(Some("correct horse")).ok(&["profile", "init", "--name", "alice"]);
    let front_end =
        |passphrase| alice(passphrase).start(&["web", "--no-open", "--listen", "127.0.0.1:0"]);
    let mut wrong = front_end(Some("wrong horse"));
    assert_eq!(wrong.wait(SOON).code(), Some(3), "{:?}", wrong.stderr.all());
    assert!(wrong.stderr.all().join("\n").contains("hint: "), "{:?}", wrong.stderr.all());

    let link = |front_end: &Process| {
        let first = front_end.stdout.wait_for(SOON, |lines| lines.first().cloned());
        first.unwrap_or_else(|| panic!("no link: {:?}", front_end.stderr.all()))
    };
    // Two at once: one of them starts it, and both are there.
    let (mut first, mut other) =
        (front_end(Some("correct horse")), front_end(Some("correct horse")));
    link(&first);
    link(&other);
    other.signal("TERM");
    assert_eq!(other.wait(SOON).code(), Some(0));
    // The second needs no passphrase, and other commands neither.
    let mut second = front_end(None);
    link(&second);
    alice(None).ok(&["contact", "list"]);
    first.signal("TERM");
    assert_eq!(first.wait(SOON).code(), Some(0));
    alice(None).ok(&["contact", "list"]);
    second.signal("TERM");
    assert_eq!(second.wait(SOON).code(), Some(0));
    alice(None).expect_no_daemon();
    // With it the key has gone.
    alice(None).fails(&["contact", "list"], 3, "no passphrase");
}

#[test]
fn a_daemon_on_demand_stays_while_the_settings_say_so() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let alice = Person::new(home.path(), "alice", None);
    alice.ok(&["profile", "config", "set", "stay", "true"]);
    let mut front_end = alice.start(&["web", "--no-open", "--listen", "127.0.0.1:0"]);
    let said = front_end
        .stderr
        .wait_for(SOON, |lines| lines.iter().find(|l| l.starts_with("press Ctrl-C")).cloned());
    assert!(said.as_ref().is_some_and(|l| l.contains("keeps running")), "{said:?}");
    front_end.signal("TERM");
    assert_eq!(front_end.wait(SOON).code(), Some(0));
    // A front end that starts no daemon itself finds it there, and switches the setting off again.
    let mut rpc = Rpc::start(&alice);
    rpc.ask(1, "status", &json!({}));
    assert_eq!(rpc.answer(1)["result"]["stays"], true);
    rpc.ask(2, "set", &json!({ "key": "stay", "value": "false" }));
    assert_eq!(rpc.answer(2)["result"]["restart"], false);
    rpc.ask(3, "status", &json!({}));
    assert_eq!(rpc.answer(3)["result"]["stays"], false);
    rpc.end();
    alice.expect_no_daemon();
}

/// A daemon of another release that is still running: it is named, and nothing is misread.
#[test]
fn a_daemon_of_another_version_is_told_in_plain_words() {
    use std::io::{BufRead, BufReader, Write};
    let home = tempfile::tempdir().expect("a temporary directory");
    let alice = Person::new(home.path(), "alice", None);
    let socket = home.path().join("alice/daemon.sock");
    // The second says nothing and hangs up, as those did that had no versions yet.
    for (answer, says) in [("{\"hushwing_protocol\":99}\n", "version 99"), ("", "version 0")] {
        let listener = std::os::unix::net::UnixListener::bind(&socket).expect("a socket");
        let other = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a front end");
            let mut first = String::new();
            BufReader::new(&stream).read_line(&mut first).expect("its first line");
            stream.write_all(answer.as_bytes()).expect("an answer");
            first
        });
        alice.fails(&["contact", "list"], 7, says);
        let first: serde_json::Value =
            serde_json::from_str(&other.join().expect("a daemon")).expect("a line of JSON");
        assert_eq!(first["hushwing_protocol"], 2);
        std::fs::remove_file(&socket).expect("its socket goes");
    }
    assert_eq!(alice.ok(&["contact", "list"]), "", "without it the profile runs as ever");
}

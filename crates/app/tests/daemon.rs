//! One profile, several faces: the daemon and what attaches to it.

mod common;
mod person;

use std::os::unix::fs::PermissionsExt;

use common::{Process, SOON, World};
use person::Person;
use person::rpc::Rpc;
use serde_json::json;

fn start(person: &Person) -> Process {
    let daemon = person.start(&["daemon"]);
    assert!(
        daemon.stderr.wait_line(0, "up; other commands", SOON).is_some(),
        "{:?}",
        daemon.stderr.all()
    );
    daemon
}

#[test]
fn what_one_face_does_the_others_show() {
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
    for face in [&mut one, &mut two] {
        // Attached: what happens from now on it is told.
        face.ask(0, "status", &json!({}));
        face.answer(0);
    }
    one.ask(1, "send", &json!({ "to": "bob", "text": "from a window" }));
    let id = one.answer(1)["result"]["id"].clone();
    for face in [&one, &two] {
        face.event("message", |e| e["message"]["id"] == id && e["message"]["you"] == true);
    }
    alice.send("bob", "from a command");
    two.event("message", |e| e["message"]["text"] == "from a command");
    assert_eq!(bob.recv(2).len(), 2);
    two.event("state", |e| e["id"] == id && e["state"] == "stored" && e["route"] == "onion");
    bob.send("alice", "hello both");
    for face in [&one, &two] {
        face.event("message", |e| {
            e["message"]["text"] == "hello both" && e["message"]["route"] == "onion"
        });
    }
    // A refusal is the same through the socket as without it.
    alice.fails(&["send", "nobody", "hi"], 3, "nobody here is called nobody");
    alice.fails(&["daemon"], 3, "in use by another process");

    alice.ok(&["daemon", "--stop"]);
    assert_eq!(daemon.wait(SOON).code(), Some(0), "{:?}", daemon.stderr.all());
    assert!(!socket.exists());
    // Its faces have noticed, and whoever comes now runs the profile itself.
    drop((one, two));
    assert!(alice.ok(&["history", "bob"]).contains("hello both"));
    alice.fails(&["daemon", "--stop"], 3, "no daemon runs this profile");
}

#[test]
fn a_daemon_that_was_killed_is_in_nobodys_way_and_asks_for_no_passphrase_twice() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let alice = |passphrase| Person {
        name: "alice",
        home: home.path().to_owned(),
        passphrase,
        namespace: None,
    };
    alice(Some("correct horse")).ok(&["init", "--name", "alice"]);
    let mut daemon = start(&alice(Some("correct horse")));
    // Whoever attaches is this user: the daemon knows the passphrase.
    alice(None).ok(&["contacts"]);
    daemon.kill();
    assert!(home.path().join("alice/daemon.sock").exists(), "left behind");
    alice(Some("correct horse")).ok(&["contacts"]);
    let mut again = start(&alice(Some("correct horse")));
    alice(None).ok(&["contacts"]);
    again.signal("TERM");
    assert_eq!(again.wait(SOON).code(), Some(0));
}

#[test]
fn a_room_is_heard_by_all_faces_and_stays_until_it_is_left() {
    let world = World::new().start();
    let home = tempfile::tempdir().expect("a temporary directory");
    let alice = Person::new(home.path(), "alice", Some(&world));
    let bob = Person::new(home.path(), "bob", None);
    let daemon = start(&alice);
    let (mut one, mut two) = (Rpc::start(&alice), Rpc::start(&alice));
    two.ask(0, "rooms", &json!({}));
    assert_eq!(two.answer(0)["result"]["rooms"], json!([]));

    one.ask(1, "create_room", &json!({ "name": "table", "nick": "al" }));
    assert_eq!(one.answer(1)["result"]["owner"], true, "{:?}", one.answer(1));
    two.event("room", |e| e["room"]["online"] == true && e["room"]["you"] == "al");
    two.ask(1, "room_link", &json!({ "room": "table" }));
    let link = two.answer(1)["result"]["link"].clone();
    let mut guest = Rpc::start(&bob);
    guest.ask(1, "join_room", &json!({ "link": link, "nick": "bo" }));
    assert_eq!(guest.answer(1)["result"]["name"], "room");
    guest.ask(2, "say", &json!({ "room": "room", "text": "anybody here?" }));
    guest.event("room_line", |e| e["line"]["you"] == true && e["line"]["state"] == "stored");
    for face in [&one, &two] {
        let line = face.event("room_line", |e| e["line"]["text"] == "anybody here?");
        assert_eq!((&line["room"], &line["line"]["from"]), (&json!("table"), &json!("bo")));
        face.event("room", |e| e["room"]["unseen"] == 1 && e["room"]["name"] == "table");
    }
    one.ask(2, "room_seen", &json!({ "room": "table", "up_to": 1_000 }));
    two.event("room", |e| {
        e["room"]["unseen"] == 0 && e["room"]["people"].as_array().is_some_and(|p| p.len() == 2)
    });
    // The owner mutes, and guests are refused to.
    two.ask(2, "room_mute", &json!({ "room": "table", "name": "bo", "muted": true }));
    guest.event("room_line", |e| e["line"]["text"].as_str().is_some_and(|t| t.contains("muted")));
    one.ask(3, "room_route", &json!({ "room": "table", "route": "pigeon" }));
    assert!(
        one.answer(3)["error"]["message"].as_str().is_some_and(|m| m.contains("no such route"))
    );
    one.ask(4, "say", &json!({ "room": "nowhere", "text": "x" }));
    assert!(
        one.answer(4)["error"]["message"]
            .as_str()
            .is_some_and(|m| m.contains("there is no room nowhere"))
    );
    drop((one, two));

    // It is entered again when the profile starts, and no more once it was left.
    alice.ok(&["daemon", "--stop"]);
    drop(daemon);
    let daemon = start(&alice);
    let mut again = Rpc::start(&alice);
    again.event("room", |e| {
        e["room"]["name"] == "table" && e["room"]["you"] == "al" && e["room"]["owner"] == true
    });
    again.ask(1, "leave_room", &json!({ "room": "table" }));
    again.event("room_left", |e| e["room"] == "table");
    drop(again);
    alice.ok(&["daemon", "--stop"]);
    drop(daemon);
    let _daemon = start(&alice);
    let mut last = Rpc::start(&alice);
    last.ask(0, "rooms", &json!({}));
    assert_eq!(last.answer(0)["result"]["rooms"], json!([]));
}

#[test]
fn settings_are_read_and_changed_from_any_face() {
    let world = World::new().start();
    let home = tempfile::tempdir().expect("a temporary directory");
    let alice = Person::new(home.path(), "alice", Some(&world));
    let bob = Person::new(home.path(), "bob", None);
    let mut rpc = Rpc::start(&alice);
    rpc.ask(1, "settings", &json!({}));
    let settings = rpc.answer(1)["result"]["settings"].clone();
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
    let networks = rpc.answer(1)["result"]["networks"].clone();
    assert_eq!(networks[0]["route"], "onion", "{networks}");
    assert_eq!(networks[0]["conversations"], json!(["bob"]), "{networks}");
    assert!(networks[0]["document"]["relays"].as_u64() >= Some(3), "{networks}");
    assert_eq!(networks[0]["document"]["hash"].as_str().map(str::len), Some(64), "{networks}");
    rpc.ask(2, "conversations", &json!({}));
    let bobs = rpc.answer(2)["result"]["conversations"][0].clone();
    assert_eq!((&bobs["name"], &bobs["route"]), (&json!("bob"), &json!("onion")), "{bobs}");
}

#[test]
fn a_face_that_stays_starts_the_daemon_and_takes_it_along() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let alice = |passphrase| Person {
        name: "alice",
        home: home.path().to_owned(),
        passphrase,
        namespace: None,
    };
    alice(Some("correct horse")).ok(&["init", "--name", "alice"]);
    let face =
        |passphrase| alice(passphrase).start(&["web", "--no-open", "--listen", "127.0.0.1:0"]);
    let mut wrong = face(Some("wrong horse"));
    assert_eq!(wrong.wait(SOON).code(), Some(3), "{:?}", wrong.stderr.all());
    assert!(wrong.stderr.all().join("\n").contains("hint: "), "{:?}", wrong.stderr.all());

    let link = |face: &Process| {
        face.stdout.wait_for(SOON, |lines| lines.first().cloned()).expect("a link")
    };
    // Two at once: one of them starts it, and both are there.
    let (mut first, mut other) = (face(Some("correct horse")), face(Some("correct horse")));
    link(&first);
    link(&other);
    other.signal("TERM");
    assert_eq!(other.wait(SOON).code(), Some(0));
    // The second needs no passphrase, and other commands neither.
    let mut second = face(None);
    link(&second);
    alice(None).ok(&["contacts"]);
    first.signal("TERM");
    assert_eq!(first.wait(SOON).code(), Some(0));
    alice(None).ok(&["contacts"]);
    second.signal("TERM");
    assert_eq!(second.wait(SOON).code(), Some(0));
    alice(None).expect_no_daemon();
    // With it the key has gone.
    alice(None).fails(&["contacts"], 3, "no passphrase");
}

#[test]
fn a_daemon_on_demand_stays_while_the_settings_say_so() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let alice = Person::new(home.path(), "alice", None);
    alice.ok(&["config", "set", "stay", "true"]);
    let mut face = alice.start(&["web", "--no-open", "--listen", "127.0.0.1:0"]);
    let said =
        face.stderr.wait_for(SOON, |lines| lines.iter().find(|l| l.starts_with("Ctrl-C")).cloned());
    assert!(said.as_ref().is_some_and(|l| l.contains("goes on without it")), "{said:?}");
    face.signal("TERM");
    assert_eq!(face.wait(SOON).code(), Some(0));
    // A face that is not one of those that start a daemon finds it there; and no longer wants it to
    // stay.
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

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
    assert!(daemon.stderr.wait_line(0, "up; other commands", SOON).is_some(), "{:?}", daemon.stderr.all());
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
    two.event("state", |e| e["id"] == id && e["state"] == "stored");
    bob.send("alice", "hello both");
    for face in [&one, &two] {
        face.event("message", |e| e["message"]["text"] == "hello both");
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
    let alice = |passphrase| Person { name: "alice", home: home.path().to_owned(), passphrase, namespace: None };
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

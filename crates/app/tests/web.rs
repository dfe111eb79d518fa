//! The front end for browsers, driven through Debian's chromium. The stories themselves are in
//! `tests/web`, in the browser's language.

mod common;
mod person;

use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Chat, LONG, Lines, Process, SOON, World};
use person::Person;

/// Starts `hushwing web` for a profile; returns the process and the link that it prints.
fn start(person: &Person) -> (Process, String) {
    let web = person.start(&["web", "--no-open", "--listen", "127.0.0.1:0", "--no-passphrase"]);
    let link = web.stdout.wait_for(SOON, |lines| lines.first().cloned());
    let link = link.unwrap_or_else(|| panic!("no link: {:?}", web.stderr.all()));
    assert!(link.starts_with("http://127.0.0.1:") && link.contains("/#"), "{link}");
    (web, link)
}

fn stories() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/web")
}

/// Whether there is a browser, and what drives it. In CI there must be.
fn can_browse() -> bool {
    let has = |program: &str| {
        Command::new(program).arg("--version").output().is_ok_and(|o| o.status.success())
    };
    let missing = if !has("chromium") || !has("node") {
        "install chromium and Node.js"
    } else if !stories().join("node_modules").is_dir() {
        "run `npm ci --prefix crates/app/tests/web`"
    } else {
        return true;
    };
    assert!(std::env::var_os("CI").is_none(), "no browser to test with: {missing}");
    eprintln!("SKIPPED: no browser to test with: {missing}");
    false
}

#[test]
fn two_people_in_two_browsers() {
    if !can_browse() {
        return;
    }
    let world = World::new().start();
    let home = tempfile::tempdir().expect("a temporary directory");
    let person =
        |name| Person { name, home: home.path().to_owned(), passphrase: None, namespace: None };
    let (alice, bob) = (person("alice"), person("bob"));
    alice.ok(&["profile", "init", "--no-passphrase", "--network", world.link()]);
    alice.ok(&["profile", "config", "set", "floor", "anywhere"]);
    // Bob has nothing yet: his profile is created when he opens the browser.
    let ((mut alices, alices_link), (mut bobs, bobs_link)) = (start(&alice), start(&bob));

    let mut node = Command::new("node");
    node.arg("stories.mjs")
        .current_dir(stories())
        .env("ALICE", &alices_link)
        .env("BOB", &bobs_link);
    let mut node = Process::spawn("stories", node, Lines::default());
    let status = node.wait(LONG * 2);
    let said = node.stdout.all().join("\n");
    println!("{said}");
    assert!(status.success(), "{said}\n{:?}\nalice: {:?}", node.stderr.all(), alices.stderr.all());
    assert!(said.ends_with("ok  the end"), "{said}");

    // "Stop Hushwing in the browser" stops it, and with the last front end the daemon.
    assert_eq!(alices.wait(SOON).code(), Some(0), "{:?}", alices.stderr.all());
    assert_eq!(bobs.wait(SOON).code(), Some(0), "{:?}", bobs.stderr.all());
    for person in [&alice, &bob] {
        person.expect_no_daemon();
    }
    // The command line shows what was written in the browser.
    assert!(bob.ok(&["history", "alice"]).contains("Hello Alice, here is Bob"));
    // Uploads are deleted once they are sent.
    let left: Vec<_> =
        std::fs::read_dir(home.path().join("bob/outgoing")).into_iter().flatten().collect();
    assert!(left.len() <= 1, "{left:?}");
}

#[test]
fn a_guest_of_an_open_room_needs_nothing_but_a_browser() {
    if !can_browse() {
        return;
    }
    let world = World::new().start();
    let link = world.link();
    let mut host = Process::spawn(
        "guests",
        {
            let mut command = common::hushwing();
            command.args(["guests", "-", "--title", "Workshop <b>", "--listen", "127.0.0.1:0"]);
            command
        },
        Lines::default(),
    );
    host.write(&format!("{link}\n"));
    let page = host.stdout.wait_for(SOON, |lines| lines.first().cloned());
    let page = page.unwrap_or_else(|| panic!("no address: {:?}", host.stderr.all()));
    let mut chat = Chat::start(link, "carol", &[]);
    chat.expect_up();
    chat.say("welcome, guests");
    chat.expect_stored(1, SOON);

    let mut node = Command::new("node");
    node.arg("guests.mjs").current_dir(stories()).env("PAGE", &page);
    let mut node = Process::spawn("guests' stories", node, Lines::default());
    chat.expect_message("dora", "hello from a browser", LONG);
    chat.say("I read you");
    let status = node.wait(LONG);
    let said = node.stdout.all().join("\n");
    println!("{said}");
    assert!(
        status.success() && said.ends_with("ok  guests come and go"),
        "{said}\n{:?}",
        node.stderr.all()
    );
    // A guest who leaves the page leaves the room.
    chat.expect("dora's leave", SOON, |e| e["event"] == "left" && e["name"] == "dora");
    host.signal("TERM");
    assert_eq!(host.wait(SOON).code(), Some(0), "{:?}", host.stderr.all());
}

#[test]
fn two_neighbours_meet_in_their_browsers_without_any_network() {
    if !can_browse() {
        return;
    }
    if !lanlab::available() {
        println!("SKIPPED: needs root and iproute2");
        return;
    }
    let lab = lanlab::Lab::bridge(2);
    let home = tempfile::tempdir().expect("a temporary directory");
    let mut running = Vec::new();
    for (i, name) in ["ann", "ben"].into_iter().enumerate() {
        let namespace = Some(lab.node(i).namespace().to_owned());
        let person = Person { name, home: home.path().to_owned(), passphrase: None, namespace };
        let web = person.start(&[
            "web",
            "--no-open",
            "--listen",
            "127.0.0.1:0",
            "--no-passphrase",
            "--lan-only",
        ]);
        let link = web.stdout.wait_for(SOON, |lines| lines.first().cloned());
        let link = link.unwrap_or_else(|| panic!("no link: {:?}", web.stderr.all()));
        let mut node = lab.node(i).command("node");
        node.arg("near.mjs").current_dir(stories()).env("ME", name).env("LINK", &link);
        running.push((web, Process::spawn(name, node, Lines::default())));
    }
    let mut words = Vec::new();
    for (_, node) in &mut running {
        let status = node.wait(LONG);
        let said = node.stdout.all();
        assert!(
            status.success() && said.last().is_some_and(|l| l == "ok  neighbours"),
            "{said:?}\n{:?}",
            node.stderr.all()
        );
        words.push(said.into_iter().find(|l| l.starts_with("words ")));
    }
    assert!(words[0].is_some() && words[0] == words[1], "{words:?}");
    for (web, _) in &mut running {
        web.signal("TERM");
        assert_eq!(web.wait(SOON).code(), Some(0), "{:?}", web.stderr.all());
    }
}

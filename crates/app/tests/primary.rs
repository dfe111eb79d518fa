//! A network whose relays live for a while only: lock cycles, sealed payloads, tallies.

mod common;

use std::net::TcpStream;
use std::path::Path;

use common::{Chat, Lines, Process, SOON, hushwing, run};
use serde_json::Value;

/// A primary whose relays keep their keys below `runtime` while they live.
fn primary(runtime: &Path, more: &[&str]) -> (Process, String) {
    let mut command = hushwing();
    command
        .env("XDG_RUNTIME_DIR", runtime)
        .env("TMPDIR", runtime)
        .args(["primary", "--mean-delay", "2"])
        .args(more);
    let process = Process::spawn("primary", command, Lines::default());
    let link = process.stdout.wait_for(SOON, |lines| lines.first().cloned()).expect("a link");
    (process, link)
}

fn cycles(primary: &Process) -> usize {
    primary.stderr.all().iter().filter(|l| l.starts_with("cycle ")).count()
}

fn payload(link: &str, more: &[&str]) -> Value {
    let ended = run([&["primary", "payload", link], more].concat());
    assert_eq!(ended.code, 0, "{ended:?}");
    serde_json::from_str(&ended.stdout).expect("JSON")
}

/// Identity, address and key fingerprint of each relay.
fn relays(payload: &Value) -> Vec<(String, String, String)> {
    let nodes = payload["nodes"].as_array().expect("nodes").iter().filter(|n| n["role"] == "relay");
    let text = |v: &Value| v.as_str().expect("text").to_owned();
    nodes
        .map(|n| (text(&n["id"]), text(&n["addresses"][0]), text(&n["keys"][0]["fingerprint"])))
        .collect()
}

fn entries(dir: &Path) -> usize {
    std::fs::read_dir(dir).expect("a directory").count()
}

#[test]
fn a_chat_goes_on_over_three_cycles_and_of_old_relays_nothing_is_left() {
    let runtime = tempfile::tempdir().expect("a directory");
    let (mut primary, link) = primary(runtime.path(), &["--nodes", "4", "--cycle", "6s"]);
    let mut payloads = vec![payload(&link, &[])];
    let mut alice = Chat::start(&link, "alice", &[]);
    let mut bob = Chat::start(&link, "bob", &[]);
    alice.expect_up();
    bob.expect_up();
    let mut said = 0;
    while cycles(&primary) < 3 {
        alice.say(&format!("ping {said}"));
        bob.expect_message("alice", &format!("ping {said}"), SOON);
        bob.say(&format!("pong {said}"));
        alice.expect_message("bob", &format!("pong {said}"), SOON);
        said += 1;
        if cycles(&primary) >= payloads.len() {
            payloads.push(payload(&link, &[]));
        }
    }
    println!("{said} pings and pongs over {} cycles", cycles(&primary));
    for (chat, from, what) in [(&bob, "alice", "ping"), (&alice, "bob", "pong")] {
        let expected: Vec<_> =
            (0..said).map(|n| (from.to_owned(), format!("{what} {n}"))).collect();
        assert_eq!(chat.messages(), expected, "none lost, none twice, in order");
    }
    let before = relays(&payloads[0]);
    let after = relays(payloads.last().expect("one"));
    assert!(payloads.len() >= 3 && before.len() >= 4 && after.len() >= 4);
    for old in &before {
        assert!(after.iter().all(|n| n.0 != old.0 && n.2 != old.2), "a key lives on");
        assert!(
            after.iter().any(|n| n.1 == old.1) || TcpStream::connect(&old.1).is_err(),
            "an old address answers"
        );
    }
    alice.leave();
    bob.leave();
    primary.stop();
    assert_eq!(entries(runtime.path()), 0, "no key and no file is left");
}

#[test]
fn a_sealed_payload_opens_for_the_enrolled_only_and_the_trace_verifies_offline() {
    let runtime = tempfile::tempdir().expect("a directory");
    let dir = tempfile::tempdir().expect("a directory");
    let file = |name: &str| dir.path().join(name).display().to_string();
    let (alice_key, bob_key, other_key) = (file("alice.key"), file("bob.key"), file("other.key"));
    let enroll = |out: &str| {
        let ended = run(["primary", "enroll", "--out", out]);
        assert_eq!(ended.code, 0, "{ended:?}");
        assert!(ended.stdout.starts_with("hushwing:client#"));
        ended.stdout
    };
    let (alice_public, bob_public) = (enroll(&alice_key), enroll(&bob_key));
    enroll(&other_key);
    assert_eq!(run(["primary", "enroll", "--out", &other_key]).code, 4, "no key is overwritten");
    let publics = file("publics");
    std::fs::write(&publics, &bob_public).expect("written");
    let (mut primary, link) = primary(
        runtime.path(),
        &["--nodes", "4", "--enrolled", alice_public.trim(), "--enrolled", &publics],
    );

    let (one, two) = (payload(&link, &["--key", &alice_key]), payload(&link, &["--key", &bob_key]));
    assert_eq!(one["hash"], two["hash"], "the same signed document for all");
    assert_eq!((&one["sealed"], &one["tally"]), (&true.into(), &true.into()));
    assert!(one["nodes"].as_array().expect("nodes").iter().all(|n| n["processing"].is_string()));
    for refused in
        [vec!["primary", "payload", &link], vec!["primary", "payload", &link, "--key", &other_key]]
    {
        let ended = run(refused);
        assert_eq!(ended.code, 5, "{ended:?}");
        assert!(ended.stdout.is_empty() && ended.stderr.contains("hint: "), "{ended:?}");
    }
    assert_eq!(run(["doctor", &link, "--key", &alice_key]).code, 0);
    assert_eq!(run(["doctor", &link]).code, 5);

    // They talk, each with a key.
    let mut alice = Chat::start(&link, "alice", &["--key", &alice_key]);
    let bob = Chat::start(&link, "bob", &["--key", &bob_key]);
    alice.expect_up();
    bob.expect_up();
    alice.say("Hello Ghost-Comm!");
    bob.expect_message("alice", "Hello Ghost-Comm!", SOON);
    alice.leave();
    bob.leave();

    let receipt = file("receipt.json");
    let sent = run(["trace", &link, "--key", &alice_key, "--out", &receipt]);
    assert_eq!(sent.code, 0, "{sent:?}");
    primary.stop();
    assert_eq!(entries(runtime.path()), 0);

    // The network is gone: what follows is offline.
    let again = run(["trace", &receipt]);
    assert_eq!((again.code, &again.stdout), (0, &sent.stdout), "{again:?}");
    assert_eq!(
        again.stdout.lines().filter(|l| l.contains("planned delay")).count(),
        4,
        "{again:?}"
    );
    assert!(again.stdout.contains("verified: exactly these 4 hops"), "{again:?}");
    let told: Value =
        serde_json::from_str(&run(["trace", &receipt, "--json"]).stdout).expect("JSON");
    assert_eq!((&told["verified"], &told["hops"][3]["role"]), (&true.into(), &"hub".into()));
    assert_eq!(told["hops"][3]["tally"], told["final_processed"]);
    spoilt_receipts(&receipt, &file("spoilt.json"));
}

type Change<'a> = &'a dyn Fn(&mut Vec<Value>);

/// A hop missing, doubled, in another place, or altered: exit code 6, and what happened.
fn spoilt_receipts(receipt: &str, spoilt: &str) {
    let good: Value =
        serde_json::from_str(&std::fs::read_to_string(receipt).expect("there")).expect("JSON");
    let hops = good["hops"].as_array().expect("hops").clone();
    let with = |change: Change<'_>| {
        let mut hops = hops.clone();
        change(&mut hops);
        let mut all = good.clone();
        all["hops"] = hops.into();
        std::fs::write(spoilt, all.to_string()).expect("written");
        run(["trace", spoilt])
    };
    assert_eq!(with(&|_| ()).code, 0);
    let other = if hops[0]["processing"] == "blake3" { "sha256" } else { "blake3" };
    let cases: [(Change<'_>, &str); 5] = [
        (&|h| drop(h.remove(1)), "was altered"),
        (&|h| h.insert(1, h[1].clone()), "is missing"),
        (&|h| h.swap(0, 2), "hops 1 and 3 are exchanged"),
        (&|h| h[0]["processing"] = other.into(), "was altered"),
        (&|h| h[2]["key"] = "00".repeat(32).into(), "was altered"),
    ];
    for (change, says) in cases {
        let ended = with(change);
        assert_eq!(ended.code, 6, "{ended:?}");
        assert!(
            ended.stderr.contains(says) && ended.stderr.contains("hint: "),
            "{says}: {ended:?}"
        );
        assert!(ended.stdout.contains("NOT verified"), "{ended:?}");
    }
    std::fs::write(spoilt, "{}").expect("written");
    assert_eq!(run(["trace", spoilt]).code, 3);
}

/// Directories of relays, wherever they are below.
fn relay_dirs(dir: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(dir) else { return 0 };
    let is_relay = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with("hushwing-node-");
    entries
        .flatten()
        .map(|e| if is_relay(&e.file_name()) { 1 } else { relay_dirs(&e.path()) })
        .sum()
}

#[test]
fn stopped_in_the_middle_of_a_cycle_it_leaves_nothing_either() {
    let runtime = tempfile::tempdir().expect("a directory");
    let (mut primary, _) = primary(runtime.path(), &["--nodes", "3", "--cycle", "6s"]);
    let between = std::time::Instant::now() + SOON;
    // The relays of the cycle that comes, beside those that go.
    while relay_dirs(runtime.path()) < 6 {
        assert!(std::time::Instant::now() < between, "no cycle begins");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    primary.stop();
    assert_eq!(entries(runtime.path()), 0, "no key and no file is left");
}

#[test]
fn the_demo_runs_to_its_end_and_leaves_nothing() {
    let runtime = tempfile::tempdir().expect("a directory");
    let mut command = hushwing();
    command
        .env("XDG_RUNTIME_DIR", runtime.path())
        .env("TMPDIR", runtime.path())
        .args(["primary", "demo"]);
    let mut demo = Process::spawn("demo", command, Lines::default());
    let status = demo.wait(SOON);
    assert_eq!(status.code(), Some(0), "{:?}\n{:?}", demo.stdout.all(), demo.stderr.all());
    let told = demo.stdout.all().join("\n");
    for part in ["Hello Ghost-Comm!", "Hello again", "cycle: 6 new relays", "no address answers"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert_eq!(entries(runtime.path()), 0, "no key and no file is left");
}

#[test]
fn settings_that_cannot_be_are_refused_with_a_hint() {
    for (args, says) in [
        (&["--cycle", "1s"][..], "--cycle must be at least"),
        (&["--nodes", "2", "--hops", "3"], "needs at least 3"),
        (&["--enrolled", "/nowhere/at/all"], "no client keys"),
        (&["--enrolled", "hushwing:client#AAAA"], "an enrolled key is none"),
    ] {
        let ended = run([&["primary"], args].concat());
        assert_eq!(ended.code, 3, "{ended:?}");
        assert!(ended.stderr.contains(says) && ended.stderr.contains("hint: "), "{ended:?}");
    }
}

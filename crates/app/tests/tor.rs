//! Conversations carried over Tor: hosted rooms, hidden hubs and relays, allowed routes. A private
//! Tor network, real processes.

mod common;
mod person;

use std::net::IpAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use common::{Chat, LONG, Lines, Process, SOON, hushwing};
use person::Person;
use tornet::Shared;

tornet::supervisor!();

/// What the programs log, for the story of a test that failed.
const LOG: &str = "warn,net=debug,tor_hsclient=debug,tor_guardmgr=info,tor_dirmgr=info";

/// A settings file by which the program joins the network.
fn settings(network: &Shared, dir: &Path, engine: &str) -> String {
    let mut file = toml::Table::new();
    file.insert("engine".into(), engine.into());
    if engine == "arti" {
        let arti: toml::Table = network.arti_toml().parse().expect("TOML");
        file.insert("arti".into(), arti.into());
    } else {
        file.insert("torrc".into(), network.torrc_client().to_vec().into());
    }
    let path = dir.join(format!("{engine}.toml"));
    std::fs::write(&path, file.to_string()).expect("the settings file");
    path.display().to_string()
}

/// Hosts a room; the process and the room's link.
fn host(tor: &str, dir: &Path) -> (Process, String) {
    let mut command = hushwing();
    command.args(["host", "--serve", "--dir"]).arg(dir).args(["--tor-settings", tor]);
    command.env("HUSHWING_LOG", "warn,net=debug,tor_hsservice=debug");
    let process = Process::spawn("host", command, Lines::default());
    let link = process.stdout.wait_for(LONG, |lines| lines.first().cloned());
    let link = link.unwrap_or_else(|| panic!("no link\n{}", process.stderr.all().join("\n")));
    (process, link)
}

fn guest(link: &str, nick: &str, tor: &str) -> Chat {
    let mut command = hushwing();
    command
        .args(["chat", link, "--json", "--nick", nick, "--tor-settings", tor])
        .env("HUSHWING_LOG", LOG);
    Chat { nick: nick.into(), process: Process::spawn(nick, command, Lines::default()) }
}

fn expect_up(chat: &Chat) {
    chat.expect("network", LONG, |e| e["event"] == "network" && e["up"] == true);
    chat.expect("room", LONG, |e| e["event"] == "joined");
}

#[test]
fn a_hosted_room_keeps_its_link_and_guests_may_come_first() {
    let Some(network) = tornet::shared() else { return };
    let dir = tempfile::tempdir().expect("a directory");
    let arti = settings(&network, dir.path(), "arti");
    let private = settings(&network, dir.path(), "private");
    let home = dir.path().join("host");
    let (mut first, link) = host(&arti, &home);
    first.stop();

    // One guest with the Tor inside, one with a tor of its own; nobody is at home yet.
    let mut alice = guest(&link, "alice", &arti);
    let mut bob = guest(&link, "bob", &private);
    alice.say("DUMMY: are you there?");
    alice.expect("per cent", LONG, |e| e["text"].as_str().is_some_and(|t| t.starts_with("Tor: ")));
    let (mut again, same) = host(&arti, &home);
    // The link's hour may have changed; where it leads has not.
    assert_eq!(link[..120], same[..120]);
    expect_up(&alice);
    expect_up(&bob);
    alice.expect_stored(1, LONG);
    bob.expect_message("alice", "DUMMY: are you there?", LONG);
    bob.say("yes");
    alice.expect_message("bob", "yes", LONG);
    // New circuits on demand: nothing is lost, and the link never goes down.
    alice.say("/circuits");
    alice.expect("the move", LONG, |e| e["text"] == "moving to new circuits");
    alice.say("by other relays");
    bob.expect_message("alice", "by other relays", LONG);
    alice.leave();
    bob.leave();
    again.stop();
}

#[test]
fn contacts_talk_over_a_hosted_hub() {
    let Some(network) = tornet::shared() else { return };
    let dir = tempfile::tempdir().expect("a directory");
    let arti = settings(&network, dir.path(), "arti");
    let (mut host, link) = host(&arti, &dir.path().join("host"));
    let profiles = dir.path().join("profiles");
    let person = |name: &'static str| {
        let person = Person::new(&profiles, name, None);
        // Each profile's own settings of Tor.
        std::fs::copy(&arti, profiles.join(name).join("tor.toml")).expect("copied");
        person
    };
    let (alice, bob) = (person("alice"), person("bob"));
    let inviting = alice.start(&["invite", "--wait", "--network", &link]);
    let invite = inviting.stdout.wait_for(LONG, |l| l.first().cloned());
    let invite = invite.unwrap_or_else(|| panic!("no link: {:?}", inviting.stderr.all()));
    let accepted = bob.run_with_input(&["accept", "-"], &format!("{invite}\n"));
    assert_eq!(accepted.code, 0, "{accepted:?}");
    let mut inviting = inviting;
    assert_eq!(inviting.wait(LONG).code(), Some(0), "{:?}", inviting.stderr.all());
    assert_eq!(alice.ok(&["contact", "verify", "bob"]), bob.ok(&["contact", "verify", "alice"]));
    alice.send("bob", "over six relays");
    assert_eq!(bob.recv(1), ["alice: over six relays"]);
    // A conversation that may use Tor alone goes on; one that may use only the relays waits, and
    // says why.
    alice.ok(&["contact", "routes", "bob", "tor"]);
    let sent = alice.send("bob", "by tor alone");
    assert_eq!(bob.recv(1), ["alice: by tor alone"]);
    let _ = sent;
    host.stop();
}

/// Where a process and its threads have connected to, as `strace` saw it.
fn connected(trace: &Path) -> Vec<(IpAddr, u16)> {
    let text = std::fs::read_to_string(trace).expect("the trace");
    let number = |line: &str| -> Option<(IpAddr, u16)> {
        let port = line.split("htons(").nth(1)?.split(')').next()?.parse().ok()?;
        let address = line
            .split("inet_addr(\"")
            .nth(1)
            .or_else(|| line.split("inet_pton(AF_INET6, \"").nth(1))?;
        Some((address.split('"').next()?.parse().ok()?, port))
    };
    text.lines()
        .filter(|l| l.contains("sin_port") || l.contains("sin6_port"))
        .filter_map(number)
        .collect()
}

/// From start-up on, and also while the hub is away, a chat over Tor opens sockets to guards and to
/// nobody else: no DNS, no direct connection.
#[test]
fn nothing_but_guards_is_dialled() {
    if Command::new("strace").arg("-V").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "strace is not installed");
        println!("SKIPPED: strace is not installed");
        return;
    }
    let Some(network) = tornet::shared() else { return };
    let dir = tempfile::tempdir().expect("a directory");
    let arti = settings(&network, dir.path(), "arti");
    let home = dir.path().join("host");
    let (mut first, link) = host(&arti, &home);

    let trace = dir.path().join("trace");
    let mut command = Command::new("strace");
    // Without the filter every call of every thread would stop it, and Tor would be slow.
    command
        .args(["-f", "--seccomp-bpf", "-qq", "-e", "trace=connect,sendto,sendmsg,sendmmsg", "-o"])
        .arg(&trace);
    command.arg(env!("CARGO_BIN_EXE_hushwing"));
    command
        .args(["chat", &link, "--json", "--nick", "alice", "--tor-settings", &arti])
        .env("NO_COLOR", "1");
    let mut alice =
        Chat { nick: "alice".into(), process: Process::spawn("alice", command, Lines::default()) };
    expect_up(&alice);
    alice.say("one");
    alice.expect_stored(1, LONG);
    // The hub goes away in mid-talk, and comes back.
    first.kill();
    alice.say("two");
    alice.expect("the loss", LONG, |e| {
        e["event"] == "network"
            && e["up"] == false
            && e["text"].as_str().is_some_and(|t| t.contains("gone"))
    });
    let (mut again, _) = host(&arti, &home);
    // Tor gives up the old introduction points one by one, and asks for new ones.
    alice.expect_stored(2, LONG * 3 / 2);
    alice.leave();
    again.stop();

    let guards: Vec<(IpAddr, u16)> = network.guards().map(|g| (g.ip(), g.port())).collect();
    let seen = connected(&trace);
    assert!(
        seen.iter().any(|to| guards.contains(to)),
        "no guard was dialled: the trace shows nothing"
    );
    let others: Vec<_> = seen.iter().filter(|to| !guards.contains(to)).collect();
    assert_eq!(others, Vec::<&(IpAddr, u16)>::new());
}

/// Tor that never connects: messages wait, it says so, and nothing else is tried.
#[test]
fn without_tor_messages_wait_and_say_why() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("dead.toml");
    let dead = "engine = \"system\"\nsocks = \"127.0.0.1:1\"\ncontrol = \"127.0.0.1:1\"\n";
    std::fs::write(&file, dead).expect("the settings file");
    let world = common::World::new().start();
    let mut alice = world
        .chat_with("alice", &["--route", "tor", "--tor-settings", &file.display().to_string()]);
    alice.say("hello");
    alice.expect("the reason", LONG, |e| {
        e["event"] == "network"
            && e["up"] == false
            && e["text"].as_str().is_some_and(|t| t.contains("no running tor"))
    });
    // The relays and the hub would have answered at once.
    let mut bob = world.join("bob");
    bob.say("I am here");
    bob.expect_stored(1, LONG);
    assert!(!alice.wait_messages(1, Duration::from_millis(1)));
    let stored = |e: &serde_json::Value| e["event"] == "state" && e["state"] == "stored";
    assert!(!alice.events().iter().any(stored));
    // Switched off by the person: it travels.
    alice.say("/safety off");
    alice.expect_stored(1, LONG);
    bob.expect_message("alice", "hello", LONG);
    alice.leave();
    bob.leave();
}

/// A directory, relays and a hub that have no address but an onion one; a client reaches them by
/// both routes.
#[test]
fn hidden_relays_and_a_hidden_hub() {
    let Some(network) = tornet::shared() else { return };
    let dir = tempfile::tempdir().expect("a directory");
    let arti = settings(&network, dir.path(), "arti");
    let at = |name: &str| dir.path().join(name).display().to_string();
    let start = |name: &str, role: &str, more: &[&str]| {
        let mut command = hushwing();
        command
            .args(["node", role, "-v", "--tor-only", "--tor-settings", &arti, "--dir", &at(name)])
            .args(more);
        Process::spawn(name, command, Lines::default())
    };
    let says = |process: &Process, part: &str| {
        let found = process.stderr.wait_line(0, part, LONG);
        assert!(
            found.is_some(),
            "{}: no {part:?}\n{}",
            process.name,
            process.stderr.all().join("\n")
        );
    };
    let directory = start("directory", "directory", &["--mean-delay", "5"]);
    says(&directory, "directory is up");
    let (file, token) = (at("directory/network"), at("directory/token"));
    let admission = ["--network", file.as_str(), "--token", token.as_str()];
    let mut nodes: Vec<Process> =
        (1..=3).map(|n| start(&format!("relay-{n}"), "relay", &admission)).collect();
    nodes.push(start("hub", "hub", &admission));
    nodes.iter().for_each(|node| says(node, "admitted by the directory"));
    says(&directory, "relays=3 hubs=1");
    assert!(nodes.iter().all(|n| n.stderr.all().iter().all(|l| !l.contains("127.0.0.1"))));

    let made = common::run(["room", "--network", &file, "--hub", &at("hub/hub")]);
    let link = made.stdout.trim().to_owned();
    let mut alice = Chat::start(&link, "alice", &["--route", "tor", "--tor-settings", &arti]);
    let mut bob = Chat::start(&link, "bob", &["--route", "tor+onion", "--tor-settings", &arti]);
    expect_up(&alice);
    expect_up(&bob);
    alice.say("by tor");
    bob.expect_message("alice", "by tor", LONG);
    bob.say("by tor and relays");
    alice.expect_message("bob", "by tor and relays", LONG);
    alice.leave();
    bob.leave();
}

/// Only holders of an admitted key find a restricted hub.
#[test]
fn a_restricted_host_is_found_with_a_key_only() {
    let Some(network) = tornet::shared() else { return };
    let dir = tempfile::tempdir().expect("a directory");
    let arti = settings(&network, dir.path(), "arti");
    let home = dir.path().join("host");
    // The name is known once the host has run.
    let (mut open, link) = host(&arti, &home);
    open.stop();
    let place = link.trim_start_matches("hushwing:room#");
    let bytes = data_encoding::BASE64URL_NOPAD.decode(place.as_bytes()).expect("base64url");
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let end = text.find(".onion").expect("an onion name") + ".onion".len();
    let name = &text[end - 62..end];
    let key = dir.path().join("key").display().to_string();
    let made = common::run(["tor", "key", name, "--out", &key]);
    assert_eq!(made.code, 0, "{made:?}");
    let admitted = dir.path().join("admitted");
    std::fs::write(&admitted, &made.stdout).expect("written");

    let mut command = hushwing();
    command
        .args(["host", "--serve", "--dir"])
        .arg(&home)
        .args(["--tor-settings", &arti, "--authorized"])
        .arg(&admitted);
    let closed = Process::spawn("host", command, Lines::default());
    assert!(
        closed.stdout.wait_for(LONG, |l| l.first().cloned()).is_some(),
        "{:?}",
        closed.stderr.all()
    );
    let mut alice = Chat::start(&link, "alice", &["--tor-settings", &arti, "--onion-key", &key]);
    let mut eve = guest(&link, "eve", &arti);
    eve.say("let me in");
    expect_up(&alice);
    alice.say("only us");
    alice.expect_stored(1, LONG);
    assert!(
        !eve.events().iter().any(|e| e["event"] == "network" && e["up"] == true),
        "{}",
        eve.story()
    );
    eve.process.kill();
    alice.leave();
}

/// Relays that are onion services and live for a while: talk goes on across a change, and a
/// packet's way can be proved.
#[test]
fn a_pool_of_hidden_relays_renews_itself() {
    let Some(network) = tornet::shared() else { return };
    let dir = tempfile::tempdir().expect("a directory");
    let arti = settings(&network, dir.path(), "arti");
    let mut command = hushwing();
    command.args([
        "primary",
        "--tor",
        "--nodes",
        "3",
        "--cycle",
        "30s",
        "--mean-delay",
        "1",
        "--tor-settings",
        &arti,
    ]);
    let mut primary = Process::spawn("primary", command, Lines::default());
    let link = primary.stdout.wait_for(LONG, |lines| lines.first().cloned());
    let link = link.unwrap_or_else(|| panic!("no link\n{}", primary.stderr.all().join("\n")));
    let mut alice = Chat::start(&link, "alice", &["--route", "tor+onion", "--tor-settings", &arti]);
    let mut bob = Chat::start(&link, "bob", &["--route", "tor+onion", "--tor-settings", &arti]);
    expect_up(&alice);
    expect_up(&bob);
    alice.say("before");
    bob.expect_message("alice", "before", LONG);
    let traced = common::run(["trace", &link, "--tor-settings", &arti]);
    assert!(
        traced.code == 0 && traced.stdout.contains("verified: exactly these 4 hops"),
        "{traced:?}"
    );
    let cycled = primary.stderr.wait_line(0, "cycle 1: 3 new relays", LONG);
    assert!(cycled.is_some(), "{}", primary.stderr.all().join("\n"));
    bob.say("after");
    alice.expect_message("bob", "after", LONG);
    alice.leave();
    bob.leave();
    primary.stop();
}

/// A folder as an onion site, read through the network's own client.
#[test]
fn a_folder_is_an_onion_site() {
    let Some(network) = tornet::shared() else { return };
    let dir = tempfile::tempdir().expect("a directory");
    let arti = settings(&network, dir.path(), "arti");
    let site = dir.path().join("blog");
    std::fs::create_dir(&site).expect("a folder");
    std::fs::write(site.join("index.html"), "<p>an owl</p>").expect("a page");
    let mut command = hushwing();
    command
        .args(["onion-site", "--tor-settings", &arti, "--state"])
        .arg(dir.path().join("state"))
        .arg(&site);
    let mut serving = Process::spawn("onion-site", command, Lines::default());
    let line = serving.stdout.wait_for(LONG, |lines| lines.first().cloned());
    let line = line.unwrap_or_else(|| panic!("no address\n{}", serving.stderr.all().join("\n")));
    let name = line
        .split("http://")
        .nth(1)
        .and_then(|u| u.strip_suffix('/'))
        .expect("an address")
        .to_owned();
    let page = format!("GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n");
    let answer = through_tor(&network, &name, &page);
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("<p>an owl</p>"), "{answer}");
    assert!(answer.to_lowercase().contains("x-content-type-options: nosniff"), "{answer}");
    serving.stop();
}

/// The browser's front end of a profile as an onion service: holders of its key find it, and the
/// passphrase opens it.
#[test]
fn a_web_front_end_is_found_with_its_key_and_opened_by_its_passphrase() {
    let Some(network) = tornet::shared() else { return };
    let dir = tempfile::tempdir().expect("a directory");
    let arti = settings(&network, dir.path(), "arti");
    let mut command = hushwing();
    command.args([
        "web",
        "--onion",
        "--no-open",
        "--listen",
        "127.0.0.1:0",
        "--no-passphrase",
        "--tor-settings",
        &arti,
    ]);
    command
        .env("HUSHWING_HOME", dir.path().join("home"))
        .env("HUSHWING_WEB_PASSPHRASE", "correct horse");
    let mut web = Process::spawn("web", command, Lines::default());
    assert!(
        web.stdout.wait_for(LONG, |lines| lines.first().cloned()).is_some(),
        "{:?}",
        web.stderr.all()
    );
    let said = |part: &str| {
        let line = web
            .stderr
            .all()
            .into_iter()
            .find(|l| l.contains(part))
            .unwrap_or_else(|| panic!("no {part}"));
        line.split(part).nth(1).expect("a rest").trim().to_owned()
    };
    let name = said("in Tor Browser:  http://").trim_end_matches('/').to_owned();
    let key = format!("{name}:descriptor:x25519:{}", said("asks for, once:  "));
    let page = |body: &str, method: &str, path: &str, host: &str| {
        let len = body.len();
        let form = "Content-Type: application/x-www-form-urlencoded";
        format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\n{form}\r\nContent-Length: {len}\r\nConnection: close\r\n\r\n{body}"
        )
    };
    let ask = |request: &str| through_tor_with(&network, &name, request, Some(&key));
    let door = ask(&page("", "GET", "/", &name));
    assert!(door.starts_with("HTTP/1.1 200") && door.contains("Code or passphrase"), "{door}");
    // Another name leads nowhere, through Tor as on this machine.
    assert!(ask(&page("", "GET", "/", "evil.example")).starts_with("HTTP/1.1 421"));
    let wrong = ask(&page("code=wrong+horse", "POST", "/login", &name));
    assert!(
        wrong.starts_with("HTTP/1.1 403") && !wrong.to_lowercase().contains("set-cookie"),
        "{wrong}"
    );
    let right = ask(&page("code=correct+horse", "POST", "/login", &name));
    assert!(
        right.starts_with("HTTP/1.1 303") && right.to_lowercase().contains("set-cookie: hushwing="),
        "{right}"
    );
    // Guessing is slowed down for everybody: an onion service knows no addresses.
    let tries: Vec<String> =
        (0..7).map(|_| ask(&page("code=guess", "POST", "/login", &name))).collect();
    assert!(tries[6].starts_with("HTTP/1.1 429"), "{}", tries[6]);
    web.signal("TERM");
    assert_eq!(web.wait(SOON).code(), Some(0));
}

/// One request to port 80 of an onion service, by the network's C tor client; tried again until the
/// service is found.
fn through_tor(network: &Shared, name: &str, request: &str) -> String {
    through_tor_with(network, name, request, None)
}

/// As [`through_tor`], with the key of a restricted service.
fn through_tor_with(network: &Shared, name: &str, request: &str, key: Option<&str>) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let address: wire::Address = format!("{name}:80").parse().expect("an onion address");
    let mut settings = net::tor::TorSettings::new(std::env::temp_dir());
    settings.engine = net::tor::EngineKind::System;
    (settings.socks, settings.control) = (Some(network.socks()), Some(network.control()));
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let asking = async {
        let tor = net::tor::Tor::start(settings).await.expect("the running tor");
        if let Some(key) = key {
            tor.add_client_key(key.parse().expect("a key")).await.expect("taken");
        }
        let dialer = tor.dialer();
        let mut stream = loop {
            match dialer.dial(address).await {
                Ok(stream) => break stream,
                Err(_) => tokio::task::yield_now().await,
            }
        };
        stream.write_all(request.as_bytes()).await.expect("written");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("an answer");
        answer
    };
    runtime.block_on(async { tokio::time::timeout(LONG, asking).await }).expect("an answer in time")
}

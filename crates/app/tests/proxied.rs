//! A proxy that everything goes through: what a recorder on the client's own line sees.

mod common;
mod person;

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::process::Command;

use common::{Chat, Lines, Process, SOON, free_port, run};
use lanlab::{Lab, Node};
use person::Person;

/// Three machines: a network, a proxy, a client.
struct Three {
    lab: Lab,
    _network: Process,
    proxy: Process,
    link: String,
}

const PORT: u16 = 1080;

fn within(node: &Node, program: &str) -> Command {
    let mut command = node.command(program);
    command.env("NO_COLOR", "1").env_remove("HUSHWING_PROXY");
    command
}

impl Three {
    /// None where there are no namespaces. `login` is what the proxy asks for.
    fn start(login: &[&str]) -> Option<Three> {
        if !lanlab::available() {
            println!("SKIPPED: needs root and iproute2");
            return None;
        }
        let lab = Lab::bridge(3);
        let mut up = within(lab.node(0), env!("CARGO_BIN_EXE_hushwing"));
        up.args(["up", "--host", &lab.node(0).v4().to_string()]);
        let network = Process::spawn("up", up, Lines::default());
        let link = network.stdout.wait_for(SOON, |l| l.first().cloned()).expect("a link");
        let mut proxy = within(lab.node(1), "python3");
        proxy.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/socks5.py"));
        proxy.args([&lab.node(1).v4().to_string(), &PORT.to_string()]).args(login);
        let proxy = Process::spawn("proxy", proxy, Lines::default());
        proxy.stdout.wait_for(SOON, |l| l.first().cloned()).expect("ready");
        Some(Three { lab, _network: network, proxy, link })
    }

    fn url(&self, login: &str) -> String {
        format!("socks5://{login}{}:{PORT}", self.lab.node(1).v4())
    }

    fn chat(&self, url: &str, nick: &str, more: &[&str]) -> Chat {
        let mut chat = within(self.lab.node(2), env!("CARGO_BIN_EXE_hushwing"));
        chat.args(["chat", &self.link, "--json", "--nick", nick, "--proxy", url]).args(more);
        Chat { nick: nick.to_owned(), process: Process::spawn(nick, chat, Lines::default()) }
    }

    /// Where the client's packets went, by what was recorded on its line.
    fn seen(&self, pcap: &[u8]) -> BTreeSet<(Ipv4Addr, u16)> {
        let me = self.lab.node(2).v4();
        sent(pcap, me).into_iter().collect()
    }

    fn only(&self) -> BTreeSet<(Ipv4Addr, u16)> {
        BTreeSet::from([(self.lab.node(1).v4(), PORT)])
    }
}

/// Destinations of the IPv4 packets of a pcap file that come from `me`; port 0 where it is neither
/// TCP nor UDP. An IPv6 packet other than what the kernel says by itself is a failure.
fn sent(pcap: &[u8], me: Ipv4Addr) -> Vec<(Ipv4Addr, u16)> {
    let mut found = Vec::new();
    let mut rest = pcap.get(24..).unwrap_or_default();
    while let Some((head, body)) = rest.split_at_checked(16) {
        let len = u32::from_le_bytes(head[8..12].try_into().expect("4 bytes")) as usize;
        let (frame, next) = body.split_at(len.min(body.len()));
        rest = next;
        match frame.get(12..14) {
            Some([8, 0]) if frame[26..30] == me.octets() => {
                let to: [u8; 4] = frame[30..34].try_into().expect("4 bytes");
                let ports = 14 + usize::from(frame[14] & 15) * 4;
                let port = match frame[23] {
                    6 | 17 => u16::from_be_bytes([frame[ports + 2], frame[ports + 3]]),
                    _ => 0,
                };
                found.push((Ipv4Addr::from(to), port));
            }
            Some([0x86, 0xdd]) => {
                // Neighbour discovery and multicast listener reports.
                assert!([0, 58].contains(&frame[20]), "IPv6 beside ICMP: {frame:?}");
            }
            _ => {}
        }
    }
    found
}

#[test]
fn a_recorder_on_the_clients_line_sees_the_proxy_alone() {
    let Some(three) = Three::start(&["anna", "pass word"]) else { return };
    let capture = three.lab.node(2).capture();
    let url = three.url("anna:pass%20word@");
    for (route, names) in [("onion", ["ann", "ben"]), ("direct", ["dan", "eve"])] {
        let mut ann = three.chat(&url, names[0], &["--route", route]);
        let ben = three.chat(&url, names[1], &["--route", route]);
        ann.say(&format!("by {route}"));
        ben.expect_message(names[0], &format!("by {route}"), SOON);
        ann.leave();
        ben.leave();
    }
    // A profile, with the local network allowed: no beacon says that it is there.
    let home = tempfile::tempdir().expect("a temporary directory");
    let mut person = Person::new(home.path(), "cat", None);
    person.namespace = Some(three.lab.node(2).namespace().to_owned());
    let looked = person.run(&["--proxy", &url, "lan", "mesh", "--for", "3s"]);
    assert_eq!(looked.code, 0, "{looked:?}");
    let only = person.run(&["--proxy", &url, "contact", "list", "--lan-only"]);
    assert!(only.stderr.contains("off while a proxy is used"), "{only:?}");
    assert_eq!(three.seen(&capture.finish()), three.only());
    let reached: BTreeSet<String> = three.proxy.stdout.all().into_iter().collect();
    assert!(reached.len() > 3, "directory, relays and hub: {reached:?}");
}

#[test]
fn without_its_proxy_nothing_leaves() {
    let Some(mut three) = Three::start(&[]) else { return };
    let url = three.url("");
    let before = three.chat(&url, "ann", &[]);
    before.expect_up();
    before.leave();
    three.proxy.kill();
    let capture = three.lab.node(2).capture();
    let mut chat = three.chat(&url, "ann", &[]);
    chat.say("is anybody there?");
    chat.expect("what is in the way", SOON, |e| {
        e["event"] == "network"
            && e["up"] == false
            && e["text"].as_str().is_some_and(|t| t.contains("the proxy does not answer"))
    });
    assert_eq!(three.seen(&capture.finish()), three.only());
}

#[test]
fn a_wrong_login_is_told() {
    let Some(three) = Three::start(&["anna", "right"]) else { return };
    let chat = three.chat(&three.url("anna:wrong@"), "ann", &[]);
    chat.expect("the reason", SOON, |e| {
        e["event"] == "network"
            && e["text"].as_str().is_some_and(|t| t.contains("the proxy refuses the login"))
    });
}

#[test]
fn what_would_go_around_the_proxy_is_refused() {
    for url in ["http://127.0.0.1:1", "socks5://proxy.example:1080", "socks5://127.0.0.1"] {
        let refused = run(["--proxy", url, "doctor", "--lan"]);
        assert_eq!(refused.code, 3, "{refused:?}");
        assert!(refused.stderr.contains("hint: for example: --proxy"), "{refused:?}");
    }
    // A tor that runs already has a way of its own.
    let url = format!("socks5://127.0.0.1:{}", free_port());
    let refused = run(["--proxy", &url, "tor", "check", "--tor-engine", "system"]);
    assert_eq!(refused.code, 3, "{refused:?}");
    assert!(refused.stderr.contains("does not go through the proxy"), "{refused:?}");
}

#[test]
fn a_profile_can_have_a_proxy_of_its_own() {
    let Some(three) = Three::start(&[]) else { return };
    let home = tempfile::tempdir().expect("a temporary directory");
    let mut person = Person::new(home.path(), "ann", None);
    person.fails(&["profile", "config", "set", "proxy", "http://x"], 3, "takes \"off\"");
    person.fails(&["profile", "config", "set", "proxy", "socks5://x:1"], 3, "is an IP address");
    person.ok(&["profile", "config", "set", "network", &three.link]);
    person.ok(&["profile", "config", "set", "proxy", &three.url("")]);
    // It may have ended by itself.
    person.run(&["profile", "daemon", "--stop"]);
    person.namespace = Some(three.lab.node(2).namespace().to_owned());
    let capture = three.lab.node(2).capture();
    let link = person.ok(&["invite"]);
    assert!(link.starts_with("hushwing:invite#"), "{link}");
    assert_eq!(three.seen(&capture.finish()), three.only());
}

#[test]
fn a_daemon_without_the_proxy_is_not_used_by_who_wants_it() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let person = Person::new(home.path(), "ann", None);
    let daemon = person.start(&["profile", "daemon"]);
    daemon.stderr.wait_for(SOON, |l| (!l.is_empty()).then_some(())).expect("it runs");
    let url = format!("socks5://127.0.0.1:{}", free_port());
    let refused = person.run(&["--proxy", &url, "contact", "list"]);
    assert_eq!(refused.code, 3, "{refused:?}");
    assert!(refused.stderr.contains("does not go through this proxy"), "{refused:?}");
    assert!(refused.stderr.contains("hint: stop it with"), "{refused:?}");
    drop(daemon);
    // A daemon that it starts by itself takes the proxy over.
    let status = person.run(&["--proxy", &url, "contact", "list"]);
    assert_eq!(status.code, 0, "{status:?}");
}

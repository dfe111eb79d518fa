//! A node at home asks its router for a port: Debian's miniupnpd is the router.

mod common;

use std::net::Ipv4Addr;

use common::online::{Online, expect, on};
use common::{Lines, Process, SOON, free_port, run, they_talk};
use lanlab::Nat;

/// The router's own address on the internet.
const ROUTER: Ipv4Addr = Ipv4Addr::new(11, 0, 0, 100);
/// That of the second home's.
const OTHER: Ipv4Addr = Ipv4Addr::new(11, 0, 0, 101);
/// Another one, which the first one's provider gives it later.
const LATER: Ipv4Addr = Ipv4Addr::new(11, 0, 0, 150);

/// Starts the router's daemon; none where it is not installed.
fn miniupnpd(online: &Online, h: usize, external: Ipv4Addr, more: &str) -> Option<Process> {
    let home = online.internet.home(h);
    let settings = online.dir.path().join(format!("miniupnpd-{h}.conf"));
    std::fs::write(&settings, home.miniupnpd(external, more)).expect("its settings");
    let program = "/usr/sbin/miniupnpd";
    if !std::path::Path::new(program).exists() {
        assert!(std::env::var_os("CI").is_none(), "miniupnpd is not installed");
        println!("SKIPPED: miniupnpd is not installed");
        return None;
    }
    let mut command = on(home.router(), program);
    command.arg("-d").arg("-f").arg(&settings);
    command.arg("-P").arg(online.dir.path().join(format!("miniupnpd-{h}.pid")));
    let daemon = Process::spawn("miniupnpd", command, Lines::default());
    expect(&daemon, "HTTP listening on port");
    Some(daemon)
}

/// Whether the router forwards this port.
fn forwards(online: &Online, h: usize, port: u16) -> bool {
    let rules = online.internet.home(h).rules();
    rules.lines().any(|l| l.contains(&format!("dnat ip to 192.168.{h}.2:{port}")))
}

#[test]
fn a_relay_and_a_hub_at_home_are_reached_by_a_port_that_the_router_forwards() {
    let homes = [Nat::Masquerade, Nat::Symmetric];
    let Some(mut online) = Online::start(2, false, &homes) else { return };
    let Some(mut first) = miniupnpd(&online, 0, ROUTER, "enable_natpmp=yes") else { return };
    let Some(_second) = miniupnpd(&online, 1, OTHER, "enable_natpmp=yes") else { return };
    let at_home = |online: &Online, h: usize, role, name, port: u16| {
        let listen = format!("0.0.0.0:{port}");
        let more = ["--map-port", "--listen", &listen];
        online.node_on(online.internet.home(h).host(), role, name, &more)
    };
    let mut relay = at_home(&online, 0, "relay", "relay-home", 5005);
    let mut hub = at_home(&online, 1, "hub", "hub", 6005);
    expect(&relay, "listens on 11.0.0.100:5005");
    expect(&relay, "the router forwards 11.0.0.100:5005 to this port (PCP)");
    expect(&hub, "the router forwards 11.0.0.101:6005 to this port (PCP)");
    online.listed(0, "relays=3 hubs=1 dials_only=0");
    assert!(forwards(&online, 0, 5005) && forwards(&online, 1, 6005));
    // With three relays and one hub every message passes both.
    let mut alice = online.chat(|i| i.host(1), "alice");
    let mut bob = online.chat(|i| i.host(1), "bob");
    they_talk(&mut alice, &mut bob, "to a home and back");

    // The router starts again, and its provider gives it another address.
    let mark = online.directory.stderr.count();
    first.kill();
    online.internet.home(0).forget_ports();
    online.internet.home(0).router().add_v4("wan", LATER);
    let Some(first) = miniupnpd(&online, 0, LATER, "enable_natpmp=yes") else { return };
    expect(&relay, "the router forwards 11.0.0.150:5005");
    online.listed(mark, "relays=3 hubs=1");
    they_talk(&mut alice, &mut bob, "it has moved");

    // What was opened is closed again.
    relay.stop();
    hub.stop();
    assert!(!forwards(&online, 0, 5005) && !forwards(&online, 1, 6005));
    drop(first);
}

#[test]
fn a_router_that_speaks_upnp_alone_is_asked_by_that() {
    let Some(online) = Online::start(0, false, &[Nat::Masquerade]) else { return };
    let Some(_daemon) = miniupnpd(&online, 0, ROUTER, "enable_natpmp=no\nenable_upnp=yes") else {
        return;
    };
    let more = ["--map-port", "--listen", "0.0.0.0:5005"];
    let host = online.internet.home(0).host();
    let mut relay = online.node_on(host, "relay", "relay-home", &more);
    expect(&relay, "the router forwards 11.0.0.100:5005 to this port (UPnP)");
    online.listed(0, "relays=1 hubs=0 dials_only=0");
    assert!(forwards(&online, 0, 5005));
    assert!(!online.internet.home(0).rules().contains("hushwing"), "the router shows no name");
    relay.stop();
    assert!(!forwards(&online, 0, 5005));
}

#[test]
fn a_whole_network_at_home_is_reached_through_its_router() {
    let Some(mut online) = Online::start(0, false, &[Nat::Masquerade]) else { return };
    let Some(_daemon) = miniupnpd(&online, 0, ROUTER, "enable_natpmp=yes") else { return };
    let mut up = on(online.internet.home(0).host(), env!("CARGO_BIN_EXE_hushwing"));
    up.args(["up", "--host", "0.0.0.0", "--map-port"]);
    let mut up = Process::spawn("up", up, Lines::default());
    let link = up.stdout.wait_for(SOON, |l| l.first().cloned()).expect("a link");
    for port in [5001, 5002, 5003, 5999, 6000] {
        assert!(forwards(&online, 0, port), "{port}");
    }
    online.set_link(link);
    let mut alice = online.chat(|i| i.host(1), "alice");
    let mut bob = online.chat(|i| i.host(0), "bob");
    they_talk(&mut alice, &mut bob, "from outside");
    up.stop();
    assert!(!online.internet.home(0).rules().contains("dnat ip to"));
}

#[test]
fn short_lived_relays_at_home_open_ports_and_close_them_again() {
    let Some(mut online) = Online::start(0, false, &[Nat::Masquerade]) else { return };
    let Some(_daemon) = miniupnpd(&online, 0, ROUTER, "enable_natpmp=yes") else { return };
    let mut primary = on(online.internet.home(0).host(), env!("CARGO_BIN_EXE_hushwing"));
    primary.args(["primary", "--host", "0.0.0.0", "--map-port", "--mean-delay", "1"]);
    primary.args(["--nodes", "3", "--cycle", "8s"]);
    let mut primary = Process::spawn("primary", primary, Lines::default());
    let link = primary.stdout.wait_for(SOON, |l| l.first().cloned()).expect("a link");
    online.set_link(link);
    let mut alice = online.chat(|i| i.host(1), "alice");
    let mut bob = online.chat(|i| i.host(0), "bob");
    they_talk(&mut alice, &mut bob, "from outside");
    expect(&primary, "cycle 1: 3 new relays");
    they_talk(&mut alice, &mut bob, "by new relays");
    let mapped = online.internet.home(0).rules().matches("dnat ip to").count();
    assert!((5..=8).contains(&mapped), "{mapped} ports: five, and three more during a cycle");
    primary.stop();
    assert!(!online.internet.home(0).rules().contains("dnat ip to"));
}

#[test]
fn a_router_that_forwards_nothing_is_told_and_the_relay_goes_on() {
    let Some(online) = Online::start(0, false, &[Nat::Symmetric]) else { return };
    let more = ["--map-port", "--listen", "0.0.0.0:5005"];
    let host = online.internet.home(0).host();
    let mut relay = online.node_on(host, "relay", "relay-home", &more);
    expect(&relay, "no port is forwarded: the router speaks none of PCP, NAT-PMP and UPnP");
    expect(&relay, "hint: allow UPnP, NAT-PMP or PCP in the router's settings");
    expect(&relay, "admitted by the directory");
    online.listed(0, "relays=0 hubs=0 dials_only=1");
    relay.stop();
}

#[test]
fn what_cannot_be_together_with_a_mapped_port_is_refused() {
    let proxy = format!("socks5://127.0.0.1:{}", free_port());
    let home = tempfile::tempdir().expect("a temporary directory");
    let dir = home.path().join("node").display().to_string();
    let node = ["node", "directory", "--dir", &dir, "--map-port"];
    for (more, part) in [
        (&["--proxy", &proxy][..], "past the proxy"),
        (&["--tor-only"][..], "nothing listens here"),
        (&["--listen", "127.0.0.1:0"][..], "cannot forward to 127.0.0.1"),
    ] {
        let refused = run([&node[..], more].concat());
        assert_eq!(refused.code, 3, "{refused:?}");
        assert!(refused.stderr.contains(part) && refused.stderr.contains("hint: "), "{refused:?}");
    }
    let relay = run(["node", "relay", "--dir", &dir, "--map-port", "--dials-only"]);
    assert_eq!(relay.code, 3, "{relay:?}");
    assert!(relay.stderr.contains("nothing listens here"), "{relay:?}");
}

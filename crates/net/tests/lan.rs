//! Neighbours in network namespaces. On each machine runs this test program again: a puppet that
//! does what its test tells it line by line, and says what it saw.
#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use lanlab::{Lab, Node};
use net::lan::{self, Allowed, Beacons};
use net::{Identity, LinkLimits, Listener, ListenerLimits};
use tokio::io::AsyncBufReadExt;

const PUPPET: &str = "LAN_TEST_PUPPET";
const PATIENCE: Duration = Duration::from_secs(30);

/// A process of this test on a machine of the lab.
struct Puppet {
    child: Child,
    orders: ChildStdin,
    said: Receiver<String>,
}

impl Puppet {
    /// Number `n` says how its key is made.
    fn on(node: &Node, n: u8) -> Puppet {
        let mut child = node
            .command(std::env::current_exe().unwrap())
            .args(["--exact", "child_does_as_told", "--nocapture", "--test-threads=1"])
            .env(PUPPET, n.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (orders, out) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (tell, said) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                let Some(line) = line.strip_prefix("> ") else { continue };
                if tell.send(line.to_owned()).is_err() {
                    break;
                }
            }
        });
        Puppet { child, orders, said }
    }

    /// The rest of the next line that begins with `what`; those before are skipped.
    fn hears(&self, what: &str) -> String {
        loop {
            let line =
                self.said.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("never said: {what}"));
            if let Some(rest) = line.strip_prefix(what) {
                return rest.trim().to_owned();
            }
        }
    }

    /// Gives an order; what it says when that is done.
    fn does(&mut self, order: &str) -> String {
        writeln!(self.orders, "{order}").unwrap();
        self.hears("done")
    }

    /// Two beacons of this text: where they came from, by IPv4 and IPv6.
    fn hears_twice(&self, text: &str) -> (SocketAddr, SocketAddr) {
        let from = || {
            let heard = self.hears(&format!("heard {text} "));
            let (claimed, from) = heard.split_once(" from ").unwrap();
            let from: SocketAddr = from.parse().unwrap();
            assert_eq!(
                from.ip(),
                claimed.parse::<IpAddr>().unwrap(),
                "seen from where it was sent"
            );
            from
        };
        let (one, two) = (from(), from());
        if one.is_ipv4() { (one, two) } else { (two, one) }
    }
}

impl Drop for Puppet {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn identity(n: u8) -> Identity {
    Identity::from_seed(&[n; 32])
}

/// What a puppet has.
#[derive(Default)]
struct Stage {
    n: u8,
    beacons: Option<Arc<Beacons>>,
    listeners: Vec<Arc<Listener>>,
    links: Vec<net::Link>,
    held: Vec<std::net::TcpListener>,
}

impl Stage {
    fn allowed(word: Option<&str>) -> Allowed {
        word.map_or(Allowed::Private, |name| Allowed::Named(vec![name.to_owned()]))
    }

    async fn act(&mut self, order: &str) -> String {
        let words: Vec<&str> = order.split_whitespace().collect();
        match words[..] {
            ["interfaces", ref name @ ..] => {
                let all = lan::interfaces(&Stage::allowed(name.first().copied())).unwrap();
                all.iter()
                    .map(|i| format!("{} {:?} {:?}", i.name, i.v4, i.v6))
                    .collect::<Vec<_>>()
                    .join(", ")
            }
            ["open", ref name @ ..] => self.open(name.first().copied()),
            ["say", text] => {
                let beacons = self.beacons.as_ref().unwrap();
                for source in beacons.sources() {
                    beacons.send(source, format!("{text} {source}").as_bytes()).await.unwrap();
                }
                String::new()
            }
            ["pad", length] => {
                let beacons = self.beacons.as_ref().unwrap();
                let long = vec![b'x'; length.parse().unwrap()];
                beacons.send(beacons.sources()[0], &long).await.unwrap();
                String::new()
            }
            // From a plain socket, as another program would.
            ["shout", from, text] => {
                let socket = UdpSocket::bind((from.parse::<IpAddr>().unwrap(), 0)).unwrap();
                socket.send_to(text.as_bytes(), (lan::GROUP_V4, lan::BEACON_PORT)).unwrap();
                String::new()
            }
            ["hold", port] => {
                let held = std::net::TcpListener::bind(("0.0.0.0", port.parse().unwrap())).unwrap();
                self.held.push(held);
                String::new()
            }
            ["listen"] => self.listen().await,
            ["dial", to, who] => self.dial(to, who).await,
            ["probe"] => {
                let all = lan::interfaces(&Allowed::Private).unwrap();
                let probe = lan::probe(&all[0]).await;
                format!("{:?} {}", probe.multicast, probe.tcp)
            }
            _ => panic!("what is {order}?"),
        }
    }

    /// Opens beacons, and prints what they hear from then on.
    fn open(&mut self, name: Option<&str>) -> String {
        let (beacons, warnings) = Beacons::open(&lan::interfaces(&Stage::allowed(name)).unwrap());
        let beacons = Arc::new(beacons);
        self.beacons = Some(beacons.clone());
        tokio::spawn(async move {
            loop {
                let (bytes, from) = beacons.recv().await;
                println!("> heard {} from {from}", String::from_utf8_lossy(&bytes));
            }
        });
        warnings.join("; ")
    }

    /// Listens on all private interfaces, and prints who links.
    async fn listen(&mut self) -> String {
        let all = lan::interfaces(&Allowed::Private).unwrap();
        let (port, listeners) =
            lan::listen(&identity(self.n), &all, ListenerLimits::default()).await.unwrap();
        for listener in listeners {
            assert_eq!(listener.local_addr().port(), port);
            let listener = Arc::new(listener);
            self.listeners.push(listener.clone());
            tokio::spawn(async move {
                while let Ok(incoming) = listener.accept().await {
                    let who = (1..9).find(|n| incoming.peer == Some(identity(*n).node_id()));
                    println!("> link of {who:?}");
                    std::mem::forget(incoming.link);
                }
            });
        }
        format!("{port} {}", self.listeners.len())
    }

    async fn dial(&mut self, to: &str, who: &str) -> String {
        let expect = identity(who.parse().unwrap()).node_id();
        match lan::dial(to.parse().unwrap(), expect, &identity(self.n), &LinkLimits::default())
            .await
        {
            Ok(link) => {
                self.links.push(link);
                "linked".to_owned()
            }
            Err(error) => error.to_string(),
        }
    }
}

#[test]
fn child_does_as_told() {
    let Ok(n) = std::env::var(PUPPET) else { return };
    println!();
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let mut stage = Stage { n: n.parse().unwrap(), ..Stage::default() };
        let mut orders = tokio::io::BufReader::new(tokio::io::stdin()).lines();
        while let Ok(Some(order)) = orders.next_line().await {
            let result = stage.act(&order).await;
            println!("> done {result}");
        }
        // Nobody directs us any more. The task that reads would keep the runtime.
        std::process::exit(0);
    });
}

/// Whether this machine has no labs; then the test has nothing to do.
fn skipped() -> bool {
    let skipped = !lanlab::available();
    if skipped {
        println!("SKIPPED: network namespaces need root and ip");
    }
    skipped
}

/// A packet by IP, as recorded on Ethernet.
#[derive(Debug)]
struct Packet {
    from: IpAddr,
    to: IpAddr,
    /// Time to live, or hop limit.
    ttl: u8,
    protocol: u8,
    to_port: u16,
    bytes: Vec<u8>,
}

const TCP: u8 = 6;
const UDP: u8 = 17;

fn packets(pcap: &[u8]) -> Vec<Packet> {
    let mut rest = pcap.get(24..).unwrap_or_default();
    let mut all = Vec::new();
    while let Some((header, after)) = rest.split_at_checked(16) {
        let length = u32::from_le_bytes(header[8..12].try_into().unwrap()) as usize;
        let Some((frame, after)) = after.split_at_checked(length) else { break };
        rest = after;
        let ip = &frame[14..];
        let port =
            |at: usize| ip.get(at..at + 2).map_or(0, |p| u16::from_be_bytes(p.try_into().unwrap()));
        let v4 = |at: usize| IpAddr::from(<[u8; 4]>::try_from(&ip[at..at + 4]).unwrap());
        let v6 = |at: usize| IpAddr::from(<[u8; 16]>::try_from(&ip[at..at + 16]).unwrap());
        let (from, to, ttl, protocol, to_port) = match frame[12..14] {
            [8, 0] => (v4(12), v4(16), ip[8], ip[9], port(22)),
            [0x86, 0xdd] => (v6(8), v6(24), ip[7], ip[6], port(42)),
            _ => continue,
        };
        all.push(Packet { from, to, ttl, protocol, to_port, bytes: ip.to_vec() });
    }
    all
}

fn contains(bytes: &[u8], what: &str) -> bool {
    bytes.windows(what.len()).any(|w| w == what.as_bytes())
}

#[test]
fn neighbours_without_any_route_hear_each_other() {
    if skipped() {
        return;
    }
    let lab = Lab::bridge(2);
    let routes = lab.node(0).command("ip").args(["route", "show", "default"]).output().unwrap();
    assert!(routes.stdout.is_empty(), "{routes:?}");
    let (mut alice, mut bob) = (Puppet::on(lab.node(0), 1), Puppet::on(lab.node(1), 2));
    // A second process on one machine shares the port.
    let mut carol = Puppet::on(lab.node(1), 3);
    for puppet in [&mut alice, &mut bob, &mut carol] {
        assert_eq!(puppet.does("open"), "", "no warnings");
    }

    alice.does("say hello");
    for neighbour in [&bob, &carol] {
        let (v4, v6) = neighbour.hears_twice("hello");
        assert_eq!((v4.ip(), v6.ip()), (lab.node(0).v4().into(), lab.node(0).v6().into()));
        assert!(matches!(v6, SocketAddr::V6(v6) if v6.scope_id() != 0), "it can be answered");
    }
    bob.does("say hi");
    let (v4, v6) = alice.hears_twice("hi");
    assert_eq!((v4.ip(), v6.ip()), (lab.node(1).v4().into(), lab.node(1).v6().into()));
}

#[test]
fn a_beacon_goes_to_the_group_and_passes_no_router() {
    if skipped() {
        return;
    }
    let lab = Lab::bridge(2);
    let capture = lab.node(1).capture();
    let mut alice = Puppet::on(lab.node(0), 1);
    alice.does("open");
    alice.does("say hello");
    let ours = |pcap: &[u8]| {
        packets(pcap).into_iter().filter(|p| contains(&p.bytes, "hello")).collect::<Vec<_>>()
    };
    capture.wait(|pcap| ours(pcap).len() == 2);

    let mut seen = BTreeSet::new();
    for packet in ours(&capture.finish()) {
        assert_eq!((packet.protocol, packet.to_port, packet.ttl), (UDP, 54545, 1));
        seen.insert((packet.from, packet.to));
    }
    let node = lab.node(0);
    let v4 = (node.v4().into(), "239.1.2.3".parse().unwrap());
    let v6 = (node.v6().into(), "ff12::6875:7368:7769:6e67".parse().unwrap());
    assert_eq!(seen, BTreeSet::from([v4, v6]));
}

#[test]
fn an_interface_that_is_not_allowed_is_never_used() {
    if skipped() {
        return;
    }
    let lab = Lab::line(3);
    let middle = lab.node(1);
    let (mut left, mut right) = (Puppet::on(lab.node(0), 1), Puppet::on(lab.node(2), 3));
    let (mut shy, mut other) = (Puppet::on(middle, 2), Puppet::on(middle, 4));
    left.does("open");
    right.does("open");
    shy.does("open left");
    other.does("open right");
    let capture = middle.capture_on("right");
    let sees_left = lab.node(0).capture();

    // What it says goes to the left only.
    shy.does("say secret");
    left.hears_twice("secret");
    other.does("say end");
    capture.wait(|pcap| packets(pcap).iter().filter(|p| contains(&p.bytes, "end")).count() == 2);
    assert!(!contains(&capture.finish(), "secret"));
    assert!(contains(&sees_left.finish(), "secret"));

    // What is said on the right it does not hear, though another program on the machine does.
    // Each time from another port, by which a kernel might choose between the two.
    for _ in 0..8 {
        right.does("open");
        right.does("say psst");
        other.hears_twice("psst");
    }
    left.does("say morning");
    loop {
        let heard = shy.hears("heard");
        assert!(!heard.contains("psst"), "{heard}");
        if heard.contains("morning") {
            break;
        }
    }
}

#[test]
fn a_firewall_that_drops_multicast_is_found_and_links_still_work() {
    if skipped() {
        return;
    }
    let lab = Lab::bridge(2);
    let (mut alice, mut bob) = (Puppet::on(lab.node(0), 1), Puppet::on(lab.node(1), 2));
    assert_eq!(alice.does("probe"), "Yes true");
    lab.node(0).drop_multicast();
    assert_eq!(alice.does("probe"), "No true");
    bob.does("listen");
    assert_eq!(alice.does(&format!("dial {}:45454 2", lab.node(1).v4())), "linked");
    assert_eq!(bob.hears("link of"), "Some(1)");

    lab.node(0).open_firewall();
    assert_eq!(alice.does("probe"), "Yes true");
    lab.node(0).firewall("output", "udp dport 54545 drop");
    assert_eq!(alice.does("probe"), "CannotSend true");
    lab.node(0).firewall("input", "tcp dport 45454-45554 drop");
    assert_eq!(alice.does("probe"), "CannotSend false");
}

#[test]
fn a_link_shows_both_keys_by_ipv4_and_ipv6() {
    if skipped() {
        return;
    }
    let lab = Lab::bridge(2);
    let (mut alice, mut bob) = (Puppet::on(lab.node(0), 1), Puppet::on(lab.node(1), 2));
    assert_eq!(bob.does("listen"), "45454 2", "one for each family");
    alice.does("open");
    bob.does("open");
    bob.does("say here");
    let (mut v4, mut v6) = alice.hears_twice("here");
    let capture = lab.node(1).capture();
    for at in [&mut v4, &mut v6] {
        at.set_port(45454);
        assert_eq!(alice.does(&format!("dial {at} 2")), "linked");
        assert_eq!(bob.hears("link of"), "Some(1)");
        assert!(alice.does(&format!("dial {at} 7")).contains("different key"));
    }
    let calls: Vec<_> =
        packets(&capture.finish()).into_iter().filter(|p| p.to_port == 45454).collect();
    assert!(calls.iter().any(|p| p.to.is_ipv4()) && calls.iter().any(|p| p.to.is_ipv6()));
    assert!(calls.iter().all(|p| p.protocol == TCP && p.ttl == 1), "none passes a router");
}

#[test]
fn the_next_port_is_taken_when_one_is_not_free() {
    if skipped() {
        return;
    }
    let lab = Lab::bridge(1);
    let (mut alice, mut bob) = (Puppet::on(lab.node(0), 1), Puppet::on(lab.node(0), 2));
    // It is taken by IPv4 alone, and yet not used by IPv6.
    alice.does("hold 45454");
    assert_eq!(alice.does("listen"), "45455 2");
    assert_eq!(bob.does("listen"), "45456 2");
}

#[test]
fn a_sender_that_cannot_be_a_neighbour_is_not_heard() {
    if skipped() {
        return;
    }
    let lab = Lab::bridge(2);
    let (mut alice, mut bob) = (Puppet::on(lab.node(0), 1), Puppet::on(lab.node(1), 2));
    let ip = |node: &Node, args: &str| {
        assert!(node.command("ip").args(args.split(' ')).status().unwrap().success());
    };
    ip(lab.node(1), "route add 203.0.113.0/24 dev eth0");
    bob.does("open");
    alice.does("open");
    ip(lab.node(0), "addr add 203.0.113.7/24 dev eth0");
    let capture = lab.node(1).capture();
    alice.does("shout 203.0.113.7 forged");
    capture.wait(|pcap| contains(pcap, "forged"));
    alice.does("pad 1401");
    alice.does("pad 1400");
    let heard = bob.hears("heard");
    assert!(heard.starts_with("xxx") && heard.split(' ').next().unwrap().len() == 1400, "{heard}");
    // With a public address an interface is used only when it is named.
    assert_eq!(alice.does("interfaces"), "");
    assert!(alice.does("interfaces eth0").starts_with("eth0 Some(10.77.0.1) Some(fe80::"));
    assert!(alice.does("interfaces lo").starts_with("lo Some(127.0.0.1) None"));
}

#[test]
fn a_cable_that_is_pulled_is_no_interface_until_it_is_back() {
    if skipped() {
        return;
    }
    for lab in [Lab::bridge(2), Lab::line(2)] {
        let (mut alice, mut bob) = (Puppet::on(lab.node(0), 1), Puppet::on(lab.node(1), 2));
        assert!(alice.does("interfaces").contains("10.77.0.1"));
        lab.cut(0);
        until(|| alice.does("interfaces").is_empty());
        lab.join(0);
        until(|| alice.does("interfaces").contains("10.77.0.1"));
        alice.does("open");
        bob.does("open");
        until(|| {
            bob.does("say back");
            alice.said.try_iter().any(|line| line.starts_with("heard back"))
        });
    }
}

/// Asks until it is so.
fn until(mut so: impl FnMut() -> bool) {
    let started = std::time::Instant::now();
    while !so() {
        assert!(started.elapsed() < PATIENCE, "never");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_lab_leaves_nothing_behind() {
    if skipped() {
        return;
    }
    let names = || {
        let list = std::process::Command::new("ip").args(["netns", "list"]).output().unwrap();
        let ours = format!("lanlab-{}-", std::process::id());
        String::from_utf8(list.stdout).unwrap().lines().filter(|l| l.starts_with(&ours)).count()
    };
    let mut left = None;
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let lab = Lab::bridge(2);
        assert_eq!(names(), 3, "two machines and the bridge");
        left = Some(lab.node(0).command("sleep").arg("1000").spawn().unwrap());
        let netem = lab.node(0).netem("loss 5% delay 200ms");
        println!("netem: {netem}");
        lab.node(0).lose(5);
        until(|| {
            let pids = std::process::Command::new("ip")
                .args(["netns", "pids", lab.node(0).namespace()])
                .output();
            !pids.unwrap().stdout.is_empty()
        });
        panic!("a test fails");
    }));
    assert!(panicked.is_err());
    assert_eq!(names(), 0);
    let ended = left.unwrap().wait().unwrap();
    assert!(!ended.success(), "killed with its machine");
}

//! Homes behind routers, and what is between them.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::Node;
use crate::lab::{namespaces, remove, sweep, wait};
use crate::run::must;

/// The bridge that stands for the internet.
const BRIDGE: &str = "br0";
/// The table of a router's rules, where miniupnpd adds its own.
const TABLE: &str = "filter";

/// How a home is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nat {
    /// By an address of the internet of its own, open to all.
    None,
    /// By a router that gives all its own address, keeps ports where it can, and lets in what
    /// answers somebody.
    Masquerade,
    /// As [`Nat::Masquerade`], with ports from a small range.
    PortRestricted,
    /// As [`Nat::Masquerade`], with another port for each connection.
    Symmetric,
    /// By IPv6 alone: without translation, and nothing is let in but answers.
    Ipv6Only,
}

impl Nat {
    /// All kinds.
    pub const ALL: [Nat; 5] =
        [Nat::None, Nat::Masquerade, Nat::PortRestricted, Nat::Symmetric, Nat::Ipv6Only];

    fn rule(self) -> &'static str {
        match self {
            Nat::None | Nat::Ipv6Only => "",
            Nat::Masquerade => "oifname wan masquerade",
            Nat::PortRestricted => {
                "oifname wan meta l4proto { tcp, udp } masquerade to :20000-20999"
            }
            Nat::Symmetric => "oifname wan masquerade random,fully-random",
        }
    }
}

/// A machine at home, and its router, if there is one.
#[derive(Debug)]
pub struct Home {
    /// The machine.
    pub host: Node,
    router: Option<Node>,
}

impl Home {
    /// Its router: `wan` leads to the internet, `lan` to the machine.
    ///
    /// # Panics
    /// When it has none.
    #[must_use]
    pub fn router(&self) -> &Node {
        self.router.as_ref().expect("a router")
    }

    /// The settings of a `miniupnpd` on the router, which forwards ports for the machine at home;
    /// `external` is the address that it tells.
    #[must_use]
    pub fn miniupnpd(&self, external: Ipv4Addr, more: &str) -> String {
        let [a, b, c, _] = self.host.v4().octets();
        format!(
            "ext_ifname=wan\next_ip={external}\nlistening_ip=lan\nhttp_port=0\nsecure_mode=yes\n\
             uuid=00000000-0000-0000-0000-000000000001\n\
             upnp_table_name={TABLE}\nupnp_nat_table_name={TABLE}\nupnp_forward_chain=mapped\n\
             upnp_nat_chain=mapped_pre\nupnp_nat_postrouting_chain=mapped_post\n{more}\n\
             allow 1024-65535 {a}.{b}.{c}.0/24 1024-65535\ndeny 0-65535 0.0.0.0/0 0-65535\n"
        )
    }

    /// Forgets what `miniupnpd` has opened, as a router does that starts again.
    ///
    /// # Panics
    /// When `nft` fails.
    pub fn forget_ports(&self) {
        let flush = |chain| format!("flush chain inet {TABLE} {chain}");
        let all = ["mapped", "mapped_pre", "mapped_post"].map(flush).join("; ");
        must("ip", &["netns", "exec", self.router().namespace(), "nft", &all]);
    }

    /// The rules of the router, as `nft` shows them.
    ///
    /// # Panics
    /// When `nft` fails.
    #[must_use]
    pub fn rules(&self) -> String {
        must("ip", &["netns", "exec", self.router().namespace(), "nft", "list", "ruleset"])
    }
}

/// An internet with public machines and homes. Removed when dropped, with all processes in it.
#[derive(Debug)]
pub struct Internet {
    switch: String,
    hosts: Vec<Node>,
    homes: Vec<Home>,
}

impl Internet {
    /// `public` machines with 11.0.0.(i + 1) and 2a0b:77::(i + 1); home `h` is 192.168.h.0/24
    /// behind 11.0.0.(100 + h), and its machine 192.168.h.2, or, without a router,
    /// 11.0.0.(200 + h). Machines with a router have addresses of the internet in IPv6 if they
    /// have nothing else.
    ///
    /// # Panics
    /// When the system refuses.
    #[must_use]
    pub fn new(public: u8, homes: &[Nat]) -> Internet {
        sweep();
        let name = namespaces();
        let switch = format!("{name}-inet");
        let mut internet = Internet { switch, hosts: Vec::new(), homes: Vec::new() };
        must("ip", &["netns", "add", &internet.switch]);
        let on = |args: &[&str]| must("ip", &[&["-n", &internet.switch], args].concat());
        on(&["link", "add", "name", BRIDGE, "type", "bridge", "mcast_snooping", "0"]);
        on(&["link", "set", BRIDGE, "up"]);
        for i in 0..public {
            let mut host = Node::new(format!("{name}-p{i}"));
            internet.plug(&mut host, "eth0", i.saturating_add(1));
            internet.hosts.push(host);
        }
        for (h, nat) in (0..).zip(homes) {
            let mut host = Node::new(format!("{name}-h{h}"));
            let router = if *nat == Nat::None {
                internet.plug(&mut host, "eth0", h + 200);
                None
            } else {
                let mut router = Node::new(format!("{name}-r{h}"));
                internet.plug(&mut router, "wan", h + 100);
                connect(&mut router, &mut host, h, *nat);
                Some(router)
            };
            internet.homes.push(Home { host, router });
        }
        internet.lead_to_homes();
        wait(|| internet.all().all(Node::is_up), "a machine has no carrier");
        internet
    }

    /// A public machine, from 0.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn host(&self, i: usize) -> &Node {
        &self.hosts[i]
    }

    /// A home, from 0.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn home(&self, h: usize) -> &Home {
        &self.homes[h]
    }

    fn all(&self) -> impl Iterator<Item = &Node> {
        let homes = self.homes.iter().flat_map(|home| home.router.iter().chain([&home.host]));
        self.hosts.iter().chain(homes)
    }

    /// A cable from the internet to a machine.
    fn plug(&self, node: &mut Node, interface: &str, number: u8) {
        let port = format!("p{number}");
        let peer = ["peer", "name", interface, "netns", node.namespace()];
        let on = |args: &[&str]| must("ip", &[&["-n", &self.switch], args].concat());
        on(&[&["link", "add", "name", &port, "type", "veth"][..], &peer].concat());
        on(&["link", "set", &port, "master", BRIDGE, "up"]);
        node.attach(interface, Ipv4Addr::new(11, 0, 0, number));
        node.add_v6(interface, Ipv6Addr::new(0x2a0b, 0x77, 0, 0, 0, 0, 0, number.into()));
    }

    /// Everybody on the internet knows the way to the homes by IPv6.
    fn lead_to_homes(&self) {
        let routed = || self.homes.iter().enumerate().filter(|(_, home)| home.router.is_some());
        let public = |node: &&Node| !node.interfaces().is_empty() && node.v4().octets()[0] == 11;
        for node in self.all().filter(public) {
            for (h, home) in routed().filter(|(_, home)| home.router().v4() != node.v4()) {
                let to = format!("2a0b:77:{:x}::/64", h + 1);
                let via = home.router().global_v6();
                must("ip", &["-n", node.namespace(), "-6", "route", "add", &to, "via", &via]);
            }
        }
    }
}

/// A cable from a router to the machine at home, and the router's rules.
fn connect(router: &mut Node, host: &mut Node, h: u8, nat: Nat) {
    let peer = ["peer", "name", "eth0", "netns", host.namespace()];
    let link = ["-n", router.namespace(), "link", "add", "name", "lan", "type", "veth"];
    must("ip", &[&link[..], &peer].concat());
    router.attach("lan", Ipv4Addr::new(192, 168, h, 1));
    if nat == Nat::Ipv6Only {
        let v6 = |n| Ipv6Addr::new(0x2a0b, 0x77, u16::from(h) + 1, 0, 0, 0, 0, n);
        router.add_v6("lan", v6(1));
        host.up("eth0");
        host.add_v6("eth0", v6(2));
        host.route(&["-6", "route", "add", "default", "via", &v6(1).to_string()]);
    } else {
        host.attach("eth0", Ipv4Addr::new(192, 168, h, 2));
        host.route(&["route", "add", "default", "via", &format!("192.168.{h}.1")]);
    }
    let forward = "echo 1 >/proc/sys/net/ipv4/ip_forward && \
                   echo 1 >/proc/sys/net/ipv6/conf/all/forwarding";
    must("ip", &["netns", "exec", router.namespace(), "sh", "-c", forward]);
    // A chain ends at a line's end or a semicolon.
    let rules = format!(
        "table inet {TABLE} {{\n chain mapped {{ }}\n chain mapped_pre {{ }}\n chain mapped_post {{ }}\n \
         chain forward {{ type filter hook forward priority 0; policy drop;\n \
         ct state established,related accept\n iifname lan accept\n jump mapped\n }}\n \
         chain prerouting {{ type nat hook prerouting priority -100;\n jump mapped_pre\n }}\n \
         chain postrouting {{ type nat hook postrouting priority 100;\n {}\n jump mapped_post\n }}\n}}\n",
        nat.rule()
    );
    must("ip", &["netns", "exec", router.namespace(), "nft", &rules]);
}

impl Drop for Internet {
    fn drop(&mut self) {
        for node in self.all() {
            remove(node.namespace());
        }
        remove(&self.switch);
    }
}

//! Homes behind routers, and what is between them.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::Node;
use crate::lab::{namespaces, remove, sweep, wait};
use crate::run::{must, run};

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

/// Machines at home, and their router, if there is one.
#[derive(Debug)]
pub struct Home {
    machines: Vec<Node>,
    router: Option<Node>,
}

impl Home {
    /// The first machine.
    ///
    /// # Panics
    /// When it has none.
    #[must_use]
    pub fn host(&self) -> &Node {
        self.machine(0)
    }

    /// A machine, from 0.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn machine(&self, i: usize) -> &Node {
        &self.machines[i]
    }

    /// Its router: `wan` leads to the internet, `lan` to the machines.
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
        let [a, b, c, _] = self.host().v4().octets();
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
        self.router().nft(&all);
    }

    /// The router forwards a port, whatever its address is, to a machine behind it, for those
    /// inside as well.
    ///
    /// # Panics
    /// When there is no such machine, or `nft` fails.
    pub fn forward(&self, machine: usize, port: u16) {
        let to = self.machine(machine).v4();
        let rule = format!("fib daddr type local tcp dport {port} dnat ip to {to}");
        self.router().nft(&format!("add rule inet {TABLE} prerouting {rule}"));
    }

    /// The rules of the router, as `nft` shows them.
    ///
    /// # Panics
    /// When `nft` fails.
    #[must_use]
    pub fn rules(&self) -> String {
        self.router().nft("list ruleset")
    }
}

/// An internet with public machines and homes. Removed when dropped, with all processes in it.
#[derive(Debug)]
pub struct Internet {
    switch: String,
    hosts: Vec<Node>,
    homes: Vec<Home>,
    /// How often an address has changed.
    moves: u8,
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
        let alone: Vec<(Nat, u8)> = homes.iter().map(|nat| (*nat, 1)).collect();
        Internet::with(public, &alone)
    }

    /// As [`Internet::new`], with so many machines in each home: 192.168.h.2, 192.168.h.3 and so
    /// on. Homes without a router have one.
    ///
    /// # Panics
    /// When the system refuses.
    #[must_use]
    pub fn with(public: u8, homes: &[(Nat, u8)]) -> Internet {
        sweep();
        let name = namespaces();
        let switch = format!("{name}-inet");
        let mut internet = Internet { switch, hosts: Vec::new(), homes: Vec::new(), moves: 0 };
        must("ip", &["netns", "add", &internet.switch]);
        let on = |args: &[&str]| must("ip", &[&["-n", &internet.switch], args].concat());
        on(&["link", "add", "name", BRIDGE, "type", "bridge", "mcast_snooping", "0"]);
        on(&["link", "set", BRIDGE, "up"]);
        for i in 0..public {
            let mut host = Node::new(format!("{name}-p{i}"));
            internet.plug(&mut host, "eth0", i.saturating_add(1));
            internet.hosts.push(host);
        }
        for (h, (nat, machines)) in (0..).zip(homes) {
            let at_home = |i: u8| Node::new(format!("{name}-h{h}-{i}"));
            let home = if *nat == Nat::None {
                let mut host = at_home(0);
                internet.plug(&mut host, "eth0", h + 200);
                Home { machines: vec![host], router: None }
            } else {
                let mut router = Node::new(format!("{name}-r{h}"));
                internet.plug(&mut router, "wan", h + 100);
                let mut machines: Vec<Node> = (0..*machines).map(at_home).collect();
                connect(&mut router, &mut machines, h, *nat);
                Home { machines, router: Some(router) }
            };
            internet.homes.push(home);
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

    /// A home's router gets another public address, which is returned: what was open over the old
    /// one is dead without a word.
    ///
    /// # Panics
    /// When the home has no router, or the system refuses.
    pub fn moves(&mut self, h: usize) -> Ipv4Addr {
        // An address comes again after eighty others.
        let address = Ipv4Addr::new(11, 0, 0, 120 + self.moves % 80);
        self.moves = self.moves.wrapping_add(1) % 240;
        self.homes[h].router.as_mut().expect("a router").readdress(address);
        address
    }

    fn all(&self) -> impl Iterator<Item = &Node> {
        let homes = self.homes.iter().flat_map(|home| home.router.iter().chain(&home.machines));
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

/// Cables from a router to the machines at home, and the router's rules.
fn connect(router: &mut Node, machines: &mut [Node], h: u8, nat: Nat) {
    let v6 = |n| Ipv6Addr::new(0x2a0b, 0x77, u16::from(h) + 1, 0, 0, 0, 0, n);
    router.route(&["link", "add", "name", "lan", "type", "bridge"]);
    for (i, machine) in machines.iter_mut().enumerate() {
        let port = format!("lan-{i}");
        let peer = ["peer", "name", "eth0", "netns", machine.namespace()];
        let cable = ["link", "add", "name", &port, "type", "veth"];
        router.route(&[&cable[..], &peer].concat());
        router.route(&["link", "set", &port, "master", "lan", "up"]);
    }
    router.attach("lan", Ipv4Addr::new(192, 168, h, 1));
    if nat == Nat::Ipv6Only {
        router.add_v6("lan", v6(1));
    }
    for (n, machine) in (2..).zip(machines) {
        if nat == Nat::Ipv6Only {
            machine.up("eth0");
            machine.add_v6("eth0", v6(n.into()));
            machine.route(&["-6", "route", "add", "default", "via", &v6(1).to_string()]);
        } else {
            machine.attach("eth0", Ipv4Addr::new(192, 168, h, n));
            machine.route(&["route", "add", "default", "via", &format!("192.168.{h}.1")]);
        }
    }
    let forward = "echo 1 >/proc/sys/net/ipv4/ip_forward && \
                   echo 1 >/proc/sys/net/ipv6/conf/all/forwarding";
    must("ip", &["netns", "exec", router.namespace(), "sh", "-c", forward]);
    // Where the kernel lets the rules below see what a bridge carries, packets to this home's own
    // address would be turned around inside of it.
    let bridged = "echo 0 >/proc/sys/net/bridge/bridge-nf-call-iptables";
    let _ = run("ip", &["netns", "exec", router.namespace(), "sh", "-c", bridged]);
    // Who comes back through the router from its own LAN is translated, too, or answers would go
    // past it. A chain ends at a line's end or a semicolon.
    router.nft(&format!(
        "table inet {TABLE} {{\n chain mapped {{ }}\n chain mapped_pre {{ }}\n chain mapped_post {{ }}\n \
         chain forward {{ type filter hook forward priority 0; policy drop;\n \
         ct state established,related accept\n ct status dnat accept\n iifname lan accept\n \
         jump mapped\n }}\n \
         chain prerouting {{ type nat hook prerouting priority -100;\n jump mapped_pre\n }}\n \
         chain postrouting {{ type nat hook postrouting priority 100;\n {}\n \
         oifname lan ct status dnat ip saddr 192.168.{h}.0/24 masquerade\n jump mapped_post\n }}\n}}\n",
        nat.rule()
    ));
}

impl Drop for Internet {
    fn drop(&mut self) {
        for node in self.all() {
            remove(node.namespace());
        }
        remove(&self.switch);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::available;

    /// Whether somebody answers there.
    fn reaches(from: &Node, to: Ipv4Addr) -> bool {
        let script = format!("exec 3<>/dev/tcp/{to}/8000");
        let mut dial = from.command("timeout");
        dial.args(["1", "bash", "-c", &script]).stderr(std::process::Stdio::null());
        dial.status().is_ok_and(|status| status.success())
    }

    fn inside(internet: &Internet) -> &Node {
        internet.home(0).machine(1)
    }

    fn outside(internet: &Internet) -> &Node {
        internet.home(1).host()
    }

    #[test]
    fn homes_reach_servers_and_what_others_forward_and_nothing_else() {
        if !available() {
            return;
        }
        let mut internet = Internet::with(1, &[(Nat::Masquerade, 2), (Nat::Masquerade, 1)]);
        let listen = |node: &Node| {
            let mut server = node.command("python3");
            server.args(["-m", "http.server", "8000"]);
            server.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
            server.spawn().expect("python3")
        };
        // They end with their machines.
        let _servers = [listen(internet.host(0)), listen(internet.home(0).host())];
        let (server, router) = (internet.host(0).v4(), internet.home(0).router().v4());
        let home = internet.home(0).host().v4();
        wait(|| reaches(inside(&internet), server), "no server");
        wait(|| reaches(inside(&internet), home), "no server at home");
        assert!(reaches(outside(&internet), server));
        assert!(!reaches(outside(&internet), router), "nothing is forwarded yet");
        internet.home(0).forward(0, 8000);
        assert!(reaches(outside(&internet), router) && reaches(inside(&internet), router));
        assert!(reaches(internet.home(0).host(), router), "its own port");
        let moved = internet.moves(0);
        assert!(!reaches(outside(&internet), router) && reaches(outside(&internet), moved));
        assert!(reaches(inside(&internet), moved) && reaches(inside(&internet), server));
    }
}

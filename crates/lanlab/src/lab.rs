//! Namespaces and the cables between them.

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::Node;
use crate::run::{must, run};

/// What the names of all namespaces begin with; the id of the process follows.
const PREFIX: &str = "lanlab-";
/// How long the system may take to set up a link-local address.
const PATIENCE: Duration = Duration::from_secs(10);

static LABS: AtomicUsize = AtomicUsize::new(0);

/// Machines on a LAN. Removed when dropped, with all processes in them.
#[derive(Debug)]
pub struct Lab {
    /// The namespace with the bridges.
    switch: String,
    nodes: Vec<Node>,
    /// The ports of the bridges that each number of [`Lab::cut`] takes down.
    cables: Vec<Vec<String>>,
}

/// The bridge that [`Lab::split`] moves machines to.
const APART: &str = "apart";

/// Whether namespaces and bridges can be made here: on Linux, as root, with `ip`.
#[must_use]
pub fn available() -> bool {
    static AVAILABLE: OnceLock<bool> = OnceLock::new();
    *AVAILABLE.get_or_init(|| {
        let name = format!("{PREFIX}{}-try", std::process::id());
        let made = run("ip", &["netns", "add", &name]).is_ok();
        let bridged =
            made && run("ip", &["-n", &name, "link", "add", "name", "b", "type", "bridge"]).is_ok();
        let _ = run("ip", &["netns", "del", &name]);
        bridged
    })
}

/// What the names of a new lab's namespaces begin with.
pub(crate) fn namespaces() -> String {
    format!("{PREFIX}{}-{}", std::process::id(), LABS.fetch_add(1, Ordering::Relaxed))
}

impl Lab {
    /// `n` machines on one bridge: machine `i` has `eth0` with 10.77.0.(i + 1)/24 and a link-local
    /// address of IPv6.
    ///
    /// # Panics
    /// When the system refuses.
    #[must_use]
    pub fn bridge(n: u8) -> Lab {
        let mut lab = Lab::new(n, 1);
        for i in 0..n {
            let port = lab.plug(0, i, "eth0", Ipv4Addr::new(10, 77, 0, i.saturating_add(1)));
            lab.cables.push(vec![port]);
        }
        lab.settle();
        lab
    }

    /// `n` machines in a line: machine `i` and the next share a link of their own, 10.77.i.0/24, on
    /// which the first has `right` with 10.77.i.1 and the next `left` with 10.77.i.2. Nobody
    /// forwards.
    ///
    /// # Panics
    /// When the system refuses.
    #[must_use]
    pub fn line(n: u8) -> Lab {
        let links = n.saturating_sub(1);
        let mut lab = Lab::new(n, links);
        for link in 0..links {
            let address = |n| Ipv4Addr::new(10, 77, link, n);
            let right = lab.plug(link, link, "right", address(1));
            let left = lab.plug(link, link.saturating_add(1), "left", address(2));
            lab.cables.push(vec![right, left]);
        }
        lab.settle();
        lab
    }

    /// The machine `i`, from 0.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn node(&self, i: usize) -> &Node {
        &self.nodes[i]
    }

    /// All machines.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Pulls a cable: on a bridge that of machine `i`, in a line that between machine `i` and the
    /// next. Both ends lose their carrier and keep their addresses.
    ///
    /// # Panics
    /// When there is none.
    pub fn cut(&self, i: usize) {
        self.set(i, "down");
    }

    /// Plugs the cable in again that [`Lab::cut`] pulled, and waits until it carries.
    ///
    /// # Panics
    /// When there is none.
    pub fn join(&self, i: usize) {
        self.set(i, "up");
        wait(|| self.cables[i].iter().all(|p| self.forwards(p)), "a cable does not carry");
    }

    /// Splits a LAN made by [`Lab::bridge`] in two: these machines hear each other and nobody else.
    /// Nobody loses the carrier.
    ///
    /// # Panics
    /// When there is no such machine.
    pub fn split(&self, apart: &[usize]) {
        let none = run("ip", &["-n", &self.switch, "link", "show", APART]).is_err();
        if none {
            self.add_bridge(APART);
        }
        self.move_to(APART, apart.iter().flat_map(|i| &self.cables[*i]));
    }

    /// Makes one LAN again of what [`Lab::split`] made.
    pub fn heal(&self) {
        self.move_to("b0", self.cables.iter().flatten());
    }

    fn move_to<'a>(&self, bridge: &str, ports: impl Iterator<Item = &'a String>) {
        for port in ports {
            must("ip", &["-n", &self.switch, "link", "set", port, "master", bridge]);
        }
    }

    /// Gives machine `i` another address on its first interface; what it has open goes on with the
    /// old one, which nobody answers any more.
    ///
    /// # Panics
    /// When there is no such machine, or the system refuses the address.
    pub fn readdress(&mut self, i: usize, address: Ipv4Addr) {
        self.nodes[i].readdress(address);
    }

    fn set(&self, i: usize, state: &str) {
        for port in &self.cables[i] {
            must("ip", &["-n", &self.switch, "link", "set", port, state]);
        }
    }

    /// `n` machines without cables, and bridges.
    fn new(n: u8, bridges: u8) -> Lab {
        sweep();
        let name = namespaces();
        let switch = format!("{name}-switch");
        // From here on dropping it removes what there is.
        let mut lab = Lab { switch, nodes: Vec::new(), cables: Vec::new() };
        must("ip", &["netns", "add", &lab.switch]);
        for i in 0..n {
            lab.nodes.push(Node::new(format!("{name}-{i}")));
        }
        for bridge in 0..bridges {
            lab.add_bridge(&format!("b{bridge}"));
        }
        lab
    }

    fn add_bridge(&self, name: &str) {
        // Without snooping a bridge passes multicast to all, as a plain switch does.
        let kind = ["type", "bridge", "mcast_snooping", "0"];
        let add = ["-n", &self.switch, "link", "add", "name", name];
        must("ip", &[&add[..], &kind].concat());
        must("ip", &["-n", &self.switch, "link", "set", name, "up"]);
    }

    /// A cable between a bridge and a machine; the bridge's port.
    fn plug(&mut self, bridge: u8, node: u8, interface: &str, address: Ipv4Addr) -> String {
        let port = format!("p{bridge}-{node}");
        let node = &mut self.nodes[usize::from(node)];
        let peer = ["peer", "name", interface, "netns", node.namespace()];
        must(
            "ip",
            &[&["-n", &self.switch, "link", "add", "name", &port, "type", "veth"][..], &peer]
                .concat(),
        );
        must(
            "ip",
            &["-n", &self.switch, "link", "set", &port, "master", &format!("b{bridge}"), "up"],
        );
        node.attach(interface, address);
        port
    }

    /// Waits until all addresses can be used and all ports forward.
    fn settle(&self) {
        let ready = || {
            self.nodes.iter().all(Node::is_settled)
                && self.cables.iter().flatten().all(|p| self.forwards(p))
        };
        wait(ready, "a machine has no carrier or no link-local address of IPv6");
    }

    fn forwards(&self, port: &str) -> bool {
        let said = run("ip", &["-n", &self.switch, "-d", "-o", "link", "show", "dev", port]);
        said.is_ok_and(|said| said.contains("bridge_slave state forwarding"))
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for node in &self.nodes {
            remove(node.namespace());
        }
        remove(&self.switch);
    }
}

/// The system does such things by itself, soon after it was told.
pub(crate) fn wait(ready: impl Fn() -> bool, otherwise: &str) {
    let started = Instant::now();
    while !ready() {
        assert!(started.elapsed() < PATIENCE, "{otherwise} after {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Removes a namespace, and ends what runs inside.
pub(crate) fn remove(namespace: &str) {
    let inside = run("ip", &["netns", "pids", namespace]).unwrap_or_default();
    for pid in inside.split_whitespace() {
        let _ = run("kill", &["-KILL", pid]);
    }
    let _ = run("ip", &["netns", "del", namespace]);
}

/// Removes what processes left that are gone.
pub(crate) fn sweep() {
    let list = run("ip", &["netns", "list"]).unwrap_or_default();
    for name in list.lines().filter_map(|line| line.split_whitespace().next()) {
        let pid = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        if pid.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            remove(name);
        }
    }
}

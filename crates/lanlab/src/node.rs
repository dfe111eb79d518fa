//! One machine.

use std::ffi::OsStr;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::process::Command;

use crate::Capture;
use crate::run::{must, run};

/// The table of our firewall.
const TABLE: &str = "inet lanlab";

/// A machine of a [`crate::Lab`]: a network namespace with its own loopback.
#[derive(Debug)]
pub struct Node {
    namespace: String,
    interfaces: Vec<(String, Ipv4Addr)>,
    global_v6: Option<Ipv6Addr>,
}

impl Node {
    pub(crate) fn new(namespace: String) -> Node {
        must("ip", &["netns", "add", &namespace]);
        must("ip", &["-n", &namespace, "link", "set", "lo", "up"]);
        // The system checks for a second or two whether an address of IPv6 is free: here it is.
        // Where /proc cannot be written, the lab waits.
        let settings = "echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad";
        let _ = run("ip", &["netns", "exec", &namespace, "sh", "-c", settings]);
        Node { namespace, interfaces: Vec::new(), global_v6: None }
    }

    pub(crate) fn attach(&mut self, interface: &str, address: Ipv4Addr) {
        must(
            "ip",
            &["-n", &self.namespace, "addr", "add", &format!("{address}/24"), "dev", interface],
        );
        self.up(interface);
        self.interfaces.push((interface.to_owned(), address));
    }

    /// Another address in place of the one on the first interface. What is open goes on with the
    /// old one, which nobody answers any more.
    pub(crate) fn readdress(&mut self, address: Ipv4Addr) {
        let (interface, old) = &mut self.interfaces[0];
        for (what, address) in [("del", *old), ("add", address)] {
            let address = format!("{address}/24");
            must("ip", &["-n", &self.namespace, "addr", what, &address, "dev", interface]);
        }
        *old = address;
    }

    pub(crate) fn up(&self, interface: &str) {
        must("ip", &["-n", &self.namespace, "link", "set", interface, "up"]);
    }

    /// Another address, which is ready at once.
    ///
    /// # Panics
    /// When the system refuses.
    pub fn add_v4(&self, interface: &str, address: Ipv4Addr) {
        let address = format!("{address}/24");
        must("ip", &["-n", &self.namespace, "addr", "add", &address, "dev", interface]);
    }

    pub(crate) fn add_v6(&mut self, interface: &str, address: Ipv6Addr) {
        let text = format!("{address}/64");
        must("ip", &["-n", &self.namespace, "addr", "add", &text, "dev", interface, "nodad"]);
        self.global_v6.get_or_insert(address);
    }

    pub(crate) fn global_v6(&self) -> String {
        self.global_v6.map(|address| address.to_string()).unwrap_or_default()
    }

    pub(crate) fn route(&self, args: &[&str]) {
        must("ip", &[&["-n", &self.namespace], args].concat());
    }

    pub(crate) fn is_up(&self) -> bool {
        self.interfaces.iter().all(|(interface, _)| {
            let said = run("ip", &["-n", &self.namespace, "-o", "link", "show", "dev", interface]);
            said.is_ok_and(|said| said.contains("state UP"))
        })
    }

    pub(crate) fn is_settled(&self) -> bool {
        let here = |(interface, _): &(String, Ipv4Addr)| self.link_local(interface).is_some();
        self.is_up() && self.interfaces.iter().all(here)
    }

    fn link_local(&self, interface: &str) -> Option<Ipv6Addr> {
        let show = [
            "-n",
            &self.namespace,
            "-6",
            "-o",
            "addr",
            "show",
            "dev",
            interface,
            "scope",
            "link",
            "-tentative",
        ];
        let said = run("ip", &show).ok()?;
        let address = said.split_whitespace().skip_while(|word| *word != "inet6").nth(1)?;
        address.split('/').next()?.parse().ok()
    }

    /// The name of its namespace, for `ip netns`.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The names of its interfaces, loopback excepted.
    #[must_use]
    pub fn interfaces(&self) -> Vec<&str> {
        self.interfaces.iter().map(|(name, _)| name.as_str()).collect()
    }

    /// Its address of IPv4 on its first interface.
    ///
    /// # Panics
    /// When it has no interface.
    #[must_use]
    pub fn v4(&self) -> Ipv4Addr {
        self.interfaces[0].1
    }

    /// Its link-local address of IPv6 on its first interface.
    ///
    /// # Panics
    /// When it has none.
    #[must_use]
    pub fn v6(&self) -> Ipv6Addr {
        self.link_local(&self.interfaces[0].0).unwrap_or_else(|| panic!("no link-local address"))
    }

    /// A program that will run on this machine. It is ended with the lab at the latest.
    #[must_use]
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace]).arg(program);
        command
    }

    /// What happens to packets that it sends, on all its interfaces, in the words of `tc netem`:
    /// `loss 5% delay 200ms`. Replaces what was said before. False when this kernel has no `netem`:
    /// then [`Node::lose`] loses without delay.
    #[must_use]
    pub fn netem(&self, what: &str) -> bool {
        self.interfaces.iter().all(|(interface, _)| {
            let args =
                ["-n", &self.namespace, "qdisc", "replace", "dev", interface, "root", "netem"];
            let args: Vec<&str> = args.into_iter().chain(what.split_whitespace()).collect();
            run("tc", &args).is_ok()
        })
    }

    /// Loses so many percent of the packets that come in, at random: works where there is no
    /// `netem`.
    ///
    /// # Panics
    /// When there is no `nft`.
    pub fn lose(&self, percent: u8) {
        self.firewall(
            "input",
            &format!("iifname != \"lo\" numgen random mod 100 < {percent} drop"),
        );
    }

    /// Sends so many kbit a second at most, from now on: by a queue, or where this kernel has none
    /// by the firewall, which drops the rest.
    ///
    /// # Panics
    /// When there is neither.
    pub fn slow(&self, kbit: u32) {
        let rate = format!("{kbit}kbit");
        let queued = self.interfaces.iter().all(|(interface, _)| {
            let of = ["-n", &self.namespace, "qdisc", "replace", "dev", interface, "root", "tbf"];
            let how = ["rate", &rate, "burst", "16kb", "latency", "1s"];
            run("tc", &[&of[..], &how[..]].concat()).is_ok()
        });
        if !queued {
            let bytes = kbit.saturating_mul(125);
            let rule = format!("limit rate over {bytes} bytes/second burst 32 kbytes drop");
            self.firewall("output", &rule);
        }
    }

    /// Drops all multicast by UDP that comes in, its own too, as many firewalls do.
    ///
    /// # Panics
    /// When there is no `nft`.
    pub fn drop_multicast(&self) {
        self.firewall("input", "meta l4proto udp ip daddr 224.0.0.0/4 drop");
        self.firewall("input", "meta l4proto udp ip6 daddr ff00::/8 drop");
    }

    /// Adds a rule of `nft` to the chain `input` or `output`: `tcp dport 45454-45554 drop`.
    ///
    /// # Panics
    /// When `nft` is not there or does not like it.
    pub fn firewall(&self, chain: &str, rule: &str) {
        let rules = format!(
            "add table {TABLE}; add chain {TABLE} {chain} {{ type filter hook {chain} priority 0; }}; \
             add rule {TABLE} {chain} {rule}"
        );
        self.nft(&rules);
    }

    /// Takes all rules of its firewall away.
    ///
    /// # Panics
    /// When there are none.
    pub fn open_firewall(&self) {
        self.nft(&format!("delete table {TABLE}"));
    }

    /// What `nft` does with this.
    pub(crate) fn nft(&self, rules: &str) -> String {
        must("ip", &["netns", "exec", &self.namespace, "nft", rules])
    }

    /// Records what goes over its first interface from now on.
    ///
    /// # Panics
    /// When it has no interface, or `tcpdump` does not start.
    #[must_use]
    pub fn capture(&self) -> Capture {
        Capture::start(self, &self.interfaces[0].0)
    }

    /// As [`Node::capture`], on one interface, or on `any`, whose records have no Ethernet header.
    ///
    /// # Panics
    /// When `tcpdump` does not start.
    #[must_use]
    pub fn capture_on(&self, interface: &str) -> Capture {
        Capture::start(self, interface)
    }
}

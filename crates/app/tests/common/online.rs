//! Networks on a small internet of namespaces: who is where decides who reaches whom.

use std::process::Command;

use lanlab::{Internet, Nat, Node};

use super::{Chat, Lines, Process, SOON, hushwing, run};

/// A directory, a hub and relays on the first public machine; homes around it.
pub struct Online {
    /// Dropped first: it ends what runs.
    pub internet: Internet,
    pub dir: tempfile::TempDir,
    pub directory: Process,
    nodes: Vec<Process>,
    link: String,
}

/// What a program runs with on a machine.
pub fn on(node: &Node, program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = node.command(program);
    command.env("NO_COLOR", "1").env_remove("HUSHWING_PROXY").env_remove("HUSHWING_LOG");
    command
}

/// Waits for a line of stderr.
#[track_caller]
pub fn expect(process: &Process, part: &str) -> String {
    let found = process.stderr.wait_for(SOON, |l| l.iter().find(|l| l.contains(part)).cloned());
    let all = || process.stderr.all().join("\n");
    found.unwrap_or_else(|| panic!("{}: no {part:?} in\n{}", process.name, all()))
}

impl Online {
    /// Paths have three relays; so many of them are public, and the hub if it is wanted there.
    /// None where there are no namespaces.
    pub fn start(relays: usize, hub: bool, homes: &[Nat]) -> Option<Online> {
        if !lanlab::available() {
            println!("SKIPPED: needs root and iproute2");
            return None;
        }
        let internet = Internet::new(2, homes);
        let dir = tempfile::tempdir().expect("a temporary directory");
        let state = dir.path().join("directory").display().to_string();
        let mut command = on(internet.host(0), hushwing().get_program());
        command.args(["node", "directory", "-v", "--dir", &state, "--listen", "11.0.0.1:5999"]);
        command.args(["--hops", "3", "--mean-delay", "0"]);
        let directory = Process::spawn("directory", command, Lines::default());
        directory.stdout.wait_for(SOON, |l| l.first().cloned()).expect("a pointer");
        let (nodes, link) = (Vec::new(), String::new());
        let mut online = Online { internet, dir, directory, nodes, link };
        for n in 0..relays {
            let listen = format!("11.0.0.1:{}", 5001 + n);
            let relay = online.node(0, "relay", &format!("relay-{n}"), &["--listen", &listen]);
            online.nodes.push(relay);
        }
        if hub {
            let hub = online.node(0, "hub", "hub", &["--listen", "11.0.0.1:6000"]);
            online.nodes.push(hub);
        }
        for node in &online.nodes {
            expect(node, "admitted by the directory");
        }
        Some(online)
    }

    /// Starts a node on a public machine.
    pub fn node(&self, host: usize, role: &str, name: &str, more: &[&str]) -> Process {
        self.node_on(self.internet.host(host), role, name, more)
    }

    /// Starts a node on any machine.
    pub fn node_on(&self, at: &Node, role: &str, name: &str, more: &[&str]) -> Process {
        let path = |file: &str| self.dir.path().join(file).display().to_string();
        let mut command = on(at, hushwing().get_program());
        command.args(["node", role, "--dir", &path(name)]).args(more);
        command.args(["--network", &path("directory/network")]);
        command.args(["--token", &path("directory/token")]);
        Process::spawn(name, command, Lines::default())
    }

    /// The hub's room.
    pub fn link(&mut self) -> String {
        if self.link.is_empty() {
            let path = |file: &str| self.dir.path().join(file).display().to_string();
            let (network, hub) = (path("directory/network"), path("hub/hub"));
            let made = run(["room", "--network", &network, "--hub", &hub]);
            assert_eq!(made.code, 0, "{made:?}");
            self.link = made.stdout.trim().to_owned();
        }
        self.link.clone()
    }

    /// The room to join from now on, made elsewhere.
    pub fn set_link(&mut self, link: String) {
        self.link = link;
    }

    /// Waits until a document says so, after line `from` of the directory's log.
    #[track_caller]
    pub fn listed(&self, from: usize, what: &str) {
        let found = self.directory.stderr.wait_line(from, what, SOON);
        let all = || self.directory.stderr.all().join("\n");
        assert!(found.is_some(), "no {what:?} in\n{}", all());
    }

    /// Starts a chat on a machine.
    pub fn chat(&mut self, at: impl FnOnce(&Internet) -> &Node, nick: &str) -> Chat {
        let link = self.link();
        let mut command = on(at(&self.internet), hushwing().get_program());
        command.args(["chat", &link, "--json", "--nick", nick]);
        Chat { nick: nick.to_owned(), process: Process::spawn(nick, command, Lines::default()) }
    }
}

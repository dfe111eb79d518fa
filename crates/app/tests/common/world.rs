//! A network: directory, relays, hub, a room.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::sync::atomic::{AtomicU16, Ordering};

use lanlab::{Disk, Lab};

use super::{Chat, Machine, Role, SOON};

/// A port that nobody listens on, below those that the system gives to outgoing connections:
/// a node that is down for a while finds its port free again.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Far apart for tests that run at the same time.
    let start = u16::try_from(std::process::id() % 625).unwrap_or(0) * 32;
    loop {
        let port = 11_000 + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % 20_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// What each of [`Settings::small_disks`] holds, MiB.
const DISK_MIB: u32 = 192;

/// How a network is made.
#[derive(Clone)]
pub struct Settings {
    relays: usize,
    hops: usize,
    mean_delay: u32,
    epoch: u64,
    verbose: bool,
    announce: bool,
    names: bool,
    sandbox: Option<&'static str>,
    hub: String,
    turnable: bool,
    directories: usize,
    directory: String,
    dials_only: usize,
    /// Clients in the lab, if there is to be one.
    lab: Option<Vec<String>>,
    /// Who runs where; nobody else runs then. Without it all run here.
    machines: Vec<(String, Machine)>,
    small_disks: bool,
}

impl Settings {
    /// One more line of the directories' settings file.
    pub fn directory_setting(mut self, line: &str) -> Self {
        self.directory.push_str(line);
        self.directory.push('\n');
        self
    }

    /// Several directories, more than half of which must sign.
    pub fn directories(mut self, directories: usize) -> Self {
        self.directories = directories;
        self
    }

    /// One more line of the hub's settings file.
    pub fn hub_setting(mut self, line: &str) -> Self {
        self.hub.push_str(line);
        self.hub.push('\n');
        self
    }

    /// Number of relays.
    pub fn relays(mut self, relays: usize) -> Self {
        self.relays = relays;
        self
    }

    /// Mean delay per hop, ms.
    pub fn mean_delay(mut self, ms: u32) -> Self {
        self.mean_delay = ms;
        self
    }

    /// Length of an epoch, seconds.
    pub fn epoch(mut self, seconds: u64) -> Self {
        self.epoch = seconds;
        self
    }

    /// Delays and epochs as they are by default.
    pub fn defaults(self) -> Self {
        self.mean_delay(50).epoch(1_200)
    }

    /// All roles tell everything (`-vv`).
    pub fn verbose(mut self) -> Self {
        self.verbose = true;
        self
    }

    /// Every role announces another port than it listens on: [`Role::announced`].
    pub fn announce(mut self) -> Self {
        self.announce = true;
        self
    }

    /// Every role announces a name below `hushwing.example`, which stands for 127.0.0.1 until
    /// [`World::dns_says`] something else.
    pub fn names(mut self) -> Self {
        self.names = true;
        self
    }

    /// Each program's clock can be set: [`World::set_clock`].
    pub fn turnable_clocks(mut self) -> Self {
        self.turnable = true;
        self
    }

    /// So many of the relays, the last ones, do not listen.
    pub fn dials_only(mut self, relays: usize) -> Self {
        self.dials_only = relays;
        self
    }

    /// Each role, and each of these clients, has a machine of its own on one LAN:
    /// [`World::machine`].
    pub fn lab(mut self, clients: &[&str]) -> Self {
        self.lab = Some(clients.iter().map(|&name| name.to_owned()).collect());
        self
    }

    /// Everybody runs on a machine that is there already.
    pub fn on(mut self, machines: impl IntoIterator<Item = (String, Machine)>) -> Self {
        self.machines = machines.into_iter().collect();
        self
    }

    /// The machine of somebody with this name.
    fn machine(&self, dir: &Path, name: &str) -> Machine {
        let machine = if self.machines.is_empty() {
            Machine::here()
        } else {
            self.machines[self.at(name)].1.clone()
        };
        if self.turnable { machine.with_clock(dir.join(format!("{name}.clock"))) } else { machine }
    }

    fn at(&self, name: &str) -> usize {
        let at = self.machines.iter().position(|(n, _)| n == name);
        at.unwrap_or_else(|| panic!("{name} has no machine"))
    }

    /// Each node has a disk of its own that a test can fill: [`World::disk`].
    pub fn small_disks(mut self) -> Self {
        self.small_disks = true;
        self
    }

    /// How the roles are confined; otherwise as they are by default.
    pub fn sandbox(mut self, how: &'static str) -> Self {
        self.sandbox = Some(how);
        self
    }

    /// Prepares all roles and starts none.
    pub fn plan(mut self) -> World {
        let dir = tempfile::tempdir().expect("a temporary directory");
        if self.names {
            super::hosts::say(Ipv4Addr::LOCALHOST);
        }
        let relay_name = |n: usize| format!("relay-{n}");
        let mut names = vec!["directory".to_owned(), "hub".to_owned()];
        names.extend((1..=self.relays).map(relay_name));
        let disks = names.iter().filter(|_| self.small_disks);
        let disks = disks
            .map(|name| (name.clone(), Disk::mount(dir.path().join(name), DISK_MIB)))
            .collect();
        let lab = self.lab.take().map(|clients| {
            names.extend(clients);
            let lab = Lab::bridge(u8::try_from(names.len()).expect("a small network"));
            self.machines = names.into_iter().zip(lab.nodes().iter().map(Machine::from)).collect();
            lab
        });
        let role = |name: &str, args: &[&str], extra: &str| {
            // The file that says what time it is lies outside of what a confined role may read.
            let sandbox = self.sandbox.or(self.turnable.then_some("off"));
            let sandbox: Vec<&str> =
                sandbox.into_iter().flat_map(|how| ["--sandbox", how]).collect();
            let mut args = [args, &sandbox].concat();
            // The directory always says what it publishes: tests wait for that.
            match (self.verbose, name) {
                (true, _) => args.push("-vv"),
                (false, name) if name.starts_with("directory") => args.push("-v"),
                (false, _) => {}
            }
            let place = (name, self.machine(dir.path(), name));
            Role::new(dir.path(), place, &args, extra, (self.announce, self.names))
        };
        let hops = self.hops.min(self.relays).to_string();
        let (delay, epoch) = (self.mean_delay.to_string(), self.epoch.to_string());
        let mut directories = (1..=self.directories).map(|n| {
            let name = if n == 1 { "directory".to_owned() } else { format!("directory-{n}") };
            let args =
                ["node", "directory", "--epoch", &epoch, "--hops", &hops, "--mean-delay", &delay];
            role(&name, &args, &self.directory)
        });
        let directory = directories.next().expect("at least one directory");
        let others: Vec<Role> = directories.collect();
        if !others.is_empty() {
            join(&directory, &others);
        }
        let network = dir.path().join("directory/network").display().to_string();
        let token = dir.path().join("directory/token").display().to_string();
        let admission = ["--network", &network, "--token", &token];
        let relays = (1..=self.relays)
            .map(|n| {
                role(
                    &relay_name(n),
                    &[&["node", "relay"], &admission[..]].concat(),
                    if n > self.relays - self.dials_only {
                        "rate = 10000\ndials_only = true\n"
                    } else {
                        "rate = 10000\n"
                    },
                )
            })
            .collect();
        let hub = role(
            "hub",
            &[&["node", "hub"], &admission[..]].concat(),
            &format!("rate = 10000\n{}", self.hub),
        );
        let link = OnceCell::new();
        World { settings: self, disks, dir, directory, others, relays, hub, link, lab }
    }

    /// Starts all roles and returns when clients can use the network.
    pub fn start(self) -> World {
        let mut world = self.plan();
        world.start_all();
        world.ready();
        world
    }
}

/// Makes one network of these directories, as their operators do.
fn join(first: &Role, others: &[Role]) {
    let roles: Vec<&Role> = [first].into_iter().chain(others).collect();
    let node = ["node", "directory"];
    let mut cards = Vec::new();
    for role in &roles {
        let (dir, listen) = (role.dir.display().to_string(), format!("127.0.0.1:{}", role.port));
        let args = ["card", "--dir", &dir, "--listen", &listen];
        let card = super::run([&node[..], &args[..]].concat());
        assert_eq!(card.code, 0, "{card:?}");
        cards.push(card.stdout.trim().to_owned());
    }
    let threshold = (roles.len() / 2 + 1).to_string();
    let mut pointers = Vec::new();
    for role in &roles {
        // Every operator has them in another order.
        cards.rotate_left(1);
        let dir = role.dir.display().to_string();
        let args = ["join", "--dir", &dir, "--threshold", &threshold];
        let cards: Vec<&str> = cards.iter().map(String::as_str).collect();
        let joined = super::run([&node[..], &args[..], &cards[..]].concat());
        assert_eq!(joined.code, 0, "{joined:?}");
        pointers.push(joined.stdout);
    }
    assert!(pointers.iter().all(|p| *p == pointers[0]), "{pointers:?}");
}

/// A network of processes, each in a directory of its own below one that is deleted at the end.
pub struct World {
    settings: Settings,
    /// Before `dir`: they are removed first.
    disks: BTreeMap<String, Disk>,
    dir: tempfile::TempDir,
    directory: Role,
    /// Directories beside the first.
    others: Vec<Role>,
    relays: Vec<Role>,
    hub: Role,
    link: OnceCell<String>,
    lab: Option<Lab>,
}

impl World {
    /// Three relays on each path, no delays, long epochs.
    #[allow(clippy::new_ret_no_self, reason = "the settings make the world")]
    pub fn new() -> Settings {
        Settings {
            relays: 3,
            hops: 3,
            mean_delay: 0,
            epoch: 1200,
            verbose: false,
            announce: false,
            names: false,
            sandbox: None,
            hub: String::new(),
            turnable: false,
            directories: 1,
            directory: String::new(),
            dials_only: 0,
            lab: None,
            machines: Vec::new(),
            small_disks: false,
        }
    }

    /// Where everything lies.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The machines.
    pub fn lab(&mut self) -> &mut Lab {
        self.lab.as_mut().expect("a world with machines")
    }

    /// The number in [`World::lab`] of somebody's machine.
    pub fn at(&self, name: &str) -> usize {
        self.settings.at(name)
    }

    /// Where somebody runs.
    pub fn machine(&self, name: &str) -> Machine {
        self.settings.machine(self.path(), name)
    }

    /// A node's disk.
    pub fn disk(&self, name: &str) -> &Disk {
        &self.disks[name]
    }

    /// The directory.
    pub fn directory(&mut self) -> &mut Role {
        &mut self.directory
    }

    /// A directory, from 1.
    pub fn directory_at(&mut self, n: usize) -> &mut Role {
        match n {
            1 => &mut self.directory,
            n => &mut self.others[n - 2],
        }
    }

    /// A relay, from 1.
    pub fn relay(&mut self, n: usize) -> &mut Role {
        &mut self.relays[n - 1]
    }

    /// The hub.
    pub fn hub(&mut self) -> &mut Role {
        &mut self.hub
    }

    /// All roles.
    pub fn roles(&self) -> impl Iterator<Item = &Role> {
        [&self.directory, &self.hub].into_iter().chain(&self.others).chain(&self.relays)
    }

    /// Starts all roles; returns at once.
    pub fn start_all(&mut self) {
        let directories = [&mut self.directory].into_iter().chain(&mut self.others);
        let nodes = self.relays.iter_mut().chain([&mut self.hub]);
        directories.chain(nodes).for_each(Role::start);
    }

    /// Waits until the directory lists all nodes.
    pub fn ready(&self) {
        for role in self.relays.iter().chain([&self.hub]) {
            role.expect("admitted by the directory");
        }
        self.listed(self.settings.relays - self.settings.dials_only, 1);
        if self.settings.dials_only > 0 {
            self.directory.expect(&format!("dials_only={}", self.settings.dials_only));
        }
    }

    /// Waits until this run of the directory has published a document with exactly so many relays
    /// and hubs.
    pub fn listed(&self, relays: usize, hubs: usize) {
        self.directory.expect(&format!("relays={relays} hubs={hubs}"));
    }

    /// Waits for a document with exactly so many, published after line `from` of the directory's
    /// log.
    pub fn listed_after(&self, from: usize, relays: usize, hubs: usize) {
        let part = format!("relays={relays} hubs={hubs}");
        let found = self.directory.log.wait_line(from, &part, SOON);
        assert!(found.is_some(), "no {part} in\n{}", self.directory.log.all().join("\n"));
    }

    /// Number of lines that the directory has logged.
    pub fn mark(&self) -> usize {
        self.directory.log.count()
    }

    /// The room's link, made by `hushwing room` on first use. Directory and hub must have run
    /// before.
    pub fn link(&self) -> &str {
        self.link.get_or_init(|| {
            let at = |path: &str| self.dir.path().join(path).display().to_string();
            let made = super::run([
                "room",
                "--network",
                &at("directory/network"),
                "--hub",
                &at("hub/hub"),
            ]);
            assert_eq!(made.code, 0, "{made:?}");
            made.stdout.trim().to_owned()
        })
    }

    /// Sets the clock of a role or of a client that will be started, to so much before or after the
    /// right time, as in `+2d` or `-1h`.
    pub fn set_clock(&self, who: &str, by: &str) {
        assert!(self.settings.turnable, "clocks are as they are");
        std::fs::write(self.dir.path().join(format!("{who}.clock")), by).expect("a clock");
    }

    /// From now on the names of all roles stand for this address.
    pub fn dns_says(&self, ip: Ipv4Addr) {
        assert!(self.settings.names, "the roles have no names");
        super::hosts::say(ip);
    }

    /// Starts a chat; returns at once.
    pub fn chat(&self, nick: &str) -> Chat {
        self.chat_with(nick, &[])
    }

    /// Starts a chat with more arguments; returns at once.
    pub fn chat_with(&self, nick: &str, more: &[&str]) -> Chat {
        let verbose: &[&str] = if self.settings.verbose { &["-vv"] } else { &[] };
        let args = [more, verbose].concat();
        Chat::start_on(&self.machine(nick), self.link(), nick, &args)
    }

    /// Starts a chat and waits until it is connected.
    pub fn join(&self, nick: &str) -> Chat {
        let chat = self.chat(nick);
        chat.expect_up();
        chat
    }

    /// Waits until a role has ended by itself, with this code.
    pub fn ended(&mut self, name: &str, code: i32) {
        let mut roles = self.relays.iter_mut().chain([&mut self.hub, &mut self.directory]);
        let role = roles.find(|r| r.name == name).expect("such a role");
        role.ended(code);
    }

    /// Stops everything that runs, nodes first; each must end with code 0.
    pub fn stop(&mut self) {
        let directories = [&mut self.directory].into_iter().chain(&mut self.others);
        let nodes = self.relays.iter_mut().chain([&mut self.hub]).chain(directories);
        for role in nodes.filter(|r| r.runs()) {
            role.stop();
        }
    }
}

//! A network: directory, relays, hub, a room.

use std::cell::OnceCell;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};

use super::{Chat, Lines, Process, SOON, hushwing};

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

/// Gives a program a clock that a file sets while it runs. What counts from the start of the
/// machine stays as it is.
pub fn turnable(command: &mut std::process::Command, clock: &Path) {
    if !clock.exists() {
        std::fs::write(clock, "+0").expect("a clock");
    }
    command
        .env("LD_PRELOAD", "libfaketime.so.1")
        .env(
            "LD_LIBRARY_PATH",
            "/usr/lib/x86_64-linux-gnu/faketime:/usr/lib/aarch64-linux-gnu/faketime",
        )
        .env("FAKETIME_TIMESTAMP_FILE", clock)
        .env("FAKETIME_NO_CACHE", "1")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
}

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

    /// How the roles are confined; otherwise as they are by default.
    pub fn sandbox(mut self, how: &'static str) -> Self {
        self.sandbox = Some(how);
        self
    }

    /// Prepares all roles and starts none.
    pub fn plan(self) -> World {
        let dir = tempfile::tempdir().expect("a temporary directory");
        if self.names {
            super::hosts::say("127.0.0.1");
        }
        let role = |name: &str, args: &[&str], extra: &str| {
            // The file that says what time it is lies outside of what a confined role may read.
            let sandbox = self.sandbox.or(self.turnable.then_some("off"));
            let sandbox: Vec<&str> =
                sandbox.into_iter().flat_map(|how| ["--sandbox", how]).collect();
            let clock = self.turnable.then(|| dir.path().join(format!("{name}.clock")));
            Role::new(
                dir.path(),
                name,
                &[args, &sandbox].concat(),
                extra,
                (self.announce, self.names),
                self.verbose,
                clock,
            )
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
                    &format!("relay-{n}"),
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
        World { settings: self, dir, directory, others, relays, hub, link: OnceCell::new() }
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

/// A role of the network: it can be started, stopped, killed and started again.
pub struct Role {
    /// What it is.
    pub name: String,
    /// Its state directory.
    pub dir: PathBuf,
    /// Where it listens.
    pub port: u16,
    /// What others are told: `port`, or another if [`Settings::announce`] was asked for.
    pub announced: u16,
    /// Its stderr, of all runs.
    pub log: Lines,
    args: Vec<String>,
    /// Lines of the log before the last start.
    since: usize,
    /// The file that sets its clock.
    clock: Option<PathBuf>,
    /// A write beyond the limit of file sizes is an error and not the end.
    bears_limits: bool,
    process: Option<Process>,
}

impl Role {
    fn new(
        base: &Path,
        name: &str,
        args: &[&str],
        settings: &str,
        (announce, names): (bool, bool),
        verbose: bool,
        clock: Option<PathBuf>,
    ) -> Self {
        let port = free_port();
        let announced = if announce { free_port() } else { port };
        let dir = base.join(name);
        let mut settings = settings.to_owned();
        if announce {
            settings.push_str(&format!("announce = \"127.0.0.1:{announced}\"\n"));
        }
        if names {
            settings.push_str(&format!("announce = \"{name}.hushwing.example:{port}\"\n"));
        }
        let file = base.join(format!("{name}.toml"));
        std::fs::write(&file, settings).expect("the settings file");
        let mut args: Vec<String> = args.iter().map(|&a| a.to_owned()).collect();
        let (dir_text, file) = (dir.display().to_string(), file.display().to_string());
        let listen = format!("127.0.0.1:{port}");
        args.extend(
            ["--dir", &dir_text, "--listen", &listen, "--config", &file].map(str::to_owned),
        );
        // The directory always says what it publishes: tests wait for that.
        match (verbose, name.starts_with("directory")) {
            (true, _) => args.push("-vv".to_owned()),
            (false, true) => args.push("-v".to_owned()),
            (false, false) => {}
        }
        Role {
            name: name.to_owned(),
            dir,
            port,
            announced,
            log: Lines::default(),
            args,
            since: 0,
            clock,
            bears_limits: false,
            process: None,
        }
    }

    /// Starts it; returns at once.
    pub fn start(&mut self) {
        assert!(self.process.is_none(), "{} runs already", self.name);
        self.since = self.log.count();
        let mut command = hushwing();
        if self.bears_limits {
            let mut shell = std::process::Command::new("sh");
            shell.args(["-c", "trap '' XFSZ; exec \"$@\"", "sh"]).arg(command.get_program());
            for (name, value) in command.get_envs() {
                match value {
                    Some(value) => shell.env(name, value),
                    None => shell.env_remove(name),
                };
            }
            command = shell;
        }
        command.args(&self.args);
        if let Some(clock) = &self.clock {
            turnable(&mut command, clock);
        }
        self.process = Some(Process::spawn(&self.name, command, self.log.clone()));
    }

    /// From the next start on it can be kept from writing: [`Role::writes_nothing`].
    pub fn bears_limits(&mut self) {
        self.bears_limits = true;
    }

    /// Its disk is full, or no longer so. A relay that cannot write its replay journal drops all
    /// packets, and its links stay.
    pub fn writes_nothing(&self, full: bool) {
        assert!(self.bears_limits, "it would end");
        let limit = if full { "--fsize=1:unlimited" } else { "--fsize=unlimited" };
        let pid = self.process().id().to_string();
        let done = std::process::Command::new("prlimit").args(["--pid", &pid, limit]).status();
        assert!(done.expect("prlimit").success());
    }

    /// From the next start on it has these arguments, too.
    pub fn more_args(&mut self, args: &[&str]) {
        self.args.extend(args.iter().map(|&arg| arg.to_owned()));
    }

    /// From the next start on it listens somewhere else.
    pub fn moves(&mut self) {
        let before = format!("127.0.0.1:{}", self.port);
        self.port = free_port();
        self.announced = self.port;
        let after = format!("127.0.0.1:{}", self.port);
        let listen = self.args.iter_mut().find(|arg| **arg == before).expect("--listen");
        *listen = after;
    }

    /// From the next start on it listens at another address of this machine, on the same port.
    pub fn moves_to(&mut self, ip: &str) {
        let before = format!("127.0.0.1:{}", self.port);
        let listen = self.args.iter_mut().find(|arg| **arg == before).expect("--listen");
        *listen = format!("{ip}:{}", self.port);
    }

    /// The running process.
    pub fn process(&self) -> &Process {
        self.process.as_ref().expect("the role runs")
    }

    /// Number of lines that it has logged so far, in all runs.
    pub fn mark(&self) -> usize {
        self.log.count()
    }

    /// Waits for a line after the `from`-th.
    pub fn expect_after(&self, from: usize, part: &str) {
        let found = self.log.wait_line(from, part, super::LONG);
        assert!(found.is_some(), "{}: no {part:?} in\n{}", self.name, self.log.all().join("\n"));
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        let mut process = self.process.take().expect("the role runs");
        process.kill();
    }

    /// SIGTERM; checks that it ends with code 0.
    pub fn stop(&mut self) {
        let mut process = self.process.take().expect("the role runs");
        process.stop();
    }

    /// Starts it again and waits until the directory has admitted it (not for a directory).
    pub fn restart(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill();
        }
        self.start();
        if self.name.starts_with("directory") {
            self.expect("document published");
        } else {
            self.expect("admitted by the directory");
        }
    }

    /// Waits for a line of this run's stderr.
    pub fn expect(&self, part: &str) {
        let found = self.log.wait_line(self.since, part, SOON);
        assert!(found.is_some(), "{}: no {part:?} in\n{}", self.name, self.log.all().join("\n"));
    }
}

/// A network of processes, each in a directory of its own below one that is deleted at the end.
pub struct World {
    settings: Settings,
    dir: tempfile::TempDir,
    directory: Role,
    /// Directories beside the first.
    others: Vec<Role>,
    relays: Vec<Role>,
    hub: Role,
    link: OnceCell<String>,
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
        }
    }

    /// Where everything lies.
    pub fn path(&self) -> &Path {
        self.dir.path()
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
    pub fn dns_says(&self, ip: &str) {
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
        let clock = self.settings.turnable.then(|| self.dir.path().join(format!("{nick}.clock")));
        Chat::start_with(self.link(), nick, &[more, verbose].concat(), |command| {
            if let Some(clock) = &clock {
                turnable(command, clock);
            }
        })
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
        let status = role.process.take().expect("it was started").wait(SOON);
        assert_eq!(status.code(), Some(code), "{name}: {}", role.log.all().join("\n"));
    }

    /// Stops everything that runs, nodes first; each must end with code 0.
    pub fn stop(&mut self) {
        let directories = [&mut self.directory].into_iter().chain(&mut self.others);
        let nodes = self.relays.iter_mut().chain([&mut self.hub]).chain(directories);
        for role in nodes.filter(|r| r.process.is_some()) {
            role.stop();
        }
    }
}

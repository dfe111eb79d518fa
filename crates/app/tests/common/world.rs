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
    sandbox: Option<&'static str>,
    hub: String,
    turnable: bool,
}

impl Settings {
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

    /// Each program's clock can be set: [`World::set_clock`].
    pub fn turnable_clocks(mut self) -> Self {
        self.turnable = true;
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
                self.announce,
                self.verbose,
                clock,
            )
        };
        let hops = self.hops.min(self.relays).to_string();
        let (delay, epoch) = (self.mean_delay.to_string(), self.epoch.to_string());
        let directory = role(
            "directory",
            &["node", "directory", "--epoch", &epoch, "--hops", &hops, "--mean-delay", &delay],
            "",
        );
        let network = dir.path().join("directory/network").display().to_string();
        let token = dir.path().join("directory/token").display().to_string();
        let admission = ["--network", &network, "--token", &token];
        let relays = (1..=self.relays)
            .map(|n| {
                role(
                    &format!("relay-{n}"),
                    &[&["node", "relay"], &admission[..]].concat(),
                    "rate = 10000\n",
                )
            })
            .collect();
        let hub = role(
            "hub",
            &[&["node", "hub"], &admission[..]].concat(),
            &format!("rate = 10000\n{}", self.hub),
        );
        World { settings: self, dir, directory, relays, hub, link: OnceCell::new() }
    }

    /// Starts all roles and returns when clients can use the network.
    pub fn start(self) -> World {
        let mut world = self.plan();
        world.directory.start();
        for relay in &mut world.relays {
            relay.start();
        }
        world.hub.start();
        world.ready();
        world
    }
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
    process: Option<Process>,
}

impl Role {
    fn new(
        base: &Path,
        name: &str,
        args: &[&str],
        settings: &str,
        announce: bool,
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
        let file = base.join(format!("{name}.toml"));
        std::fs::write(&file, settings).expect("the settings file");
        let mut args: Vec<String> = args.iter().map(|&a| a.to_owned()).collect();
        let (dir_text, file) = (dir.display().to_string(), file.display().to_string());
        let listen = format!("127.0.0.1:{port}");
        args.extend(
            ["--dir", &dir_text, "--listen", &listen, "--config", &file].map(str::to_owned),
        );
        // The directory always says what it publishes: tests wait for that.
        match (verbose, name) {
            (true, _) => args.push("-vv".to_owned()),
            (false, "directory") => args.push("-v".to_owned()),
            (false, _) => {}
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
            process: None,
        }
    }

    /// Starts it; returns at once.
    pub fn start(&mut self) {
        assert!(self.process.is_none(), "{} runs already", self.name);
        self.since = self.log.count();
        let mut command = hushwing();
        command.args(&self.args);
        if let Some(clock) = &self.clock {
            turnable(&mut command, clock);
        }
        self.process = Some(Process::spawn(&self.name, command, self.log.clone()));
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

    /// The running process.
    pub fn process(&self) -> &Process {
        self.process.as_ref().expect("the role runs")
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
        if self.name == "directory" {
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
            sandbox: None,
            hub: String::new(),
            turnable: false,
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
        [&self.directory, &self.hub].into_iter().chain(&self.relays)
    }

    /// Waits until the directory lists all nodes.
    pub fn ready(&self) {
        for role in self.relays.iter().chain([&self.hub]) {
            role.expect("admitted by the directory");
        }
        self.listed(self.settings.relays, 1);
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
        let nodes = self.relays.iter_mut().chain([&mut self.hub, &mut self.directory]);
        for role in nodes.filter(|r| r.process.is_some()) {
            role.stop();
        }
    }
}

//! One role of a network.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use super::machine::through;
use super::{Lines, Machine, Process, SOON, free_port};

/// A role of the network: it can be started, stopped, killed and started again.
pub struct Role {
    /// What it is.
    pub name: String,
    /// Its state directory.
    pub dir: PathBuf,
    /// Where it runs.
    machine: Machine,
    /// Where it listens.
    pub port: u16,
    /// What others are told: `port`, or another if [`Settings::announce`] was asked for.
    pub announced: u16,
    /// Its stderr, of all runs.
    pub log: Lines,
    /// It announces a name and not an address.
    named: bool,
    /// The settings file, and what is in it beside the address.
    settings: (PathBuf, String),
    args: Vec<String>,
    /// Lines of the log before the last start.
    since: usize,
    /// A write beyond the limit of file sizes is an error and not the end.
    bears_limits: bool,
    process: Option<Process>,
}

impl Role {
    /// With a directory below `base`, a port of its own, and these lines in its settings file.
    pub fn new(
        base: &Path,
        (name, machine): (&str, Machine),
        args: &[&str],
        settings: &str,
        (announce, named): (bool, bool),
    ) -> Self {
        let port = free_port();
        let announced = if announce { free_port() } else { port };
        let dir = base.join(name);
        let file = base.join(format!("{name}.toml"));
        let mut args: Vec<String> = args.iter().map(|&a| a.to_owned()).collect();
        for (option, path) in [("--dir", &dir), ("--config", &file)] {
            args.extend([option.to_owned(), path.display().to_string()]);
        }
        Role {
            name: name.to_owned(),
            dir,
            machine,
            port,
            announced,
            named,
            settings: (file, settings.to_owned()),
            log: Lines::default(),
            args,
            since: 0,
            bears_limits: false,
            process: None,
        }
    }

    /// Starts it; returns at once.
    pub fn start(&mut self) {
        assert!(self.process.is_none(), "{} runs already", self.name);
        self.since = self.log.count();
        let (file, mut settings) = self.settings.clone();
        let ip = self.machine.public.unwrap_or(self.machine.ip);
        if self.named {
            let place = format!("{}.hushwing.example:{}", self.name, self.port);
            settings.push_str(&format!("announce = \"{place}\"\n"));
        } else if (ip, self.announced) != (self.machine.ip, self.port) {
            settings.push_str(&format!("announce = \"{ip}:{}\"\n", self.announced));
        }
        std::fs::write(file, settings).expect("the settings file");
        let mut command = self.machine.hushwing();
        if self.bears_limits {
            command = through(&["sh", "-c", "trap '' XFSZ; exec \"$@\"", "sh"], &command);
        }
        command.args(&self.args).args(["--listen", &format!("{}:{}", self.machine.ip, self.port)]);
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

    /// From the next start on it listens on another port.
    pub fn moves(&mut self) {
        self.port = free_port();
        self.announced = self.port;
    }

    /// From the next start on it is at this address.
    pub fn moves_to(&mut self, ip: Ipv4Addr) {
        match &mut self.machine.public {
            // Its router has moved, not the machine itself.
            Some(public) => *public = ip,
            None => self.machine.ip = ip,
        }
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

    /// Whether it was started, and not stopped since.
    pub fn runs(&self) -> bool {
        self.process.is_some()
    }

    /// Waits until it has ended by itself, with this code.
    pub fn ended(&mut self, code: i32) {
        let status = self.process.take().expect("it was started").wait(SOON);
        assert_eq!(status.code(), Some(code), "{}: {}", self.name, self.log.all().join("\n"));
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

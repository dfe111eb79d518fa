//! Where a program runs: on this machine, or on one of a lab; its clock.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;

use lanlab::Node;

use super::hushwing;

/// A machine.
#[derive(Clone)]
pub struct Machine {
    /// Its address.
    pub ip: Ipv4Addr,
    /// The address by which others reach it, if a router stands between.
    pub public: Option<Ipv4Addr>,
    /// Its network namespace, if it is one of a lab.
    namespace: Option<String>,
    /// The file that sets its clock.
    clock: Option<PathBuf>,
}

impl Machine {
    /// This machine, by its loopback.
    pub fn here() -> Self {
        Machine { ip: Ipv4Addr::LOCALHOST, public: None, namespace: None, clock: None }
    }

    /// Says by which address others reach it.
    pub fn behind(mut self, router: Ipv4Addr) -> Self {
        self.public = Some(router);
        self
    }

    /// Gives it a clock that a file sets while programs run. What counts from the start of the
    /// machine stays as it is.
    pub fn with_clock(mut self, file: PathBuf) -> Self {
        if !file.exists() {
            std::fs::write(&file, "+0").expect("a clock");
        }
        self.clock = Some(file);
        self
    }

    /// The program there.
    pub fn hushwing(&self) -> Command {
        let mut program = hushwing();
        if let Some(clock) = &self.clock {
            turn(&mut program, clock);
        }
        let Some(namespace) = &self.namespace else { return program };
        through(&["ip", "netns", "exec", namespace], &program)
    }
}

/// The same program, started by another.
pub fn through(starter: &[&str], program: &Command) -> Command {
    let mut command = Command::new(starter[0]);
    command.args(&starter[1..]).arg(program.get_program()).args(program.get_args());
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
}

fn turn(command: &mut Command, clock: &Path) {
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

impl From<&Node> for Machine {
    fn from(node: &Node) -> Self {
        let namespace = Some(node.namespace().to_owned());
        Machine { ip: node.v4(), public: None, namespace, clock: None }
    }
}

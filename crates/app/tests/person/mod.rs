//! Somebody with a profile, used through the program's command line.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part of this")]

pub mod rpc;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::common::{Finished, LONG, Lines, Process, SOON, World, hushwing};

/// A profile of its own.
pub struct Person {
    /// Name of the profile, and the name that contacts see.
    pub name: &'static str,
    /// Where profiles are.
    pub home: PathBuf,
    /// How it is unlocked; without one: by a key file.
    pub passphrase: Option<&'static str>,
    /// The network namespace that its commands run in.
    pub namespace: Option<String>,
}

impl Person {
    /// Makes a profile; with a network if there is one.
    pub fn new(home: &Path, name: &'static str, network: Option<&World>) -> Self {
        let person = Person { name, home: home.to_owned(), passphrase: None, namespace: None };
        let mut args = vec!["profile", "init", "--no-passphrase", "--name", name];
        if let Some(world) = network {
            args.extend(["--network", world.link()]);
        }
        let made = person.run(&args);
        assert_eq!(made.code, 0, "{made:?}");
        assert_eq!(made.stdout.trim(), home.join(name).display().to_string());
        person
    }

    /// A command of this profile.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = match &self.namespace {
            None => hushwing(),
            Some(name) => {
                let mut inside = Command::new("ip");
                inside.args(["netns", "exec", name]).arg(hushwing().get_program());
                inside
            }
        };
        command.args(args).env("HUSHWING_HOME", &self.home).env("HUSHWING_PROFILE", self.name);
        command.env_remove("HUSHWING_PASSPHRASE").env_remove("HUSHWING_BACKUP_PASSPHRASE");
        if let Some(passphrase) = self.passphrase {
            command
                .env("HUSHWING_PASSPHRASE", passphrase)
                .env("HUSHWING_BACKUP_PASSPHRASE", passphrase);
        }
        command
    }

    /// Starts a command; returns at once.
    pub fn start(&self, args: &[&str]) -> Process {
        Process::spawn(&format!("{} {args:?}", self.name), self.command(args), Lines::default())
    }

    /// Runs a command to its end, with this on stdin.
    pub fn run_with_input(&self, args: &[&str], input: &str) -> Finished {
        let mut process = self.start(args);
        // It may end without reading its stdin.
        let _ = std::io::Write::write_all(&mut process.take_stdin(), input.as_bytes());
        let status = process.wait(LONG);
        let text = |lines: &Lines| lines.all().iter().map(|l| format!("{l}\n")).collect::<String>();
        Finished {
            code: status.code().unwrap_or(-1),
            stdout: text(&process.stdout),
            stderr: text(&process.stderr),
        }
    }

    /// Runs a command to its end.
    pub fn run(&self, args: &[&str]) -> Finished {
        self.run_with_input(args, "")
    }

    /// Runs a command that must work; its stdout.
    pub fn ok(&self, args: &[&str]) -> String {
        let done = self.run(args);
        assert_eq!(done.code, 0, "{} {args:?}: {done:?}", self.name);
        done.stdout
    }

    /// Runs a command that must work; its stdout as a JSON object a line.
    pub fn json(&self, args: &[&str]) -> Vec<Value> {
        let out = self.ok(args);
        out.lines()
            .map(|l| serde_json::from_str(l).unwrap_or_else(|e| panic!("{e}: {l}")))
            .collect()
    }

    /// Runs a command that must fail so.
    pub fn fails(&self, args: &[&str], code: i32, says: &str) -> Finished {
        let done = self.run(args);
        assert_eq!(done.code, code, "{} {args:?}: {done:?}", self.name);
        assert!(done.stderr.contains("error: ") && done.stderr.contains("hint: "), "{done:?}");
        assert!(done.stderr.contains(says), "{says:?} is missing: {done:?}");
        done
    }

    /// Sends a text; the message's id.
    pub fn send(&self, to: &str, text: &str) -> String {
        let sent = self.json(&["send", to, text, "--json"]);
        sent[0]["id"].as_str().expect("an id").to_owned()
    }

    /// Receives so many messages: their lines.
    pub fn recv(&self, count: usize) -> Vec<String> {
        let count = count.to_string();
        let out = self.ok(&["recv", "--wait", "60s", "--count", &count]);
        out.lines().map(str::to_owned).collect()
    }

    /// Waits until no daemon runs the profile any more: nothing tells those who do not know it but
    /// its socket.
    pub fn expect_no_daemon(&self) {
        let socket = self.home.join(self.name).join("daemon.sock");
        let end = Instant::now() + SOON;
        while socket.exists() {
            assert!(Instant::now() < end, "the daemon of {} goes on", self.name);
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Invites another, who accepts.
    pub fn befriend(&self, other: &Person) {
        let inviting = self.start(&["invite", "--wait"]);
        let link = inviting.stdout.wait_for(SOON, |l| l.first().cloned());
        let link = link.unwrap_or_else(|| panic!("no link: {:?}", inviting.stderr.all()));
        let accepted = other.run_with_input(&["accept", "-"], &format!("{link}\n"));
        assert_eq!((accepted.code, accepted.stdout.trim()), (0, self.name), "{accepted:?}");
        let mut inviting = inviting;
        assert_eq!(inviting.wait(SOON).code(), Some(0), "{:?}", inviting.stderr.all());
        assert_eq!(inviting.stdout.all(), [link.as_str(), other.name]);
    }
}

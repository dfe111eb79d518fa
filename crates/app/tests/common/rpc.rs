//! A profile driven over `hushwing profile rpc`, as a script drives it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Lines, Machine, Process, SOON};

/// A profile that a process runs.
pub struct Rpc {
    /// Its name.
    pub profile: String,
    base: PathBuf,
    machine: Machine,
    /// The process.
    pub process: Process,
    next: u64,
}

#[allow(clippy::needless_pass_by_value, reason = "parameters are written where they are passed")]
impl Rpc {
    /// Makes the profile, locked by a key file, and starts it.
    pub fn create(base: &Path, profile: &str) -> Self {
        Self::create_on(&Machine::here(), base, profile, &[])
    }

    /// As [`Rpc::create`], on a machine, with more arguments of `profile init`.
    pub fn create_on(machine: &Machine, base: &Path, profile: &str, more: &[&str]) -> Self {
        let mut init = machine.hushwing();
        init.env("HUSHWING_HOME", base).args([
            "profile",
            "init",
            "--profile",
            profile,
            "--no-passphrase",
            "--name",
            profile,
        ]);
        init.args(more);
        let done = init.output().expect("the program starts");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let process = spawn(machine, base, profile);
        let (profile, base, machine) = (profile.to_owned(), base.to_owned(), machine.clone());
        Rpc { profile, base, machine, process, next: 0 }
    }

    /// Its process number.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Ends the process as a crash does, and starts another.
    pub fn crash(&mut self) {
        self.process.kill();
        self.process = spawn(&self.machine, &self.base, &self.profile);
    }

    /// Sends a request and does not wait.
    pub fn request(&mut self, method: &str, params: Value) -> u64 {
        self.next += 1;
        let line = json!({ "jsonrpc": "2.0", "id": self.next, "method": method, "params": params });
        self.process.write(&format!("{line}\n"));
        self.next
    }

    /// The answer to a request.
    pub fn answer(&self, id: u64) -> Value {
        let mine =
            |line: &String| serde_json::from_str::<Value>(line).ok().filter(|v| v["id"] == id);
        let mut next = 0;
        let found = self.process.stdout.wait_for(SOON, |lines| {
            let found = lines.iter().skip(next).find_map(mine);
            next = lines.len();
            found
        });
        found.unwrap_or_else(|| panic!("{}: no answer to {id}: {}", self.profile, self.story()))
    }

    /// The last things that happened, for the message of a failed test.
    pub fn story(&self) -> String {
        let (out, err) = (self.process.stdout.all(), self.process.stderr.all());
        let last = out.len().saturating_sub(40);
        format!("{}\n{err:?}", out[last..].join("\n"))
    }

    /// Sends a request and gives its result.
    pub fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.request(method, params);
        let answer = self.answer(id);
        assert!(answer.get("error").is_none(), "{}: {method}: {answer}", self.profile);
        answer["result"].clone()
    }

    /// The id of the contact or group with this name.
    pub fn conversation(&mut self, name: &str) -> String {
        let found = self.ask("resolve", json!({ "name": name, "scope": "conversation" }));
        found["target"]["conversation"].as_str().expect("an id").to_owned()
    }

    /// Waits until a conversation has so many members.
    pub fn wait_members(&mut self, of: &str, count: usize) {
        let end = Instant::now() + SOON;
        while self.ask("members", json!({ "conversation": of })).as_array().map_or(0, Vec::len)
            < count
        {
            assert!(Instant::now() < end, "{}: fewer members than {count}", self.profile);
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Waits for an event of this process, come already or still to come.
    pub fn wait_event(&self, done: impl Fn(&Value) -> bool) -> Value {
        let event = |line: &String| {
            serde_json::from_str::<Value>(line).ok().filter(|v| v["method"] == "event")
        };
        let wanted = |line: &String| event(line).map(|v| v["params"].clone()).filter(|e| done(e));
        let mut next = 0;
        let found = self.process.stdout.wait_for(SOON, |lines| {
            let found = lines.iter().skip(next).find_map(wanted);
            next = lines.len();
            found
        });
        found.unwrap_or_else(|| {
            panic!("{}: it did not happen; stderr: {:?}", self.profile, self.process.stderr.all())
        })
    }

    /// Waits until the history of the conversation with this id satisfies `done`, and gives it.
    pub fn wait_history(
        &mut self,
        with: &str,
        limit: Duration,
        done: impl Fn(&[Value]) -> bool,
    ) -> Vec<Value> {
        let end = Instant::now() + limit;
        loop {
            let mark = self.process.stdout.count();
            let mut all = Vec::new();
            let mut after = 0;
            loop {
                let params = json!({ "conversation": with, "after": after, "limit": 1000 });
                let page = self.ask("history_after", params);
                let page = page.as_array().cloned().expect("messages");
                let Some(last) = page.last() else { break };
                after = last["number"].as_i64().expect("a number");
                all.extend(page);
            }
            if done(&all) {
                return all;
            }
            assert!(
                Instant::now() < end,
                "{}: it did not come to that: {} messages",
                self.profile,
                all.len()
            );
            // Another look is worth it when an event has come, or at the latest after a second.
            let event = |lines: &[String]| {
                lines.iter().skip(mark).any(|l| l.contains("\"event\"")).then_some(())
            };
            self.process.stdout.wait_for(Duration::from_secs(1), event);
        }
    }

    /// Ends it as a script does, by closing its stdin.
    pub fn close(mut self) {
        self.process.close_stdin();
        assert!(self.process.wait(SOON).success());
    }
}

fn spawn(machine: &Machine, base: &Path, profile: &str) -> Process {
    let mut command = machine.hushwing();
    command.env("HUSHWING_HOME", base).args(["profile", "rpc", "--profile", profile]);
    Process::spawn(profile, command, Lines::default())
}

//! A `hushwing chat --json`.

use std::time::Duration;

use serde_json::Value;

use super::{LONG, Lines, Machine, Process, SOON};

/// A running chat.
pub struct Chat {
    /// Its name in the room.
    pub nick: String,
    /// The process.
    pub process: Process,
}

impl Chat {
    /// Starts a chat; returns at once.
    pub fn start(link: &str, nick: &str, more: &[&str]) -> Self {
        Chat::start_on(&Machine::here(), link, nick, more)
    }

    /// As [`Chat::start`], on a machine.
    pub fn start_on(machine: &Machine, link: &str, nick: &str, more: &[&str]) -> Self {
        let mut command = machine.hushwing();
        command.args(["chat", link, "--json", "--nick", nick]).args(more);
        Chat { nick: nick.to_owned(), process: Process::spawn(nick, command, Lines::default()) }
    }

    /// Says a text.
    pub fn say(&mut self, text: &str) {
        self.process.write(&format!("{text}\n"));
    }

    /// All events so far.
    pub fn events(&self) -> Vec<Value> {
        self.process.stdout.all().iter().filter_map(|l| serde_json::from_str(l).ok()).collect()
    }

    /// Waits for an event.
    pub fn expect(&self, what: &str, limit: Duration, mut is: impl FnMut(&Value) -> bool) -> Value {
        let mut next = 0;
        let found = self.process.stdout.wait_for(limit, |lines| {
            let new = lines.get(next..).unwrap_or_default();
            next = lines.len();
            new.iter().filter_map(|l| serde_json::from_str(l).ok()).find(|v| is(v))
        });
        found.unwrap_or_else(|| panic!("{}: no {what}\n{}", self.nick, self.story()))
    }

    /// Waits until the room is open and messages can travel.
    pub fn expect_up(&self) {
        self.expect("network", SOON, |e| e["event"] == "network" && e["up"] == true);
        self.expect("room", SOON, |e| e["event"] == "joined");
    }

    /// Waits for somebody's message.
    pub fn expect_message(&self, from: &str, text: &str, limit: Duration) {
        self.expect(&format!("message {text:?} from {from}"), limit, |e| {
            e["event"] == "message" && e["you"] == false && e["from"] == from && e["text"] == text
        });
    }

    /// Waits until our message of this number is stored.
    pub fn expect_stored(&self, number: u64, limit: Duration) {
        self.expect(&format!("message {number} stored"), limit, |e| {
            e["event"] == "state" && e["state"] == "stored" && e["message"] == number
        });
    }

    /// Waits until so many messages of others came. Returns whether they did.
    pub fn wait_messages(&self, count: usize, limit: Duration) -> bool {
        let (mut next, mut seen) = (0, 0);
        let enough = self.process.stdout.wait_for(limit, |lines| {
            seen += lines.get(next..).unwrap_or_default().iter().filter(|l| is_message(l)).count();
            next = lines.len();
            (seen >= count).then_some(())
        });
        enough.is_some()
    }

    /// Messages of others so far: (from, text), in the order in which they were shown.
    pub fn messages(&self) -> Vec<(String, String)> {
        let lines = self.process.stdout.all();
        let messages = lines
            .iter()
            .filter(|l| is_message(l))
            .filter_map(|l| serde_json::from_str::<Value>(l).ok());
        messages
            .map(|e| {
                (
                    e["from"].as_str().unwrap_or_default().to_owned(),
                    e["text"].as_str().unwrap_or_default().to_owned(),
                )
            })
            .collect()
    }

    /// Leaves, and checks that the program ends well.
    pub fn leave(mut self) {
        self.process.close_stdin();
        let status = self.process.wait(SOON);
        assert_eq!(status.code(), Some(0), "{}\n{}", self.nick, self.story());
    }

    /// What happened, for the message of a failed test: paths and answers left out.
    pub fn story(&self) -> String {
        let out = self.process.stdout.all();
        let dull =
            |l: &String| l.contains(r#""event":"path""#) || l.contains(r#""event":"answered""#);
        let told: Vec<String> = out.iter().filter(|l| !dull(l)).cloned().collect();
        let last = told.len().saturating_sub(60);
        format!(
            "{} events, {} of them shown, the last:\n{}\nstderr:\n{}",
            out.len(),
            told.len(),
            told.get(last..).unwrap_or_default().join("\n"),
            self.process.stderr.all().join("\n")
        )
    }
}

/// A message of somebody else, told from its text so that a flood costs little.
fn is_message(line: &str) -> bool {
    line.starts_with(r#"{"event":"message""#) && line.ends_with(r#""you":false}"#)
}

/// One's text arrives at the other's, and an answer at the first one's.
pub fn they_talk(one: &mut Chat, other: &mut Chat, text: &str) {
    one.say(text);
    other.expect_message(&one.nick, text, LONG);
    let back = format!("{text}, too");
    other.say(&back);
    one.expect_message(&other.nick, &back, LONG);
}

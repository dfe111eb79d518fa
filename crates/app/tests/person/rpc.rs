//! A profile used by JSON-RPC.

use serde_json::{Value, json};

use super::Person;
use crate::common::{Process, SOON};

/// A running `hushwing rpc`.
pub struct Rpc {
    pub process: Process,
}

impl Rpc {
    pub fn start(person: &Person) -> Self {
        Rpc::start_with(person, &[])
    }

    pub fn start_with(person: &Person, more: &[&str]) -> Self {
        Rpc { process: person.start(&[&["rpc"], more].concat()) }
    }

    pub fn write(&mut self, line: &str) {
        self.process.write(&format!("{line}\n"));
    }

    pub fn ask(&mut self, id: u64, method: &str, params: &Value) {
        self.write(
            &json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string(),
        );
    }

    pub fn wait(&self, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        let found = self.process.stdout.wait_for(SOON, |lines| {
            lines.iter().filter_map(|l| serde_json::from_str::<Value>(l).ok()).find(|v| is(v))
        });
        found.unwrap_or_else(|| {
            panic!("no {what}\n{:?}\n{:?}", self.process.stdout.all(), self.process.stderr.all())
        })
    }

    pub fn answer(&self, id: u64) -> Value {
        self.wait(&format!("answer {id}"), |v| v["id"] == id)
    }

    pub fn event(&self, name: &str, is: impl Fn(&Value) -> bool) -> Value {
        self.wait(name, |v| {
            v["method"] == "event" && v["params"]["event"] == name && is(&v["params"])
        })["params"]
            .clone()
    }

    pub fn end(mut self) -> Vec<String> {
        self.process.close_stdin();
        assert_eq!(self.process.wait(SOON).code(), Some(0), "{:?}", self.process.stderr.all());
        self.process.stdout.all()
    }
}

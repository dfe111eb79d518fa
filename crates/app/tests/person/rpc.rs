//! A profile used by JSON-RPC.

use serde_json::{Value, json};

use super::Person;
use crate::common::{Process, SOON};

/// A running `hushwing profile rpc`.
pub struct Rpc {
    pub process: Process,
    /// Names that were resolved so far.
    resolved: u64,
}

impl Rpc {
    pub fn start(person: &Person) -> Self {
        Rpc::start_with(person, &[])
    }

    pub fn start_with(person: &Person, more: &[&str]) -> Self {
        let process = person.start(&[&["profile", "rpc"], more].concat());
        Rpc { process, resolved: 0 }
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

    /// Resolves a name as a person typed it; the whole answer.
    pub fn resolve(&mut self, name: &str) -> Value {
        self.resolved += 1;
        // An id that no other request of a test has.
        let id = json!(format!("resolve {}", self.resolved));
        let params = json!({ "name": name });
        let request = json!({ "jsonrpc": "2.0", "id": id, "method": "resolve", "params": params });
        self.write(&request.to_string());
        self.wait(&format!("answer to {request}"), |v| v["id"] == id)
    }

    /// The id of the contact or group with this name.
    pub fn conversation(&mut self, name: &str) -> Value {
        let found = self.resolve(name);
        let id = found["result"]["target"]["conversation"].clone();
        assert!(id.is_string(), "{name}: {found}");
        id
    }

    /// The id of the open room with this name.
    pub fn room(&mut self, name: &str) -> Value {
        let found = self.resolve(name);
        let id = found["result"]["target"]["room"].clone();
        assert!(id.is_string(), "{name}: {found}");
        id
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

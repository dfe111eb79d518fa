//! What is in the memory and on the disk of the nodes that a conversation passes through.
#![cfg(target_os = "linux")]

mod common;
mod person;

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use common::World;
use person::Person;
use person::rpc::Rpc;
use serde_json::json;

/// What is said, and by whom: nothing else says this.
const TEXT: &str = "zeppelin-quixotic-marmalade";
const NAMES: [&str; 2] = ["quetzalcoatl-anna", "bartholomew-zwei"];

/// How often a text is in these bytes.
fn count(bytes: &[u8], text: &str) -> usize {
    bytes.windows(text.len()).filter(|w| *w == text.as_bytes()).count()
}

/// All that a process has in memory and may read itself; `None` if we may not look.
fn memory(process: u32) -> Option<Vec<u8>> {
    let maps = std::fs::read_to_string(format!("/proc/{process}/maps")).expect("it runs");
    let memory = File::open(format!("/proc/{process}/mem")).ok()?;
    let mut all = Vec::new();
    for line in maps.lines() {
        let mut parts = line.split(' ');
        let (range, rights) = (parts.next().expect("a range"), parts.next().expect("rights"));
        let (from, to) = range.split_once('-').expect("from and to");
        let [from, to] = [from, to].map(|n| u64::from_str_radix(n, 16).expect("an address"));
        // The kernel's own pages cannot be read.
        let mut part = vec![0; usize::try_from(to - from).expect("it fits")];
        if rights.starts_with('r') && memory.read_exact_at(&mut part, from).is_ok() {
            all.extend(part);
        }
    }
    Some(all)
}

/// All that is in the files below a directory.
fn disk(dir: &Path) -> Vec<u8> {
    let entries = std::fs::read_dir(dir).expect("it is there").flatten();
    let below = entries.map(|e| match e.path() {
        path if path.is_dir() => disk(&path),
        // A file may be replaced while we look.
        path => std::fs::read(path).unwrap_or_default(),
    });
    below.flatten().collect()
}

/// Two people talk over three relays and a hub, which are searched while they run.
#[test]
fn no_node_has_a_text_or_a_name_in_its_memory_or_on_its_disk() {
    let world = World::new().start();
    let home = tempfile::tempdir().expect("a temporary directory");
    let alice = Person::new(home.path(), NAMES[0], Some(&world));
    let bob = Person::new(home.path(), NAMES[1], None);
    let (mut a, mut b) = (Rpc::start(&alice), Rpc::start(&bob));
    a.ask(1, "invite", &json!({}));
    let link = a.answer(1)["result"]["link"].clone();
    b.ask(1, "accept", &json!({ "link": link }));
    let to_alice = b.answer(1)["result"]["conversation"].clone();
    let to_bob = a.event("invite_used", |e| e["label"] == NAMES[1])["conversation"].clone();
    for n in 0..20 {
        let text = format!("{TEXT} {n}");
        a.ask(10 + n, "send", &json!({ "conversation": to_bob, "text": text }));
        b.event("message", |e| e["message"]["text"] == text && e["message"]["you"] == false);
        b.ask(10 + n, "send", &json!({ "conversation": to_alice, "text": text }));
        a.event("message", |e| e["message"]["text"] == text && e["message"]["you"] == false);
    }
    let Some(seen) = memory(b.process.id()) else {
        println!("SKIPPED: this user may not look into the memory of other processes");
        return;
    };
    assert!(count(&seen, TEXT) > 0 && NAMES.iter().all(|n| count(&seen, n) > 0), "at its reader");
    for role in world.roles() {
        let (memory, disk) = (memory(role.process().id()).expect("as before"), disk(&role.dir));
        // Its own name is there: it was really searched.
        let own = role.dir.display().to_string();
        assert!(count(&memory, &own) > 0 && !disk.is_empty(), "{}", role.name);
        for text in [TEXT, NAMES[0], NAMES[1]] {
            assert_eq!(count(&memory, text), 0, "{}: {text} in memory", role.name);
            assert_eq!(count(&disk, text), 0, "{}: {text} on disk", role.name);
        }
    }
    a.end();
    b.end();
}

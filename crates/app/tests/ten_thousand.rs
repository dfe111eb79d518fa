//! Ten thousand messages through three relays while a relay and the hub die: none lost, none shown
//! twice.

mod common;

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Instant;

use common::{LONG, World};

const TALKERS: usize = 5;
const EACH: usize = 2_000;
const ALL: usize = TALKERS * EACH;

#[test]
fn ten_thousand_messages_survive_a_relay_and_a_hub() {
    let mut world = World::new().relays(3).mean_delay(0).start();
    let mut reader = world.join("reader");
    let began = Instant::now();
    let mut talkers: Vec<_> = (0..TALKERS).map(|t| world.join(&format!("talker{t}"))).collect();
    for talker in &mut talkers {
        // A pipe that is full waits in a thread of its own; its end lets the talker leave when all
        // is stored.
        let mut stdin = talker.process.take_stdin();
        std::thread::spawn(move || {
            for n in 0..EACH {
                if writeln!(stdin, "message {n:04}").is_err() {
                    return;
                }
            }
        });
    }
    let arrived = |count: usize| {
        let there = reader.wait_messages(count, LONG);
        assert!(
            there,
            "{} of {count} after {:?}\n{}",
            reader.messages().len(),
            began.elapsed(),
            reader.story()
        );
    };
    arrived(ALL * 3 / 10);
    println!("3 of 10 are there after {:.1} s; a relay dies", began.elapsed().as_secs_f64());
    world.relay(2).kill();
    world.relay(2).restart();
    println!("it is admitted again after {:.1} s", began.elapsed().as_secs_f64());
    arrived(ALL * 6 / 10);
    println!("6 of 10 are there after {:.1} s; the hub dies", began.elapsed().as_secs_f64());
    world.hub().kill();
    world.hub().restart();
    println!("it is admitted again after {:.1} s", began.elapsed().as_secs_f64());
    for talker in &mut talkers {
        let status = talker.process.wait(LONG);
        assert_eq!(status.code(), Some(0), "{}", talker.story());
    }
    arrived(ALL);
    let took = began.elapsed();
    println!(
        "{ALL} messages in {:.1} s: {:.0} messages/s, one relay and the hub killed meanwhile",
        took.as_secs_f64(),
        ALL as f64 / took.as_secs_f64()
    );
    // The answer comes after everything that was shown before it: what is shown twice would be
    // here.
    reader.say("/who");
    reader.expect("list of talkers", LONG, |e| e["event"] == "who");

    let mut by_talker: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (from, text) in reader.messages() {
        by_talker.entry(from).or_default().push(text);
    }
    assert_eq!(by_talker.len(), TALKERS);
    let expected: Vec<String> = (0..EACH).map(|n| format!("message {n:04}")).collect();
    for (talker, texts) in by_talker {
        assert!(
            texts == expected,
            "{talker}: {} messages, not each once and in order",
            texts.len()
        );
    }
    assert!(reader.events().iter().all(|e| e["event"] != "gap"), "{}", reader.story());
    reader.leave();
    world.stop();
}

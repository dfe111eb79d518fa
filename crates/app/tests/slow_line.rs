//! A relay whose line becomes slow: what it cannot carry goes other ways.

mod common;

use common::{Chat, LONG, World};

/// The ways of a chat's requests, from an event on: the short ids of their relays.
fn ways(chat: &Chat, from: usize) -> Vec<String> {
    let events = chat.events().split_off(from);
    let paths = events.iter().filter(|e| e["event"] == "path");
    let texts = paths.filter_map(|e| e["text"].as_str().map(str::to_owned));
    texts.filter(|text| text.ends_with("(request)")).collect()
}

#[test]
fn a_relay_held_to_64_kbit_gets_no_more_than_it_can_carry() {
    if !lanlab::available() {
        println!("SKIPPED: needs root and iproute2");
        return;
    }
    let names = ["ann", "ben", "cat"];
    let mut world = World::new().relays(5).mean_delay(20).lab(&names).start();
    let mut chats: Vec<Chat> = names.iter().map(|name| world.join(name)).collect();
    let log = world.relay(5).log.all();
    let id = log.iter().find_map(|line| line.split_once(" listens on ")).expect("an id").0;
    let id = id.trim_start_matches("relay ").to_owned();
    let share = |ways: &[String]| {
        let through = ways.iter().filter(|way| way.contains(&id)).count();
        println!("{through} of {} paths lead through it", ways.len());
        through as f64 / ways.len() as f64
    };
    let mut said = 0;
    let mut speak = |chats: &mut [Chat], lines: usize| {
        for _ in 0..lines {
            said += 1;
            chats.iter_mut().for_each(|chat| chat.say(&format!("line {said}")));
            let heard = (names.len() - 1) * said;
            assert!(chats.iter().all(|chat| chat.wait_messages(heard, LONG)), "everything arrives");
        }
    };
    speak(&mut chats, 20);
    let before: Vec<String> = chats.iter().flat_map(|chat| ways(chat, 0)).collect();
    assert!(share(&before) > 0.3, "it carries as much as the others");

    let slow = world.at("relay-5");
    world.lab().node(slow).slow(64);
    let told = |chat: &Chat| {
        let notices = chat.events().into_iter().filter(|e| e["event"] == "notice");
        notices.filter_map(|e| e["text"].as_str().map(str::to_owned)).any(|t| t.contains(&id))
    };
    let mut lines = 0;
    while !chats.iter().all(told) {
        assert!(lines < 100, "not all notice that packets do not come through it");
        speak(&mut chats, 1);
        lines += 1;
    }
    let from: Vec<usize> = chats.iter().map(|chat| chat.events().len()).collect();
    speak(&mut chats, 20);
    let after: Vec<String> =
        chats.iter().zip(from).flat_map(|(chat, from)| ways(chat, from)).collect();
    assert!(share(&after) < 0.1, "{after:?}");
}

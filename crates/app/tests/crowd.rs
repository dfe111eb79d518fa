//! One talks, fifty read.

mod common;

use common::{LONG, SOON, World};

const READERS: usize = 50;
const MESSAGES: usize = 20;

#[test]
fn fifty_readers_see_each_message_once_and_outlive_a_relay() {
    let mut world = World::new().relays(4).start();
    let mut alice = world.join("alice");
    let readers: Vec<_> = (0..READERS).map(|n| world.chat(&format!("reader{n}"))).collect();
    for reader in &readers {
        reader.expect_up();
    }
    let text = |n: usize| format!("announcement {n}");
    for n in 0..MESSAGES {
        alice.say(&text(n));
    }
    let expected: Vec<_> = (0..MESSAGES).map(|n| ("alice".to_owned(), text(n))).collect();
    for reader in &readers {
        assert!(reader.wait_messages(MESSAGES, LONG), "{}", reader.story());
    }
    // One of four relays is gone for good: the other three carry what follows.
    let mark = world.mark();
    world.relay(3).kill();
    alice.say("one relay less");
    world.listed_after(mark, 3, 1);
    alice.say("and on it goes");
    for reader in &readers {
        reader.expect_message("alice", "one relay less", SOON);
        reader.expect_message("alice", "and on it goes", SOON);
    }
    alice.expect_stored(MESSAGES as u64 + 2, SOON);
    for reader in readers {
        let seen = reader.messages();
        assert_eq!(seen[..MESSAGES], expected[..], "{}", reader.nick);
        assert_eq!(seen.len(), MESSAGES + 2, "{}: {seen:?}", reader.nick);
        reader.leave();
    }
    alice.leave();
    world.stop();
}

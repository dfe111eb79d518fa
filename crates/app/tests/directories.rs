//! Three directories of which two must sign: each may be gone.

mod common;

use common::{LONG, World, run, they_talk};

/// Waits until a directory has published documents of so many more epochs.
fn epochs_pass(world: &mut World, directory: usize, epochs: u64) {
    let role = world.directory_at(directory);
    let epoch = |line: &String| -> Option<u64> {
        line.split("document published epoch=").nth(1)?.split(' ').next()?.parse().ok()
    };
    let last = role.log.all().iter().filter_map(epoch).max().expect("a document");
    // A directory that was away leaves some out.
    let later = |lines: &[String]| lines.iter().filter_map(epoch).find(|e| *e >= last + epochs);
    let found = role.log.wait_for(LONG, later);
    assert!(found.is_some(), "{}: {}", role.name, role.log.all().join("\n"));
}

/// Waits until a directory publishes a document with so many relays, later than now.
fn lists(world: &mut World, directory: usize, mark: usize, relays: usize) {
    world.directory_at(directory).expect_after(mark, &format!("relays={relays} hubs=1"));
}

//= DIR-012
#[test]
fn talk_goes_on_while_one_of_three_directories_is_dead_and_it_takes_part_again() {
    let mut world = World::new().directories(3).relays(4).epoch(10).start();
    let (mut alice, mut bob) = (world.join("alice"), world.join("bob"));
    they_talk(&mut alice, &mut bob, "before");

    world.directory_at(1).kill();
    epochs_pass(&mut world, 2, 2);
    they_talk(&mut alice, &mut bob, "two epochs without the first");
    // Nodes come and go.
    let mark = world.directory_at(2).mark();
    world.relay(4).kill();
    lists(&mut world, 2, mark, 3);
    let mark = world.directory_at(3).mark();
    world.relay(4).start();
    lists(&mut world, 3, mark, 4);
    they_talk(&mut alice, &mut bob, "a relay has been away");
    // People, too.
    let mut carol = world.join("carol");
    carol.say("hello");
    bob.expect_message("carol", "hello", LONG);

    world.directory_at(1).restart();
    epochs_pass(&mut world, 1, 1);
    // Its signature counts: without the second there are not enough others.
    world.directory_at(2).kill();
    epochs_pass(&mut world, 1, 2);
    epochs_pass(&mut world, 3, 1);
    they_talk(&mut alice, &mut bob, "two epochs without the second");
    let roles = [1, 3].map(|n| world.directory_at(n).log.all());
    for log in roles {
        let accused = log.iter().find(|line| line.contains("another directory: "));
        assert_eq!(accused, None, "nobody lies here");
    }
    alice.leave();
    bob.leave();
    carol.leave();
    world.stop();
}

//= DIR-018
//= DIR-020
#[test]
fn a_directory_that_moves_is_found_by_the_others_and_by_a_relay_that_only_dials() {
    let mut world = World::new().directories(3).relays(4).dials_only(1).epoch(10).start();
    for n in 1..=3 {
        world.directory_at(n).expect("relays=3 hubs=1 dials_only=1");
    }
    let (mut alice, mut bob) = (world.join("alice"), world.join("bob"));
    they_talk(&mut alice, &mut bob, "before");
    world.directory_at(1).kill();
    world.directory_at(1).moves();
    world.directory_at(1).start();
    world.directory_at(1).expect("relays=3 hubs=1 dials_only=1");
    // Without it, nothing would be signed now.
    world.directory_at(2).kill();
    epochs_pass(&mut world, 3, 2);
    let mark = world.directory_at(3).mark();
    world.relay(4).kill();
    world.relay(4).start();
    world.directory_at(3).expect_after(mark, "relays=3 hubs=1 dials_only=1");
    they_talk(&mut alice, &mut bob, "the first has moved, and the second is gone");
}

#[test]
fn a_directory_that_hangs_holds_up_neither_people_nor_documents() {
    let mut world = World::new().directories(3).epoch(10).start();
    world.directory_at(1).process().signal("STOP");
    // It is the first in everybody's list.
    let (mut alice, mut bob) = (world.join("alice"), world.join("bob"));
    they_talk(&mut alice, &mut bob, "while it hangs");
    epochs_pass(&mut world, 2, 3);
    they_talk(&mut alice, &mut bob, "three epochs later");
    world.directory_at(1).process().signal("CONT");
    epochs_pass(&mut world, 1, 1);
    they_talk(&mut alice, &mut bob, "it is back");
}

#[test]
fn a_directory_with_other_settings_is_named_and_does_not_count() {
    let mut world = World::new().directories(3).plan();
    world.directory_at(3).more_args(&["--cover", "low"]);
    world.start_all();
    world.directory_at(1).expect("its settings differ from ours");
    world.directory_at(3).expect("its settings differ from ours");
    world.directory_at(1).expect("relays=3 hubs=1");
}

//= DIR-012
#[test]
fn operators_are_told_which_cards_make_no_network() {
    let dir = tempfile::tempdir().unwrap();
    let at = |n: u32| dir.path().join(n.to_string()).display().to_string();
    let card = |n: u32| {
        let listen = format!("192.0.2.{n}:5999");
        let card = run(["node", "directory", "card", "--dir", &at(n), "--listen", &listen]);
        assert_eq!(card.code, 0, "{card:?}");
        card.stdout.trim().to_owned()
    };
    let (one, two, three) = (card(1), card(2), card(3));
    assert_eq!(one, card(1), "a card stays the same");
    let (one, two, three) = (one.as_str(), two.as_str(), three.as_str());
    let join = |n: u32, threshold: &str, cards: &[&str]| {
        let dir = at(n);
        let args = ["node", "directory", "join", "--dir", &dir, "--threshold", threshold];
        run([&args[..], cards].concat())
    };
    for (threshold, cards, error) in [
        ("1", [one, two, three], "a threshold of 1 does not fit 3 directories"),
        ("4", [one, two, three], "a threshold of 4 does not fit 3 directories"),
        ("2", [one, one, two], "two of the cards are of the same directory"),
        ("2", [two, three, "nowhere"], "cannot read nowhere"),
        ("2", [one, two, "hushwing:net#AAAA"], "invalid card"),
    ] {
        let refused = join(1, threshold, &cards);
        assert_eq!(refused.code, 3, "{refused:?}");
        assert!(refused.stderr.contains(error), "{refused:?}");
        assert!(refused.stderr.contains("hint: "), "{refused:?}");
    }
    let refused = join(1, "2", &[two, three]);
    assert!(refused.stderr.contains("none of the cards is this directory's own"), "{refused:?}");
    // From files, and in another order, it is the same network.
    let file = dir.path().join("card");
    std::fs::write(&file, two).unwrap();
    let joined = join(1, "2", &[one, file.to_str().unwrap(), three]);
    assert_eq!(joined.code, 0, "{joined:?}");
    assert_eq!(join(3, "2", &[three, two, one]).stdout, joined.stdout);
    let nowhere = run(["node", "directory", "card", "--dir", &at(4), "--listen", "0.0.0.0:5999"]);
    assert!(nowhere.stderr.contains("is not an address that others can reach"), "{nowhere:?}");
}

//= DIR-012
#[test]
fn a_directory_that_has_signed_alone_joins_nobody() {
    let mut world = World::new().start();
    world.stop();
    let dir = world.directory().dir.display().to_string();
    let other = world.path().join("other").display().to_string();
    let listen = ["--listen", "127.0.0.1:5999"];
    let cards = [&dir, &other].map(|dir| {
        let card = run([&["node", "directory", "card", "--dir", dir], &listen[..]].concat());
        card.stdout.trim().to_owned()
    });
    let args = ["node", "directory", "join", "--dir", &dir, "--threshold", "2"];
    let refused = run([&args[..], &[cards[0].as_str(), cards[1].as_str()]].concat());
    assert!(refused.stderr.contains("has signed documents of another network"), "{refused:?}");
    assert!(refused.stderr.contains("hint: "), "{refused:?}");
    // It goes on as before.
    world.directory().start();
    world.directory().expect("document published");
}

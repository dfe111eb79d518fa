//! A hub that serves several rooms: each fills its own share, and can be emptied.

mod common;

use common::{Chat, Finished, SOON, World, run};
use serde_json::Value;

/// `hushwing node rooms` at this world's hub.
fn rooms(world: &mut World, args: &[&str]) -> Finished {
    let dir = world.hub().dir.display().to_string();
    run([&["node", "rooms"], args, &["--dir", &dir]].concat())
}

/// A room with a key of its own; its link.
fn room(world: &mut World, name: &str, mib: &str) -> String {
    let added = rooms(world, &["add", name, "--storage", mib, "--puts", "2000"]);
    assert_eq!(added.code, 0, "{added:?}");
    let network = world.path().join("directory/network").display().to_string();
    let made = run(["room", "--network", &network, "--hub", added.stdout.trim()]);
    assert_eq!(made.code, 0, "{made:?}");
    made.stdout.trim().to_owned()
}

fn held(world: &mut World, name: &str) -> u64 {
    let listed = rooms(world, &["list", "--json"]);
    let rows = listed.stdout.lines().map(|l| serde_json::from_str::<Value>(l).expect("JSON"));
    let row = rows.into_iter().find(|row| row["name"] == name).expect("the room is listed");
    row["boxes"].as_u64().expect("a number")
}

//= HUB-027
#[test]
fn a_link_on_the_wall_fills_its_own_room_and_nothing_else() {
    let mut world = World::new().start();
    let (wall, club) = (room(&mut world, "wall", "1"), room(&mut world, "club", "8"));
    let direct = ["--route", "direct"];
    let mut stranger = Chat::start(&wall, "stranger", &direct);
    stranger.expect_up();
    // 1 MiB is 489 boxes; a text is one.
    for n in 0..600 {
        stranger.say(&format!("junk {n}"));
    }
    stranger.expect("its room is full", SOON, |e| {
        e["text"].as_str().is_some_and(|t| t.contains("full"))
    });
    // Everybody else talks on, members by the hub's own card, too.
    let (mut ann, ben) = (Chat::start(&club, "ann", &direct), Chat::start(&club, "ben", &direct));
    ann.say("good evening");
    ben.expect_message("ann", "good evening", SOON);
    let mut member = world.chat("cat");
    let other = world.chat("dan");
    member.say("and to you");
    other.expect_message("cat", "and to you", SOON);

    let purged = rooms(&mut world, &["purge", "wall"]);
    assert_eq!(purged.code, 0, "{purged:?}");
    let count: u64 =
        purged.stdout.split(' ').next().and_then(|n| n.parse().ok()).expect("a number");
    assert!((400..=500).contains(&count), "{purged:?}");
    assert!(held(&mut world, "club") > 0);
    // The room goes on: what waited is put now.
    stranger.expect_stored(600, SOON);

    let removed = rooms(&mut world, &["remove", "wall"]);
    assert_eq!(removed.code, 0, "{removed:?}");
    let late = Chat::start(&wall, "late", &direct);
    late.expect("the key opens nothing", SOON, |e| {
        e["text"].as_str().is_some_and(|t| t.contains("access key"))
    });
    for (args, says) in [
        (&["purge", "wall"][..], "no room is called"),
        (&["add", "club"], "already"),
        (&["add", "a/b"], "letters, digits"),
    ] {
        let refused = rooms(&mut world, args);
        assert_eq!(refused.code, 3, "{refused:?}");
        assert!(refused.stderr.contains(says) && refused.stderr.contains("hint: "), "{refused:?}");
    }
}

//! An earlier program and this one: they talk, or say what has to be updated. `cargo xtask earlier`
//! builds the earlier one and names it in `HUSHWING_EARLIER`.

mod common;

use std::ffi::OsString;
use std::process::Command;

use common::{Chat, LONG, Lines, Process, SOON, World, free_port};

/// The earlier program.
fn earlier() -> Option<OsString> {
    let earlier = std::env::var_os("HUSHWING_EARLIER");
    if earlier.is_none() {
        println!("SKIPPED: needs an earlier program: cargo xtask earlier");
    }
    earlier
}

#[test]
fn an_earlier_client_and_an_earlier_relay_take_part() {
    let Some(earlier) = earlier() else { return };
    let mut world = World::new().relays(2).start();
    let at = |path: &str| world.path().join(path);
    let mut relay = Command::new(&earlier);
    relay.args(["relay", "--listen", &format!("127.0.0.1:{}", free_port())]);
    relay.arg("--dir").arg(at("earlier"));
    relay.arg("--network").arg(at("directory/network"));
    relay.arg("--token").arg(at("directory/token"));
    let _relay = Process::spawn("earlier relay", relay, Lines::default());
    world.listed(3, 1);
    // Two relays are on each path: from now on one of them is the earlier.
    let mark = world.mark();
    world.relay(2).stop();
    world.listed_after(mark, 2, 1);
    let mut now = world.join("now");
    let mut chat = Command::new(&earlier);
    chat.args(["chat", world.link(), "--json", "--nick", "then"]);
    let process = Process::spawn("then", chat, Lines::default());
    let mut then = Chat { nick: "then".to_owned(), process };
    then.expect_up();
    now.say("can you read this?");
    then.expect_message("now", "can you read this?", LONG);
    then.say("every word");
    now.expect_message("then", "every word", LONG);
}

#[test]
fn a_network_with_settings_that_are_not_safe_any_more_is_refused_with_a_hint() {
    let Some(earlier) = earlier() else { return };
    let home = tempfile::tempdir().expect("a directory");
    let mut up = Command::new(&earlier);
    up.arg("up").arg("--dir").arg(home.path());
    let up = Process::spawn("earlier network", up, Lines::default());
    let link = up.stdout.wait_for(SOON, |lines| lines.first().cloned()).expect("a link");
    let chat = Chat::start(&link, "now", &[]);
    chat.expect("what is wrong", SOON, |e| {
        e["event"] == "network"
            && e["up"] == false
            && e["text"].as_str().is_some_and(|text| text.contains("has to be updated"))
    });
    let doctor = common::run(["doctor", &link]);
    assert_eq!(doctor.code, 5, "{doctor:?}");
    assert!(doctor.stderr.contains("hint: update Hushwing here, or ask"), "{doctor:?}");
}

//! The command line as a person and a script meet it.

mod common;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use common::{Finished, Lines, Process, SOON, World, free_port, hushwing, run, run_with_input};

/// An error is one sentence, a hint and a documented code.
fn assert_fails(ended: &Finished, code: i32, says: &[&str]) {
    assert_eq!(ended.code, code, "{ended:?}");
    assert!(ended.stdout.is_empty(), "{ended:?}");
    assert!(ended.stderr.contains("error: "), "{ended:?}");
    assert!(ended.stderr.contains("hint: "), "{ended:?}");
    for part in says {
        assert!(ended.stderr.contains(part), "{part:?} is missing: {ended:?}");
    }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// The commands that a help text lists: those of the root stand under headings.
fn listed(help: &str, path: &[&str]) -> Vec<String> {
    let lines = help.lines();
    let lines: Vec<&str> = if path.is_empty() {
        lines
            .skip_while(|l| !l.starts_with("Start here"))
            .take_while(|l| *l != "Options:")
            .collect()
    } else {
        lines.skip_while(|l| *l != "Commands:").skip(1).take_while(|l| !l.is_empty()).collect()
    };
    let name = |line: &&str| Some(line.strip_prefix("  ")?.split(' ').next()?.to_owned());
    lines.iter().filter_map(name).filter(|name| !name.is_empty() && name != "help").collect()
}

/// The help of a command and of all below it, each a snapshot: `help-group-create`.
fn snapshots_of(path: &[&str], names: &mut BTreeSet<String>) {
    let help = run(path.iter().copied().chain(["--help"]));
    assert_eq!(help.code, 0, "{path:?}: {help:?}");
    for line in help.stdout.lines() {
        assert!(line.chars().count() <= 100, "{path:?}: {line}");
    }
    let name = std::iter::once("help").chain(path.iter().copied()).collect::<Vec<_>>().join("-");
    insta::assert_snapshot!(name.clone(), help.stdout);
    names.insert(format!("cli__{name}.snap"));
    for child in listed(&help.stdout, path) {
        snapshots_of(&[path, &[child.as_str()]].concat(), names);
    }
}

#[test]
fn help_of_all_commands() {
    let mut names = BTreeSet::new();
    snapshots_of(&[], &mut names);
    assert!(names.len() > 60, "{names:?}");
    // No snapshot is left of a command that is gone.
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots");
    for entry in std::fs::read_dir(dir).expect("the snapshots") {
        let name = entry.expect("an entry").file_name().to_string_lossy().into_owned();
        assert!(!name.contains("__help") || names.contains(&name), "{name} is of no command");
    }
}

#[test]
fn the_root_help_is_a_short_list_without_old_spellings() {
    let help = run(["--help"]).stdout;
    assert!(help.lines().count() <= 65, "{help}");
    let listed = listed(&help, &[]);
    assert!(listed.len() <= 32, "{listed:?}");
    for old in ["contacts", "init", "floor", "relay", "hub", "directory", "rpc", "edit"] {
        assert!(!listed.iter().any(|name| name == old), "{old}: {listed:?}");
    }
}

#[test]
fn old_spellings_of_roles_still_work_and_say_the_new_one() {
    for role in ["directory", "relay", "hub"] {
        let (old, new) = (run([role, "--print-config"]), run(["node", role, "--print-config"]));
        assert_eq!((old.code, &old.stdout), (0, &new.stdout));
        let note = format!("note: `hushwing {role}` is now `hushwing node {role}`\n");
        assert_eq!((old.stderr.as_str(), new.stderr.as_str()), (note.as_str(), ""));
    }
}

#[test]
fn wrong_command_lines_end_with_2() {
    for args in [
        &["fly"][..],
        &["chat", "--nick"],
        &["up", "--relays", "0"],
        &["node", "relay", "--listen", "here"],
    ] {
        let ended = run(args);
        assert_eq!(ended.code, 2, "{ended:?}");
        assert!(ended.stdout.is_empty() && ended.stderr.contains("error: "), "{ended:?}");
    }
}

#[test]
fn without_a_command_it_asks() {
    let typed = |lines: &str| run_with_input([""; 0], lines);
    let ended = typed("");
    insta::assert_snapshot!("question", ended.stderr);
    assert_fails(&ended, 3, &["browser", "terminal", "link", "demo", "network"]);
    assert_fails(&typed("fly\n"), 3, &["invalid choice: fly", "1 to 5"]);
    let escape = typed("\x1b[31mred\n");
    assert_fails(&escape, 3, &["invalid choice: "]);
    assert!(!escape.stderr.contains('\x1b'), "{escape:?}");
    // An empty line asks again.
    let demo = typed("\n4\n");
    assert_eq!(demo.code, 0, "{demo:?}");
    assert_eq!(demo.stderr.matches("What do you want to do?").count(), 2, "{demo:?}");
    assert!(demo.stderr.contains("0 shown twice"), "{demo:?}");
}

#[test]
fn what_it_asks_for_is_taken_as_typed() {
    let typed = |lines: &str| run_with_input([""; 0], lines);
    // A link needs no quotes here, and may have them; it is never an option.
    for link in ["hushwing:room#nothing", "'hushwing:room#nothing'", "--help"] {
        assert_fails(&typed(&format!("3\n{link}\n")), 3, &["Link: ", "invalid room link"]);
    }
    // Without one, the conversations: these need a terminal.
    assert_fails(&typed("3\n\n"), 3, &["no room link given"]);
    assert_fails(&typed("2\n"), 3, &["no room link given"]);
    // Words of earlier versions.
    for word in ["chat", "client"] {
        let ended = typed(&format!("{word}\nhushwing:room#nothing\n"));
        assert_fails(&ended, 3, &["Room link", "invalid room link"]);
    }
    for word in ["up", "server", "5"] {
        assert_fails(&typed(&format!("{word}\nnone\n")), 3, &["Hub port", "none"]);
    }
    for word in ["relay", "node", "NODE"] {
        let ended = typed(&format!("{word}\nnone\n\n\n"));
        assert_fails(&ended, 3, &["Port", "Network pointer", "Admission token", "none"]);
    }
}

#[test]
fn a_wrong_link_or_name() {
    for link in ["nonsense", "hushwing:room#", "hushwing:room#AAAA", "hushwing:net#AAAA", ""] {
        assert_fails(&run(["chat", link]), 3, &["invalid room link", "quote it"]);
        assert_fails(&run(["doctor", link]), 3, &["invalid room link"]);
    }
    assert_fails(&run(["chat"]), 3, &["no room link given"]);
    assert_fails(&run(["chat", "--link-file", "/nowhere/at/all"]), 3, &["cannot read"]);
}

#[test]
fn a_taken_port_is_named_with_a_remedy() {
    let holder = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = holder.local_addr().expect("an address").port().to_string();
    let dir = tempfile::tempdir().expect("a temporary directory");
    let listen = format!("127.0.0.1:{port}");
    let directory =
        run(["node", "directory", "--dir", &text(&dir.path().join("d")), "--listen", &listen]);
    assert_fails(&directory, 3, &[&port, "in use", "--listen"]);
    let up = run(["up", "--directory-port", &port, "--hub-port", "0", "--relay-port", "0"]);
    assert_fails(&up, 3, &[&port, "in use", "port"]);
}

#[test]
fn a_wrong_address() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    // 192.0.2.0/24 belongs to no machine (RFC 5737).
    let ended = run([
        "node",
        "directory",
        "--dir",
        &text(&dir.path().join("d")),
        "--listen",
        "192.0.2.1:7777",
    ]);
    assert_fails(&ended, 3, &["does not have the address", "--listen"]);
}

#[test]
fn a_settings_file() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("settings.toml");
    for role in ["directory", "relay", "hub"] {
        let printed = run(["node", role, "--print-config"]);
        assert_eq!((printed.code, printed.stderr.as_str()), (0, ""));
        insta::assert_snapshot!(format!("print-config-{role}"), printed.stdout);
        std::fs::write(
            &file,
            "# a comment\n\nlisten = \"127.0.0.1:0\"\nlissen = \"127.0.0.1:0\"\n",
        )
        .expect("a file");
        let ended =
            run(["node", role, "--config", &text(&file), "--dir", &text(&dir.path().join(role))]);
        assert_fails(&ended, 3, &["lissen", "line 4"]);
        assert_fails(&run(["node", role, "--config", "/nowhere/at/all"]), 3, &["cannot read"]);
    }
}

#[test]
fn a_printed_settings_file_starts_the_role() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let printed = run(["node", "directory", "--print-config"]).stdout;
    // All settings switched on, at their defaults.
    let on = |l: &str| match l.strip_prefix('#') {
        Some(rest)
            if !rest.starts_with(' ') && rest.contains(" = ") && !rest.starts_with("announce") =>
        {
            format!("{rest}\n")
        }
        _ => format!("{l}\n"),
    };
    let settings: String = printed.lines().map(on).collect();
    assert!(settings.contains("\nepoch_seconds = "), "{settings}");
    let file = dir.path().join("settings.toml");
    std::fs::write(&file, settings).expect("a file");
    let mut command = hushwing();
    let listen = format!("127.0.0.1:{}", free_port());
    command
        .args(["node", "directory", "--config", &text(&file), "--listen", &listen, "--dir"])
        .arg(dir.path().join("d"));
    let mut directory = Process::spawn("directory", command, Lines::default());
    assert!(
        directory.stderr.wait_line(0, "directory is up", SOON).is_some(),
        "{:?}",
        directory.stderr.all()
    );
    // Nothing but the pointer is data.
    let pointer = directory.stdout.wait_for(SOON, |l| l.first().cloned()).expect("a pointer");
    assert!(pointer.starts_with("hushwing:net#"), "{pointer}");
    directory.stop();
    assert_eq!(directory.stdout.count(), 1);
}

#[test]
fn shell_completions_and_man_pages() {
    for shell in ["bash", "zsh", "fish"] {
        let made = run(["completions", shell]);
        assert!(made.code == 0 && made.stdout.contains("hushwing"), "{made:?}");
    }
    let dir = tempfile::tempdir().expect("a temporary directory");
    assert_eq!(run(["man", &text(dir.path())]).code, 0);
    assert!(dir.path().join("hushwing-chat.1").exists());
    assert_fails(&run(["man", "/nowhere/at/all"]), 4, &["existing directory"]);
}

#[test]
fn the_demo_without_a_terminal() {
    let demo = run(["demo", "--messages", "3", "--mean-delay", "1"]);
    assert_eq!(demo.code, 0, "{demo:?}");
    assert_eq!(demo.stdout.lines().count(), 6, "{demo:?}");
    for part in [
        "messages: 6 sent, 6 received, 0 shown twice",
        "path lengths 3 to 3 relays",
        "until stored: median",
    ] {
        assert!(demo.stderr.contains(part), "{part}: {demo:?}");
    }
}

#[test]
fn a_chat_in_a_pipe() {
    let world = World::new().start();
    let reader = {
        let mut command = hushwing();
        command.args(["chat", world.link(), "--nick", "reader"]);
        Process::spawn("reader", command, Lines::default())
    };
    assert!(reader.stderr.wait_line(0, "[You are reader]", SOON).is_some());
    // It ends by itself, with everything stored.
    let bob = run_with_input(["chat", world.link(), "--nick", "bob"], "hello\n");
    assert_eq!((bob.code, bob.stdout.as_str()), (0, ""), "{bob:?}");
    let said = "DUMMY: a text like any other\n\x1b[31mred\x07\n  indented\n//etc\n\n/nosuch\nquit\nnever said\n";
    let carol = run_with_input(["chat", world.link(), "--nick", "carol", "--states"], said);
    assert_eq!(carol.code, 0, "{carol:?}");
    assert!(carol.stderr.contains("message 1: stored after"), "{carol:?}");
    assert!(carol.stderr.contains("unknown command /nosuch"), "{carol:?}");
    // Carol saw Bob's line, perhaps: nothing else may be on her stdout.
    assert!(["", "bob: hello\n"].contains(&carol.stdout.as_str()), "{carol:?}");
    let expected = [
        "bob: hello",
        "carol: DUMMY: a text like any other",
        "carol: ␛[31mred␇",
        "carol:   indented",
        "carol: /etc",
    ];
    let last = reader.stdout.wait_line(0, "carol: /etc", SOON);
    assert_eq!(last, Some(4), "{:?}", reader.stdout.all());
    assert!(reader.stderr.wait_line(0, "carol has left", SOON).is_some());
    assert_eq!(reader.stdout.all(), expected);
    assert!(reader.stderr.all().iter().all(|l| !l.contains('\x1b')));
}

#[test]
fn names_that_play_tricks() {
    let world = World::new().start();
    for bad in ["", "\u{202e}evil", "line\nbreak", "x".repeat(200).as_str()] {
        let ended = run_with_input(["chat", world.link(), "--nick", bad], "hello\n");
        assert_fails(&ended, 3, &["invalid name"]);
        assert!(!ended.stderr.contains('\u{202e}'), "{ended:?}");
    }
}

#[test]
fn link_from_a_file_and_direct_route() {
    let world = World::new().start();
    let file = world.path().join("link");
    std::fs::write(&file, format!("{}\n", world.link())).expect("a file");
    let reader = world.join("reader");
    let args = ["chat", "--link-file", &text(&file), "--nick", "bob", "--route", "direct"];
    let bob = run_with_input(args, "straight to the hub\n");
    assert_eq!(bob.code, 0, "{bob:?}");
    reader.expect_message("bob", "straight to the hub", SOON);
    reader.leave();
}

/// Runs a command line on a terminal of its own, by `script`, which lies on every Debian.
fn on_a_terminal(line: &str, colour: bool) -> Option<String> {
    if Command::new("script").arg("--version").output().is_err() {
        println!("skipped: script(1) is not installed");
        return None;
    }
    let mut command = Command::new("script");
    command.args(["-qec", line, "/dev/null"]).env("TERM", "xterm").env_remove("HUSHWING_LOG");
    if colour {
        command.env_remove("NO_COLOR")
    } else {
        command.env("NO_COLOR", "1")
    };
    let mut process = Process::spawn("script", command, Lines::default());
    // The person who types waits until the room is open.
    process.stdout.wait_line(0, "Type your messages", SOON).expect("a prompt");
    process.write("hello from a terminal\r");
    process.write("/quit\r");
    assert_eq!(process.wait(SOON).code(), Some(0), "{:?}", process.stdout.all());
    Some(process.stdout.all().join("\n"))
}

#[test]
fn colours_on_a_terminal_and_none_with_no_color() {
    let world = World::new().start();
    let reader = world.join("reader");
    let line =
        format!("{} chat '{}' --plain --nick tty", env!("CARGO_BIN_EXE_hushwing"), world.link());
    let is_colour = |seen: &str| seen.contains("\x1b[2m") || seen.contains("\x1b[1;3");
    let Some(coloured) = on_a_terminal(&line, true) else { return };
    assert!(is_colour(&coloured), "{coloured:?}");
    reader.expect_message("tty", "hello from a terminal", SOON);
    let plain = on_a_terminal(&line, false).unwrap_or_default();
    assert!(!is_colour(&plain), "{plain:?}");
    reader.leave();
}

#[test]
fn logs_in_a_pipe_have_no_colours() {
    let mut command = hushwing();
    let dir = tempfile::tempdir().expect("a temporary directory");
    let listen = format!("127.0.0.1:{}", free_port());
    command
        .env_remove("NO_COLOR")
        .args(["node", "directory", "-vv", "--listen", &listen, "--dir"])
        .arg(dir.path().join("d"));
    let mut directory = Process::spawn("directory", command, Lines::default());
    assert!(directory.stderr.wait_line(0, "document published", SOON).is_some());
    directory.stop();
    assert!(
        directory.stderr.all().iter().all(|l| !l.contains('\x1b')),
        "{:?}",
        directory.stderr.all()
    );
}

#[test]
fn the_doctor_names_what_is_broken() {
    let mut world = World::new().relays(3).start();
    let link = world.link().to_owned();
    let well = run(["doctor", &link]);
    assert_eq!(well.code, 0, "{well:?}");
    assert!(well.stdout.lines().all(|l| l.starts_with("ok ")), "{well:?}");
    assert!(well.stdout.contains("an echo came back"), "{well:?}");
    assert!(well.stdout.contains("through all nodes and links — 6 of 6 probes"), "{well:?}");
    let json = run(["doctor", &link, "--json"]);
    let findings: serde_json::Value =
        serde_json::from_str(&json.stdout).expect("JSON and nothing else");
    assert!(findings.as_array().is_some_and(|f| f.len() >= 7), "{json:?}");

    // A relay that hangs: it is still listed, and does not answer.
    world.relay(2).process().signal("STOP");
    let hung = run(["doctor", &link]);
    world.relay(2).process().signal("CONT");
    assert_eq!(hung.code, 5, "{hung:?}");
    assert_eq!(hung.stdout.lines().filter(|l| l.starts_with("FAIL relay")).count(), 1, "{hung:?}");
    assert!(hung.stderr.contains("hint: "), "{hung:?}");

    let mark = world.mark();
    world.relay(2).kill();
    world.listed_after(mark, 2, 1);
    let missing = run(["doctor", &link]);
    assert_eq!(missing.code, 5, "{missing:?}");
    assert!(missing.stdout.contains("too few relays: 2"), "{missing:?}");
    let mark = world.mark();
    world.relay(2).restart();
    world.listed_after(mark, 3, 1);

    let mark = world.mark();
    world.hub().kill();
    world.listed_after(mark, 3, 0);
    let no_hub = run(["doctor", &link]);
    assert_eq!(no_hub.code, 5, "{no_hub:?}");
    assert!(no_hub.stdout.contains("FAIL the room's hub"), "{no_hub:?}");
    world.hub().restart();

    world.directory().kill();
    let no_directory = run(["doctor", &link]);
    assert_eq!(no_directory.code, 5, "{no_directory:?}");
    assert!(no_directory.stdout.contains("FAIL directory 1"), "{no_directory:?}");
}

#[test]
fn a_node_takes_its_port_again_at_once() {
    let mut world = World::new().start();
    let mut alice = world.join("alice");
    let bob = world.join("bob");
    // Each of them has open links when it goes: their ports are in TIME_WAIT when it comes back.
    for n in 1..=3 {
        world.relay(n).stop();
        world.relay(n).restart();
    }
    world.hub().stop();
    world.hub().restart();
    world.directory().stop();
    world.directory().restart();
    world.ready();
    alice.say("all is as before");
    bob.expect_message("alice", "all is as before", SOON);
    alice.leave();
    bob.leave();
    world.stop();
}

#[test]
fn a_stranger_is_never_listed() {
    let mut world = World::new().relays(3).start();
    let listen = format!("127.0.0.1:{}", free_port());
    let mut command = hushwing();
    command.args(["node", "relay", "--listen", &listen, "--token", &"0".repeat(64), "--network"]);
    command
        .arg(world.path().join("directory/network"))
        .arg("--dir")
        .arg(world.path().join("stranger"));
    let mut stranger = Process::spawn("stranger", command, Lines::default());
    assert!(
        stranger.stderr.wait_line(0, "does not admit us", SOON).is_some(),
        "{:?}",
        stranger.stderr.all()
    );
    // A document that is made after the refusal does not list it either.
    let mark = world.mark();
    world.relay(1).restart();
    world.listed_after(mark, 3, 1);
    let log = world.roles().find(|r| r.name == "directory").expect("there is one").log.all();
    assert!(log.iter().all(|l| !l.contains("relays=4")), "{log:?}");
    assert!(stranger.stderr.all().iter().all(|l| !l.contains("admitted by the directory")));
    stranger.stop();
    world.stop();
}

#[test]
fn up_keeps_its_room_with_a_dir() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut links = Vec::new();
    let (hub, directory, relay) =
        (free_port().to_string(), free_port().to_string(), free_port().to_string());
    for _ in 0..2 {
        let mut command = hushwing();
        command.args(["up", "--relays", "2", "--hub-port", &hub, "--directory-port", &directory]);
        command.args(["--relay-port", &relay, "--mean-delay", "0", "--dir"]).arg(dir.path());
        let mut up = Process::spawn("up", command, Lines::default());
        links.push(up.stdout.wait_for(SOON, |l| l.first().cloned()).expect("a link"));
        let said = run_with_input(["chat", &links[0], "--nick", "bob"], "still here\n");
        assert_eq!(said.code, 0, "{said:?}");
        up.stop();
        assert_eq!(up.stdout.count(), 1, "stdout holds the link and nothing else");
    }
    assert!(links[0].starts_with("hushwing:room#"));
    let owner = std::fs::read_to_string(dir.path().join("owner-link")).expect("the owner's link");
    assert!(owner.starts_with("hushwing:room-owner#"));
}

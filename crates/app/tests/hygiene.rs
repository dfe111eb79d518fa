//! What a process leaves behind, what it may touch, and how it ends: nothing, little, at once.

mod common;
mod person;

use std::path::Path;
use std::process::Command;

use common::{Lines, Process, Rpc, SOON, World, free_port, hushwing};
use person::Person;

/// A place for temporary files that can be looked into.
struct Temp(tempfile::TempDir);

impl Temp {
    fn new() -> Self {
        Temp(tempfile::tempdir().expect("a temporary directory"))
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = hushwing();
        command.args(args).env("TMPDIR", self.0.path()).env_remove("XDG_RUNTIME_DIR");
        command
    }

    fn start(&self, args: &[&str]) -> Process {
        Process::spawn(&format!("{args:?}"), self.command(args), Lines::default())
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.0.path()).expect("it is there");
        entries.map(|e| e.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
    }

    #[track_caller]
    fn is_empty(&self, after: &str) {
        assert_eq!(self.names(), [""; 0], "left after {after}");
    }
}

/// A network of one process, up.
fn up(temp: &Temp, more: &[&str]) -> Process {
    let args =
        [&["up", "--relay-port", "0", "--hub-port", "0", "--directory-port", "0"], more].concat();
    let process = temp.start(&args);
    let link = process.stdout.wait_for(SOON, |l| l.first().cloned());
    assert!(link.is_some_and(|l| l.starts_with("hushwing:room#")), "{:?}", process.stderr.all());
    process
}

/// It ends by one signal, with this code.
#[track_caller]
fn ends(process: &mut Process, signal: &str, code: i32) {
    process.signal(signal);
    let status = process.wait(SOON);
    assert_eq!(
        status.code(),
        Some(code),
        "{} on SIG{signal}: {:?}",
        process.name,
        process.stderr.all()
    );
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

#[test]
fn up_leaves_nothing_after_one_signal() {
    for (signal, more) in [
        ("INT", &[][..]),
        ("TERM", &[]),
        ("INT", &["--sandbox", "on"]),
        ("TERM", &["--sandbox", "on"]),
    ] {
        let temp = Temp::new();
        let mut process = up(&temp, more);
        let [name] = temp.names().try_into().expect("one directory");
        assert!(name.starts_with("hushwing-"), "{name}");
        assert_eq!(mode(&temp.0.path().join(name)), 0o700);
        ends(&mut process, signal, 0);
        temp.is_empty(signal);
    }
}

#[test]
fn a_crash_is_tidied_up_by_the_next_start_and_what_lives_is_left_alone() {
    let temp = Temp::new();
    let mut alive = up(&temp, &[]);
    let mut crashed = up(&temp, &[]);
    assert_eq!(temp.names().len(), 2);
    crashed.kill();
    assert_eq!(temp.names().len(), 2, "a crash tidies nothing");
    let mut next = up(&temp, &[]);
    assert_eq!(temp.names().len(), 2, "that of the crash has gone, that of the new one came");
    ends(&mut next, "TERM", 0);
    ends(&mut alive, "INT", 0);
    temp.is_empty("all");
}

#[test]
fn a_start_that_fails_leaves_nothing() {
    let temp = Temp::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let args = ["up", "--directory-port", "0", "--relay-port", "0", "--hub-port", &port];
    let mut process = temp.start(&args);
    assert_eq!(process.wait(SOON).code(), Some(3), "{:?}", process.stderr.all());
    temp.is_empty("a failed start");
}

#[test]
fn the_demo_ends_by_one_signal() {
    for signal in ["INT", "TERM"] {
        let temp = Temp::new();
        let mut demo = temp.start(&["demo", "--messages", "100000"]);
        assert!(demo.stdout.wait_line(0, "alice: ", SOON).is_some(), "{:?}", demo.stderr.all());
        ends(&mut demo, signal, 0);
        temp.is_empty(signal);
    }
}

#[test]
fn roles_end_by_one_signal_and_keep_their_files_to_themselves() {
    let mut world = World::new().start();
    let link = world.link().to_owned();
    for role in world.roles() {
        assert_eq!(mode(&role.dir), 0o700, "{}", role.name);
        private_below(&role.dir);
    }
    for signal in ["INT", "TERM"] {
        let temp = Temp::new();
        let mut chat = temp.start(&["chat", &link, "--nick", "alice", "--json"]);
        assert!(
            chat.stdout.wait_line(0, r#""event":"joined""#, SOON).is_some(),
            "{:?}",
            chat.stderr.all()
        );
        ends(&mut chat, signal, 0);
        temp.is_empty(signal);
    }
    for n in 1..=3 {
        world.relay(n).process().signal("INT");
    }
    world.hub().process().signal("INT");
    world.directory().process().signal("INT");
    // `stop` would send SIGTERM to what has ended by itself; it must have.
    for name in ["relay-1", "relay-2", "relay-3", "hub", "directory"] {
        world.ended(name, 0);
    }
}

/// Nothing in a role's directory is for others.
#[cfg(unix)]
fn private_below(dir: &Path) {
    for entry in std::fs::read_dir(dir).expect("it is there").flatten() {
        let path = entry.path();
        // A file may be replaced while we look.
        let Ok(found) = path.symlink_metadata() else { continue };
        let open = std::os::unix::fs::PermissionsExt::mode(&found.permissions()) & 0o077;
        assert_eq!(open, 0, "{} can be read by others", path.display());
        if found.is_dir() {
            private_below(&path);
        }
    }
}

/// Whether this kernel confines wholly; says so where it does not.
fn confines() -> bool {
    let directory = Temp::new();
    let state = directory.0.path().join("d").display().to_string();
    let mut process = directory.start(&[
        "node",
        "directory",
        "--sandbox",
        "require",
        "--dir",
        &state,
        "--listen",
        "127.0.0.1:0",
    ]);
    let up = process.stderr.wait_line(0, "directory is up", SOON).is_some();
    if up {
        process.stop();
    } else {
        println!("SKIPPED: this kernel cannot confine: {:?}", process.stderr.all());
    }
    up
}

#[test]
fn a_chat_over_confined_relays_and_hub() {
    if !confines() {
        return;
    }
    let mut world = World::new().sandbox("require").start();
    for role in world.roles() {
        let status = std::fs::read_to_string(format!("/proc/{}/status", role.process().id()))
            .expect("it runs");
        let seccomp = status.lines().find_map(|l| l.strip_prefix("Seccomp:")).map(str::trim);
        assert_eq!(seccomp, Some("2"), "{}: filters", role.name);
        assert!(
            status.lines().any(|l| l.starts_with("NoNewPrivs:") && l.ends_with('1')),
            "{}",
            role.name
        );
        // All its threads, those of the store too.
        for task in std::fs::read_dir(format!("/proc/{}/task", role.process().id()))
            .expect("it runs")
            .flatten()
        {
            let status = std::fs::read_to_string(task.path().join("status")).unwrap_or_default();
            assert!(status.is_empty() || status.contains("Seccomp:\t2"), "{}: {status}", role.name);
        }
    }
    let mut alice = world.join("alice");
    let bob = world.join("bob");
    for n in 0..5 {
        alice.say(&format!("quiet {n}"));
        bob.expect_message("alice", &format!("quiet {n}"), SOON);
    }
    // Kept over a restart: a confined hub reads what it wrote.
    let mark = world.mark();
    world.hub().stop();
    world.hub().start();
    world.hub().expect("admitted by the directory");
    world.listed_after(mark, 3, 1);
    alice.say("after the restart");
    bob.expect_message("alice", "after the restart", SOON);
    alice.leave();
    bob.leave();
    world.stop();
}

#[test]
fn a_confined_role_waits_for_its_network_and_then_no_longer_needs_the_file() {
    let temp = Temp::new();
    let at = |name: &str| temp.0.path().join(name).display().to_string();
    let port = free_port();
    let relay = temp.start(&[
        "node",
        "relay",
        "--dir",
        &at("relay"),
        "--listen",
        "127.0.0.1:0",
        "--network",
        &at("directory/network"),
        "--token",
        &at("directory/token"),
    ]);
    assert!(relay.stderr.wait_line(0, "waiting for", SOON).is_some());
    let listen = format!("127.0.0.1:{port}");
    let mut directory =
        temp.start(&["node", "directory", "--dir", &at("directory"), "--listen", &listen]);
    assert!(
        relay.stderr.wait_line(0, "admitted by the directory", SOON).is_some(),
        "{:?}",
        relay.stderr.all()
    );
    let mut relay = relay;
    ends(&mut relay, "INT", 0);
    directory.stop();
    // One that waits ends by one signal as well, and says that it has not begun.
    let mut waiting = temp.start(&[
        "node",
        "hub",
        "--dir",
        &at("hub"),
        "--network",
        &at("nowhere"),
        "--token",
        &at("nowhere"),
    ]);
    assert!(waiting.stderr.wait_line(0, "waiting for", SOON).is_some());
    ends(&mut waiting, "TERM", 1);
}

#[cfg(target_os = "linux")]
#[test]
fn the_key_of_an_open_profile_is_in_locked_memory() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let mut rpc = Rpc::create(home.path(), "alice");
    rpc.ask("status", serde_json::json!({}));
    let status = std::fs::read_to_string(format!("/proc/{}/status", rpc.id())).expect("it runs");
    let locked = status.lines().find_map(|l| l.strip_prefix("VmLck:")).expect("the line");
    let kib: u64 = locked.trim().trim_end_matches(" kB").trim().parse().expect("a number");
    assert!(kib > 0, "{locked}");
    rpc.close();
}

/// Root may lock memory whatever the limit is: the right to it is given up with `setpriv`.
#[cfg(target_os = "linux")]
#[test]
fn without_lockable_memory_there_is_a_warning_and_no_failure() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let alice = Person::new(home.path(), "alice", None);
    let program = env!("CARGO_BIN_EXE_hushwing");
    let limited = |drop: &str| {
        let script = format!("ulimit -l 0 && exec {drop} {program} contacts");
        let mut command = Command::new("sh");
        command
            .args(["-c", &script])
            .env("HUSHWING_HOME", &alice.home)
            .env("HUSHWING_PROFILE", "alice");
        command.env("NO_COLOR", "1").env_remove("HUSHWING_LOG").output().expect("a shell")
    };
    let drop = "setpriv --inh-caps=-ipc_lock --bounding-set=-ipc_lock";
    let mut done = limited(drop);
    if done.status.code() == Some(127) {
        done = limited("");
    }
    let stderr = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{stderr}");
    if !stderr.contains("cannot be locked") && unlimited() {
        println!(
            "SKIPPED: this user may lock memory whatever the limit is, and there is no setpriv"
        );
        return;
    }
    assert!(stderr.contains("cannot be locked") && stderr.contains("ulimit -l"), "{stderr}");
    // Where there is enough, nothing is said.
    let plain = alice.run(&["contact", "list"]);
    assert!(!plain.stderr.contains("cannot be locked"), "{plain:?}");
}

fn unlimited() -> bool {
    !Command::new("setpriv").arg("--version").output().is_ok_and(|o| o.status.success())
}

#[test]
fn an_altered_program_refuses_to_start() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let program = dir.path().join("hushwing");
    std::fs::copy(env!("CARGO_BIN_EXE_hushwing"), &program).expect("a copy");
    let run = |args: &[&str]| {
        let done = Command::new(&program)
            .args(args)
            .env("NO_COLOR", "1")
            .env_remove("HUSHWING_LOG")
            .output();
        let done = done.expect("it starts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (done.status.code(), text(&done.stdout), text(&done.stderr))
    };
    let list = dir.path().join("hushwing.sha256");
    let (code, line, _) = run(&["self-check", "--write", &list.display().to_string()]);
    assert_eq!((code, line.len()), (Some(0), 64 + 2 + "hushwing\n".len()), "{line}");
    assert_eq!(std::fs::read_to_string(&list).expect("written"), line);
    // As the system's own tool sees it, where there is one.
    if let Ok(checked) =
        Command::new("sha256sum").args(["-c", "hushwing.sha256"]).current_dir(dir.path()).output()
    {
        assert!(checked.status.success(), "{checked:?}");
    }
    assert_eq!(run(&["self-check"]).0, Some(0));
    assert_eq!(run(&["node", "relay", "--print-config"]).0, Some(0), "it starts");
    // One byte more at its end, and it still runs, but not with us.
    let mut altered = std::fs::OpenOptions::new().append(true).open(&program).expect("the copy");
    std::io::Write::write_all(&mut altered, b"!").expect("written");
    drop(altered);
    let (code, out, err) = run(&["node", "relay", "--print-config"]);
    assert_eq!((code, out.as_str()), (Some(4), ""), "{err}");
    assert!(err.contains("altered") && err.contains("hint: "), "{err}");
    let (code, out, _) = run(&["self-check", "--json"]);
    assert_eq!(code, Some(4));
    let report: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(report["matches"], false);
    // A file that is named must be there.
    std::fs::remove_file(&list).expect("removed");
    assert_eq!(run(&["node", "relay", "--print-config"]).0, Some(0), "nothing to compare with");
    let mut named = Command::new(&program);
    let named = named
        .args(["node", "relay", "--print-config"])
        .env("HUSHWING_SHA256", &list)
        .output()
        .expect("it starts");
    assert_eq!(named.status.code(), Some(4));
}

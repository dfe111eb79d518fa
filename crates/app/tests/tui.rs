//! The full screen as a person uses it: in a terminal, by keys. The terminal is a `tmux` of the
//! test's own.

mod common;
mod person;

use std::process::Command;
use std::time::{Duration, Instant};

use common::{LONG, SOON, World};
use person::Person;

/// A hidden terminal that shows a person's full screen.
struct Tmux {
    server: String,
    dir: tempfile::TempDir,
}

impl Tmux {
    /// Opens the program. Its exit code, and what it prints at the end, stay on the screen.
    fn open(person: &Person, args: &[&str]) -> Tmux {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let server = format!("hushwing-{}-{}", std::process::id(), person.name);
        let tmux = Tmux { server, dir };
        let command = person.command(&[&["chat"], args].concat());
        let quoted =
            |text: &std::ffi::OsStr| format!("'{}'", text.to_string_lossy().replace('\'', r"'\''"));
        let mut line = String::from("env -u NO_COLOR");
        for (name, value) in
            command.get_envs().filter(|(n, _)| n.to_string_lossy().starts_with("HUSHWING_"))
        {
            if let Some(value) = value {
                line.push_str(&format!(" {}={}", name.to_string_lossy(), quoted(value)));
            }
        }
        line.push_str(&format!(" {}", quoted(command.get_program())));
        for arg in command.get_args() {
            line.push_str(&format!(" {}", quoted(arg)));
        }
        let script = tmux.dir.path().join("run.sh");
        std::fs::write(
            &script,
            format!("echo before\n{line}\necho \"ended with $?\"\nexec sleep 600\n"),
        )
        .expect("a script");
        let script = script.display().to_string();
        tmux.tmux(&["new-session", "-d", "-x", "100", "-y", "30", "sh", &script]);
        tmux.tmux(&["set-option", "-g", "escape-time", "0"]);
        tmux
    }

    fn tmux(&self, args: &[&str]) -> String {
        let mut command = Command::new("tmux");
        // Its socket lies beside the test's files, its size depends on nobody's terminal.
        command.env("TMUX_TMPDIR", self.dir.path()).env_remove("TMUX").args([
            "-u",
            "-L",
            &self.server,
            "-f",
            "/dev/null",
        ]);
        let done = command.args(args).output().expect("tmux runs");
        assert!(done.status.success(), "tmux {args:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8_lossy(&done.stdout).into_owned()
    }

    /// Keys by their names in tmux.
    fn keys(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat());
    }

    /// Types a text, key by key.
    fn types(&self, text: &str) {
        self.tmux(&["send-keys", "-l", text]);
    }

    /// Pastes a text from the terminal's clipboard.
    fn pastes(&self, text: &str) {
        self.tmux(&["set-buffer", text]);
        self.tmux(&["paste-buffer", "-p"]);
    }

    fn resize(&self, width: u16, height: u16) {
        self.tmux(&["resize-window", "-x", &width.to_string(), "-y", &height.to_string()]);
    }

    fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    /// Waits until the screen meets a condition.
    fn until(&self, what: &str, mut so: impl FnMut(&str) -> bool) -> String {
        let end = Instant::now() + SOON;
        loop {
            let screen = self.screen();
            if so(&screen) {
                return screen;
            }
            assert!(Instant::now() < end, "{what} does not come\n{screen}");
            // No event tells when a terminal was drawn.
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until the screen shows this.
    fn shows(&self, text: &str) -> String {
        self.until(text, |screen| screen.contains(text))
    }

    /// Waits until the screen no longer shows this.
    fn hides(&self, text: &str) -> String {
        self.until(&format!("the end of {text}"), |screen| !screen.contains(text))
    }
}

/// Whether tmux is missing. Then the tests are skipped with a notice; in CI they fail.
fn no_tmux() -> bool {
    let there = Command::new("tmux").arg("-V").output().is_ok();
    if !there {
        assert!(std::env::var_os("CI").is_none(), "tmux is not installed");
        println!("SKIPPED: tmux is not installed");
    }
    !there
}

impl Drop for Tmux {
    fn drop(&mut self) {
        let mut command = Command::new("tmux");
        command.env("TMUX_TMPDIR", self.dir.path()).env_remove("TMUX");
        let _ = command.args(["-L", &self.server, "kill-server"]).output();
    }
}

#[test]
fn two_talk_one_of_them_on_the_full_screen() {
    if no_tmux() {
        return;
    }
    let world = World::new().start();
    let home = tempfile::tempdir().expect("a temporary directory");
    let alice = Person::new(home.path(), "alice", Some(&world));
    let bob = Person::new(home.path(), "bob", None);
    let carol = Person::new(home.path(), "carol", None);
    alice.befriend(&bob);
    alice.befriend(&carol);

    let screen = Tmux::open(&alice, &[]);
    screen.shows("● online");
    // She goes to bob by the palette.
    screen.keys(&["C-k"]);
    screen.shows("Command palette");
    screen.types("bob");
    screen.keys(&["Enter"]);
    screen.until("bob's head", |s| {
        s.lines().any(|l| l.contains("│ bob [") && l.contains("? not verified"))
    });

    // He writes; she answers, in one line and in two.
    bob.send("alice", "hello alice");
    screen.shows("bob: hello alice");
    screen.types("hello bob");
    screen.keys(&["Enter"]);
    screen.shows("alice: hello bob");
    assert_eq!(bob.recv(1), ["alice: hello bob"]);
    screen.until("the state", |s| s.lines().any(|l| l.contains("hello bob") && l.contains("✓")));
    screen.types("first");
    screen.keys(&["M-Enter"]);
    screen.types("second");
    screen.until("both lines", |s| s.contains("> first") && s.contains("  second"));
    screen.keys(&["Enter"]);
    assert_eq!(bob.recv(1), ["alice: first", "    second"]);

    // Somebody else writes: it shows in the list, and Alt+A goes there.
    carol.send("alice", "and what of me?");
    screen.shows("• 1 new");
    screen.keys(&["M-a"]);
    screen.shows("carol: and what of me?");
    screen.hides("• 1 new");

    // A small window shows one pane; the help and the way back work there too.
    screen.resize(40, 12);
    screen.until("one pane", |s| !s.contains("Chats") && s.contains("and what of me?"));
    screen.keys(&["Escape"]);
    screen.until("the list", |s| s.contains("Chats") && s.contains("bob"));
    screen.keys(&["Enter"]);
    screen.resize(100, 30);
    screen.until("both panes", |s| s.contains("Chats") && s.contains("carol: and what of me?"));
    screen.keys(&["F1"]);
    screen.shows("Delivery states");
    screen.keys(&["Escape"]);
    screen.hides("Delivery states");

    screen.types("/quit");
    screen.keys(&["Enter"]);
    let after = screen.shows("ended with 0");
    assert!(
        after.contains("before") && !after.contains("Chats"),
        "the screen is as it was\n{after}"
    );
    // What was read here counts as read in the other front ends, too.
    assert_eq!(alice.ok(&["recv"]), "");
}

#[test]
fn from_nothing_to_the_first_message_in_three_steps() {
    if no_tmux() {
        return;
    }
    let world = World::new().start();
    let home = tempfile::tempdir().expect("a temporary directory");
    let alice = Person::new(home.path(), "alice", Some(&world));
    let mut inviting = alice.start(&["invite", "--wait"]);
    let link = inviting.stdout.wait_for(SOON, |l| l.first().cloned()).expect("a link");

    // A profile that does not exist yet; its passphrase comes from the environment.
    let dave = Person {
        name: "dave",
        home: home.path().to_owned(),
        passphrase: Some("a few words"),
        namespace: None,
    };
    let screen = Tmux::open(&dave, &[]);
    screen.shows("What is your name?");
    let mut steps = 0;
    let mut step = || steps += 1;
    step();
    screen.types("Dave");
    screen.keys(&["Enter"]);
    screen.shows("Who do you want to talk to?");
    step();
    screen.pastes(&link);
    screen.shows("Accept an invite");
    screen.keys(&["Enter"]);
    screen.until("alice's head", |s| s.lines().any(|l| l.contains("│ alice [")));
    step();
    screen.types("hello, it is Dave");
    screen.keys(&["Enter"]);
    assert!(steps <= 3, "{steps} steps");
    assert_eq!(inviting.wait(LONG).code(), Some(0), "{:?}", inviting.stderr.all());
    assert_eq!(alice.recv(1), ["Dave: hello, it is Dave"]);
    screen.keys(&["C-q"]);
    screen.shows("ended with 0");
}

#[test]
fn a_signal_gives_the_terminal_back() {
    if no_tmux() {
        return;
    }
    let home = tempfile::tempdir().expect("a temporary directory");
    let alice = Person::new(home.path(), "alice", None);
    let screen = Tmux::open(&alice, &[]);
    screen.shows("Chats");
    let shell = screen.tmux(&["display-message", "-p", "#{pane_pid}"]);
    let children = Command::new("sh")
        .args(["-c", &format!("cat /proc/{0}/task/{0}/children", shell.trim())])
        .output();
    let child = String::from_utf8_lossy(&children.expect("a shell").stdout).trim().to_owned();
    let killed = Command::new("sh").args(["-c", &format!("kill -TERM {child}")]).status();
    assert!(killed.expect("a shell").success());
    let after = screen.shows("ended with 0");
    assert!(after.contains("before") && !after.contains("Chats"), "{after}");
}

#[test]
fn without_a_terminal_or_with_plain_there_is_no_full_screen() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let alice = Person::new(home.path(), "alice", None);
    alice.fails(&["chat"], 3, "no room link given");
    if no_tmux() {
        return;
    }
    let screen = Tmux::open(&alice, &["--plain"]);
    screen.shows("error: no room link given");
    screen.shows("ended with 3");
}

//! One process of the program.

use std::ffi::OsStr;
use std::io::Write;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::Lines;

/// The program, with an environment that does not change what it prints.
pub fn hushwing() -> Command {
    let mut command = super::hosts::command(env!("CARGO_BIN_EXE_hushwing"));
    command
        .env("NO_COLOR", "1")
        .env_remove("HUSHWING_LOG")
        .env_remove("COLUMNS")
        .env_remove("RUST_BACKTRACE");
    command
}

/// A process whose output is collected. Killed on drop.
pub struct Process {
    /// What it is, for messages of failed tests.
    pub name: String,
    /// Its stdout so far.
    pub stdout: Lines,
    /// Its stderr so far, that of earlier runs included.
    pub stderr: Lines,
    stdin: Option<ChildStdin>,
    child: Child,
}

impl Process {
    /// Starts `command`; stderr goes on in `stderr`.
    pub fn spawn(name: &str, mut command: Command, stderr: Lines) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let stdout = Lines::collect(child.stdout.take().expect("piped"));
        stderr.follow(child.stderr.take().expect("piped"));
        Process { name: name.to_owned(), stdout, stderr, stdin: child.stdin.take(), child }
    }

    /// Process number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its stdin, for callers that write in a thread of their own.
    pub fn take_stdin(&mut self) -> ChildStdin {
        self.stdin.take().expect("stdin is open")
    }

    /// Writes to its stdin.
    pub fn write(&mut self, text: &str) {
        let stdin = self.stdin.as_mut().expect("stdin is open");
        stdin
            .write_all(text.as_bytes())
            .and_then(|()| stdin.flush())
            .expect("the program reads its stdin");
    }

    /// Closes its stdin.
    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Sends a signal by its name, as in `TERM`.
    pub fn signal(&self, signal: &str) {
        // The shell's own `kill`: a slim machine has no other.
        let status =
            Command::new("sh").args(["-c", &format!("kill -{signal} {}", self.id())]).status();
        assert!(status.expect("a shell").success(), "{}: signal {signal}", self.name);
    }

    /// Ends it at once, as a crash does.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits until it has ended by itself.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        let end = Instant::now() + limit;
        let closed = self.stdout.wait_closed(limit) && self.stderr.wait_closed(limit);
        // Both ends are closed by the process's end, a moment before it can be waited for.
        while closed && Instant::now() < end {
            if let Some(status) = self.child.try_wait().expect("wait") {
                return status;
            }
            std::thread::yield_now();
        }
        self.kill();
        panic!("{} does not end\nstderr:\n{}", self.name, self.stderr.all().join("\n"));
    }

    /// SIGTERM; it must end with code 0.
    pub fn stop(&mut self) {
        self.signal("TERM");
        let status = self.wait(super::SOON);
        assert_eq!(
            status.code(),
            Some(0),
            "{} on SIGTERM\n{}",
            self.name,
            self.stderr.all().join("\n")
        );
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What a process left behind.
#[derive(Debug)]
pub struct Finished {
    /// Exit code.
    pub code: i32,
    /// All of stdout.
    pub stdout: String,
    /// All of stderr.
    pub stderr: String,
}

/// Runs the program to its end, with an empty stdin.
pub fn run<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Finished {
    run_with_input(args, "")
}

/// Runs the program to its end.
pub fn run_with_input<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>, input: &str) -> Finished {
    let mut command = hushwing();
    command.args(args);
    let mut process = Process::spawn("hushwing", command, Lines::default());
    // It may end without reading its stdin.
    let _ = process.take_stdin().write_all(input.as_bytes());
    let status = process.wait(super::LONG);
    let text = |lines: &Lines| lines.all().iter().map(|l| format!("{l}\n")).collect::<String>();
    Finished {
        code: status.code().unwrap_or(-1),
        stdout: text(&process.stdout),
        stderr: text(&process.stderr),
    }
}

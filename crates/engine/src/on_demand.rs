//! A daemon that a front end starts when it needs one. It lives as long as there are front ends:
//! with the last one the keys leave the memory too.
//!
//! ```text
//! front end                                    daemon
//!   spawns ──────────────────────────────────►  opens the profile
//!   passphrase, one line on stdin ───────────►  unlocks the vault
//!           ◄──────────────────────── Startup, one line on stdout
//!   attaches to the socket                      detaches: no terminal, no output
//! ```

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use api::{Obstacle, ProfileOptions, Profiles, Reason, Refusal, Startup};
use wire::ErrorKind;
use zeroize::Zeroizing;

use crate::daemon;
use crate::profile::Engines;

/// How long the start of a daemon by another front end may take, and how often that is looked at.
const TOGETHER: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(50);
/// Longest line that a starting daemon says, bytes.
const MAX_LINE: u64 = 64 * 1024;

/// What the daemon is handed on stdin, if its vault needs it.
type Key = Option<Zeroizing<String>>;

/// Starts the daemon. While another process has the profile and no socket is there yet, that may be
/// another front end which does the same: it is waited for.
pub(crate) fn begin(engines: &Engines, options: &ProfileOptions) -> Result<(), Refusal> {
    let end = Instant::now() + TOGETHER;
    let socket = daemon::socket_of(&engines.directory(&options.profile)?);
    let mut key = None;
    loop {
        let done = match &key {
            Some(known) => start(engines, options, known),
            None => engines
                .key_for(options)
                .and_then(|asked| start(engines, options, key.insert(asked))),
        };
        let in_use = Reason::Profile { obstacle: Obstacle::InUse };
        match done {
            Err(refusal)
                if refusal.reason == in_use && !socket.exists() && Instant::now() < end =>
            {
                std::thread::sleep(LOOK);
            }
            done => return done,
        }
    }
}

/// Starts the daemon, and waits until it is ready or has failed.
fn start(engines: &Engines, options: &ProfileOptions, key: &Key) -> Result<(), Refusal> {
    let broken = |e: std::io::Error| {
        let text = format!("the daemon cannot be started: {e}");
        Refusal::new(ErrorKind::LocalStorage, Reason::Other, text)
    };
    let mut command = engines.daemon_command(options);
    // A group of its own: Ctrl-C ends the front end, and the daemon sees to the rest.
    command.env_remove("HUSHWING_PASSPHRASE").process_group(0);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(broken)?;
    if let Some(mut stdin) = child.stdin.take() {
        let line = key.as_ref().map(|k| Zeroizing::new(format!("{}\n", **k)));
        // One that has failed already says why on its stdout.
        let _ = stdin.write_all(line.as_ref().map_or(b"", |l| l.as_bytes()));
    }
    wait_until_ready(&mut child)
}

fn wait_until_ready(child: &mut Child) -> Result<(), Refusal> {
    let mut line = String::new();
    if let Some(stdout) = child.stdout.take() {
        let _ = BufReader::new(stdout.take(MAX_LINE)).read_line(&mut line);
    }
    match serde_json::from_str(&line) {
        Ok(Startup::Ready) => return Ok(()),
        Ok(Startup::Refused(refusal)) => {
            let _ = child.wait();
            return Err(refusal);
        }
        Err(_) => {}
    }
    let code = child.wait().ok().and_then(|status| status.code());
    let kind = code.and_then(api::kind_of).unwrap_or(ErrorKind::Bug);
    Err(Refusal::new(kind, Reason::Stopped, "the daemon ended without a word"))
}

/// From now on this process belongs to no terminal and to no front end: what it would say goes
/// nowhere.
pub(crate) fn detach() {
    let _ = rustix::process::setsid();
    if let Ok(null) = std::fs::OpenOptions::new().read(true).write(true).open("/dev/null") {
        let _ = rustix::stdio::dup2_stdin(&null);
        let _ = rustix::stdio::dup2_stdout(&null);
        let _ = rustix::stdio::dup2_stderr(&null);
    }
}

//! A daemon that a face starts when it needs one. It lives as long as there are faces: with the
//! last one the keys leave the memory too.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use vault::{Profile, UnlockKind};
use wire::ErrorKind;
use zeroize::Zeroizing;

use super::client::{Client, Options, Secret, Unlock, base_of, directory, name_of};
use super::remote;
use super::types::Event;
use crate::exit::{Failure, OrFail, kind_of};

/// How long the start of a daemon by another face may take, and how often that is looked at.
const TOGETHER: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(50);
/// What a daemon says on stderr when faces can attach.
pub const UP: &str = "up; other commands of this profile attach to it.";
/// How long a daemon that was started on demand goes on without a face.
pub(super) const ALONE: Duration = Duration::from_secs(3);
/// And how long at most while something of ours is not at the hub.
pub(super) const UNSTORED: Duration = Duration::from_secs(60);

impl Client {
    /// Attaches to the daemon that runs the profile, and starts one if there is none: for faces
    /// that stay a while, of which there may be several. Asks for the passphrase if one is
    /// needed.
    ///
    /// # Errors
    /// Those of [`Client::open`]; a daemon that does not start.
    pub async fn share(options: Options) -> Result<(Client, mpsc::Receiver<Event>), Failure> {
        if let Some(attached) = Client::attach(&options).await? {
            return Ok(attached);
        }
        let starting = options.clone();
        let started = tokio::task::spawn_blocking(move || begin(&starting)).await;
        let started = started.map_err(|_| {
            Failure::new(ErrorKind::Bug, "a thread has stopped", "please report this")
        })?;
        // Another face may have started it at the same time.
        if let Some(attached) = Client::attach(&options).await? {
            return Ok(attached);
        }
        let hint = "run `hushwing daemon` by hand to see what it says";
        started.and_then(|()| {
            Err(Failure::new(ErrorKind::Bug, "the daemon has started and does not answer", hint))
        })
    }
}

/// Starts the daemon; while another process has the profile and no daemon's socket is there, that
/// may be another face which does the same.
fn begin(options: &Options) -> Result<(), Failure> {
    let (end, socket) = (Instant::now() + TOGETHER, remote::socket_of(&directory(options)?));
    let mut key = None;
    loop {
        let done = match &key {
            Some(known) => start(options, known),
            None => key_for(options).and_then(|asked| start(options, key.insert(asked))),
        };
        let in_use = |f: &Failure| f.to_string().contains(&vault::Error::InUse.to_string());
        match done {
            Err(failure) if in_use(&failure) && !socket.exists() && Instant::now() < end => {
                std::thread::sleep(LOOK)
            }
            done => return done,
        }
    }
}

/// The passphrase that the vault needs, asked for here: the daemon has no terminal.
fn key_for(options: &Options) -> Result<Key, Failure> {
    let (base, name) = (base_of(options.base.as_deref())?, name_of(&options.profile)?);
    let new = !Profile::exists(&base, &name);
    let asks = if new {
        if !options.create {
            let text = format!("there is no profile {}", options.profile);
            return Err(Failure::new(ErrorKind::LocalConfig, text, "make it with `hushwing init`"));
        }
        options.unlock == Unlock::Passphrase
    } else {
        let profile = Profile::open(&base, &name).or_fail()?;
        let session = profile.config().or_fail()?.keep == vault::config::Keep::Session;
        !session
            && profile
                .vault_kind()
                .or_fail()?
                .map_or(options.unlock == Unlock::Passphrase, |kind| kind == UnlockKind::Passphrase)
    };
    if asks { Ok(Some((options.passphrase)(Secret::Profile, new)?)) } else { Ok(None) }
}

/// What the daemon is handed on stdin, if its vault needs it.
type Key = Option<Zeroizing<String>>;

/// Starts the daemon, and waits until it is up or has failed.
fn start(options: &Options, key: &Key) -> Result<(), Failure> {
    let broken = |e: std::io::Error| {
        Failure::other(
            format!("the daemon cannot be started: {e}"),
            "run `hushwing daemon` by hand",
        )
    };
    let mut command = Command::new(std::env::current_exe().map_err(broken)?);
    command.args(["daemon", "--on-demand", "--profile", &options.profile]);
    if let Some(lan) = options.lan {
        command.args(["--lan", lan.word()]);
    }
    if options.unlock == Unlock::KeyFile {
        command.arg("--no-passphrase");
    }
    if let Some(base) = &options.base {
        command.env("HUSHWING_HOME", base);
    }
    // A group of its own: Ctrl-C ends the face, and the daemon sees to the rest.
    command.env_remove("HUSHWING_PASSPHRASE").process_group(0);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(broken)?;
    if let Some(mut stdin) = child.stdin.take() {
        let line = key.as_ref().map(|k| Zeroizing::new(format!("{}\n", **k)));
        // One that has failed already says why on its stderr.
        let _ = stdin.write_all(line.as_ref().map_or(b"", |l| l.as_bytes()));
    }
    wait_until_up(&mut child)
}

fn wait_until_up(child: &mut Child) -> Result<(), Failure> {
    let mut said = String::new();
    if let Some(stderr) = child.stderr.take() {
        let mut lines = BufReader::new(stderr.take(64 * 1024));
        let mut line = String::new();
        while lines.read_line(&mut line).is_ok_and(|n| n > 0) {
            if line.starts_with(UP) {
                return Ok(());
            }
            said.push_str(&line);
            line.clear();
        }
    }
    let code = child.wait().ok().and_then(|status| status.code());
    let after = |word: &str| said.lines().find_map(|l| l.strip_prefix(word)).map(str::to_owned);
    let text = after("error: ").unwrap_or_else(|| "the daemon has ended at once".to_owned());
    let hint = after("hint: ")
        .unwrap_or_else(|| "run `hushwing daemon` by hand to see what it says".to_owned());
    Err(match code.and_then(kind_of) {
        Some(kind) => Failure::new(kind, text, hint),
        None => Failure::other(text, hint),
    })
}

/// From now on this process belongs to no terminal and to no face: what it would say goes nowhere.
pub(super) fn detach() {
    let _ = rustix::process::setsid();
    if let Ok(null) = std::fs::OpenOptions::new().read(true).write(true).open("/dev/null") {
        let _ = rustix::stdio::dup2_stdin(&null);
        let _ = rustix::stdio::dup2_stderr(&null);
    }
}

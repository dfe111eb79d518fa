//! One network for all tests of a run.

use std::fs::{self, File, TryLockError};
use std::ops::Deref;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::network::installed;
use crate::{Error, Net, Options, Result, Tornet};

/// Tells a test executable to supervise a network in this directory.
const VARIABLE: &str = "TORNET_SUPERVISE";
/// How long one waits for the network.
const PATIENCE: Duration = Duration::from_secs(180);
/// How long the network stays up without a user.
const LINGER: Duration = Duration::from_secs(60);
/// A network whose onion services move sooner than this is left alone, and a new one started.
const STEADY: Duration = Duration::from_secs(240);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The network that all tests share. It stays up at least as long as somebody holds this.
#[derive(Debug)]
pub struct Shared {
    net: Net,
    /// Locked for sharing.
    _users: File,
}

impl Deref for Shared {
    type Target = Net;

    fn deref(&self) -> &Net {
        &self.net
    }
}

/// Puts the hook into a test crate that [`shared`] needs: a test that supervises the network when
/// it is told to, and else does nothing. It belongs at the root of each test crate that calls
/// [`shared`].
#[macro_export]
macro_rules! supervisor {
    () => {
        #[test]
        fn tornet_supervisor() {
            $crate::serve();
        }
    };
}

/// The network of this run, with two exits and one bridge. The first test that needs it starts it.
///
/// `None`, and a line SKIPPED, where `tor` is not installed.
///
/// # Panics
/// It does not come up within three minutes; or `tor` is not installed, and the environment says
/// `CI`.
#[must_use]
#[allow(clippy::panic, reason = "for tests alone")]
pub fn shared() -> Option<Shared> {
    if installed("tor").is_none() || installed("tor-gencert").is_none() {
        assert!(std::env::var_os("CI").is_none(), "tor is not installed");
        println!("SKIPPED: tor is not installed");
        return None;
    }
    match join() {
        Ok(shared) => Some(shared),
        Err(error) => panic!("no private Tor network: {error}"),
    }
}

/// What the hook does: see [`supervisor!`].
///
/// # Panics
/// The network did not come up.
#[allow(clippy::panic, reason = "for tests alone")]
pub fn serve() {
    if let Some(dir) = std::env::var_os(VARIABLE) {
        let files = Files(PathBuf::from(dir));
        if let Err(error) = files.supervise() {
            panic!("{error}");
        }
    }
}

fn join() -> Result<Shared> {
    let executable = std::env::current_exe().map_err(Error::io("this executable"))?;
    // TARGET/debug/deps/NAME-HASH
    let root =
        executable.parent().and_then(Path::parent).unwrap_or(&executable).join("tornet-runs");
    fs::create_dir_all(&root).map_err(Error::io(&root))?;
    let deadline = Instant::now() + PATIENCE;
    let (files, users) = {
        // One at a time looks what is there and, if need be, starts another.
        let _turn = lock(&root.join("turn"), File::lock)?;
        let last = root.join("last");
        let number =
            fs::read_to_string(&last).ok().and_then(|n| n.trim().parse().ok()).unwrap_or(0_u64);
        let old = Files(root.join(number.to_string()));
        let users = if old.0.is_dir() { old.enter()? } else { None };
        match users {
            Some(users) => (old, users),
            None => {
                sweep(&root)?;
                let new = Files(root.join((number + 1).to_string()));
                let users = new.start(&executable)?;
                fs::write(&last, (number + 1).to_string()).map_err(Error::io(&last))?;
                (new, users)
            }
        }
    };
    loop {
        if let Some(net) = files.ready() {
            return Ok(Shared { net, _users: users });
        }
        if !files.supervised()? || Instant::now() > deadline {
            return Err(Error::Incomplete(files.log()));
        }
        thread::sleep(LOOK_EVERY);
    }
}

/// Removes what supervisors left that did not end well.
fn sweep(root: &Path) -> Result<()> {
    for entry in fs::read_dir(root).map_err(Error::io(root))?.flatten() {
        let files = Files(entry.path());
        if files.0.is_dir() && !files.supervised()? {
            let _ = fs::remove_dir_all(&files.0);
        }
    }
    Ok(())
}

/// The directory of one network of the run.
struct Files(PathBuf);

impl Files {
    /// Locked by users, for sharing, and by a supervisor that ends.
    fn users(&self) -> PathBuf {
        self.0.join("users")
    }

    /// Locked by the supervisor as long as it lives.
    fn supervisor(&self) -> PathBuf {
        self.0.join("supervisor")
    }

    /// Where and how to reach the network, once it is up.
    fn description(&self) -> PathBuf {
        self.0.join("ready.json")
    }

    fn ready(&self) -> Option<Net> {
        serde_json::from_slice(&fs::read(self.description()).ok()?).ok()
    }

    fn supervised(&self) -> Result<bool> {
        let file = lock(&self.supervisor(), |_| Ok(()))?;
        // Sharing, so that those who ask do not take each other for the supervisor.
        match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(Error::io(&self.0)(error)),
        }
    }

    /// A place among the users, if the network can still be used for a while.
    fn enter(&self) -> Result<Option<File>> {
        // A supervisor that ends holds the lock until everything is removed.
        let users = lock(&self.users(), File::lock_shared)?;
        let steady = self.ready().is_none_or(|net| net.steady_for() >= STEADY);
        Ok((steady && self.supervised()?).then_some(users))
    }

    /// Starts a supervisor, and returns when it has taken its lock.
    fn start(&self, executable: &Path) -> Result<File> {
        let _ = fs::remove_dir_all(&self.0);
        fs::create_dir_all(&self.0).map_err(Error::io(&self.0))?;
        let users = lock(&self.users(), File::lock_shared)?;
        let path = self.0.join("log");
        let log = File::create(&path).map_err(Error::io(&path))?;
        let errors = log.try_clone().map_err(Error::io(&path))?;
        // A process group of its own and none of this process's files: the test runner neither ends
        // it nor waits for it.
        let mut supervisor = Command::new(executable)
            .args(["--exact", "tornet_supervisor", "--nocapture"])
            .env(VARIABLE, &self.0)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .current_dir("/")
            .process_group(0)
            .spawn()
            .map_err(Error::io(executable))?;
        while !self.supervised()? {
            if ended(&mut supervisor) {
                let why = "the supervisor ended; does tornet::supervisor!() stand at the root of the test crate?";
                return Err(Error::Incomplete(format!("{why}\n{}", self.log())));
            }
            thread::sleep(LOOK_EVERY);
        }
        Ok(users)
    }

    fn supervise(&self) -> Result<()> {
        let _alive = lock(&self.supervisor(), File::lock)?;
        let options = Options { exits: 2, bridges: 1, ..Options::default() };
        let mut network = Tornet::start(&self.0.join("net"), &options)?;
        let text =
            serde_json::to_vec_pretty(&*network).map_err(|e| Error::Incomplete(e.to_string()))?;
        let (unfinished, finished) = (self.0.join("unready"), self.description());
        fs::write(&unfinished, text).map_err(Error::io(&unfinished))?;
        fs::rename(&unfinished, &finished).map_err(Error::io(&finished))?;
        let users = File::open(self.users()).map_err(Error::io(self.users()))?;
        let mut used = Instant::now();
        loop {
            // A dead process makes the network of no use; without a supervisor another one is
            // started.
            network.check()?;
            match users.try_lock() {
                Ok(()) if used.elapsed() > LINGER => break,
                Ok(()) => users.unlock().map_err(Error::io(self.users()))?,
                Err(_) => used = Instant::now(),
            }
            thread::sleep(LOOK_EVERY * 5);
        }
        drop(network);
        let _ = fs::remove_dir_all(&self.0);
        Ok(())
    }

    /// The end of what the supervisor said.
    fn log(&self) -> String {
        let text = fs::read(self.0.join("log")).unwrap_or_default();
        let tail = text.get(text.len().saturating_sub(4000)..).unwrap_or_default();
        format!("{}:\n{}", self.0.display(), String::from_utf8_lossy(tail))
    }
}

fn ended(child: &mut Child) -> bool {
    !matches!(child.try_wait(), Ok(None))
}

fn lock(path: &Path, how: impl FnOnce(&File) -> std::io::Result<()>) -> Result<File> {
    let file = File::options().create(true).append(true).open(path).map_err(Error::io(path))?;
    how(&file).map_err(Error::io(path))?;
    Ok(file)
}

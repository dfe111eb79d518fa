//! The handle that front ends hold, and what is done with a profile while nothing runs on it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use net::tor::Tor;
use tokio::sync::{mpsc, oneshot, watch};
use vault::config::{LanUse, TorEngine};
use vault::{Config, Profile, ProfileName, Vault};
use wire::ErrorKind;
use zeroize::Zeroizing;

use super::run::{Engine, Rest};
use super::types::{Command, Event, Reply};
use super::{demand, remote};
use crate::exit::{Failure, OrFail};

/// Which profile, and how it is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// Its name on this machine.
    pub profile: String,
    /// Where profiles are; `None`: where they belong on this system.
    pub base: Option<PathBuf>,
    /// How a new vault is locked. An existing one knows how it is.
    pub unlock: Unlock,
    /// Make it when it is not there.
    pub create: bool,
    /// Whether neighbours are looked for; `None`: as the profile's settings say.
    pub lan: Option<LanUse>,
    /// Where passphrases come from.
    pub passphrase: PassphraseSource,
    /// What makes Tor, for the routes that need it.
    pub tor: TorMaker,
}

/// Which passphrase is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secret {
    /// The profile's own.
    Profile,
    /// That of a backup file.
    Backup,
}

/// Gets a passphrase; `true`: the person chooses it now. It may block while the person types. The
/// engine itself asks no terminal and reads no environment.
pub type PassphraseSource = fn(Secret, bool) -> Result<Zeroizing<String>, Failure>;

/// Makes Tor as the profile's settings say, with an optional settings file of Tor and a directory
/// for Tor's state. Tor starts when something first goes through it.
pub type TorMaker = fn(TorEngine, Option<PathBuf>, &Path) -> Result<Tor, Failure>;

/// How a vault is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unlock {
    /// By a passphrase, from [`Options::passphrase`].
    Passphrase,
    /// By a key file beside it: whoever can read this user's files can read the vault.
    KeyFile,
}

/// Why a command was refused.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// Whose fault it is.
    pub kind: ErrorKind,
    /// One sentence.
    pub text: String,
    /// What to do about it.
    pub hint: String,
}

impl Refusal {
    pub(super) fn new(kind: ErrorKind, text: impl Into<String>, hint: impl Into<String>) -> Self {
        Refusal { kind, text: text.into(), hint: hint.into() }
    }

    pub(super) fn gone() -> Self {
        Refusal::new(ErrorKind::Bug, "the engine has stopped", "start the program again")
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Failure::new(refusal.kind, refusal.text, refusal.hint)
    }
}

impl From<messenger::Error> for Refusal {
    fn from(error: messenger::Error) -> Self {
        use messenger::Error;
        let hint = match &error {
            Error::NoSuch("conversation") => {
                "`hushwing contacts` and `hushwing groups` list what there is"
            }
            Error::NoSuch("message" | "message of yours" | "message on its way") => {
                "`hushwing history NAME --json` shows the ids"
            }
            Error::NoSuch("invite") => "`hushwing invites` lists them",
            Error::NoSuch(_) => "look for it in the lists first",
            Error::TooLong { .. } => "send it as a file instead: hushwing send NAME --file PATH",
            Error::OutboxFull => "wait until some of them have left",
            Error::Damaged | Error::Store(_) => "check the disk; the last good state is kept",
            Error::E2ee(e2ee::Error::Expired) => "ask for a new invite",
            _ => "nothing was changed",
        };
        Refusal::new(error.kind(), error.to_string(), hint)
    }
}

impl From<vault::Error> for Refusal {
    fn from(error: vault::Error) -> Self {
        Refusal::new(error.kind(), error.to_string(), error.hint())
    }
}

/// Tor for a profile, which starts when it is needed; its state is in the profile, or in a
/// directory that goes with the process.
fn tor(
    make: TorMaker,
    profile: &Profile,
    config: &Config,
) -> Result<(Option<Tor>, Option<jail::Scratch>), Failure> {
    if config.tor == TorEngine::Off {
        return Ok((None, None));
    }
    let file = profile.dir().join("tor.toml");
    let file = file.is_file().then_some(file);
    if config.keep == vault::config::Keep::Session {
        let scratch = jail::Scratch::new().or_fail()?;
        return Ok((Some(make(config.tor, file, scratch.path())?), Some(scratch)));
    }
    Ok((Some(make(config.tor, file, &profile.dir().join("tor"))?), None))
}

/// A command with the place for its answer.
pub(super) type Asked = (Command, oneshot::Sender<Result<Reply, Refusal>>);

/// A running profile: in this process, or in the daemon's.
pub struct Client {
    commands: mpsc::Sender<Asked>,
    here: Option<Here>,
}

/// A profile that runs in this process.
struct Here {
    rest: watch::Receiver<Rest>,
    task: tokio::task::JoinHandle<()>,
}

/// Events that a front end may leave unread; more are dropped, and it is told.
const EVENTS: usize = 4_096;

/// How long a daemon may take to end, and how often that is looked at.
const LAST_WORDS: Duration = Duration::from_secs(15);
const LOOK: Duration = Duration::from_millis(20);

impl Client {
    /// Attaches to the daemon that runs the profile; without one opens it and starts its engine in
    /// this process.
    ///
    /// # Errors
    /// No such profile, a wrong passphrase, another process on it, a damaged vault or settings
    /// file.
    pub async fn open(options: Options) -> Result<(Client, mpsc::Receiver<Event>), Failure> {
        if let Some(attached) = Client::attach(&options).await? {
            return Ok(attached);
        }
        let (events, events_rx) = mpsc::channel(EVENTS);
        let client = Client::start(&options, events, false)?;
        Ok((client, events_rx))
    }

    /// Attaches to the daemon that runs the profile, if there is one.
    pub(super) async fn attach(
        options: &Options,
    ) -> Result<Option<(Client, mpsc::Receiver<Event>)>, Failure> {
        let (events, events_rx) = mpsc::channel(EVENTS);
        let dir = directory(options)?;
        let Some(commands) = remote::attach(&dir, events.clone()).await else { return Ok(None) };
        if options.lan.is_some() {
            let text = "a daemon runs this profile: what it was told of the local network holds"
                .to_owned();
            let _ = events.try_send(Event::Notice { text });
        }
        Ok(Some((Client { commands, here: None }, events_rx)))
    }

    /// Opens the profile in this process, for all faces: until one of them, or a signal, ends it;
    /// `on_demand` until the last of them has gone, too, unless the profile's settings say that it
    /// stays. `up` is called when they can attach, and returns what ends when the process is asked
    /// to end.
    ///
    /// # Errors
    /// Those of [`Client::open`]; a socket that cannot be made.
    pub async fn serve<Stop: Future<Output = ()>>(
        options: Options,
        on_demand: bool,
        up: impl FnOnce() -> Stop,
    ) -> Result<(), Failure> {
        let (events, events_rx) = mpsc::channel(EVENTS);
        let dir = directory(&options)?;
        let client = Client::start(&options, events, !on_demand)?;
        // Nobody else has the profile now.
        let doors = remote::Doors::open(&dir)?;
        let stopped = up();
        let mut rest = None;
        if on_demand {
            demand::detach();
            rest = client.here.as_ref().map(|here| here.rest.clone());
        }
        tokio::select! {
            () = doors.serve(client.commands.clone(), events_rx, rest) => {}
            () = stopped => {}
        }
        client.close().await;
        Ok(())
    }

    /// Asks the daemon of a profile to stop, and waits until it is gone; false when there is none.
    ///
    /// # Errors
    /// A name that is none; a socket that does not answer.
    pub async fn stop(options: &Options) -> Result<bool, Failure> {
        let (base, name) = (base_of(options.base.as_deref())?, name_of(&options.profile)?);
        if !remote::stop(&base.join(name.as_str())).await? {
            return Ok(false);
        }
        // The socket goes first, what is queued is written after it.
        let end = tokio::time::Instant::now() + LAST_WORDS;
        while let Err(error) = Profile::open(&base, &name) {
            if tokio::time::Instant::now() > end {
                return Err(error).or_fail();
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(true)
    }

    fn start(
        options: &Options,
        events: mpsc::Sender<Event>,
        resident: bool,
    ) -> Result<Client, Failure> {
        let (profile, vault, mut config) = open_profile(options)?;
        config.lan = options.lan.unwrap_or(config.lan);
        let (commands, incoming) = mpsc::channel(256);
        let (rest_tx, rest) = watch::channel(Rest::default());
        let (tor, scratch) = if config.lan == LanUse::Only {
            (None, None)
        } else {
            tor(options.tor, &profile, &config)?
        };
        let engine = Engine::start(profile, vault, config, tor, events, rest_tx, resident)?;
        let task = tokio::spawn(async move {
            engine.run(incoming).await;
            // Tor's own files go after Tor.
            drop(scratch);
        });
        Ok(Client { commands, here: Some(Here { rest, task }) })
    }

    /// Asks for something, and waits for the answer. The events are to be read meanwhile.
    ///
    /// # Errors
    /// Whatever the engine refuses.
    pub async fn ask(&self, command: Command) -> Result<Reply, Refusal> {
        let (answer, answered) = oneshot::channel();
        self.commands
            .send((command.with_absolute_paths(), answer))
            .await
            .map_err(|_| Refusal::gone())?;
        answered.await.map_err(|_| Refusal::gone())?
    }

    /// Waits until everything of ours is at the hub; false when `patience` is over first.
    pub async fn flush(&self, patience: Duration) -> bool {
        // What was asked before is answered a moment before it is counted; it is counted once a
        // later question is answered.
        let _ = tokio::time::timeout(patience, self.ask(Command::Status {})).await;
        match &self.here {
            Some(here) => {
                let mut rest = here.rest.clone();
                tokio::time::timeout(patience, rest.wait_for(|r| r.unstored == 0))
                    .await
                    .is_ok_and(|r| r.is_ok())
            }
            // The daemon goes on when we are gone.
            None => true,
        }
    }

    /// Stops the engine; what is queued stays queued.
    pub async fn close(self) {
        drop(self.commands);
        if let Some(here) = self.here {
            let _ = here.task.await;
        }
    }
}

pub(super) fn base_of(base: Option<&Path>) -> Result<PathBuf, Failure> {
    match base {
        Some(base) => Ok(base.to_owned()),
        None => Ok(Profile::data_dir().or_fail()?),
    }
}

/// How to lock a new vault.
fn new_lock(options: &Options) -> Result<vault::Unlock, Failure> {
    Ok(match options.unlock {
        Unlock::KeyFile => vault::Unlock::KeyFile,
        Unlock::Passphrase => {
            vault::Unlock::Passphrase((options.passphrase)(Secret::Profile, true)?)
        }
    })
}

pub(super) fn name_of(text: &str) -> Result<ProfileName, Failure> {
    Ok(ProfileName::parse(text).or_fail()?)
}

/// Opens the profile, making it if that is wanted.
fn open_profile(options: &Options) -> Result<(Profile, Vault, Config), Failure> {
    let base = base_of(options.base.as_deref())?;
    let name = name_of(&options.profile)?;
    if !Profile::exists(&base, &name) {
        if !options.create {
            return Err(Failure::new(
                ErrorKind::LocalConfig,
                format!("there is no profile {}", options.profile),
                "make it with `hushwing init`",
            ));
        }
        // Nothing is made before there is a passphrase.
        let how = new_lock(options)?;
        let profile = Profile::create(&base, &name).or_fail()?;
        let vault = profile.create_vault(&how).or_fail()?;
        let config = profile.config().or_fail()?;
        return Ok((profile, vault, config));
    }
    let profile = Profile::open(&base, &name).or_fail()?;
    let config = profile.config().or_fail()?;
    if config.keep == vault::config::Keep::Session {
        return Ok((profile, Vault::in_memory().or_fail()?, config));
    }
    if !vault::locked::can_lock() {
        tracing::warn!(
            "memory cannot be locked: keys may reach the swap; raise the limit (ulimit -l), or encrypt the swap"
        );
    }
    let vault = match profile.vault_kind().or_fail()? {
        Some(vault::UnlockKind::KeyFile) => {
            profile.open_vault(&vault::Unlock::KeyFile).or_fail()?
        }
        Some(vault::UnlockKind::Passphrase) => {
            let phrase = (options.passphrase)(Secret::Profile, false)?;
            profile.open_vault(&vault::Unlock::Passphrase(phrase)).or_fail()?
        }
        None => profile.create_vault(&new_lock(options)?).or_fail()?,
    };
    Ok((profile, vault, config))
}

/// The directory of a profile.
///
/// # Errors
/// A name that is none; no place for profiles.
pub fn directory(options: &Options) -> Result<PathBuf, Failure> {
    Ok(base_of(options.base.as_deref())?.join(name_of(&options.profile)?.as_str()))
}

/// Makes a profile.
///
/// # Errors
/// When it is there already, or the disk refuses.
pub fn init(options: &Options) -> Result<PathBuf, Failure> {
    let base = base_of(options.base.as_deref())?;
    let name = name_of(&options.profile)?;
    if Profile::exists(&base, &name) {
        return Err(Failure::new(
            ErrorKind::LocalConfig,
            format!("the profile {} is there already", options.profile),
            "use it as it is, choose another name with --profile, or remove it with `hushwing wipe`",
        ));
    }
    let (profile, ..) = open_profile(&Options { create: true, ..options.clone() })?;
    Ok(profile.dir().to_owned())
}

/// The text of a profile's `config.toml`. A process that has the profile open does not mind.
///
/// # Errors
/// No such profile; the disk refuses.
pub fn config(profile: &str, base: Option<&Path>) -> Result<String, Failure> {
    let (base, name) = (base_of(base)?, name_of(profile)?);
    if !Profile::exists(&base, &name) {
        let text = format!("there is no profile {profile}");
        return Err(Failure::new(
            ErrorKind::LocalConfig,
            text,
            "make it with `hushwing init`, or see --defaults",
        ));
    }
    let path = base.join(name.as_str()).join(vault::config::CONFIG_FILE);
    std::fs::read_to_string(&path).map_err(|e| {
        Failure::new(
            ErrorKind::LocalStorage,
            format!("cannot read {}: {e}", path.display()),
            "check its rights",
        )
    })
}

/// Changes one setting in `config.toml`; comments stay.
///
/// # Errors
/// An unknown key, a value that it cannot have, no such profile.
pub fn set_config(options: &Options, key: &str, value: &str) -> Result<(), Failure> {
    let profile =
        Profile::open(&base_of(options.base.as_deref())?, &name_of(&options.profile)?).or_fail()?;
    Config::set(&profile.config_path(), key, value).or_fail()?;
    Ok(())
}

/// Removes a profile for good.
///
/// # Errors
/// When another process uses it, or the disk refuses.
pub fn wipe(profile: &str, base: Option<&Path>) -> Result<(), Failure> {
    Ok(Profile::open(&base_of(base)?, &name_of(profile)?).or_fail()?.wipe().or_fail()?)
}

/// Writes contacts, settings and history into one encrypted file.
///
/// # Errors
/// Those of opening the profile; a file that cannot be written.
pub fn backup(options: &Options, file: &Path) -> Result<(), Failure> {
    let (_profile, vault, _) = open_profile(options)?;
    let phrase = (options.passphrase)(Secret::Backup, true)?;
    Ok(vault.backup(file, &phrase).or_fail()?)
}

/// Fills a new profile from a backup. Its conversations ask to be added again.
///
/// # Errors
/// A profile that is not empty; a wrong passphrase; a file that is no backup.
pub fn restore(options: &Options, file: &Path) -> Result<(), Failure> {
    let (_profile, vault, _) = open_profile(&Options { create: true, ..options.clone() })?;
    let phrase = (options.passphrase)(Secret::Backup, false)?;
    Ok(vault.restore(file, &phrase).or_fail()?)
}

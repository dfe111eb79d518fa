//! How profiles are opened, and what is done with one while nothing runs on it.

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::Duration;

use api::{
    Client, Event, Obstacle, Opening, ProfileOptions, Profiles, Reason, Refusal, Unlock, Working,
};
use net::Proxy;
use net::tor::Tor;
use tokio::sync::{mpsc, watch};
use vault::config::{CONFIG_FILE, Keep, LanUse, TorEngine};
use vault::{Config, Profile, ProfileName, UnlockKind, Vault};
use wire::ErrorKind;
use zeroize::Zeroizing;

use crate::daemon::{self, Socket};
use crate::on_demand;
use crate::refuse::OrRefuse;
use crate::run::{Engine, Rest, Start};
use crate::{settings, words};

/// Events that a front end may leave unread; more are dropped, and it is told.
const EVENTS: usize = 4_096;
/// Calls that may wait for the engine; then front ends wait.
const CALLS: usize = 256;
/// How long a daemon may take to end, and how often that is looked at.
const LAST_WORDS: Duration = Duration::from_secs(15);
const LOOK: Duration = Duration::from_millis(20);

/// Which passphrase is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PassphraseFor {
    /// The profile's own; chosen now if `new`.
    Profile {
        /// Whether the person chooses it now.
        new: bool,
    },
    /// The profile's own, which the front end that started this process hands over on stdin.
    HandedOver,
    /// That of a backup; chosen now if `new`.
    Backup {
        /// Whether the person chooses it now.
        new: bool,
    },
}

/// What Tor is made from.
pub struct TorSetup<'a> {
    /// Who speaks Tor; never [`TorEngine::Off`].
    pub engine: TorEngine,
    /// The profile's settings file of Tor, if there is one.
    pub file: Option<&'a Path>,
    /// Where Tor's state is kept.
    pub state: &'a Path,
}

/// What the engine cannot do itself: it asks no terminal and knows no command line.
#[derive(Clone)]
pub struct Surroundings {
    /// Where profiles are; none: where they belong on this system.
    pub base: Option<PathBuf>,
    /// Gets a passphrase. It may block while a person types.
    pub passphrase: fn(PassphraseFor) -> Result<Zeroizing<String>, Refusal>,
    /// Makes Tor, which starts when something first goes through it.
    pub tor: fn(&TorSetup<'_>) -> Result<Tor, Refusal>,
    /// The command that starts a daemon of this profile on demand.
    pub daemon: fn(&ProfileOptions) -> std::process::Command,
    /// Ends when this process is told to stop.
    pub stopped: fn() -> Pin<Box<dyn Future<Output = ()> + Send>>,
}

/// The profiles of this machine.
#[derive(Clone)]
pub struct Engines {
    around: Surroundings,
}

impl Engines {
    /// Profiles in these surroundings.
    #[must_use]
    pub fn new(around: Surroundings) -> Self {
        Engines { around }
    }

    async fn serve_all(
        &self,
        options: &ProfileOptions,
        on_demand: bool,
        ready: Box<dyn FnOnce() + Send + '_>,
    ) -> Result<(), Refusal> {
        let (events, events_rx) = mpsc::channel(EVENTS);
        let (client, calls, rest) = self.start(options, events, !on_demand)?;
        // Nobody else has the profile now.
        let socket = Socket::open(&self.directory(&options.profile)?)?;
        let stopped = (self.around.stopped)();
        ready();
        if on_demand {
            on_demand::detach();
        }
        tokio::select! {
            () = socket.serve(calls, events_rx, on_demand.then_some(rest)) => {}
            () = stopped => {}
        }
        client.close().await;
        Ok(())
    }

    async fn stop_daemon(&self, profile: &str) -> Result<bool, Refusal> {
        let (base, name) = (self.base()?, name_of(profile)?);
        if !daemon::stop(&base.join(name.as_str())).await? {
            return Ok(false);
        }
        // The socket goes first, what is queued is written after it.
        let end = tokio::time::Instant::now() + LAST_WORDS;
        while let Err(error) = Profile::open(&base, &name) {
            if tokio::time::Instant::now() > end {
                return Err(error).or_refuse();
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(true)
    }

    async fn attach(
        &self,
        options: &ProfileOptions,
    ) -> Result<Option<(Client, mpsc::Receiver<Event>)>, Refusal> {
        let (events, events_rx) = mpsc::channel(EVENTS);
        let dir = self.directory(&options.profile)?;
        let Some(calls) = daemon::attach(&dir, events.clone()).await? else { return Ok(None) };
        if options.lan.is_some() {
            let text = "a daemon runs this profile: how it uses the local network stays as it is";
            let _ = events.try_send(Event::Notice { text: text.to_owned() });
        }
        Ok(Some((Client::new(calls, None), events_rx)))
    }

    async fn attach_or_start(
        &self,
        options: &ProfileOptions,
    ) -> Result<(Client, mpsc::Receiver<Event>), Refusal> {
        if let Some(attached) = self.attach(options).await? {
            return Ok(attached);
        }
        let (events, events_rx) = mpsc::channel(EVENTS);
        let (client, ..) = self.start(options, events, false)?;
        Ok((client, events_rx))
    }

    async fn attach_or_spawn(
        &self,
        options: &ProfileOptions,
    ) -> Result<(Client, mpsc::Receiver<Event>), Refusal> {
        if let Some(attached) = self.attach(options).await? {
            return Ok(attached);
        }
        let (engines, starting) = (self.clone(), options.clone());
        let started = tokio::task::spawn_blocking(move || on_demand::begin(&engines, &starting));
        let started = started.await.map_err(|_| Refusal::bug("a thread has stopped"))?;
        // Another front end may have started it at the same time.
        if let Some(attached) = self.attach(options).await? {
            return Ok(attached);
        }
        started.and_then(|()| Err(Refusal::bug("the daemon has started and does not answer")))
    }

    /// Opens the profile in this process.
    fn start(
        &self,
        options: &ProfileOptions,
        events: mpsc::Sender<Event>,
        resident: bool,
    ) -> Result<(Client, mpsc::Sender<api::Call>, watch::Receiver<Rest>), Refusal> {
        let (profile, vault, mut config) = self.open_profile(options)?;
        config.lan = options.lan.map_or(config.lan, words::lan_use);
        // The command line comes first.
        if let Some(url) = config.proxy.as_deref().filter(|_| Proxy::in_use().is_none()) {
            let other = |e: net::AnotherProxy| Refusal::bug(e.to_string());
            settings::parse_proxy(url)?.use_for_everything().map_err(other)?;
        }
        let (calls, incoming) = mpsc::channel(CALLS);
        let (rest_tx, rest) = watch::channel(Rest::default());
        let (tor, scratch) = match config.lan {
            LanUse::Only => (None, None),
            LanUse::Off | LanUse::On => self.tor(&profile, &config)?,
        };
        let start = Start { profile, vault, config, tor, resident };
        let engine = Engine::start(start, events, rest_tx)?;
        let task = tokio::spawn(async move {
            engine.run(incoming).await;
            // Tor's own files go after Tor.
            drop(scratch);
        });
        Ok((Client::new(calls.clone(), Some(task)), calls, rest))
    }

    /// Tor for a profile; its state is in the profile, or in a directory that goes with the
    /// process.
    fn tor(
        &self,
        profile: &Profile,
        config: &Config,
    ) -> Result<(Option<Tor>, Option<jail::Scratch>), Refusal> {
        if config.tor == TorEngine::Off {
            return Ok((None, None));
        }
        let file = profile.dir().join("tor.toml");
        let file = file.is_file().then_some(file.as_path());
        let make = |state: &Path| (self.around.tor)(&TorSetup { engine: config.tor, file, state });
        if config.keep == Keep::Session {
            let scratch = jail::Scratch::new().or_refuse()?;
            return Ok((Some(make(scratch.path())?), Some(scratch)));
        }
        Ok((Some(make(&profile.dir().join("tor"))?), None))
    }

    fn base(&self) -> Result<PathBuf, Refusal> {
        match &self.around.base {
            Some(base) => Ok(base.clone()),
            None => Profile::data_dir().or_refuse(),
        }
    }

    fn unlock(&self, how: Unlock, new: bool) -> Result<vault::Unlock, Refusal> {
        Ok(match how {
            Unlock::KeyFile => vault::Unlock::KeyFile,
            Unlock::Ask => {
                vault::Unlock::Passphrase((self.around.passphrase)(PassphraseFor::Profile { new })?)
            }
            Unlock::Stdin => {
                vault::Unlock::Passphrase((self.around.passphrase)(PassphraseFor::HandedOver)?)
            }
        })
    }

    /// Opens the profile, making it if that is wanted.
    fn open_profile(&self, options: &ProfileOptions) -> Result<(Profile, Vault, Config), Refusal> {
        let (base, name) = (self.base()?, name_of(&options.profile)?);
        if !Profile::exists(&base, &name) {
            if !options.create {
                return Err(missing(&options.profile));
            }
            // Nothing is made before there is a passphrase.
            let how = self.unlock(options.unlock, true)?;
            let profile = Profile::create(&base, &name).or_refuse()?;
            let vault = profile.create_vault(&how).or_refuse()?;
            let config = profile.config().or_refuse()?;
            return Ok((profile, vault, config));
        }
        let profile = Profile::open(&base, &name).or_refuse()?;
        let config = profile.config().or_refuse()?;
        if config.keep == Keep::Session {
            return Ok((profile, Vault::in_memory().or_refuse()?, config));
        }
        if !vault::locked::can_lock() {
            tracing::warn!(
                "memory cannot be locked: keys may reach the swap; raise the limit (ulimit -l), or encrypt the swap"
            );
        }
        let vault = match profile.vault_kind().or_refuse()? {
            Some(UnlockKind::KeyFile) => profile.open_vault(&vault::Unlock::KeyFile),
            Some(UnlockKind::Passphrase) => {
                let how = if options.unlock == Unlock::Stdin { Unlock::Stdin } else { Unlock::Ask };
                profile.open_vault(&self.unlock(how, false)?)
            }
            None => profile.create_vault(&self.unlock(options.unlock, true)?),
        };
        Ok((profile, vault.or_refuse()?, config))
    }

    /// The passphrase that the profile's vault needs, asked for here: a daemon has no terminal.
    pub(crate) fn key_for(
        &self,
        options: &ProfileOptions,
    ) -> Result<Option<Zeroizing<String>>, Refusal> {
        let (base, name) = (self.base()?, name_of(&options.profile)?);
        let new = !Profile::exists(&base, &name);
        let asks = if new {
            if !options.create {
                return Err(missing(&options.profile));
            }
            options.unlock == Unlock::Ask
        } else {
            let profile = Profile::open(&base, &name).or_refuse()?;
            let session = profile.config().or_refuse()?.keep == Keep::Session;
            let kind = profile.vault_kind().or_refuse()?;
            let by_passphrase = |kind| kind == UnlockKind::Passphrase;
            !session && kind.map_or(options.unlock == Unlock::Ask, by_passphrase)
        };
        if !asks {
            return Ok(None);
        }
        (self.around.passphrase)(PassphraseFor::Profile { new }).map(Some)
    }

    /// The command that starts a daemon of this profile.
    pub(crate) fn daemon_command(&self, options: &ProfileOptions) -> std::process::Command {
        let mut command = (self.around.daemon)(options);
        if let Some(base) = &self.around.base {
            command.env("HUSHWING_HOME", base);
        }
        command
    }
}

fn name_of(text: &str) -> Result<ProfileName, Refusal> {
    ProfileName::parse(text).or_refuse()
}

fn missing(profile: &str) -> Refusal {
    let reason = Reason::Profile { obstacle: Obstacle::Missing };
    Refusal::wrong(reason, format!("there is no profile {profile}"))
}

impl Profiles for Engines {
    fn open<'a>(&'a self, options: &'a ProfileOptions) -> Opening<'a> {
        Box::pin(self.attach_or_start(options))
    }

    fn share<'a>(&'a self, options: &'a ProfileOptions) -> Opening<'a> {
        Box::pin(self.attach_or_spawn(options))
    }

    fn serve<'a>(
        &'a self,
        options: &'a ProfileOptions,
        on_demand: bool,
        ready: Box<dyn FnOnce() + Send + 'a>,
    ) -> Working<'a, ()> {
        Box::pin(self.serve_all(options, on_demand, ready))
    }

    fn stop<'a>(&'a self, options: &'a ProfileOptions) -> Working<'a, bool> {
        Box::pin(self.stop_daemon(&options.profile))
    }

    fn create(&self, options: &ProfileOptions) -> Result<PathBuf, Refusal> {
        if self.exists(&options.profile)? {
            let reason = Reason::Profile { obstacle: Obstacle::Exists };
            let text = format!("the profile {} already exists", options.profile);
            return Err(Refusal::wrong(reason, text));
        }
        let create = ProfileOptions { create: true, ..options.clone() };
        let (profile, ..) = self.open_profile(&create)?;
        Ok(profile.dir().to_owned())
    }

    fn exists(&self, profile: &str) -> Result<bool, Refusal> {
        Ok(Profile::exists(&self.base()?, &name_of(profile)?))
    }

    fn directory(&self, profile: &str) -> Result<PathBuf, Refusal> {
        Ok(self.base()?.join(name_of(profile)?.as_str()))
    }

    fn config(&self, profile: &str) -> Result<String, Refusal> {
        if !self.exists(profile)? {
            return Err(missing(profile));
        }
        let path = self.directory(profile)?.join(CONFIG_FILE);
        std::fs::read_to_string(&path).map_err(|e| {
            let reason = Reason::Profile { obstacle: Obstacle::Directory };
            let text = format!("cannot read {}: {e}", path.display());
            Refusal::new(ErrorKind::LocalStorage, reason, text)
        })
    }

    fn default_config(&self) -> &'static str {
        vault::config::DEFAULT_CONFIG
    }

    fn set_config(&self, profile: &str, key: &str, value: &str) -> Result<(), Refusal> {
        let profile = Profile::open(&self.base()?, &name_of(profile)?).or_refuse()?;
        settings::check(key, value)?;
        Config::set(&profile.config_path(), key, value).or_refuse()?;
        Ok(())
    }

    fn wipe(&self, profile: &str) -> Result<(), Refusal> {
        let profile = Profile::open(&self.base()?, &name_of(profile)?).or_refuse()?;
        profile.wipe().or_refuse()
    }

    fn backup(&self, options: &ProfileOptions, file: &Path) -> Result<(), Refusal> {
        let (_profile, vault, _) = self.open_profile(options)?;
        let phrase = (self.around.passphrase)(PassphraseFor::Backup { new: true })?;
        vault.backup(file, &phrase).or_refuse()
    }

    fn restore(&self, options: &ProfileOptions, file: &Path) -> Result<(), Refusal> {
        let create = ProfileOptions { create: true, ..options.clone() };
        let (_profile, vault, _) = self.open_profile(&create)?;
        let phrase = (self.around.passphrase)(PassphraseFor::Backup { new: false })?;
        vault.restore(file, &phrase).or_refuse()
    }
}

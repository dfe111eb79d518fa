//! Tor as a person sets it up: options, a settings file, and progress while it starts.

mod file;

use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use api::Failure;
use clap::{Args, ValueEnum};
use e2ee::NetworkPlace;
use net::Dialer;
use net::tor::{ClientKey, EngineKind, OnionService, ServiceSettings, Tor, TorError, TorSettings};
use rand::RngExt as _;
use rand::rand_core::UnwrapErr;
use rand::rngs::SysRng;
use vault::config::TorEngine;
use wire::{ErrorKind, OnionName, Sensitive};
use zeroize::Zeroizing;

pub use self::file::{EXAMPLE, TorFile};

/// Environment variable that names a settings file if no option does.
pub const SETTINGS_VAR: &str = "HUSHWING_TOR_SETTINGS";

/// Which Tor to use, on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EngineArg {
    /// The Tor inside this program.
    Arti,
    /// A tor that is running on this machine.
    System,
    /// A tor that this program starts for itself and stops at the end.
    Private,
}

impl From<EngineArg> for EngineKind {
    fn from(arg: EngineArg) -> Self {
        match arg {
            EngineArg::Arti => EngineKind::Arti,
            EngineArg::System => EngineKind::System,
            EngineArg::Private => EngineKind::Private,
        }
    }
}

/// How Tor is used. A settings file can say all of it, too: `hushwing tor settings`.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Tor")]
pub struct TorArgs {
    /// Which Tor to use.
    #[arg(long, value_enum, value_name = "ENGINE")]
    pub tor_engine: Option<EngineArg>,
    /// Settings file for Tor [default: HUSHWING_TOR_SETTINGS].
    #[arg(long, value_name = "FILE")]
    pub tor_settings: Option<PathBuf>,
    /// SOCKS port of a running tor [default: the first of 9050 to 9054 that answers].
    #[arg(long, value_name = "IP:PORT")]
    pub tor_socks: Option<SocketAddr>,
    /// Control port of a running tor [default: 127.0.0.1:9051].
    #[arg(long, value_name = "IP:PORT")]
    pub tor_control: Option<SocketAddr>,
    /// Bridge line; repeatable.
    #[arg(long, value_name = "LINE")]
    pub bridge: Vec<String>,
    /// File with a key for a restricted onion service; repeatable.
    #[arg(long, value_name = "FILE")]
    pub onion_key: Vec<PathBuf>,
}

impl TorArgs {
    /// The settings file to use, if any.
    #[must_use]
    pub fn file(&self) -> Option<PathBuf> {
        let named =
            self.tor_settings.clone().or_else(|| std::env::var_os(SETTINGS_VAR).map(PathBuf::from));
        named.filter(|path| !path.as_os_str().is_empty())
    }

    /// The settings, with Tor's state in `dir`.
    ///
    /// # Errors
    /// A settings file that cannot be read or has an invalid setting.
    pub fn settings(&self, dir: &Path) -> Result<TorSettings, Failure> {
        let mut settings = match self.file() {
            Some(path) => TorFile::load(&path)?.settings(dir),
            None => TorSettings::new(dir.to_owned()),
        };
        if let Some(engine) = self.tor_engine {
            settings.engine = engine.into();
        }
        // The port of a running tor means: use that one.
        if self.tor_engine.is_none() && (self.tor_socks.is_some() || self.tor_control.is_some()) {
            settings.engine = EngineKind::System;
        }
        settings.socks = self.tor_socks.or(settings.socks);
        settings.control = self.tor_control.or(settings.control);
        settings.bridges.extend(self.bridge.iter().cloned());
        if let Ok(password) = std::env::var("HUSHWING_TOR_PASSWORD") {
            settings.password = Some(Sensitive(password));
        }
        Ok(settings)
    }

    /// Starts Tor with the keys for restricted services, and waits until it is connected, showing
    /// its progress.
    ///
    /// # Errors
    /// Invalid settings or files, and whatever stops Tor.
    pub async fn start(&self, dir: &Path) -> Result<Tor, Failure> {
        let tor = Tor::start(self.settings(dir)?).await.map_err(failure)?;
        ready(&tor).await?;
        self.hand_keys(&tor).await?;
        Ok(tor)
    }

    /// Prepares Tor, which starts when something first goes through it.
    ///
    /// # Errors
    /// Invalid settings or files.
    pub fn lazy(&self, dir: &Path) -> Result<Tor, Failure> {
        let tor = Tor::lazy(self.settings(dir)?);
        if !self.onion_key.is_empty() {
            let keys = self.keys()?;
            let waiting = tor.clone();
            tokio::spawn(async move {
                if waiting.ready().await.is_ok() {
                    for key in keys {
                        let _ = waiting.add_client_key(key).await;
                    }
                }
            });
        }
        Ok(tor)
    }

    /// A dialer for a place: through Tor if the place has only onion addresses. Keep the directory
    /// that is returned with it as long as the dialer: it holds Tor's state.
    ///
    /// # Errors
    /// As [`TorArgs::start`].
    pub async fn dialer_for(
        &self,
        place: &NetworkPlace,
    ) -> Result<(Dialer, Option<jail::Scratch>), Failure> {
        if !place.directories.iter().all(|d| d.address.is_onion()) {
            return Ok((Dialer::Direct, None));
        }
        let scratch = crate::scratch()?;
        let tor = self.start(scratch.path()).await?;
        Ok((Dialer::Tor(tor.dialer()), Some(scratch)))
    }

    async fn hand_keys(&self, tor: &Tor) -> Result<(), Failure> {
        for key in self.keys()? {
            tor.add_client_key(key).await.map_err(failure)?;
        }
        Ok(())
    }

    fn keys(&self) -> Result<Vec<ClientKey>, Failure> {
        let read = |path: &PathBuf| {
            let text = std::fs::read_to_string(path).map(Zeroizing::new).map_err(|e| {
                let text = format!("cannot read {}: {e}", path.display());
                Failure::new(
                    ErrorKind::LocalConfig,
                    text,
                    "use the file with the key that you were given",
                )
            })?;
            text.parse().map_err(|e: TorError| failure(e.into()))
        };
        self.onion_key.iter().map(read).collect()
    }
}

/// Prepares Tor for a profile: it starts when something first goes through it. Its state is in
/// `dir`, and further settings may be in `file`.
///
/// # Errors
/// A settings file that cannot be read or has an invalid setting.
pub fn for_profile(engine: TorEngine, file: Option<PathBuf>, dir: &Path) -> Result<Tor, Failure> {
    let tor_engine = match engine {
        // The settings file may name another one.
        TorEngine::Off | TorEngine::Arti => None,
        TorEngine::System => Some(EngineArg::System),
        TorEngine::Private => Some(EngineArg::Private),
    };
    TorArgs { tor_engine, tor_settings: file, ..TorArgs::default() }.lazy(dir)
}

/// Waits until Tor is connected, with a progress bar on a terminal and lines elsewhere.
///
/// # Errors
/// Tor stopped, cannot connect, or the user pressed Ctrl+C.
pub async fn ready(tor: &Tor) -> Result<(), Failure> {
    let mut status = tor.status();
    let bar = std::io::stderr().is_terminal().then(|| {
        let style = indicatif::ProgressStyle::with_template("{msg}  {bar:30} {pos} %");
        indicatif::ProgressBar::new(100)
            .with_style(style.unwrap_or_else(|_| indicatif::ProgressStyle::default_bar()))
    });
    let mut told_blocked = false;
    let mut told_start = false;
    let waiting = tor.ready();
    let stop = crate::stopped();
    tokio::pin!(waiting, stop);
    loop {
        let now = status.borrow_and_update().clone();
        if let Some(bar) = &bar {
            bar.set_position(now.percent.into());
            bar.set_message("connecting to Tor");
        } else if !told_start && !now.ready {
            told_start = true;
            eprintln!("connecting to Tor");
        }
        if now.blocked && !told_blocked {
            told_blocked = true;
            let line = now.line();
            match &bar {
                Some(bar) => bar.println(line),
                None => eprintln!("{line}"),
            }
        }
        tokio::select! {
            done = &mut waiting => {
                if let Some(bar) = &bar {
                    bar.finish_and_clear();
                }
                return done.map_err(failure);
            }
            changed = status.changed() => if changed.is_err() { return Err(failure(TorError::Stopped.into())) },
            () = &mut stop => {
                return Err(Failure::new(ErrorKind::Network, "stopped before Tor was connected", "check that the machine is online"));
            }
        }
    }
}

/// Publishes an onion service and says so on stderr.
///
/// # Errors
/// Tor's errors.
pub async fn publish(tor: &Tor, service: ServiceSettings) -> Result<OnionService, Failure> {
    eprintln!("publishing the onion service");
    tor.publish(service).await.map_err(failure)
}

/// Converts an error of Tor, with its hint.
pub fn failure(error: net::Error) -> Failure {
    match error {
        net::Error::Tor(tor) => Failure::new(tor.kind(), tor, tor.hint()),
        other => Failure::new(other.kind(), other, "check that the machine is online"),
    }
}

/// Creates a key for a restricted onion service, writes its secret half to a new file, and returns
/// the public half.
///
/// # Errors
/// An invalid onion address; a file that exists or cannot be written.
pub fn make_client_key(onion: &str, out: &Path) -> Result<String, Failure> {
    let name: OnionName = onion.trim().parse().map_err(|_| {
        Failure::new(
            ErrorKind::LocalConfig,
            "invalid onion address",
            "an onion address is 56 letters and digits, and .onion",
        )
    })?;
    let key = ClientKey::new(name, Zeroizing::new(UnwrapErr(SysRng).random()));
    let public = key.public().map_err(|e| failure(e.into()))?;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(out).and_then(|mut f| f.write_all(key.to_text().as_bytes()));
    written.map_err(|e| {
        let text = format!("cannot write {}: {e}", out.display());
        Failure::new(ErrorKind::LocalStorage, text, "choose a file that does not exist yet")
    })?;
    Ok(public.to_string())
}

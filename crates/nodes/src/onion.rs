//! The onion service of a role: its key, where that is kept, and its ports.

use std::path::{Path, PathBuf};

use api::Failure;
use clap::Args;
use jail::StateDir;
use net::Dialer;
use net::tor::{ClientPublicKey, EngineKind, OnionService, ServiceSettings, Tor};
use rand::RngExt as _;
use rand::rand_core::UnwrapErr;
use rand::rngs::SysRng;
use server::OnionDoor;
use server::http::OnionStreams;
use settings::tor::{self, TorArgs};
use vault::{Unlock, VaultKey};
use wire::{ErrorKind, OnionName};
use zeroize::Zeroizing;

use crate::OrFail;

/// Subdirectory of a role's `--dir` with the onion key.
const KEY_DIR: &str = "onion";
/// Subdirectory of a role's `--dir` with Tor's state.
const TOR_DIR: &str = "tor";

/// A role behind Tor.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Onion service")]
pub struct OnionArgs {
    /// Publish an onion service, and reach other nodes that have only an onion address.
    #[arg(long)]
    pub tor: bool,
    /// Like --tor, without any other address: nothing listens on this machine, and everything goes
    /// out through Tor.
    #[arg(long)]
    pub tor_only: bool,
    /// Use a new onion address at each start, and keep nothing of it.
    #[arg(long)]
    pub ephemeral: bool,
    /// Let only these clients find the service: a file with a line `descriptor:x25519:…` for each
    /// (`hushwing tor key` creates them).
    #[arg(long, value_name = "FILE")]
    pub authorized: Option<PathBuf>,
    /// Tor's own settings.
    #[command(flatten)]
    pub settings: TorArgs,
}

/// Paths outside a role's `--dir`.
pub struct Needs {
    /// Paths to read.
    pub read: Vec<PathBuf>,
    /// Programs to run.
    pub exec: Vec<PathBuf>,
}

/// A role's onion service while it runs.
pub struct Onion {
    /// The Tor that publishes it.
    pub tor: Tor,
    /// The service, which ends when this is dropped.
    pub service: OnionService,
}

impl OnionArgs {
    /// Whether Tor is used at all.
    #[must_use]
    pub const fn wanted(&self) -> bool {
        self.tor || self.tor_only
    }

    /// Paths that Tor needs besides the role's `--dir`.
    ///
    /// # Errors
    /// A settings file that cannot be read or has an invalid setting.
    pub fn needs(&self, dir: &Path) -> Result<Needs, Failure> {
        let settings = self.settings.settings(&dir.join(TOR_DIR))?;
        let mut read: Vec<PathBuf> =
            self.authorized.iter().chain(&self.settings.onion_key).cloned().collect();
        read.extend(self.settings.file());
        let mut exec: Vec<PathBuf> = settings.transports.iter().map(|t| t.path.clone()).collect();
        match settings.engine {
            // It asks who owns its directories.
            EngineKind::Arti => {
                read.extend(["/etc/passwd", "/etc/group", "/etc/nsswitch.conf"].map(PathBuf::from));
            }
            // Where a running tor keeps the cookie of its control port.
            EngineKind::System => read.extend(["/run/tor", "/var/lib/tor"].map(PathBuf::from)),
            EngineKind::Private => exec.extend(settings.program()),
        }
        if !exec.is_empty() {
            // Programs read their libraries.
            read.extend(["/usr", "/lib", "/lib64", "/etc/ld.so.cache"].map(PathBuf::from));
        }
        read.retain(|path| path.exists());
        Ok(Needs { read, exec })
    }

    /// Starts Tor and publishes a service with these ports, if the command line asks for one.
    ///
    /// # Errors
    /// Invalid settings, a wrong passphrase for the key, Tor's errors.
    pub async fn start(&self, dir: &Path, ports: &[u16]) -> Result<Option<Onion>, Failure> {
        if !self.wanted() {
            return Ok(None);
        }
        let state = StateDir::open(dir).or_fail()?;
        let seed = self.seed(&state)?;
        let clients = self.authorized.as_deref().map(authorized).transpose()?.unwrap_or_default();
        let tor = self.settings.start(&state.join(TOR_DIR)).await?;
        let service = ServiceSettings { seed, ports: ports.to_vec(), clients };
        let service = tor::publish(&tor, service).await?;
        Ok(Some(Onion { tor, service }))
    }

    /// The dialer with which the role reaches other nodes.
    #[must_use]
    pub fn dialer(&self, onion: Option<&Onion>) -> Dialer {
        match onion {
            Some(onion) if self.tor_only => Dialer::Tor(onion.tor.dialer()),
            Some(onion) => Dialer::Split(onion.tor.dialer()),
            None => Dialer::Direct,
        }
    }

    /// The seed of the service's identity: a new one, or one that is kept under a passphrase
    /// (`HUSHWING_PASSPHRASE`) or a key file.
    fn seed(&self, state: &StateDir) -> Result<Zeroizing<[u8; 32]>, Failure> {
        if self.ephemeral {
            return Ok(Zeroizing::new(UnwrapErr(SysRng).random()));
        }
        kept_seed(&state.subdir(KEY_DIR).or_fail()?.join(""))
    }
}

/// The name of the onion service whose key a role keeps in its `--dir`, which is drawn if there is
/// none yet.
///
/// # Errors
/// As [`kept_seed`].
pub fn kept_name(dir: &Path) -> Result<OnionName, Failure> {
    let state = StateDir::open(dir).or_fail()?;
    let seed = kept_seed(&state.subdir(KEY_DIR).or_fail()?.join(""))?;
    Ok(net::tor::onion_name(&seed))
}

/// Reads the seed that is kept in `dir`, or draws a new one and keeps it there.
///
/// # Errors
/// A wrong passphrase, a damaged file, a disk error.
pub fn kept_seed(dir: &Path) -> Result<Zeroizing<[u8; 32]>, Failure> {
    let passphrase = std::env::var("HUSHWING_PASSPHRASE").ok().filter(|p| !p.is_empty());
    let unlock = passphrase.map_or(Unlock::KeyFile, Unlock::passphrase);
    let key = match VaultKey::kind(dir) {
        Err(vault::Error::Missing(_)) => {
            let key = VaultKey::random().or_fail()?;
            key.seal(dir, &unlock).or_fail()?;
            key
        }
        _ => VaultKey::unlock(dir, &unlock).or_fail()?,
    };
    Ok(Zeroizing::new(*key.reveal()))
}

impl Onion {
    /// Takes the connections of one port.
    ///
    /// # Errors
    /// A port that was taken already.
    pub fn door(&mut self, port: u16) -> Result<OnionDoor, Failure> {
        let incoming = self.service.take(port).ok_or_else(no_such_port)?;
        Ok(OnionDoor { address: self.service.address(port), incoming, service: None })
    }
}

/// Reads from a file which clients may find a restricted service.
///
/// # Errors
/// A file that cannot be read, is empty, or contains something else.
pub fn authorized(path: &Path) -> Result<Vec<ClientPublicKey>, Failure> {
    let wrong = |text: String| {
        let hint =
            "write one line for each client: descriptor:x25519:…, as `hushwing tor key` prints it";
        Failure::new(ErrorKind::LocalConfig, text, hint)
    };
    let text = std::fs::read_to_string(path)
        .map_err(|e| wrong(format!("cannot read {}: {e}", path.display())))?;
    let lines = text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#'));
    let keys: Vec<ClientPublicKey> = lines
        .map(|l| l.parse().map_err(|e| wrong(format!("{}: {e}", path.display()))))
        .collect::<Result<_, _>>()?;
    // An empty list would open the service to everybody.
    if keys.is_empty() {
        Err(wrong(format!("{} names no client", path.display())))
    } else {
        Ok(keys)
    }
}

/// Port that browsers use by default.
const WEB_PORT: u16 = 80;

/// A site for browsers behind an onion service.
pub struct Site {
    /// `NAME.onion`.
    pub name: OnionName,
    /// Incoming connections.
    pub streams: OnionStreams,
    /// The service, which ends when this is dropped.
    pub service: OnionService,
}

/// Publishes a site, which only `clients` can find, if there are any.
///
/// # Errors
/// Tor's errors.
pub async fn site(
    tor: &Tor,
    seed: Zeroizing<[u8; 32]>,
    clients: Vec<ClientPublicKey>,
) -> Result<Site, Failure> {
    let name = net::tor::onion_name(&seed);
    let mut service =
        tor::publish(tor, ServiceSettings { seed, ports: vec![WEB_PORT], clients }).await?;
    let incoming = service.take(WEB_PORT).ok_or_else(no_such_port)?;
    Ok(Site { name, streams: OnionStreams(incoming), service })
}

fn no_such_port() -> Failure {
    Failure::new(
        ErrorKind::Bug,
        "the onion service does not have this port",
        "report this as a bug",
    )
}

/// Publishes a service with a fresh key for one role; it ends with that role.
///
/// # Errors
/// Tor's errors.
pub async fn ephemeral_door(tor: &Tor, port: u16) -> Result<OnionDoor, net::Error> {
    let settings = ServiceSettings {
        seed: Zeroizing::new(UnwrapErr(SysRng).random()),
        ports: vec![port],
        clients: Vec::new(),
    };
    let mut service = tor.publish(settings).await?;
    let incoming = service.take(port).ok_or(net::tor::TorError::Publish)?;
    Ok(OnionDoor { address: service.address(port), incoming, service: Some(service) })
}

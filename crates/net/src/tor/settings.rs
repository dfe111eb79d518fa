//! Settings of Tor.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use wire::Sensitive;

/// The engine that speaks Tor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EngineKind {
    /// Arti, inside this process.
    #[default]
    Arti,
    /// A tor that runs on this machine.
    System,
    /// A private tor, started and stopped by this process.
    Private,
}

/// How circuits guard against discovery of their guard. C tor: `VanguardsLiteEnabled`; Arti:
/// `vanguards.mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Vanguards {
    /// One further fixed layer.
    Lite,
    /// Two further fixed layers.
    #[default]
    Full,
    /// None.
    Off,
}

/// A pluggable transport: a program that makes Tor look like something else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluggableTransport {
    /// What it speaks: `obfs4`.
    pub name: String,
    /// The program.
    pub path: PathBuf,
}

/// All settings of a [`super::Tor`]. `Debug` prints no bridge and no password.
#[derive(Clone)]
pub struct TorSettings {
    /// Who speaks Tor.
    pub engine: EngineKind,
    /// Where its state lives, for this user alone. Arti and a private tor need it.
    pub dir: PathBuf,
    /// SOCKS port of a running tor; `None` looks at 9050 to 9054.
    pub socks: Option<SocketAddr>,
    /// Control port of a running tor; `None` is 127.0.0.1:9051.
    pub control: Option<SocketAddr>,
    /// Password of the control port; without it the cookie is used.
    pub password: Option<Sensitive<String>>,
    /// The program to start; `None` looks at `TOR_BINARY`, then along `PATH`.
    pub binary: Option<PathBuf>,
    /// Bridge lines.
    pub bridges: Vec<String>,
    /// Programs for bridges with a transport.
    pub transports: Vec<PluggableTransport>,
    /// Relays that may be guards: fingerprints or countries, like C tor's `EntryNodes`. Arti has no
    /// such setting.
    pub guards: Vec<String>,
    /// How circuits are guarded.
    pub vanguards: Vanguards,
    /// Whether IP addresses may be reached, through exits. Without it everything stays inside Tor.
    pub exits: bool,
    /// How often links move to new circuits; `None` means never. Default 300 s.
    pub renew_every: Option<Duration>,
    /// The greatest age of a circuit that takes new streams. Default 30 s.
    pub new_circuit_after: Duration,
    /// How long to wait for a connection before reporting that Tor seems blocked. Default 60 s.
    pub blocked_after: Duration,
    /// Further settings of Arti, as TOML, for example for another network.
    pub arti_toml: Option<String>,
    /// Further lines of a private tor's torrc.
    pub torrc: Vec<String>,
}

impl fmt::Debug for TorSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TorSettings({:?})", self.engine)
    }
}

impl TorSettings {
    /// The defaults, with state in `dir`.
    #[must_use]
    pub const fn new(dir: PathBuf) -> Self {
        TorSettings {
            engine: EngineKind::Arti,
            dir,
            socks: None,
            control: None,
            password: None,
            binary: None,
            bridges: Vec::new(),
            transports: Vec::new(),
            guards: Vec::new(),
            vanguards: Vanguards::Full,
            exits: true,
            renew_every: Some(Duration::from_secs(300)),
            new_circuit_after: Duration::from_secs(30),
            blocked_after: Duration::from_secs(60),
            arti_toml: None,
            torrc: Vec::new(),
        }
    }

    /// The tor program that would be started: the setting, `TOR_BINARY`, or the first `tor` along
    /// `PATH`.
    #[must_use]
    pub fn program(&self) -> Option<PathBuf> {
        let path = match &self.binary {
            Some(path) => path.clone(),
            None => match std::env::var_os("TOR_BINARY").filter(|p| !p.is_empty()) {
                Some(path) => PathBuf::from(path),
                None => {
                    let path = std::env::var_os("PATH").unwrap_or_default();
                    std::env::split_paths(&path).map(|dir| dir.join("tor")).find(|p| p.is_file())?
                }
            },
        };
        path.is_file().then_some(path)
    }
}

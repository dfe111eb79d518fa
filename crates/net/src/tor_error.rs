//! What can go wrong with Tor. No variant holds an address, a name or a key.

use wire::ErrorKind;

/// Why Tor does not do what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TorError {
    /// This build has no Arti.
    #[error("this build does not include Tor")]
    NoArti,
    /// No SOCKS port of a running tor was found.
    #[error("no running tor was found: none of the ports 9050 to 9054 answers as SOCKS")]
    NoSocks,
    /// Nothing answers where the control port should be.
    #[error("no control port of tor answers (its usual port is 9051)")]
    NoControl,
    /// Tor does not let us control it.
    #[error("tor rejected the login at its control port")]
    ControlAuth,
    /// Tor refuses a control command.
    #[error("tor refuses a command: {0}")]
    ControlRefused(&'static str),
    /// There is no program to start.
    #[error("no tor program was found")]
    NoBinary,
    /// The program that we started ended.
    #[error("the tor program exited immediately: check its settings")]
    BinaryFailed,
    /// A setting is wrong.
    #[error("invalid Tor setting: {0}")]
    Setting(&'static str),
    /// The engine does not know this setting.
    #[error("this Tor engine does not support the setting: {0}")]
    Unsupported(&'static str),
    /// A proxy is in use, and a running tor knows nothing of it.
    #[error("a tor that is running does not go through the proxy")]
    NoProxy,
    /// The state directory cannot be used.
    #[error("the directory for Tor's state cannot be used")]
    State,
    /// Tor is not connected to its network.
    #[error("Tor is not connected")]
    NotReady,
    /// Tor was switched off.
    #[error("Tor was switched off")]
    Stopped,
    /// The onion service cannot be found or does not answer.
    #[error("cannot find the onion service right now")]
    OnionUnreachable,
    /// The onion service asks for a key that we do not have.
    #[error("the onion service asks for a key that we do not have")]
    OnionKey,
    /// Something beyond Tor refused.
    #[error("Tor could not connect")]
    Unreachable,
    /// IP addresses may not be reached through Tor.
    #[error("not an onion address, and only those are allowed")]
    NoExits,
    /// An onion address, and no Tor.
    #[error("onion addresses need Tor")]
    NeedsTor,
    /// The onion service could not be published.
    #[error("the onion service could not be published")]
    Publish,
}

impl TorError {
    /// Whose fault it is.
    #[must_use]
    pub const fn kind(self) -> ErrorKind {
        match self {
            TorError::NoArti | TorError::Unsupported(_) => ErrorKind::Unsupported,
            TorError::NoProxy
            | TorError::NoSocks
            | TorError::NoControl
            | TorError::ControlAuth
            | TorError::ControlRefused(_)
            | TorError::NoBinary
            | TorError::BinaryFailed
            | TorError::Setting(_)
            | TorError::NoExits
            | TorError::NeedsTor
            | TorError::OnionKey => ErrorKind::LocalConfig,
            TorError::State => ErrorKind::LocalStorage,
            _ => ErrorKind::Network,
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn hint(self) -> &'static str {
        match self {
            TorError::NoArti => {
                "use a running tor (--tor-engine system) or let hushwing start one (--tor-engine private)"
            }
            TorError::NoSocks => {
                "start tor, name its port with --tor-socks, or use the Tor inside (--tor-engine arti)"
            }
            TorError::NoControl => {
                "set `ControlPort 9051` in torrc, or name the port with --tor-control"
            }
            TorError::ControlAuth => {
                "give the password in HUSHWING_TOR_PASSWORD, or make tor's cookie file readable for this user"
            }
            TorError::ControlRefused(_) => "look into tor's log",
            TorError::NoProxy => {
                "use --tor-engine private or arti, which go through it, or set Socks5Proxy in torrc and leave --proxy out"
            }
            TorError::NoBinary => {
                "install tor (Debian: apt install tor), or name the program in TOR_BINARY"
            }
            TorError::BinaryFailed => "run `tor --verify-config`, and check bridges and transports",
            TorError::Setting(_) | TorError::Unsupported(_) => "see the operator guide, \"Tor\"",
            TorError::State => "it must be writable and for this user alone (mode 0700)",
            TorError::OnionKey => "ask its owner to admit your key, and give it with --onion-key",
            TorError::NoExits => "allow exits, or use a hub that has an onion address",
            TorError::NeedsTor => "choose a route through Tor: --route tor",
            _ => {
                "is the machine connected? If Tor is blocked where you are, use bridges (--bridge)"
            }
        }
    }
}

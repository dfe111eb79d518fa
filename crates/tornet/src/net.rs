//! Where a network listens, and how to join it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Control, Result, schedule};

/// A running relay: an authority, a plain relay or a bridge.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Relay {
    /// Its nickname.
    pub nick: String,
    /// The hexadecimal fingerprint of its RSA identity.
    pub fingerprint: String,
    /// Where it takes connections of clients and relays.
    pub or: SocketAddr,
    /// Where its obfs4 listens, if it is a bridge that has one.
    pub obfs4: Option<SocketAddr>,
    /// Its control port.
    pub control: SocketAddr,
    /// Its data directory, where the control port's cookie is.
    pub data: PathBuf,
}

impl Relay {
    /// An authenticated connection to its control port.
    ///
    /// # Errors
    /// [`crate::Error::Io`].
    pub fn control(&self) -> Result<Control> {
        Control::connect(self.control, &self.data)
    }
}

/// The running C tor client.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Client {
    /// Its SOCKS port.
    pub socks: SocketAddr,
    /// Its control port; authentication by cookie.
    pub control: SocketAddr,
    /// Its data directory, where the control port's cookie is.
    pub data: PathBuf,
}

/// A running network, as its users see it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Net {
    pub(crate) arti_toml: String,
    pub(crate) torrc_client: Vec<String>,
    pub(crate) client: Client,
    pub(crate) relays: Vec<Relay>,
    pub(crate) bridges: Vec<Relay>,
    pub(crate) bridge_lines: Vec<String>,
    pub(crate) obfs4_lines: Vec<String>,
    pub(crate) period_ends: u64,
}

impl Net {
    /// Settings of an Arti client that joins: the authorities, and where to load the directory from
    /// first.
    #[must_use]
    pub fn arti_toml(&self) -> &str {
        &self.arti_toml
    }

    /// Lines for the torrc of a C tor client that joins.
    #[must_use]
    pub fn torrc_client(&self) -> &[String] {
        &self.torrc_client
    }

    /// The C tor client.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// The SOCKS port of the C tor client.
    #[must_use]
    pub const fn socks(&self) -> SocketAddr {
        self.client.socks
    }

    /// The control port of the C tor client.
    #[must_use]
    pub const fn control(&self) -> SocketAddr {
        self.client.control
    }

    /// An authenticated connection to the control port of the C tor client.
    ///
    /// # Errors
    /// [`crate::Error::Io`].
    pub fn ask_client(&self) -> Result<Control> {
        Control::connect(self.client.control, &self.client.data)
    }

    /// Authorities and relays; each may be a guard.
    #[must_use]
    pub fn relays(&self) -> &[Relay] {
        &self.relays
    }

    /// Where the possible guards take connections.
    pub fn guards(&self) -> impl Iterator<Item = SocketAddr> {
        self.relays.iter().map(|r| r.or)
    }

    /// The bridges, in the order of their lines.
    #[must_use]
    pub fn bridges(&self) -> &[Relay] {
        &self.bridges
    }

    /// A plain line for each bridge.
    #[must_use]
    pub fn bridge_lines(&self) -> &[String] {
        &self.bridge_lines
    }

    /// An obfs4 line for each bridge; none where `obfs4proxy` is not installed.
    #[must_use]
    pub fn obfs4_lines(&self) -> &[String] {
        &self.obfs4_lines
    }

    /// How long until onion services move to other directories, during which they cannot be found
    /// for up to two minutes.
    #[must_use]
    pub fn steady_for(&self) -> Duration {
        Duration::from_secs(self.period_ends).saturating_sub(schedule::now())
    }
}

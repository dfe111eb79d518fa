//! The settings file of Tor.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use api::Failure;
use net::tor::{EngineKind, PluggableTransport, TorSettings, Vanguards};
use serde::Deserialize;
use wire::ErrorKind;

/// The commented file, with all defaults.
pub const EXAMPLE: &str = include_str!("tor.toml");

/// The contents of the file. [`EXAMPLE`] explains the fields.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs, reason = "the commented file says what each is")]
pub struct TorFile {
    pub engine: Engine,
    pub socks: Option<SocketAddr>,
    pub control: Option<SocketAddr>,
    pub binary: Option<PathBuf>,
    pub bridges: Vec<String>,
    pub transports: Vec<Transport>,
    pub guards: Vec<String>,
    pub vanguards: VanguardsWord,
    pub exits: bool,
    pub renew_circuits_s: u64,
    pub new_circuit_after_s: u64,
    pub blocked_after_s: u64,
    pub torrc: Vec<String>,
    pub arti: toml::Table,
}

/// The engine, by its word in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "see net::tor::EngineKind")]
pub enum Engine {
    Arti,
    System,
    Private,
}

/// Vanguards, by their word in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "see net::tor::Vanguards")]
pub enum VanguardsWord {
    Full,
    Lite,
    Off,
}

/// A pluggable transport.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "see net::tor::PluggableTransport")]
pub struct Transport {
    pub name: String,
    pub path: PathBuf,
}

impl Default for TorFile {
    fn default() -> Self {
        TorFile {
            engine: Engine::Arti,
            socks: None,
            control: None,
            binary: None,
            bridges: Vec::new(),
            transports: Vec::new(),
            guards: Vec::new(),
            vanguards: VanguardsWord::Full,
            exits: true,
            renew_circuits_s: 300,
            new_circuit_after_s: 30,
            blocked_after_s: 60,
            torrc: Vec::new(),
            arti: toml::Table::new(),
        }
    }
}

impl TorFile {
    /// Reads a file.
    ///
    /// # Errors
    /// A file that cannot be read or has an invalid setting, with its line.
    pub fn load(path: &Path) -> Result<TorFile, Failure> {
        let hint = "`hushwing tor settings` prints a commented file";
        let wrong = |text: String| Failure::new(ErrorKind::LocalConfig, text, hint);
        let text = std::fs::read_to_string(path)
            .map_err(|e| wrong(format!("cannot read {}: {e}", path.display())))?;
        toml::from_str(&text).map_err(|e| wrong(format!("invalid Tor settings: {e}")))
    }

    /// Converts them for the engine, with Tor's state in `dir`.
    #[must_use]
    pub fn settings(self, dir: &Path) -> TorSettings {
        TorSettings {
            engine: match self.engine {
                Engine::Arti => EngineKind::Arti,
                Engine::System => EngineKind::System,
                Engine::Private => EngineKind::Private,
            },
            socks: self.socks,
            control: self.control,
            binary: self.binary,
            bridges: self.bridges,
            transports: self
                .transports
                .into_iter()
                .map(|t| PluggableTransport { name: t.name, path: t.path })
                .collect(),
            guards: self.guards,
            vanguards: match self.vanguards {
                VanguardsWord::Full => Vanguards::Full,
                VanguardsWord::Lite => Vanguards::Lite,
                VanguardsWord::Off => Vanguards::Off,
            },
            exits: self.exits,
            renew_every: (self.renew_circuits_s > 0)
                .then(|| Duration::from_secs(self.renew_circuits_s)),
            new_circuit_after: Duration::from_secs(self.new_circuit_after_s),
            blocked_after: Duration::from_secs(self.blocked_after_s),
            arti_toml: (!self.arti.is_empty()).then(|| self.arti.to_string()),
            torrc: self.torrc,
            ..TorSettings::new(dir.to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commented_file_parses_and_shows_the_defaults() {
        assert_eq!(toml::from_str::<TorFile>(EXAMPLE).unwrap(), TorFile::default());
        let on: String = EXAMPLE
            .lines()
            .map(|l| match l.strip_prefix('#') {
                Some(rest) if !rest.starts_with(' ') && !rest.is_empty() => rest,
                _ => l,
            })
            .collect::<Vec<_>>()
            .join("\n");
        let on: TorFile = toml::from_str(&on).unwrap();
        assert_eq!(on.socks.map(|s| s.port()), Some(9050));
        assert_eq!(on.transports.len(), 1);
        assert!(toml::from_str::<TorFile>("sokcs = 1").is_err());
    }
}

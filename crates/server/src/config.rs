//! Settings of the three roles. Each has a commented example file; unknown keys are refused.

use std::net::SocketAddr;

use hub::shaping::Span;
use serde::Deserialize;
use wire::Address;
use wire::document::{
    CoverLevel, CoverRates, GeometrySpec, Mixing, PacketScheme, PathPolicy, Processing, Tag,
};

use crate::Error;

/// The commented file of a directory, all defaults.
pub const DIRECTORY_EXAMPLE: &str = include_str!("config/directory.toml");
/// The commented file of a relay, all defaults.
pub const RELAY_EXAMPLE: &str = include_str!("config/relay.toml");
/// The commented file of a hub, all defaults.
pub const HUB_EXAMPLE: &str = include_str!("config/hub.toml");

/// Settings of a directory. Field meanings: [`DIRECTORY_EXAMPLE`].
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs, reason = "the commented file says what each is")]
pub struct DirectoryConfig {
    pub listen: SocketAddr,
    #[serde(deserialize_with = "addresses")]
    pub announce: Vec<Address>,
    pub map_port: bool,
    pub epoch_seconds: u64,
    pub scheme: Scheme,
    pub min_relays: u8,
    pub max_relays: u8,
    pub forward_probability: f64,
    pub layers: u8,
    pub distinct_regions: bool,
    pub mean_delay_ms: u32,
    pub max_delay_ms: u32,
    pub cover: Cover,
    pub mix_loops_per_minute: u32,
    pub tally: bool,
    pub enrolled: Vec<String>,
}

impl Default for DirectoryConfig {
    fn default() -> Self {
        DirectoryConfig {
            listen: SocketAddr::from(([127, 0, 0, 1], 5999)),
            announce: Vec::new(),
            map_port: false,
            epoch_seconds: 1200,
            scheme: Scheme::XWing,
            min_relays: 3,
            max_relays: 3,
            forward_probability: 0.0,
            layers: 0,
            distinct_regions: false,
            mean_delay_ms: 50,
            max_delay_ms: 1_400,
            cover: Cover::Off,
            mix_loops_per_minute: 6,
            tally: false,
            enrolled: Vec::new(),
        }
    }
}

/// Settings of a relay. Field meanings: [`RELAY_EXAMPLE`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs, reason = "the commented file says what each is")]
pub struct RelayConfig {
    pub listen: SocketAddr,
    #[serde(deserialize_with = "addresses")]
    pub announce: Vec<Address>,
    pub map_port: bool,
    pub dials_only: bool,
    pub region: Option<String>,
    pub owner: Option<String>,
    pub rate: u32,
    pub max_connections: usize,
    #[serde(deserialize_with = "processing")]
    pub processing: Processing,
}

impl Default for RelayConfig {
    fn default() -> Self {
        RelayConfig {
            listen: SocketAddr::from(([127, 0, 0, 1], 5001)),
            announce: Vec::new(),
            map_port: false,
            dials_only: false,
            region: None,
            owner: None,
            rate: 1000,
            max_connections: 4096,
            processing: Processing::default(),
        }
    }
}

/// Settings of a hub. Field meanings: [`HUB_EXAMPLE`].
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs, reason = "the commented file says what each is")]
pub struct HubConfig {
    pub listen: SocketAddr,
    #[serde(deserialize_with = "addresses")]
    pub announce: Vec<Address>,
    pub map_port: bool,
    pub region: Option<String>,
    pub owner: Option<String>,
    pub rate: u32,
    pub max_connections: usize,
    pub keep_days: u32,
    /// Start although boxes are missing: never in the file, for it is meant for one start.
    #[serde(skip)]
    pub accept_loss: bool,
    pub member_storage_mib: u64,
    pub guest_storage_mib: u64,
    pub member_puts_per_second: u32,
    pub guest_puts_per_second: u32,
    pub http_listen: Option<SocketAddr>,
    pub http_open_guest: bool,
    pub http_cors_origins: Vec<String>,
    pub http_metrics: MetricsAccess,
    pub http_max_connections: usize,
    pub http_onion: Option<String>,
    pub dummies_seconds: Option<[f64; 2]>,
    #[serde(deserialize_with = "processing")]
    pub processing: Processing,
}

/// Who may read `/metrics`, by its name in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MetricsAccess {
    /// Programs on this machine that ask directly, not through a proxy or an onion service.
    Loopback,
    /// Nobody.
    Off,
    /// Everybody who can reach the HTTP port.
    All,
}

impl Default for HubConfig {
    fn default() -> Self {
        HubConfig {
            listen: SocketAddr::from(([127, 0, 0, 1], 6000)),
            announce: Vec::new(),
            map_port: false,
            region: None,
            owner: None,
            rate: 1000,
            max_connections: 4096,
            keep_days: 14,
            accept_loss: false,
            member_storage_mib: 4096,
            guest_storage_mib: 512,
            member_puts_per_second: 5000,
            guest_puts_per_second: 500,
            http_listen: None,
            http_open_guest: false,
            http_cors_origins: Vec::new(),
            http_metrics: MetricsAccess::Loopback,
            http_max_connections: 256,
            http_onion: None,
            dummies_seconds: None,
            processing: Processing::default(),
        }
    }
}

impl HubConfig {
    /// The idle time after which a direct link gets a dummy.
    ///
    /// # Errors
    /// [`Error::Config`] when the setting is not a span of up to a day.
    pub fn dummies(&self) -> Result<Option<Span>, Error> {
        let bad = || {
            Error::Config(
                "dummies_seconds takes two numbers of seconds, the smaller first, up to 86400"
                    .to_owned(),
            )
        };
        let Some([min, max]) = self.dummies_seconds else { return Ok(None) };
        if !(0.0..=86_400.0).contains(&min) || !(0.0..=86_400.0).contains(&max) {
            return Err(bad());
        }
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "0.0..=86,400.0 was checked"
        )]
        let ms = |seconds: f64| (seconds * 1_000.0).round() as u64;
        Span::new(ms(min), ms(max)).map(Some).ok_or_else(bad)
    }
}

/// One address, or a list of them.
fn addresses<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<Address>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Given {
        One(String),
        Several(Vec<String>),
    }
    let given = match Given::deserialize(from)? {
        Given::One(address) => vec![address],
        Given::Several(addresses) => addresses,
    };
    let parsed = given.iter().map(|text| text.parse().map_err(serde::de::Error::custom));
    parsed.collect()
}

fn processing<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Processing, D::Error> {
    String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
}

/// Packet scheme, by its name in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "see wire::document::PacketScheme")]
pub enum Scheme {
    XWing,
    X25519Kem,
    X25519Nike,
}

impl From<Scheme> for PacketScheme {
    fn from(scheme: Scheme) -> Self {
        match scheme {
            Scheme::XWing => PacketScheme::XWing,
            Scheme::X25519Kem => PacketScheme::X25519Kem,
            Scheme::X25519Nike => PacketScheme::X25519Nike,
        }
    }
}

/// Cover level, by its name in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "see wire::document::CoverLevel")]
pub enum Cover {
    Off,
    Low,
    Normal,
}

impl From<Cover> for CoverLevel {
    fn from(cover: Cover) -> Self {
        match cover {
            Cover::Off => CoverLevel::Off,
            Cover::Low => CoverLevel::Low,
            Cover::Normal => CoverLevel::Normal,
        }
    }
}

/// Reads a settings file.
///
/// # Errors
/// [`Error::Config`] with the line and the reason.
pub fn parse<T: for<'de> Deserialize<'de>>(text: &str) -> Result<T, Error> {
    toml::from_str(text).map_err(|e| Error::Config(format!("settings file: {e}")))
}

impl DirectoryConfig {
    /// The geometry, mixing and path parts of the documents this directory will sign.
    ///
    /// # Errors
    /// [`Error::Config`] names the setting that is out of range.
    pub fn parameters(&self) -> Result<(GeometrySpec, Mixing, PathPolicy), Error> {
        let bad = |what: &str| Err(Error::Config(what.to_owned()));
        if !(1..=86_400).contains(&self.epoch_seconds) {
            return bad("epoch_seconds must lie between 1 and 86400");
        }
        if self.min_relays == 0 || self.min_relays > self.max_relays {
            return bad("min_relays must be at least 1 and at most max_relays");
        }
        if self.max_relays >= wire::limits::MAX_HOPS {
            return bad("max_relays must be at most 11");
        }
        if !(0.0..=1.0).contains(&self.forward_probability) {
            return bad("forward_probability must lie between 0 and 1");
        }
        if self.layers > self.max_relays {
            return bad("layers must be at most max_relays");
        }
        let least = self.mean_delay_ms.checked_mul(wire::document::MIN_DELAY_CAP);
        if least.is_none_or(|least| least > self.max_delay_ms) {
            return bad("max_delay_ms must be at least 28 times mean_delay_ms");
        }
        if self.tally && self.scheme == Scheme::X25519Nike {
            return bad("packets of the scheme x25519-nike carry no tally");
        }
        if self.enrolled.len() > wire::limits::MAX_ENROLLED {
            return bad("at most 4096 clients can be enrolled");
        }
        let geometry = mix::geometry::spec_for(self.scheme.into(), self.max_relays)?;
        // Loopix wants a sender's rate at least twice a hop's: slots of 1/s (normal) and 1/4 s
        // (low).
        let mixing = Mixing {
            mean_delay_ms: self.mean_delay_ms,
            max_delay_ms: self.max_delay_ms,
            low: CoverRates { payload: 250, loops: 50, drops: 50 },
            normal: CoverRates { payload: 1000, loops: 200, drops: 200 },
            default_level: self.cover.into(),
            mix_loops: self.mix_loops_per_minute.saturating_mul(1000) / 60,
        };
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "0.0..=1.0 was checked"
        )]
        let forward_ppm = (self.forward_probability * 1_000_000.0).round() as u32;
        let paths = PathPolicy {
            min_relays: self.min_relays,
            max_relays: self.max_relays,
            forward_ppm,
            layers: self.layers,
            distinct_regions: self.distinct_regions,
        };
        Ok((geometry, mixing, paths))
    }
}

/// Parses the setting of a region or an owner for the document.
///
/// # Errors
/// [`Error::Config`].
pub fn tag(text: Option<&str>) -> Result<Option<Tag>, Error> {
    text.map(|t| t.parse().map_err(|e: wire::Error| Error::Config(e.to_string()))).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example with every setting switched on: what it shows is what the program takes.
    fn switched_on(example: &str) -> String {
        example
            .lines()
            .map(|l| match l.strip_prefix('#') {
                Some(rest) if !rest.starts_with(' ') && rest.contains('=') => rest,
                _ => l,
            })
            .collect::<Vec<_>>()
            .join("\n")
    }

    #[test]
    fn the_commented_files_parse_and_show_the_defaults() {
        assert_eq!(
            parse::<DirectoryConfig>(DIRECTORY_EXAMPLE).unwrap(),
            DirectoryConfig::default()
        );
        assert_eq!(parse::<RelayConfig>(RELAY_EXAMPLE).unwrap(), RelayConfig::default());
        assert_eq!(parse::<HubConfig>(HUB_EXAMPLE).unwrap(), HubConfig::default());

        let directory: DirectoryConfig = parse(&switched_on(DIRECTORY_EXAMPLE)).unwrap();
        assert_eq!(
            DirectoryConfig { announce: Vec::new(), ..directory },
            DirectoryConfig::default()
        );
        let relay: RelayConfig = parse(&switched_on(RELAY_EXAMPLE)).unwrap();
        assert_eq!(
            RelayConfig { announce: Vec::new(), region: None, owner: None, ..relay },
            RelayConfig::default()
        );
        let hub: HubConfig = parse(&switched_on(HUB_EXAMPLE)).unwrap();
        let shown = HubConfig {
            announce: Vec::new(),
            region: None,
            owner: None,
            http_listen: None,
            http_onion: None,
            dummies_seconds: None,
            ..hub
        };
        assert_eq!(shown, HubConfig::default());
    }

    #[test]
    fn unknown_keys_and_values_out_of_range_are_refused() {
        assert!(parse::<RelayConfig>("lisen = \"127.0.0.1:1\"").is_err());
        assert!(parse::<RelayConfig>("listen = \"somewhere\"").is_err());
        assert!(parse::<RelayConfig>("processing = \"md5\"").is_err());
        assert_eq!(
            parse::<HubConfig>("processing = \"sha3-256\"").unwrap().processing,
            Processing::Sha3_256
        );
        for text in [
            "epoch_seconds = 0",
            "min_relays = 4",
            "forward_probability = 1.5",
            "max_relays = 12",
            "layers = 9",
            "tally = true\nscheme = \"x25519-nike\"",
        ] {
            let config: DirectoryConfig = parse(text).unwrap();
            assert!(config.parameters().is_err(), "{text}");
        }
        assert!(DirectoryConfig::default().parameters().is_ok());
        assert!(tag(Some("No Such")).is_err());
        let dummies = |text: &str| parse::<HubConfig>(text).unwrap().dummies();
        assert_eq!(dummies("").unwrap(), None);
        assert_eq!(dummies("dummies_seconds = [30, 60]").unwrap(), Span::new(30_000, 60_000));
        assert_eq!(dummies("dummies_seconds = [0.05, 0.1]").unwrap(), Span::new(50, 100));
        for odd in ["[60, 30]", "[0, 0]", "[-1, 5]", "[1, 1e9]", "[nan, 1]"] {
            assert!(dummies(&format!("dummies_seconds = {odd}")).is_err(), "{odd}");
        }
    }
}

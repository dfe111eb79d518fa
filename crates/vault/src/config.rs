//! `config.toml`: settings that a person edits. They are read strictly and written back without
//! losing comments.

mod choices;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use toml_edit::{Document, DocumentMut, Item, Value};

pub use self::choices::{
    AcceptFiles, BoxSizes, Cover, Entry, Floor, Keep, LanUse, Route, Theme, TorEngine,
};
use crate::{Error, files, units};

/// Name of the file in a profile's directory.
pub const CONFIG_FILE: &str = "config.toml";
/// The commented file that a new profile gets.
pub const DEFAULT_CONFIG: &str = include_str!("config/default.toml");

const WHAT: &str = "config.toml";
const MAX_FILE: usize = 64 * 1024;
const MAX_NAME_CHARS: usize = 64;
const MAX_LINK: usize = 8 * 1024;

/// The settings of a profile.
#[derive(Clone, PartialEq, Eq)]
pub struct Config {
    /// The network for new invites, as text that is parsed when it is used.
    pub network: Option<String>,
    /// How messages travel.
    pub route: Route,
    /// How much cover traffic.
    pub cover: Cover,
    /// Sizes of boxes off the onion route.
    pub box_sizes: BoxSizes,
    /// Range of the random delay before a box leaves, off the onion route, ms.
    pub send_delay: Option<(u64, u64)>,
    /// Range of the idle time after which a dummy leaves, off the onion route, ms.
    pub dummies: Option<(u64, u64)>,
    /// Which relay comes first.
    pub entry: Entry,
    /// Who speaks Tor.
    pub tor: TorEngine,
    /// The proxy that everything goes through, as text that is parsed when it is used.
    pub proxy: Option<String>,
    /// Whether neighbours on the local network are looked for.
    pub lan: LanUse,
    /// Names of the interfaces for that; empty means all interfaces of private networks.
    pub lan_interfaces: Vec<String>,
    /// The floor of new conversations.
    pub floor: Floor,
    /// What contacts see: up to 64 characters, none of them a control character.
    pub name: Option<String>,
    /// How long history stays.
    pub keep: Keep,
    /// Whether others are shown that a message was delivered.
    pub delivery_receipts: bool,
    /// Whether others are shown that a message was read.
    pub read_receipts: bool,
    /// What to do with offered files.
    pub accept_files: AcceptFiles,
    /// Largest file that is fetched, bytes.
    pub file_limit: u64,
    /// Where files are stored; `None` means in the profile.
    pub download_dir: Option<PathBuf>,
    /// Colours of the full-screen interface.
    pub theme: Theme,
    /// Whether the full-screen interface uses the mouse.
    pub mouse: bool,
    /// Whether it announces new messages by bell and notification.
    pub notify: bool,
    /// Whether a daemon that was started on demand keeps running after the last front end has left.
    pub stay: bool,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            network: None,
            route: Route::Onion,
            cover: Cover::Network,
            box_sizes: BoxSizes::Uniform,
            send_delay: None,
            dummies: None,
            entry: Entry::Pinned,
            tor: TorEngine::Arti,
            proxy: None,
            lan: LanUse::Off,
            lan_interfaces: Vec::new(),
            floor: Floor::Hidden,
            name: None,
            keep: Keep::Forever,
            delivery_receipts: true,
            read_receipts: true,
            accept_files: AcceptFiles::Ask,
            file_limit: 100 << 20,
            download_dir: None,
            theme: Theme::Dark,
            mouse: true,
            notify: true,
            stay: false,
        }
    }
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Config")
    }
}

/// A setting, for lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Its key.
    pub key: &'static str,
    /// Its value as a person types it; the default if the file does not set it.
    pub value: String,
    /// What it means, in a few lines.
    pub help: String,
    /// Its possible values, if they can be listed.
    pub choices: &'static [&'static str],
}

impl Config {
    /// All keys, in the order of the default file.
    pub const KEYS: [&'static str; 23] = [
        "network",
        "route",
        "cover",
        "box_sizes",
        "send_delay",
        "dummies",
        "entry",
        "tor",
        "proxy",
        "lan",
        "lan_interfaces",
        "floor",
        "name",
        "keep",
        "delivery_receipts",
        "read_receipts",
        "accept_files",
        "file_limit",
        "download_dir",
        "theme",
        "mouse",
        "notify",
        "stay",
    ];

    /// Reads a file. Settings that it does not mention have their defaults.
    ///
    /// # Errors
    /// [`Error::UnknownKey`] and [`Error::Config`] with the line; [`Error::Missing`],
    /// [`Error::Io`].
    pub fn load(path: &Path) -> Result<Config, Error> {
        Config::parse(&read(path)?)
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// [`Error::UnknownKey`] and [`Error::Config`] with the line.
    pub fn parse(text: &str) -> Result<Config, Error> {
        let document = Document::parse(text).map_err(|e| Error::Config {
            line: line_of(text, e.span().map(|s| s.start)),
            why: e.message().lines().collect::<Vec<_>>().join(", "),
        })?;
        let mut config = Config::default();
        for (key, item) in document.as_table() {
            let key_line = line_of(
                text,
                document.as_table().key(key).and_then(toml_edit::Key::span).map(|s| s.start),
            );
            if !Config::KEYS.contains(&key) {
                return Err(Error::UnknownKey {
                    line: Some(key_line),
                    key: printable(key),
                    nearest: nearest(key),
                });
            }
            config.apply(key, item).map_err(|why| Error::Config {
                line: item.span().map_or(key_line, |s| line_of(text, Some(s.start))),
                why,
            })?;
        }
        Ok(config)
    }

    /// Changes one setting in the file, keeping all comments, and returns the new settings. `value`
    /// is what a person types, without quotes.
    ///
    /// # Errors
    /// As [`Config::load`]; the file is unchanged then.
    pub fn set(path: &Path, key: &str, value: &str) -> Result<Config, Error> {
        let text = read(path)?;
        Config::parse(&text)?;
        if !Config::KEYS.contains(&key) {
            return Err(Error::UnknownKey {
                line: None,
                key: printable(key),
                nearest: nearest(key),
            });
        }
        let mut document: DocumentMut = text.parse().map_err(|_| Error::Damaged(WHAT))?;
        let mut new = match (Config::default().is_switch(key), value.trim()) {
            (true, "true" | "on" | "yes") => Value::from(true),
            (true, "false" | "off" | "no") => Value::from(false),
            _ => Value::from(value),
        };
        match document.get_mut(key).and_then(Item::as_value_mut) {
            Some(old) => {
                *new.decor_mut() = old.decor().clone();
                *old = new;
            }
            None => {
                document.insert(key, Item::Value(new));
            }
        }
        let text = document.to_string();
        let config = Config::parse(&text)?;
        files::replace(path, text.as_bytes(), WHAT)?;
        Ok(config)
    }

    /// All settings, in the order of the default file.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn entries(path: &Path) -> Result<Vec<Setting>, Error> {
        let text = read(path)?;
        Config::parse(&text)?;
        let parse = |text: &str| text.parse::<DocumentMut>().map_err(|_| Error::Damaged(WHAT));
        let (mine, default) = (parse(&text)?, parse(DEFAULT_CONFIG)?);
        let entry = |key: &'static str| {
            let value = mine.get(key).or_else(|| default.get(key)).and_then(Item::as_value);
            let value = match value {
                Some(Value::String(text)) => text.value().clone(),
                Some(Value::Boolean(on)) => on.value().to_string(),
                _ => String::new(),
            };
            let comment =
                default.key(key).and_then(|k| k.leaf_decor().prefix()).and_then(|p| p.as_str());
            // The first comment belongs to the whole file.
            let comment =
                comment.unwrap_or_default().trim().rsplit("\n\n").next().unwrap_or_default();
            let lines =
                comment.lines().map(|l| l.strip_prefix("# ").or(l.strip_prefix('#')).unwrap_or(l));
            Setting {
                key,
                value,
                help: lines.collect::<Vec<_>>().join("\n"),
                choices: Config::choices(key),
            }
        };
        Ok(Config::KEYS.into_iter().map(entry).collect())
    }

    fn choices(key: &str) -> &'static [&'static str] {
        match key {
            "route" => Route::WORDS,
            "cover" => Cover::WORDS,
            "box_sizes" => BoxSizes::WORDS,
            "entry" => Entry::WORDS,
            "tor" => TorEngine::WORDS,
            "lan" => LanUse::WORDS,
            "floor" => Floor::WORDS,
            "accept_files" => AcceptFiles::WORDS,
            "theme" => Theme::WORDS,
            "delivery_receipts" | "read_receipts" | "mouse" | "notify" | "stay" => {
                &["true", "false"]
            }
            _ => &[],
        }
    }

    fn is_switch(&self, key: &str) -> bool {
        matches!(key, "delivery_receipts" | "read_receipts" | "mouse" | "notify" | "stay")
    }

    fn apply(&mut self, key: &str, item: &Item) -> Result<(), String> {
        let text = || item.as_str().ok_or_else(|| format!("`{key}` takes a text in quotes"));
        let switch = || item.as_bool().ok_or_else(|| format!("`{key}` takes true or false"));
        match key {
            "network" => self.network = short(key, text()?, MAX_LINK)?,
            "name" => self.name = short(key, text()?, MAX_NAME_CHARS)?,
            "download_dir" => self.download_dir = short(key, text()?, 4096)?.map(PathBuf::from),
            "route" => self.route = one_of(key, Route::parse(text()?), Route::WORDS)?,
            "cover" => self.cover = one_of(key, Cover::parse(text()?), Cover::WORDS)?,
            "box_sizes" => self.box_sizes = one_of(key, BoxSizes::parse(text()?), BoxSizes::WORDS)?,
            "send_delay" => {
                self.send_delay = one_of(key, span_or_off(text()?), &["off", "0.5s-3s"])?;
            }
            "dummies" => self.dummies = one_of(key, span_or_off(text()?), &["off", "30s-60s"])?,
            "entry" => self.entry = one_of(key, Entry::parse(text()?), Entry::WORDS)?,
            "tor" => self.tor = one_of(key, TorEngine::parse(text()?), TorEngine::WORDS)?,
            "proxy" => {
                self.proxy =
                    one_of(key, proxy_or_off(text()?), &["off", "socks5://127.0.0.1:1080"])?;
            }
            "lan" => self.lan = one_of(key, LanUse::parse(text()?), LanUse::WORDS)?,
            "lan_interfaces" => {
                self.lan_interfaces = one_of(key, interfaces(text()?), &["private", "wlan0 eth0"])?;
            }
            "floor" => self.floor = one_of(key, Floor::parse(text()?), Floor::WORDS)?,
            "accept_files" => {
                self.accept_files = one_of(key, AcceptFiles::parse(text()?), AcceptFiles::WORDS)?;
            }
            "keep" => {
                self.keep = one_of(key, Keep::parse(text()?), &["forever", "session", "30d"])?;
            }
            "file_limit" => {
                self.file_limit =
                    one_of(key, units::parse_size(text()?), &["512KiB", "100MiB", "2GiB"])?;
            }
            "theme" => self.theme = one_of(key, Theme::parse(text()?), Theme::WORDS)?,
            "mouse" => self.mouse = switch()?,
            "notify" => self.notify = switch()?,
            "stay" => self.stay = switch()?,
            "delivery_receipts" => self.delivery_receipts = switch()?,
            "read_receipts" => self.read_receipts = switch()?,
            _ => return Err("unknown setting".to_owned()),
        }
        Ok(())
    }
}

/// `off`, or a span of time as [`units::parse_span`] reads it.
#[must_use]
pub fn span_or_off(word: &str) -> Option<Option<(u64, u64)>> {
    if word == "off" { Some(None) } else { units::parse_span(word).map(Some) }
}

/// `off`, or a URL of a SOCKS5 proxy.
fn proxy_or_off(word: &str) -> Option<Option<String>> {
    let is_url = word.starts_with("socks5://") || word.starts_with("socks5h://");
    match word {
        "off" => Some(None),
        url if is_url && url.len() <= MAX_LINK => Some(Some(url.to_owned())),
        _ => None,
    }
}

/// `private`, or up to 16 names of interfaces of up to 15 characters each.
fn interfaces(words: &str) -> Option<Vec<String>> {
    if words.trim() == "private" {
        return Some(Vec::new());
    }
    let names: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
    let fits = |n: &String| n.len() <= 15 && n.chars().all(|c| c.is_ascii_graphic() && c != '/');
    ((1..=16).contains(&names.len()) && names.iter().all(fits)).then_some(names)
}

fn one_of<T>(key: &str, value: Option<T>, words: &[&str]) -> Result<T, String> {
    value.ok_or_else(|| {
        format!(
            "`{key}` takes {}",
            words.iter().map(|w| format!("\"{w}\"")).collect::<Vec<_>>().join(", ")
        )
    })
}

fn short(key: &str, text: &str, max: usize) -> Result<Option<String>, String> {
    if text.chars().count() > max {
        return Err(format!("`{key}` takes at most {max} characters"));
    }
    if text.chars().any(char::is_control) {
        return Err(format!("`{key}` takes no control characters"));
    }
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

fn read(path: &Path) -> Result<String, Error> {
    let bytes = files::read(path, MAX_FILE, WHAT)?;
    String::from_utf8(bytes.to_vec())
        .map_err(|_| Error::Config { line: 1, why: "this is not UTF-8".to_owned() })
}

/// The line of a byte position, from 1.
fn line_of(text: &str, at: Option<usize>) -> usize {
    let before = at.and_then(|at| text.as_bytes().get(..at)).unwrap_or_default();
    1 + before.iter().filter(|&&b| b == b'\n').count()
}

/// A key as it may be shown on a terminal: short, and without control characters.
fn printable(key: &str) -> String {
    key.chars().take(40).map(|c| if c.is_control() { '\u{FFFD}' } else { c }).collect()
}

/// The known key with the fewest changes from this one.
fn nearest(key: &str) -> &'static str {
    let key: Vec<char> = key.chars().take(40).collect();
    Config::KEYS.into_iter().min_by_key(|known| distance(&key, known)).unwrap_or("")
}

/// The Levenshtein distance.
fn distance(a: &[char], b: &str) -> usize {
    let mut row: Vec<usize> = (0..=a.len()).collect();
    for (i, cb) in b.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, ca) in a.iter().enumerate() {
            let cost = diagonal + usize::from(*ca != cb);
            diagonal = row[j + 1];
            row[j + 1] = cost.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[a.len()]
}

//! `config.toml`: the settings that a person edits, read strictly and written back without losing a
//! comment.

use std::path::{Path, PathBuf};

use toml_edit::{Document, DocumentMut, Item, Value};

use crate::{Error, files, units};

/// Name of the file in a profile's directory.
pub const CONFIG_FILE: &str = "config.toml";
/// The commented file that a new profile gets.
pub const DEFAULT_CONFIG: &str = include_str!("config/default.toml");

const WHAT: &str = "config.toml";
const MAX_FILE: usize = 64 * 1024;
const MAX_NAME_CHARS: usize = 64;
const MAX_LINK: usize = 8 * 1024;

macro_rules! choice {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            /// All choices, as written.
            pub const WORDS: &'static [&'static str] = &[$($text),+];

            /// From the word in the file.
            #[must_use]
            pub fn parse(word: &str) -> Option<Self> {
                match word { $($text => Some($name::$variant),)+ _ => None }
            }

            /// The word in the file.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self { $($name::$variant => $text),+ }
            }
        }
    };
}

choice!(
    /// How messages travel.
    Route {
        /// Through relays.
        Onion = "onion",
        /// Straight to the hub.
        Direct = "direct",
        /// Through Tor to the hub.
        Tor = "tor",
        /// Through Tor to the first relay.
        TorOnion = "tor+onion",
    }
);
choice!(
    /// Who speaks Tor.
    TorEngine {
        /// The Tor inside the program.
        Arti = "arti",
        /// A tor that runs on this machine.
        System = "system",
        /// A tor that the program starts for itself.
        Private = "private",
        /// Nobody: routes through Tor are not used.
        Off = "off",
    }
);
choice!(
    /// Whether neighbours on the local network are looked for.
    LanUse {
        /// No.
        Off = "off",
        /// Yes, beside the other routes.
        On = "on",
        /// Yes, and nothing else is used.
        Only = "only",
    }
);
choice!(
    /// How much cover traffic.
    Cover {
        /// As the network's document says.
        Network = "network",
        /// None.
        Off = "off",
        /// Little.
        Low = "low",
        /// The usual amount.
        Normal = "normal",
    }
);
choice!(
    /// Sizes of the boxes that messages are sealed into, off the onion route.
    BoxSizes {
        /// All of one size.
        Uniform = "uniform",
        /// The smallest of four sizes.
        Ladder = "ladder",
    }
);
choice!(
    /// Which relay comes first.
    Entry {
        /// The same for 30 days.
        Pinned = "pinned",
        /// Another each time.
        Random = "random",
    }
);
choice!(
    /// The routes that new conversations may ever use.
    Floor {
        /// All.
        Anywhere = "anywhere",
        /// Onion, tor, lan.
        Hidden = "hidden",
        /// Onion only.
        Onion = "onion",
        /// Tor only.
        Tor = "tor",
        /// The local network only.
        Lan = "lan",
    }
);
choice!(
    /// What happens to a file that somebody offers.
    AcceptFiles {
        /// The person is asked.
        Ask = "ask",
        /// Verified contacts' files are fetched, others are asked about.
        Contacts = "contacts",
        /// Refused.
        Never = "never",
    }
);

choice!(
    /// Colours of the full screen in a terminal.
    Theme {
        /// Light on dark.
        Dark = "dark",
        /// Dark on light.
        Light = "light",
        /// The palette of that name.
        Nord = "nord",
        /// As much contrast as there is.
        Contrast = "contrast",
        /// No colours.
        Plain = "plain",
    }
);

/// How long history stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Keep {
    /// Until it is removed by hand.
    Forever,
    /// Nothing is written to the disk.
    Session,
    /// This long, ms.
    For(u64),
}

impl Keep {
    /// From the word in the file.
    #[must_use]
    pub fn parse(word: &str) -> Option<Keep> {
        match word {
            "forever" => Some(Keep::Forever),
            "session" => Some(Keep::Session),
            duration => units::parse_duration(duration).map(Keep::For),
        }
    }
}

/// The settings.
#[derive(Clone, PartialEq, Eq)]
pub struct Config {
    /// A link of the network for new invites; whoever uses it parses it.
    pub network: Option<String>,
    /// How messages travel.
    pub route: Route,
    /// How much cover traffic.
    pub cover: Cover,
    /// Sizes of boxes off the onion route.
    pub box_sizes: BoxSizes,
    /// How long a box waits before it leaves, off the onion route, from and to ms.
    pub send_delay: Option<(u64, u64)>,
    /// After which idle time a dummy leaves, off the onion route, from and to ms.
    pub dummies: Option<(u64, u64)>,
    /// Which relay comes first.
    pub entry: Entry,
    /// Who speaks Tor.
    pub tor: TorEngine,
    /// Whether neighbours on the local network are looked for.
    pub lan: LanUse,
    /// The interfaces for that, by their names; empty: all that have private addresses only.
    pub lan_interfaces: Vec<String>,
    /// The floor of new conversations.
    pub floor: Floor,
    /// What contacts see: up to 64 characters, none of them a control character.
    pub name: Option<String>,
    /// How long history stays.
    pub keep: Keep,
    /// Whether others are shown that a message came here.
    pub delivery_receipts: bool,
    /// Whether others are shown that a message was read.
    pub read_receipts: bool,
    /// What happens to files.
    pub accept_files: AcceptFiles,
    /// Largest file that is fetched, bytes.
    pub file_limit: u64,
    /// Where files go, if not into the profile.
    pub download_dir: Option<PathBuf>,
    /// Colours in a terminal.
    pub theme: Theme,
    /// Whether the full screen in a terminal takes the mouse.
    pub mouse: bool,
    /// Whether it tells of new messages by bell and notice.
    pub notify: bool,
    /// Whether a daemon that was started on demand goes on when the last face is gone.
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

/// A setting, for a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Its key.
    pub key: &'static str,
    /// Its value, as a person types it; the default where the file says nothing.
    pub value: String,
    /// What it means, in a few lines.
    pub help: String,
    /// The values that it can have, where they can be listed.
    pub choices: &'static [&'static str],
}

impl Config {
    /// All keys, in the order of the default file.
    pub const KEYS: [&'static str; 22] = [
        "network",
        "route",
        "cover",
        "box_sizes",
        "send_delay",
        "dummies",
        "entry",
        "tor",
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

    /// Reads a file. What it does not say has its default.
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

    /// Changes one setting in the file, keeps every comment, and gives the new settings. `value` is
    /// as a person types it: without quotes.
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

    /// All settings of a file, in the order of the default file.
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
            // The first comment of the file is about the file.
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
                self.send_delay = one_of(key, span_or_off(text()?), &["off", "0.5s-3s"])?
            }
            "dummies" => self.dummies = one_of(key, span_or_off(text()?), &["off", "30s-60s"])?,
            "entry" => self.entry = one_of(key, Entry::parse(text()?), Entry::WORDS)?,
            "tor" => self.tor = one_of(key, TorEngine::parse(text()?), TorEngine::WORDS)?,
            "lan" => self.lan = one_of(key, LanUse::parse(text()?), LanUse::WORDS)?,
            "lan_interfaces" => {
                self.lan_interfaces = one_of(key, interfaces(text()?), &["private", "wlan0 eth0"])?
            }
            "floor" => self.floor = one_of(key, Floor::parse(text()?), Floor::WORDS)?,
            "accept_files" => {
                self.accept_files = one_of(key, AcceptFiles::parse(text()?), AcceptFiles::WORDS)?
            }
            "keep" => {
                self.keep = one_of(key, Keep::parse(text()?), &["forever", "session", "30d"])?
            }
            "file_limit" => {
                self.file_limit =
                    one_of(key, units::parse_size(text()?), &["512KiB", "100MiB", "2GiB"])?
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

/// The known key that is the fewest changes away.
fn nearest(key: &str) -> &'static str {
    let key: Vec<char> = key.chars().take(40).collect();
    Config::KEYS.into_iter().min_by_key(|known| distance(&key, known)).unwrap_or("")
}

/// Levenshtein's distance.
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_default_file_says_the_defaults_and_all_of_them() {
        assert!(Config::parse(DEFAULT_CONFIG).unwrap() == Config::default());
        let document: DocumentMut = DEFAULT_CONFIG.parse().unwrap();
        assert!(document.iter().map(|(k, _)| k).eq(Config::KEYS));
        assert!(Config::parse("").unwrap() == Config::default());
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line_and_a_hint() {
        let error = Config::parse("# one\nroute = \"direct\"\n\nkeeep = \"30d\"\n").unwrap_err();
        assert!(
            matches!(&error, Error::UnknownKey { line: Some(4), key, nearest: "keep" } if key == "keeep")
        );
        assert_eq!(
            error.to_string(),
            "config.toml, line 4: unknown setting `keeep`; did you mean `keep`?"
        );
        let table = Config::parse("[read_receipt]\nx = 1\n").unwrap_err();
        assert!(matches!(table, Error::UnknownKey { line: Some(1), nearest: "read_receipts", .. }));
    }

    #[test]
    fn a_wrong_value_is_told_with_its_line_and_without_the_value() {
        for (text, line, why) in [
            (
                "\nroute = \"pigeon\"",
                2,
                "`route` takes \"onion\", \"direct\", \"tor\", \"tor+onion\"",
            ),
            ("read_receipts = \"pigeon\"", 1, "`read_receipts` takes true or false"),
            ("keep = \"pigeon\"", 1, "`keep` takes \"forever\", \"session\", \"30d\""),
            ("name = \"pi\\u0007geon\"", 1, "`name` takes no control characters"),
            ("lan = \"maybe\"", 1, "`lan` takes \"off\", \"on\", \"only\""),
            ("lan_interfaces = \"a/b\"", 1, "`lan_interfaces` takes \"private\", \"wlan0 eth0\""),
            ("box_sizes = \"huge\"", 1, "`box_sizes` takes \"uniform\", \"ladder\""),
            ("send_delay = \"3s-1s\"", 1, "`send_delay` takes \"off\", \"0.5s-3s\""),
            ("dummies = \"yes\"", 1, "`dummies` takes \"off\", \"30s-60s\""),
            ("keep = 30", 1, "`keep` takes a text in quotes"),
        ] {
            match Config::parse(text).unwrap_err() {
                Error::Config { line: l, why: w } => assert_eq!((l, w.as_str()), (line, why)),
                other => panic!("{other}"),
            }
        }
        assert!(matches!(Config::parse("a\nb = \"").unwrap_err(), Error::Config { .. }));
        assert!(matches!(
            Config::parse("keep = \"1d\"\nkeep = \"2d\"").unwrap_err(),
            Error::Config { line: 2, .. }
        ));
    }

    #[test]
    fn traffic_is_shaped_as_the_file_says() {
        let text = "box_sizes = \"ladder\"\nsend_delay = \"0.5s-3s\"\ndummies = \"30s-60s\"\n";
        let config = Config::parse(text).unwrap();
        assert_eq!(config.box_sizes, BoxSizes::Ladder);
        assert_eq!(
            (config.send_delay, config.dummies),
            (Some((500, 3_000)), Some((30_000, 60_000)))
        );
    }

    #[test]
    fn a_list_of_settings_says_what_each_means() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(CONFIG_FILE);
        std::fs::write(&path, "read_receipts = false\nname = \"N\"\n").unwrap();
        let all = Config::entries(&path).unwrap();
        assert!(all.iter().map(|e| e.key).eq(Config::KEYS));
        let of = |key: &str| all.iter().find(|e| e.key == key).unwrap();
        assert_eq!((of("name").value.as_str(), of("read_receipts").value.as_str()), ("N", "false"));
        assert_eq!((of("route").value.as_str(), of("route").choices), ("onion", Route::WORDS));
        assert!(
            of("route").help.starts_with("How messages travel.\n  \"onion\"  "),
            "{}",
            of("route").help
        );
        assert!(all.iter().all(|e| !e.help.is_empty() && !e.help.contains('#')));
        assert!(
            of("network").help.starts_with("The network that new invites use"),
            "{}",
            of("network").help
        );
    }

    #[test]
    fn a_change_keeps_comments_and_order() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(CONFIG_FILE);
        let text = "# mine\nkeep = \"forever\" # for now\n\n# last\nname = \"N\"\n";
        std::fs::write(&path, text).unwrap();
        let config = Config::set(&path, "keep", "30d").unwrap();
        assert_eq!(config.keep, Keep::For(30 * 86_400_000));
        assert!(!Config::set(&path, "read_receipts", "off").unwrap().read_receipts);
        let after = std::fs::read_to_string(&path).unwrap();
        assert_eq!(after, text.replace("\"forever\"", "\"30d\"") + "read_receipts = false\n");
        assert!(Config::set(&path, "keep", "soon").is_err());
        let unknown = Config::set(&path, "nam", "x").unwrap_err();
        assert_eq!(unknown.to_string(), "unknown setting `nam`; did you mean `name`?");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), after, "unchanged after an error");
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,200}", key in "[a-z_]{1,12}", value in "\\PC{0,30}") {
            let _ = Config::parse(&text);
            let _ = Config::parse(&format!("{key} = {value}"));
            let _ = nearest(&text);
        }

        #[test]
        fn any_name_is_written_and_read_back(name in "[^\\p{Cc}]{1,64}") {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join(CONFIG_FILE);
            std::fs::write(&path, DEFAULT_CONFIG).unwrap();
            let config = Config::set(&path, "name", &name).unwrap();
            prop_assert_eq!(config.name.as_deref(), Some(name.as_str()));
            prop_assert_eq!(Config::load(&path).unwrap().name, config.name);
        }
    }
}

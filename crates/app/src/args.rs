//! The command line, as `clap` reads it.

use std::path::PathBuf;

use clap::{Args, CommandFactory, Parser, Subcommand};
use nodes::directory::DirectoryArgs;
use nodes::hub::HubArgs;
use nodes::hub_rooms::HubRoomsArgs;
use nodes::onion_site::OnionSiteArgs;
use nodes::primary::PrimaryArgs;
use nodes::relay::RelayArgs;
use nodes::room::RoomArgs;
use nodes::up::UpArgs;
use settings::{CoverArg, EntryArg, On, ProfileArgs, RouteArg, ShapingArgs, TorArgs};

use crate::serve_web::WebArgs;

const AFTER_HELP: &str = "\
Every command has its own --help. Quote links: the shell treats # as the start of a comment.

Exit codes:
  0  done
  1  other failure
  2  invalid command line
  3  invalid setting, link or name
  4  disk error, or unreadable data on disk
  5  no connection
  6  a relay, hub or peer violated the protocol
  7  incompatible version on the other side
  70 internal error (a bug)";

/// Anonymous messenger: no account, no phone number, no name on any server.
#[derive(Debug, Parser)]
#[command(name = "hushwing", version, after_help = AFTER_HELP, max_term_width = 100)]
pub struct Cli {
    /// What to do; if omitted, hushwing asks.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Log to stderr what happens, such as paths and packet sizes (repeat for more).
    #[arg(short, long, action = clap::ArgAction::Count, global = true, alias = "debug")]
    pub verbose: u8,

    /// Send everything through this SOCKS5 proxy [default: HUSHWING_PROXY].
    #[arg(long, global = true, value_name = "URL")]
    pub proxy: Option<String>,
}

impl Cli {
    /// The command line with the commands of its help under headings, which `clap` cannot do for
    /// subcommands.
    #[must_use]
    pub fn with_headings() -> clap::Command {
        let command = Cli::command();
        let list = headed(&command);
        command.help_template(format!(
            "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n{list}\nOptions:\n{{options}}{{after-help}}"
        ))
    }
}

/// The commands, a line each, under their headings.
fn headed(command: &clap::Command) -> String {
    let width = 13;
    let mut text = String::new();
    for (heading, names) in cli::HEADINGS {
        text.push_str(&format!("\n{heading}:\n"));
        for name in *names {
            let about = command.find_subcommand(name).and_then(clap::Command::get_about);
            let about = about.map(ToString::to_string).unwrap_or_default();
            text.push_str(&format!("  {name:width$}{about}\n"));
        }
    }
    text
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a whole network on this machine and print a room link.
    #[command(alias = "server")]
    Up(UpArgs),
    /// Open your conversations in this terminal, or join a room.
    Chat(ChatArgs),
    /// Try it out: a network on this machine, two scripted talkers, and you.
    Demo(DemoArgs),
    /// Open your conversations in a browser.
    Web(On<WebArgs>),
    #[allow(missing_docs, reason = "its commands are listed here, each with its own text")]
    #[command(flatten)]
    Profile(cli::Commands),
    /// Diagnose the connection to a room.
    Doctor(DoctorArgs),
    /// Run one part of a network: a relay, a hub or a directory.
    #[command(subcommand)]
    Node(NodeCommand),
    #[allow(missing_docs, reason = "the new spelling says what it is")]
    #[command(hide = true)]
    Directory(DirectoryArgs),
    #[allow(missing_docs, reason = "the new spelling says what it is")]
    #[command(hide = true)]
    Relay(RelayArgs),
    #[allow(missing_docs, reason = "the new spelling says what it is")]
    #[command(hide = true)]
    Hub(HubArgs),
    /// Host a room behind a Tor onion service and print its link.
    Host(crate::host::HostArgs),
    /// Let people join an open room from a browser, as your guests.
    Guests(crate::guests::GuestsArgs),
    /// Manage Tor: settings, keys for restricted onion services, connection check.
    Tor(TorCommandArgs),
    /// Serve static folders as onion services.
    OnionSite(OnionSiteArgs),
    /// Run a network with short-lived relays, all replaced in every cycle.
    Primary(PrimaryArgs),
    /// Send a packet through a network and verify which nodes processed it.
    Trace(crate::trace::TraceArgs),
    /// Create a room on a network and print its link.
    Room(RoomArgs),
    /// Run benchmarks on this machine.
    Bench(BenchArgs),
    /// Print the SHA-256 of this program and compare it with the expected one.
    SelfCheck(SelfCheckArgs),
    /// Print the completion script for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Write the man pages into a directory.
    Man {
        /// Output directory, which must exist.
        dir: PathBuf,
    },
}

/// What `node` runs.
#[derive(Debug, Subcommand)]
pub enum NodeCommand {
    /// Run a relay (a mix).
    Relay(RelayArgs),
    /// Run a hub: it stores encrypted messages until they expire.
    Hub(HubArgs),
    /// Run a directory: it admits relays and hubs, and signs the network document.
    Directory(DirectoryArgs),
    /// Give rooms storage of their own at a hub; list, purge or remove them.
    Rooms(HubRoomsArgs),
}

/// Settings of `chat`.
#[derive(Debug, Clone, Args)]
pub struct ChatArgs {
    /// Room link or invite link; without one, shows all your conversations.
    pub link: Option<String>,
    /// Line mode for a room (implied without a terminal, by --json and by settings for one room).
    #[arg(long)]
    pub plain: bool,
    /// Read the link from this file, which keeps it out of the process list.
    #[arg(long, value_name = "FILE", conflicts_with = "link")]
    pub link_file: Option<PathBuf>,
    /// Your name in this room [default: random].
    #[arg(long)]
    pub nick: Option<String>,
    /// Route for messages [default: onion, or tor if the link has only onion addresses].
    #[arg(long, value_enum)]
    pub route: Option<RouteArg>,
    /// Cover traffic [default: the network's setting].
    #[arg(long, value_enum)]
    pub cover: Option<CoverArg>,
    /// How the entry relay is chosen.
    #[arg(long, value_enum, default_value_t = EntryArg::Pinned)]
    pub entry: EntryArg,
    #[command(flatten)]
    pub shaping: ShapingArgs,
    /// Keep the network document and the pinned entry relay in this directory [default: keep
    /// nothing].
    #[arg(long)]
    pub dir: Option<PathBuf>,
    /// Your client key, for networks that admit only enrolled clients.
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// Print delivery states of sent messages to stderr.
    #[arg(long)]
    pub states: bool,
    /// Print every event to stdout as one line of JSON.
    #[arg(long)]
    pub json: bool,
    /// Profile to open.
    #[command(flatten)]
    pub at: ProfileArgs,
    /// Tor's own settings.
    #[command(flatten)]
    pub tor: TorArgs,
}

/// Settings of `demo`.
#[derive(Debug, Clone, Args)]
pub struct DemoArgs {
    /// Messages that each scripted talker sends.
    #[arg(long, default_value_t = 5)]
    pub messages: u32,
    /// Mean of the random delay at each hop, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 20)]
    pub mean_delay: u32,
}

/// Settings of `doctor`.
#[derive(Debug, Clone, Args)]
pub struct DoctorArgs {
    /// The room's link.
    #[arg(required_unless_present = "lan")]
    pub link: Option<String>,
    /// Check the local network: can neighbours hear and reach this device?
    #[arg(long)]
    pub lan: bool,
    /// Interface to check, such as wlan0; repeatable [default: all with only private addresses].
    #[arg(long, value_name = "NAME", requires = "lan")]
    pub interface: Vec<String>,
    /// Your client key, for networks that admit only enrolled clients.
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    /// Check through Tor, as the routes tor and tor+onion do.
    #[arg(long)]
    pub through_tor: bool,
    /// Tor's own settings.
    #[command(flatten)]
    pub tor: TorArgs,
}

/// Settings of `tor`.
#[derive(Debug, Clone, Args)]
pub struct TorCommandArgs {
    /// What to do.
    #[command(subcommand)]
    pub what: TorWhat,
}

/// What `tor` does.
#[derive(Debug, Clone, Subcommand)]
pub enum TorWhat {
    /// Print a commented settings file, to be used with --tor-settings or HUSHWING_TOR_SETTINGS.
    Settings,
    /// Check whether Tor connects.
    Check {
        /// Tor's own settings.
        #[command(flatten)]
        tor: TorArgs,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Create a key for a restricted onion service and print its public half, for the owner.
    Key {
        /// The onion service, such as NAME.onion.
        onion: String,
        /// Write the secret half to this new file (mode 0600).
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

/// Settings of `self-check`.
#[derive(Debug, Clone, Args)]
pub struct SelfCheckArgs {
    /// Write the checksum to this file, in the format of `sha256sum`.
    #[arg(long, value_name = "FILE", conflicts_with = "against")]
    pub write: Option<PathBuf>,
    /// Compare with this file [default: HUSHWING_SHA256, or `hushwing.sha256` beside the program].
    #[arg(long, value_name = "FILE")]
    pub against: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Settings of `bench`.
#[derive(Debug, Clone, Args)]
pub struct BenchArgs {
    /// What to measure.
    #[command(subcommand)]
    pub what: BenchWhat,
}

/// What `bench` measures.
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum BenchWhat {
    /// Relay: TLS in, unwrap, TLS out, without delays; packets per second.
    Relay {
        /// Packets to send through it.
        #[arg(long, default_value_t = 20_000)]
        packets: u32,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Hub: durable puts per second, and one put to many watchers.
    Hub {
        /// Boxes to put.
        #[arg(long, default_value_t = 40_000)]
        boxes: u32,
        /// Watchers of one box.
        #[arg(long, default_value_t = 1_000)]
        watchers: u32,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Encryption: messages per second in groups of 2, 10 and 100, without a network.
    Messages {
        /// Messages to send in each.
        #[arg(long, default_value_t = 1_000)]
        messages: u32,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// A room full of people, with the hub's bounds and without a network.
    Crowd {
        /// People who talk.
        #[arg(long, default_value_t = 200)]
        talkers: usize,
        /// More people, who read.
        #[arg(long, default_value_t = 200)]
        readers: usize,
        /// Lines that each talker says, in a minute.
        #[arg(long, default_value_t = 4)]
        lines: usize,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Latency from a client through relays and hub to a reader, without delays.
    Path {
        /// Messages to send, one after another.
        #[arg(long, default_value_t = 1_000)]
        messages: u32,
        /// Relays on each path.
        #[arg(long, default_value_t = 3)]
        hops: u8,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_command_that_help_shows_stands_under_one_heading() {
        let command = Cli::command();
        let shown: BTreeSet<&str> = command
            .get_subcommands()
            .filter(|c| !c.is_hide_set())
            .map(clap::Command::get_name)
            .collect();
        let listed: Vec<&str> =
            cli::HEADINGS.iter().flat_map(|(_, names)| *names).copied().collect();
        let once: BTreeSet<&str> = listed.iter().copied().collect();
        assert_eq!(listed.len(), once.len(), "a command stands under two headings");
        assert_eq!(once, shown);
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::with_headings().debug_assert();
    }
}

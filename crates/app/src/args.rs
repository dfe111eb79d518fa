//! The command line, as `clap` reads it.

use std::path::PathBuf;

use clap::{Args, CommandFactory, Parser, Subcommand};
use nodes::directory::DirectoryArgs;
use nodes::hub::HubArgs;
use nodes::onion_site::OnionSiteArgs;
use nodes::primary::PrimaryArgs;
use nodes::relay::RelayArgs;
use nodes::room::RoomArgs;
use nodes::up::UpArgs;
use settings::{CoverArg, EntryArg, On, ProfileArgs, RouteArg, ShapingArgs, TorArgs};

use crate::serve_web::WebArgs;

const AFTER_HELP: &str = "\
`hushwing COMMAND --help` says more. Put links in quotes: a shell takes # for a comment.

Exit codes:
  0  done
  1  something else went wrong
  2  the command line is wrong
  3  a setting, link or name is wrong
  4  the disk refuses or holds something unreadable
  5  no connection
  6  a relay, hub or peer broke the protocol
  7  the other side needs another version
  70 a mistake of this program";

/// Private talk that nobody sees happening: no account, no phone number, no name on any server.
#[derive(Debug, Parser)]
#[command(name = "hushwing", version, after_help = AFTER_HELP, max_term_width = 100)]
pub struct Cli {
    /// What to do; without it hushwing asks.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Print what happens on stderr: paths, packet sizes. Twice for more.
    #[arg(short, long, action = clap::ArgAction::Count, global = true, alias = "debug")]
    pub verbose: u8,
}

impl Cli {
    /// The command line with the commands of its help under headings, which `clap` cannot do for
    /// subcommands by itself.
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
    let width = 12;
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
    /// Run a whole network on this machine. Prints the link of a room.
    #[command(alias = "server")]
    Up(UpArgs),
    /// Open your conversations on a full screen, or enter a room.
    Chat(ChatArgs),
    /// See it at work on this machine: a network, two talkers, and you.
    Demo(DemoArgs),
    /// Open your messenger in a browser.
    Web(On<WebArgs>),
    #[allow(missing_docs, reason = "its commands are listed here, each with its own text")]
    #[command(flatten)]
    Profile(cli::Commands),
    /// Find what is broken on the way to a room.
    Doctor(DoctorArgs),
    /// Run one node of a network: a relay, a hub or a directory.
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
    /// Host a room behind an onion service of Tor, without a network. Prints its link.
    Host(crate::host::HostArgs),
    /// Let people who have only a browser into an open room, as your guests.
    Guests(crate::guests::GuestsArgs),
    /// Look after Tor: settings, keys for restricted onion services, whether it connects.
    Tor(TorCommandArgs),
    /// Serve static folders as onion services.
    OnionSite(OnionSiteArgs),
    /// Run a network whose relays live for a while only and are renewed at each cycle.
    Primary(PrimaryArgs),
    /// Send a packet through a network with tallies, and verify which nodes processed it.
    Trace(crate::trace::TraceArgs),
    /// Make a room on a network, and print its link.
    Room(RoomArgs),
    /// Measure whole paths on this machine.
    Bench(BenchArgs),
    /// Print the SHA-256 of this program, and compare it with what it should be.
    SelfCheck(SelfCheckArgs),
    /// Print a shell's completion script.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Write the man pages into a directory.
    Man {
        /// The directory.
        dir: PathBuf,
    },
}

/// What `node` runs.
#[derive(Debug, Subcommand)]
pub enum NodeCommand {
    /// Run a relay (a mix).
    Relay(RelayArgs),
    /// Run a hub: it stores boxes for a while.
    Hub(HubArgs),
    /// Run a directory: it admits relays and hubs, and signs the network document.
    Directory(DirectoryArgs),
}

/// Settings of `chat`.
#[derive(Debug, Clone, Args)]
pub struct ChatArgs {
    /// The room's link, or an invite's; without one a terminal shows all your conversations.
    pub link: Option<String>,
    /// Line mode, for a room: also used without a terminal, with --json, and with settings of one
    /// room's own.
    #[arg(long)]
    pub plain: bool,
    /// Read the link from this file (keeps it out of the process list).
    #[arg(long, value_name = "FILE", conflicts_with = "link")]
    pub link_file: Option<PathBuf>,
    /// Your name in this room; random when not given.
    #[arg(long)]
    pub nick: Option<String>,
    /// How messages travel; default: through the relays, or through Tor when the link has onion
    /// addresses only.
    #[arg(long, value_enum)]
    pub route: Option<RouteArg>,
    /// Cover traffic; default: what the network says.
    #[arg(long, value_enum)]
    pub cover: Option<CoverArg>,
    /// How the entry relay is chosen.
    #[arg(long, value_enum, default_value_t = EntryArg::Pinned)]
    pub entry: EntryArg,
    #[command(flatten)]
    pub shaping: ShapingArgs,
    /// Keep the network document and the pinned entry relay here; default: nothing is kept.
    #[arg(long)]
    pub dir: Option<PathBuf>,
    /// Your client key, in a network whose document goes to enrolled clients only.
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// Write states of sent messages to stderr.
    #[arg(long)]
    pub states: bool,
    /// Write every event as a line of JSON to stdout.
    #[arg(long)]
    pub json: bool,
    /// Whose conversations the full screen shows.
    #[command(flatten)]
    pub at: ProfileArgs,
    /// Tor's own settings.
    #[command(flatten)]
    pub tor: TorArgs,
}

/// Settings of `demo`.
#[derive(Debug, Clone, Args)]
pub struct DemoArgs {
    /// Messages that each scripted talker says.
    #[arg(long, default_value_t = 5)]
    pub messages: u32,
    /// Mean of the random delay at each hop, ms.
    #[arg(long, value_name = "MS", default_value_t = 20)]
    pub mean_delay: u32,
}

/// Settings of `doctor`.
#[derive(Debug, Clone, Args)]
pub struct DoctorArgs {
    /// The room's link.
    #[arg(required_unless_present = "lan")]
    pub link: Option<String>,
    /// Look at the local network: whether neighbours can hear and reach this device.
    #[arg(long)]
    pub lan: bool,
    /// The interfaces for that, as in wlan0; default: all that have private addresses only.
    #[arg(long, value_name = "NAME", requires = "lan")]
    pub interface: Vec<String>,
    /// Your client key, in a network whose document goes to enrolled clients only.
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// Report as JSON.
    #[arg(long)]
    pub json: bool,
    /// Look through Tor, as the routes tor and tor+onion do.
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
    /// Print a commented settings file: save it, and name it with --tor-settings or
    /// HUSHWING_TOR_SETTINGS.
    Settings,
    /// Connect, say how that went, and stop.
    Check {
        /// Tor's own settings.
        #[command(flatten)]
        tor: TorArgs,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Make a key for a restricted onion service: the secret half into a file, the public half on
    /// stdout, for its owner.
    Key {
        /// The service: NAME.onion.
        onion: String,
        /// Where the secret half goes; a new file, mode 0600.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

/// Settings of `self-check`.
#[derive(Debug, Clone, Args)]
pub struct SelfCheckArgs {
    /// Write it to this file, as `sha256sum` does.
    #[arg(long, value_name = "FILE", conflicts_with = "against")]
    pub write: Option<PathBuf>,
    /// Compare with this file; default: HUSHWING_SHA256, or `hushwing.sha256` beside the program.
    #[arg(long, value_name = "FILE")]
    pub against: Option<PathBuf>,
    /// Report as JSON.
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
    /// TLS in → unwrap → TLS out, no delay: packets per second.
    Relay {
        /// Packets to push through.
        #[arg(long, default_value_t = 20_000)]
        packets: u32,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Durable puts per second, and one put to many watchers.
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
    /// Private conversations of 2, 10 and 100, without a network: messages per second; a vault of
    /// 10,000 messages.
    Messages {
        /// Messages to send in each.
        #[arg(long, default_value_t = 1_000)]
        messages: u32,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Client → relays → hub → relays → watcher, delays off: latency.
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

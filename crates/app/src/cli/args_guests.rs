//! The command line of `guests`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use settings::{RouteArg, TorArgs};

const AFTER_HELP: &str = "\
Guests need nothing but a browser. Your program talks in their place: it sees what they write, and the page tells them so.
Guests come and go by the page; whoever holds the link of the room itself can do without it.";

/// Settings of `guests`.
#[derive(Debug, Clone, Args)]
#[command(after_help = AFTER_HELP)]
pub struct GuestsArgs {
    /// The room's link, or `-` to read it from stdin (keeps it out of the process list).
    #[arg(value_name = "LINK|-")]
    pub link: String,
    /// What the page calls the room.
    #[arg(long, value_name = "TEXT", default_value = "Open room")]
    pub title: String,
    /// Where to listen. There is no TLS: on a LAN whoever is between reads along; beyond it prefer
    /// --onion.
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:42070")]
    pub listen: SocketAddr,
    /// A name or address under which guests ask, as in pi.local:42070; may be given several times.
    /// Default: what is listened on.
    #[arg(long, value_name = "HOST")]
    pub host: Vec<String>,
    /// Also as an onion service, with a new address each time.
    #[arg(long)]
    pub onion: bool,
    /// How guests' messages travel from here; default: a hidden route.
    #[arg(long, value_enum)]
    pub route: Option<RouteArg>,
    /// Keep the network document and the pinned entry relay here; default: nothing is kept.
    #[arg(long)]
    pub dir: Option<PathBuf>,
    /// Tor's own settings.
    #[command(flatten)]
    pub tor: TorArgs,
}

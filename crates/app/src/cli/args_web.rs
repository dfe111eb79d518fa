//! The command line of `web`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use settings::{CreateArgs, TorArgs};

const AFTER_HELP: &str = "\
Prints a link on stdout that lets one browser in, once. Only programs of this machine can reach it, unless --listen or --onion says
otherwise; then a passphrase is asked for, from HUSHWING_WEB_PASSPHRASE or the terminal, and kept as a hash in the profile.
It has the profile run in the background if nothing does yet, and ends by itself with the last face.";

/// Settings of `web`.
#[derive(Debug, Clone, Args)]
#[command(after_help = AFTER_HELP)]
pub struct WebArgs {
    /// Where to listen; default: 127.0.0.1:42069, or a free port when that is taken. There is no
    /// TLS: beyond this machine prefer --onion.
    #[arg(long, value_name = "IP:PORT")]
    pub listen: Option<SocketAddr>,
    /// A name or address under which browsers ask, as in pi.lan:42069; may be given several times.
    /// Default: what is listened on.
    #[arg(long, value_name = "HOST")]
    pub host: Vec<String>,
    /// Do not start a browser.
    #[arg(long)]
    pub no_open: bool,
    /// Also as an onion service that only holders of a key can find: for your phone with Tor
    /// Browser.
    #[arg(long)]
    pub onion: bool,
    /// Who may find the onion service: a file with a line `descriptor:x25519:…` for each; default:
    /// one key, which is printed.
    #[arg(long, value_name = "FILE", requires = "onion")]
    pub authorized: Option<PathBuf>,
    /// Let everybody find the onion service who knows its address: Tor Browser for Android takes no
    /// keys. The passphrase alone then keeps others out.
    #[arg(long, requires = "onion", conflicts_with = "authorized")]
    pub unrestricted: bool,
    /// Ask for a new passphrase.
    #[arg(long)]
    pub new_passphrase: bool,
    /// How a new profile is locked.
    #[command(flatten)]
    pub create: CreateArgs,
    /// Tor's own settings.
    #[command(flatten)]
    pub tor: TorArgs,
}

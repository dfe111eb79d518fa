//! `hushwing node directory`, alone or as one of several.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use api::Failure;
use clap::{Args, Subcommand};
use server::Directory;
use server::config::{Cover, DIRECTORY_EXAMPLE, DirectoryConfig};
use settings::{CoverArg, SandboxArg};
use wire::{Address, AuthorityCard, ErrorKind};

use crate::OrFail;
use crate::config_file;
use crate::map_port::{self, MapPortArgs};
use crate::onion::{OnionArgs, kept_name};

/// Port of a directory's onion service.
const PORT: u16 = 5999;

/// Arguments of `node directory`.
#[derive(Debug, Clone, Args)]
pub struct DirectoryArgs {
    /// What to do instead of running the directory.
    #[command(subcommand)]
    pub what: Option<DirectoryCommand>,
    /// Directory for keys and state, and for the files `network` and `token`.
    #[arg(long, global = true, default_value = "hushwing-directory")]
    pub dir: PathBuf,
    /// Settings file.
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print a commented settings file and exit.
    #[arg(long)]
    pub print_config: bool,
    /// Address to listen on.
    #[arg(long, global = true, value_name = "IP:PORT")]
    pub listen: Option<SocketAddr>,
    /// Address that others use, if it differs from --listen; give it again for another one.
    #[arg(long, global = true, value_name = "HOST:PORT")]
    pub announce: Vec<Address>,
    /// The router.
    #[command(flatten)]
    pub map_port: MapPortArgs,
    /// Length of an epoch, in seconds.
    #[arg(long, value_name = "S")]
    pub epoch: Option<u64>,
    /// Relays on each path.
    #[arg(long)]
    pub hops: Option<u8>,
    /// Mean random delay at each hop, in milliseconds.
    #[arg(long, value_name = "MS")]
    pub mean_delay: Option<u32>,
    /// Cover traffic of the clients.
    #[arg(long, value_enum)]
    pub cover: Option<CoverArg>,
    /// Confine this process with landlock and seccomp to its --dir and harmless system calls.
    #[arg(long, value_enum, value_name = "HOW", default_value_t = SandboxArg::On)]
    pub sandbox: SandboxArg,
    /// Tor.
    #[command(flatten)]
    pub onion: OnionArgs,
}

/// What `node directory` does beside running.
#[derive(Debug, Clone, Subcommand)]
pub enum DirectoryCommand {
    /// Print the card of this directory, for the operators of the other directories.
    Card {
        /// Name its onion address as well, as `node directory --tor` has it.
        #[arg(long, conflicts_with = "tor_only")]
        tor: bool,
        /// Name its onion address alone, as `node directory --tor-only` has it.
        #[arg(long)]
        tor_only: bool,
    },
    /// Make this directory one of several, and print the network that they make.
    Join {
        /// How many directories must sign a document: more than half of them.
        #[arg(long, value_name = "N")]
        threshold: u8,
        /// The cards of all directories, or files that contain them; this one's own among them, in
        /// any order.
        #[arg(required = true, value_name = "CARD")]
        cards: Vec<String>,
    },
}

/// Runs a directory until it is stopped, prints its card, or joins it with others.
///
/// # Errors
/// An invalid setting, a port in use, a state directory that cannot be written; cards that make no
/// network.
pub async fn run(mut args: DirectoryArgs) -> Result<(), Failure> {
    if args.print_config {
        print!("{DIRECTORY_EXAMPLE}");
        return Ok(());
    }
    match &args.what {
        Some(DirectoryCommand::Card { tor, tor_only }) => return card(&args, *tor, *tor_only),
        Some(DirectoryCommand::Join { threshold, cards }) => {
            return join(&args.dir, *threshold, cards);
        }
        None => {}
    }
    let mut config: DirectoryConfig = config_file::load(args.config.as_deref())?;
    if let Some(listen) = args.listen {
        config.listen = listen;
    }
    if !args.announce.is_empty() {
        config.announce = std::mem::take(&mut args.announce);
    }
    if let Some(epoch) = args.epoch {
        config.epoch_seconds = epoch;
    }
    if let Some(hops) = args.hops {
        config.min_relays = hops;
        config.max_relays = hops;
    }
    if let Some(delay) = args.mean_delay {
        config.mean_delay_ms = delay;
    }
    if let Some(level) = args.cover {
        config.cover = cover(level);
    }
    args.map_port.prepare(config.map_port, !args.onion.tor_only)?;
    let stop = settings::stopped();
    let mut onion = args.onion.start(&args.dir, &[PORT]).await?;
    let door = onion.as_mut().map(|o| o.door(PORT)).transpose()?;
    // Beside an onion service an address that only this machine reaches would lead others nowhere.
    let alone = args.onion.tor_only || args.onion.tor && config.listen.ip().is_loopback();
    let listen = (!alone).then_some(config.listen);
    let dialer = args.onion.dialer(onion.as_ref());
    let routes = args.map_port.routes();
    let directory =
        Directory::start_with(&args.dir, &config, listen, routes, door, dialer).await.or_fail()?;
    eprintln!(
        "directory is up; give {}/network and {}/token to relays and hubs",
        args.dir.display(),
        args.dir.display()
    );
    println!("{}", directory.pointer.to_text());
    tokio::select! {
        () = stop => {}
        () = map_port::tell("directory", directory.port_reports()) => {}
    }
    directory.stop().await;
    drop(onion);
    Ok(())
}

fn card(args: &DirectoryArgs, tor: bool, tor_only: bool) -> Result<(), Failure> {
    let config: DirectoryConfig = config_file::load(args.config.as_deref())?;
    let mut addresses: Vec<Address> = Vec::new();
    if !tor_only {
        addresses.extend(if args.announce.is_empty() { &config.announce } else { &args.announce });
        let listen = args.listen.unwrap_or(config.listen);
        if addresses.is_empty() && (listen.ip().is_unspecified() || listen.port() == 0) {
            return Err(Failure::new(
                ErrorKind::LocalConfig,
                format!("{listen} is not an address that others can reach"),
                "use --announce, or --listen with the address of this machine",
            ));
        }
        if addresses.is_empty() {
            addresses.push(listen.into());
        }
    }
    if tor || tor_only {
        addresses.push(Address::Onion(kept_name(&args.dir)?, PORT));
    }
    let card = server::directory::card(&args.dir, addresses).or_fail()?;
    eprintln!(
        "give this card to the operators of the other directories, through a channel you trust"
    );
    println!("{}", card.to_text());
    Ok(())
}

fn join(dir: &Path, threshold: u8, cards: &[String]) -> Result<(), Failure> {
    let cards = cards.iter().map(|text| read_card(text)).collect::<Result<Vec<_>, _>>()?;
    let of = cards.len();
    let pointer = server::directory::join(dir, threshold, cards).or_fail()?;
    for (n, directory) in (1..).zip(&pointer.directories).take(of) {
        eprintln!("directory {n}: {}", directory.address);
    }
    eprintln!("every directory must show this same network; start each with the same settings");
    let may_fail = of.saturating_sub(usize::from(threshold));
    if may_fail == 0 {
        eprintln!("warning: without even one of the {of} directories, no document is signed");
    }
    println!("{}", pointer.to_text());
    Ok(())
}

/// A card: the text itself, or a file that contains it.
fn read_card(text: &str) -> Result<AuthorityCard, Failure> {
    let bad = |what: String| {
        Failure::new(
            ErrorKind::LocalConfig,
            what,
            "a card starts with hushwing:authority#; `hushwing node directory card` prints it: copy all of it, and quote it because the shell treats # as a comment",
        )
    };
    if text.starts_with("hushwing:") {
        return text.parse().map_err(|e| bad(format!("invalid card: {e}")));
    }
    let read =
        std::fs::read_to_string(text).map_err(|e| bad(format!("cannot read {text}: {e}")))?;
    read.parse().map_err(|e| bad(format!("invalid card in {text}: {e}")))
}

/// A cover level in the words of a directory's settings file.
pub(crate) fn cover(arg: CoverArg) -> Cover {
    match arg {
        CoverArg::Off => Cover::Off,
        CoverArg::Low => Cover::Low,
        CoverArg::Normal => Cover::Normal,
    }
}

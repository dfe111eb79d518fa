//! `hushwing node directory`.

use std::net::SocketAddr;
use std::path::PathBuf;

use api::Failure;
use clap::Args;
use server::Directory;
use server::config::{Cover, DIRECTORY_EXAMPLE, DirectoryConfig};
use settings::{CoverArg, SandboxArg};

use crate::OrFail;
use crate::config_file;
use crate::onion::OnionArgs;

/// Port of a directory's onion service.
const PORT: u16 = 5999;

/// Arguments of `node directory`.
#[derive(Debug, Clone, Args)]
pub struct DirectoryArgs {
    /// Directory for keys and state, and for the files `network` and `token`.
    #[arg(long, default_value = "hushwing-directory")]
    pub dir: PathBuf,
    /// Settings file.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print a commented settings file and exit.
    #[arg(long)]
    pub print_config: bool,
    /// Address to listen on.
    #[arg(long, value_name = "IP:PORT")]
    pub listen: Option<SocketAddr>,
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

/// Runs a directory until it is stopped.
///
/// # Errors
/// An invalid setting, a port in use, a state directory that cannot be written.
pub async fn run(args: DirectoryArgs) -> Result<(), Failure> {
    if args.print_config {
        print!("{DIRECTORY_EXAMPLE}");
        return Ok(());
    }
    let mut config: DirectoryConfig = config_file::load(args.config.as_deref())?;
    if let Some(listen) = args.listen {
        config.listen = listen;
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
    let stop = settings::stopped();
    let mut onion = args.onion.start(&args.dir, &[PORT]).await?;
    let door = onion.as_mut().map(|o| o.door(PORT)).transpose()?;
    let listen = (!args.onion.tor_only).then_some(config.listen);
    let directory = Directory::start_with(&args.dir, &config, listen, door).await.or_fail()?;
    eprintln!(
        "directory is up; give {}/network and {}/token to relays and hubs",
        args.dir.display(),
        args.dir.display()
    );
    println!("{}", directory.pointer.to_text());
    stop.await;
    directory.stop().await;
    drop(onion);
    Ok(())
}

/// A cover level in the words of a directory's settings file.
pub(crate) fn cover(arg: CoverArg) -> Cover {
    match arg {
        CoverArg::Off => Cover::Off,
        CoverArg::Low => Cover::Low,
        CoverArg::Normal => Cover::Normal,
    }
}

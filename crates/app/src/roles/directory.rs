//! `hushwing directory`.

use server::Directory;
use server::config::{Cover, DIRECTORY_EXAMPLE, DirectoryConfig};
use settings::CoverArg;

use crate::cli::args::DirectoryArgs;
use crate::exit::{Failure, OrFail};

/// Port of a directory's onion service.
const PORT: u16 = 5999;

/// Runs a directory until it is stopped.
///
/// # Errors
/// Settings, port, state directory.
pub async fn run(args: DirectoryArgs) -> Result<(), Failure> {
    if args.print_config {
        print!("{DIRECTORY_EXAMPLE}");
        return Ok(());
    }
    let mut config: DirectoryConfig = super::settings(args.config.as_deref())?;
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
        "directory is up; {}/network and {}/token are for relays and hubs",
        args.dir.display(),
        args.dir.display()
    );
    println!("{}", directory.pointer.to_text());
    stop.await;
    directory.stop().await;
    drop(onion);
    Ok(())
}

/// A cover level as settings files of directories have it.
pub(super) fn cover(arg: CoverArg) -> Cover {
    match arg {
        CoverArg::Off => Cover::Off,
        CoverArg::Low => Cover::Low,
        CoverArg::Normal => Cover::Normal,
    }
}

//! `hushwing room`: creates a room on a network that runs elsewhere.

use std::io::Write;
use std::path::PathBuf;

use api::Failure;
use clap::Args;
use e2ee::NetworkPlace;
use wire::ErrorKind;

use crate::hub_card::HubCard;
use crate::{network, up};

/// Arguments of `room`.
#[derive(Debug, Clone, Args)]
pub struct RoomArgs {
    /// Network pointer `hushwing:net#…`, or a file that contains it.
    #[arg(long, value_name = "POINTER|FILE")]
    pub network: String,
    /// The hub's address card: the file `hub` or `hub-guest` that a hub writes into its --dir.
    #[arg(long, value_name = "FILE")]
    pub hub: PathBuf,
    /// Write the owner's link (for mutes and re-keying) to this new file (mode 0600).
    #[arg(long, value_name = "FILE")]
    pub owner_link: Option<PathBuf>,
    /// Door lanes: 1 for a small group, up to 64 for a crowd.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub lanes: u8,
}

/// Creates a room, prints its link, and writes the owner's link if asked.
///
/// # Errors
/// An invalid pointer or card; a file that already exists.
pub async fn run(args: RoomArgs) -> Result<(), Failure> {
    let pointer = network::pointer(&args.network).await?;
    let card = HubCard::read(&args.hub)?;
    let place = NetworkPlace {
        network: pointer.network,
        directories: NetworkPlace::choose(&pointer.directories),
        hub: card.id,
        access: card.access,
    };
    let owner = up::new_room(place, args.lanes)?;
    if let Some(path) = &args.owner_link {
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(path).and_then(|mut f| f.write_all(owner.to_text().as_bytes())).map_err(
            |e| {
                Failure::new(
                    ErrorKind::LocalStorage,
                    format!("cannot write {}: {e}", path.display()),
                    "choose a file that does not exist yet",
                )
            },
        )?;
    }
    println!("{}", *owner.link().to_text());
    Ok(())
}

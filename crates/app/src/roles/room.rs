//! `hushwing room`: a room on a network that runs elsewhere.

use std::io::Write;

use e2ee::NetworkPlace;
use wire::ErrorKind;

use super::{network, node, up};
use crate::cli::args::RoomArgs;
use crate::exit::Failure;

/// Makes a room, prints its link, and writes the owner's link if asked.
///
/// # Errors
/// A pointer or card that is none; a file that exists already.
pub async fn run(args: RoomArgs) -> Result<(), Failure> {
    let pointer = network::pointer(&args.network).await?;
    let card = node::read_card(&args.hub)?;
    let place = NetworkPlace {
        network: pointer.network,
        directories: pointer.directories.into_iter().take(3).collect(),
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
                    "name a file that does not exist yet",
                )
            },
        )?;
    }
    println!("{}", *owner.link().to_text());
    Ok(())
}

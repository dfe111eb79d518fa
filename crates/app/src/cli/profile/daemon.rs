//! `daemon`: one process for a profile, for all faces.

use wire::ErrorKind;

use super::here::options;
use super::show::note;
use crate::cli::args_profile::{DaemonArgs, ProfileArgs};
use crate::engine::profile::{Client, Options, UP, Unlock};
use crate::exit::Failure;

pub async fn run(at: &ProfileArgs, args: DaemonArgs) -> Result<(), Failure> {
    let mut options = options(at, args.make.into());
    if args.on_demand && options.unlock == Unlock::Ask {
        options = Options { unlock: Unlock::Stdin, create: true, ..options };
    }
    if args.stop {
        if Client::stop(&options).await? {
            return Ok(());
        }
        return Err(Failure::new(
            ErrorKind::LocalConfig,
            "no daemon runs this profile",
            "nothing is to be stopped",
        ));
    }
    let up = || note(&format!("{UP} Ctrl-C, SIGTERM or --stop ends it"));
    Client::serve(options, args.on_demand, up).await
}

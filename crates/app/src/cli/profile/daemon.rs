//! `daemon`: one process for a profile, for all faces.

use settings::{ProfileArgs, passphrase};
use wire::ErrorKind;

use super::here::options;
use super::show::note;
use crate::cli::args_profile::DaemonArgs;
use crate::engine::profile::{Client, UP};
use crate::exit::Failure;

pub async fn run(at: &ProfileArgs, args: DaemonArgs) -> Result<(), Failure> {
    let mut options = options(at, args.create.into());
    if args.on_demand {
        // The front end that starts it has asked for the passphrase, and hands it over.
        options.passphrase = |_, _| passphrase::from_stdin();
        options.create = true;
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
    let up = || {
        let stop = settings::stopped();
        note(&format!("{UP} Ctrl-C, SIGTERM or --stop ends it"));
        stop
    };
    Client::serve(options, args.on_demand, up).await
}

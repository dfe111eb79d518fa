//! `daemon`: one process for a profile, for all faces.

use wire::ErrorKind;

use super::here::options;
use super::show::note;
use crate::cli::args_profile::{DaemonArgs, ProfileArgs};
use crate::engine::profile::Client;
use crate::exit::Failure;

pub async fn run(at: &ProfileArgs, args: DaemonArgs) -> Result<(), Failure> {
    let options = options(at, args.make.into());
    if args.stop {
        if Client::stop(&options).await? {
            return Ok(());
        }
        return Err(Failure::new(ErrorKind::LocalConfig, "no daemon runs this profile", "nothing is to be stopped"));
    }
    let up = || note("up; other commands of this profile attach to it. Ctrl-C, SIGTERM or --stop ends it");
    Client::serve(options, up).await
}

//! `profile daemon`: one process for a profile, for all front ends.

use std::ffi::OsString;
use std::process::Command;

use api::{Failure, ProfileOptions, Startup, Unlock};
use clap::Args;
use settings::{CreateArgs, ProfileArgs};
use text::{OrFail, note};
use wire::ErrorKind;

use crate::session::{SharedProfiles, options};

/// Arguments of `profile daemon`.
#[derive(Debug, Clone, Copy, Args)]
pub struct DaemonArgs {
    /// Stop the running daemon and wait until it has exited.
    #[arg(long)]
    pub stop: bool,
    /// Started by a front end: reads the passphrase from stdin, says on stdout how the start went,
    /// exits with the last front end.
    #[arg(long, hide = true, conflicts_with = "stop")]
    pub on_demand: bool,
    /// How a new profile is protected.
    #[command(flatten)]
    pub create: CreateArgs,
}

/// The command that runs this profile's daemon on demand. Its stdin takes the passphrase as one
/// line, or nothing if the vault needs none; its stdout gives one line of JSON, a [`Startup`].
#[must_use]
pub fn daemon_command(options: &ProfileOptions) -> Command {
    let program = std::env::current_exe().map_or_else(|_| OsString::from("hushwing"), Into::into);
    let mut command = Command::new(program);
    command.args(["profile", "daemon", "--on-demand", "--profile", &options.profile]);
    if let Some(lan) = options.lan {
        command.args(["--lan", lan.word()]);
    }
    if options.unlock == Unlock::KeyFile {
        command.arg("--no-passphrase");
    }
    command
}

pub(crate) async fn run(
    profiles: &SharedProfiles,
    at: &ProfileArgs,
    args: DaemonArgs,
) -> Result<(), Failure> {
    let options = options(at, args.create.into());
    if args.stop {
        if profiles.stop(&options).await.or_fail()? {
            return Ok(());
        }
        let text = "no daemon runs this profile";
        return Err(Failure::new(ErrorKind::LocalConfig, text, "nothing to stop"));
    }
    if args.on_demand {
        return on_demand(profiles, options).await;
    }
    let ready =
        || note("ready: commands and windows can attach. Ctrl-C, SIGTERM or --stop ends it");
    profiles.serve(&options, false, Box::new(ready)).await.or_fail()
}

/// Says on stdout that it is ready, or why it is not: the front end that started it waits for that
/// line.
async fn on_demand(profiles: &SharedProfiles, options: ProfileOptions) -> Result<(), Failure> {
    let options = match options.unlock {
        Unlock::Ask => ProfileOptions { unlock: Unlock::Stdin, create: true, ..options },
        Unlock::Stdin | Unlock::KeyFile => options,
    };
    let mut ready = false;
    let done = profiles
        .serve(
            &options,
            true,
            Box::new(|| {
                ready = true;
                say(&Startup::Ready);
            }),
        )
        .await;
    if let Err(refusal) = &done
        && !ready
    {
        say(&Startup::Refused(refusal.clone()));
    }
    done.or_fail()
}

fn say(startup: &Startup) {
    // Nobody may be listening any more: the profile is to be served all the same.
    let _ = text::json(startup);
}

#[cfg(test)]
mod tests {
    use api::LanMode;
    use clap::Parser;

    use crate::{Commands, ProfileCommand};

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(subcommand)]
        command: Commands,
    }

    #[test]
    fn the_command_that_starts_a_daemon_is_understood() {
        let options = ProfileOptions {
            profile: "work".into(),
            unlock: Unlock::KeyFile,
            create: true,
            lan: Some(LanMode::Only),
        };
        let command = daemon_command(&options);
        let words = std::iter::once("hushwing".into()).chain(command.get_args().map(Into::into));
        let parsed = Program::try_parse_from::<_, OsString>(words).unwrap();
        let Commands::Profile(ProfileCommand::Daemon(on)) = parsed.command else {
            panic!("another command")
        };
        assert!(on.args.on_demand && on.args.create.no_passphrase);
        assert_eq!(super::options(&on.at, on.args.create.into()).lan, Some(LanMode::Only));
        assert_eq!(on.at.profile, "work");
    }
}

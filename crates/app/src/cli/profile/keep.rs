//! `init`, `backup`, `restore`, `wipe`: a profile as a whole.

use std::io::{BufRead, IsTerminal, Write};

use settings::{CreatePolicy, ProfileArgs};
use wire::ErrorKind;

use super::here::{options, with};
use super::show::{note, out};
use crate::cli::args_profile::{ConfigCommand, FileArgs, InitArgs, RestoreArgs, WipeArgs};
use crate::engine::profile::{self, Command};
use crate::exit::Failure;

/// Runs what blocks: Argon2id takes its time.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let stopped = |_| Failure::new(ErrorKind::Bug, "a thread has stopped", "please report this");
    tokio::task::spawn_blocking(work).await.map_err(stopped)?
}

pub async fn init(at: &ProfileArgs, args: InitArgs) -> Result<(), Failure> {
    let make = CreatePolicy::from(args.create);
    // Whoever says `init` is asked, however stdin looks.
    let options = profile::Options { create: true, ..options(at, make) };
    let made = blocking({
        let options = options.clone();
        move || profile::init(&options)
    })
    .await?;
    if let Some(link) = &args.network {
        profile::set_config(&options, "network", link)?;
    }
    if let Some(name) = args.name {
        if make == CreatePolicy::KeyFile || std::env::var_os("HUSHWING_PASSPHRASE").is_some() {
            with(at, CreatePolicy::Never, async |here| here.do_it(Command::SetName { name }).await)
                .await?;
        } else {
            // The settings need no passphrase a second time.
            profile::set_config(&options, "name", &name)?;
        }
    }
    out(&made.display().to_string())?;
    if make == CreatePolicy::KeyFile {
        note(
            "no passphrase: whoever can read your files, or has this disk in their hands, can read this profile",
        );
    }
    note("next: hushwing invite, or hushwing accept 'LINK'");
    Ok(())
}

pub async fn backup(at: &ProfileArgs, args: FileArgs) -> Result<(), Failure> {
    let options = options(at, CreatePolicy::Never);
    blocking(move || profile::backup(&options, &args.file)).await?;
    note(
        "whoever has this file and its passphrase reads your history; messages sent from now on are not in it",
    );
    Ok(())
}

pub async fn restore(at: &ProfileArgs, args: RestoreArgs) -> Result<(), Failure> {
    let options = profile::Options { create: true, ..options(at, args.create.into()) };
    blocking(move || profile::restore(&options, &args.file.file)).await?;
    note(
        "contacts and history are back; each conversation opens again when one of its members meets you",
    );
    Ok(())
}

pub fn config(command: ConfigCommand) -> Result<(), Failure> {
    match command {
        ConfigCommand::Show(on) => {
            let text = if on.args.defaults {
                profile::DEFAULT_CONFIG.to_owned()
            } else {
                profile::config(&on.at.profile, None)?
            };
            out(text.trim_end())
        }
        ConfigCommand::Set(on) => {
            profile::set_config(&options(&on.at, CreatePolicy::Never), &on.args.key, &on.args.value)
        }
    }
}

pub async fn wipe(at: &ProfileArgs, args: WipeArgs) -> Result<(), Failure> {
    if !args.yes && !typed_its_name(&at.profile) {
        let text =
            format!("nothing brings the profile {} back", super::here::printable(&at.profile));
        return Err(Failure::new(ErrorKind::LocalConfig, text, "say --yes if you mean it"));
    }
    let name = at.profile.clone();
    blocking(move || profile::wipe(&name, None)).await
}

/// Lets a person at a terminal type the profile's name.
fn typed_its_name(name: &str) -> bool {
    if !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
        return false;
    }
    eprint!(
        "Contacts, groups and messages will be gone for good. Type the profile's name to go on: "
    );
    let _ = std::io::stderr().flush();
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).is_ok() && line.trim() == name
}

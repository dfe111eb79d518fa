//! `profile …`: a profile as a whole.

use std::io::{BufRead, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use api::{Failure, ProfileOptions, Refusal, SetName};
use clap::{Args, Subcommand};
use settings::passphrase::PROFILE_VAR;
use settings::{CreateArgs, CreatePolicy, ListArgs, On, ProfileArgs, duration};
use text::{OrFail, json, note, out, printable};
use wire::ErrorKind;

use crate::daemon::{self, DaemonArgs};
use crate::rpc::{self, RpcArgs};
use crate::session::{SharedProfiles, existing, options, with};

/// Commands about profiles.
#[derive(Debug, Clone, Subcommand)]
pub enum ProfileCommand {
    /// Create a profile: your contacts, groups and messages, protected by a passphrase.
    Init(On<InitArgs>),
    /// Show the state of the profile and its connections.
    Status(On<StatusArgs>),
    /// Show or change the profile's settings.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Write contacts, settings and history into one encrypted file.
    Backup(On<FileArgs>),
    /// Restore a backup into a new profile.
    Restore(On<RestoreArgs>),
    /// Delete a profile permanently.
    Wipe(On<WipeArgs>),
    /// Run the profile in the background; other commands attach to it.
    Daemon(On<DaemonArgs>),
    /// Speak JSON-RPC 2.0 on stdin and stdout, for scripts and bots.
    Rpc(On<RpcArgs>),
}

/// Arguments of `profile init`.
#[derive(Debug, Clone, Args)]
pub struct InitArgs {
    /// The name that your contacts see.
    #[arg(long)]
    pub name: Option<String>,
    /// Link to the network you want to use [default: the network of the first invite you accept].
    #[arg(long, value_name = "LINK")]
    pub network: Option<String>,
    /// How it is protected.
    #[command(flatten)]
    pub create: CreateArgs,
}

/// Arguments of `profile status`.
#[derive(Debug, Clone, Copy, Args)]
pub struct StatusArgs {
    /// Print JSON.
    #[command(flatten)]
    pub list: ListArgs,
    /// How long to wait for a connection, such as 5s.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration)]
    pub timeout: Duration,
}

/// A backup on the command line.
#[derive(Debug, Clone, Args)]
pub struct FileArgs {
    /// The file. Its passphrase comes from HUSHWING_BACKUP_PASSPHRASE, else it is asked for.
    pub file: PathBuf,
}

/// Arguments of `profile restore`.
#[derive(Debug, Clone, Args)]
pub struct RestoreArgs {
    /// The backup.
    #[command(flatten)]
    pub file: FileArgs,
    /// How the new profile is protected.
    #[command(flatten)]
    pub create: CreateArgs,
}

/// Commands about settings.
#[derive(Debug, Clone, Subcommand)]
pub enum ConfigCommand {
    /// Print all settings, each with an explanation.
    Show(On<ShowConfigArgs>),
    /// Change one setting; comments in the file stay.
    Set(On<SetConfigArgs>),
}

/// Arguments of `profile config show`.
#[derive(Debug, Clone, Copy, Args)]
pub struct ShowConfigArgs {
    /// Print the defaults instead: no profile is needed.
    #[arg(long)]
    pub defaults: bool,
}

/// Arguments of `profile config set`.
#[derive(Debug, Clone, Args)]
pub struct SetConfigArgs {
    /// Setting, such as `send_delay`.
    pub key: String,
    /// New value, without quotes.
    pub value: String,
}

/// Arguments of `profile wipe`.
#[derive(Debug, Clone, Copy, Args)]
pub struct WipeArgs {
    /// Confirm: this cannot be undone.
    #[arg(long)]
    pub yes: bool,
}

pub(crate) async fn run(profiles: &SharedProfiles, command: ProfileCommand) -> Result<(), Failure> {
    match command {
        ProfileCommand::Init(on) => init(profiles, &on.at, on.args).await,
        ProfileCommand::Status(on) => status(profiles, &on.at, on.args).await,
        ProfileCommand::Config(command) => config(profiles, command),
        ProfileCommand::Backup(on) => backup(profiles, &on.at, on.args).await,
        ProfileCommand::Restore(on) => restore(profiles, &on.at, on.args).await,
        ProfileCommand::Wipe(on) => wipe(profiles, &on.at, on.args).await,
        ProfileCommand::Daemon(on) => daemon::run(profiles, &on.at, on.args).await,
        ProfileCommand::Rpc(on) => rpc::run(profiles, &on.at, on.args).await,
    }
}

/// Runs what blocks, such as Argon2id, beside the runtime.
async fn blocking<T: Send + 'static>(
    profiles: &SharedProfiles,
    work: impl FnOnce(&dyn api::Profiles) -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Failure> {
    let profiles = Arc::clone(profiles);
    let done = tokio::task::spawn_blocking(move || work(&*profiles)).await;
    done.unwrap_or_else(|_| Err(Refusal::bug("internal error: a thread stopped"))).or_fail()
}

async fn init(profiles: &SharedProfiles, at: &ProfileArgs, args: InitArgs) -> Result<(), Failure> {
    let policy = CreatePolicy::from(args.create);
    // `init` asks for a passphrase, however stdin looks.
    let new = ProfileOptions { create: true, ..options(at, policy) };
    let made = blocking(profiles, move |profiles| profiles.create(&new)).await?;
    if let Some(link) = &args.network {
        profiles.set_config(&at.profile, "network", link).or_fail()?;
    }
    if let Some(name) = args.name {
        if policy == CreatePolicy::KeyFile || std::env::var_os(PROFILE_VAR).is_some() {
            with(profiles, &existing(at), async |session| session.ask(SetName { name }).await)
                .await?;
        } else {
            // The settings need no passphrase a second time.
            profiles.set_config(&at.profile, "name", &name).or_fail()?;
        }
    }
    out(&made.display().to_string())?;
    if policy == CreatePolicy::KeyFile {
        note(
            "no passphrase: anyone who can read your files or gets hold of this disk can read this profile",
        );
    }
    note("next: hushwing invite, or hushwing accept 'LINK'");
    Ok(())
}

async fn status(
    profiles: &SharedProfiles,
    at: &ProfileArgs,
    args: StatusArgs,
) -> Result<(), Failure> {
    with(profiles, &existing(at), async |session| {
        let _ = session
            .until(args.timeout, async |session| Ok(session.status().await?.online.then_some(())))
            .await?;
        let status = session.status().await?;
        if args.list.json {
            return json(&status);
        }
        let name = if status.name.is_empty() { "no name yet" } else { &status.name };
        let online = if status.online { "online" } else { "offline" };
        out(&format!("{}  {name}  {online}", status.profile))?;
        for line in &status.connections {
            out(&format!("  {line}"))?;
        }
        let waiting = (status.unstored, status.unacknowledged);
        out(&format!("messages not stored yet: {}, not delivered yet: {}", waiting.0, waiting.1))
    })
    .await
}

fn config(profiles: &SharedProfiles, command: ConfigCommand) -> Result<(), Failure> {
    match command {
        ConfigCommand::Show(on) if on.args.defaults => out(profiles.default_config().trim_end()),
        ConfigCommand::Show(on) => out(profiles.config(&on.at.profile).or_fail()?.trim_end()),
        ConfigCommand::Set(On { at, args }) => {
            profiles.set_config(&at.profile, &args.key, &args.value).or_fail()
        }
    }
}

async fn backup(
    profiles: &SharedProfiles,
    at: &ProfileArgs,
    args: FileArgs,
) -> Result<(), Failure> {
    let options = existing(at);
    blocking(profiles, move |profiles| profiles.backup(&options, &args.file)).await?;
    note("anyone with this file and its passphrase can read your history up to now");
    Ok(())
}

async fn restore(
    profiles: &SharedProfiles,
    at: &ProfileArgs,
    args: RestoreArgs,
) -> Result<(), Failure> {
    let new = ProfileOptions { create: true, ..options(at, args.create.into()) };
    blocking(profiles, move |profiles| profiles.restore(&new, &args.file.file)).await?;
    note(
        "contacts and history are restored; each conversation resumes once one of its members is online with you",
    );
    Ok(())
}

async fn wipe(profiles: &SharedProfiles, at: &ProfileArgs, args: WipeArgs) -> Result<(), Failure> {
    if !args.yes && !typed_its_name(&at.profile) {
        let text = format!("the profile {} will be deleted for good", printable(&at.profile));
        return Err(Failure::new(ErrorKind::LocalConfig, text, "add --yes to confirm"));
    }
    let name = at.profile.clone();
    blocking(profiles, move |profiles| profiles.wipe(&name)).await
}

/// Lets a person at a terminal type the profile's name.
fn typed_its_name(name: &str) -> bool {
    if !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
        return false;
    }
    eprint!(
        "Contacts, groups and messages will be deleted permanently. Type the profile's name to confirm: "
    );
    let _ = std::io::stderr().flush();
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).is_ok() && line.trim() == name
}

//! The command line of a profile: contacts, groups, messages, files.

mod groups;
mod identity;
mod lan;
mod messages;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use settings::{CreateArgs, ListArgs, On, PatienceArgs, duration};

pub use self::groups::*;
pub use self::identity::*;
pub use self::lan::*;
pub use self::messages::*;

/// Commands that work on a profile.
#[derive(Debug, Clone, Subcommand)]
pub enum ProfileCommand {
    /// Make a profile: your contacts, groups and messages, locked by a passphrase.
    Init(On<InitArgs>),
    /// Make a link for one new contact.
    Invite(On<InviteArgs>),
    /// List the invites that you made.
    Invites(On<ListArgs>),
    /// Take an invite back.
    Revoke(On<RevokeArgs>),
    /// Use an invite that somebody gave you.
    Accept(On<AcceptArgs>),
    /// List contacts.
    Contacts(On<ListArgs>),
    /// List groups.
    Groups(On<ListArgs>),
    /// List who is in a conversation.
    Members(On<MembersArgs>),
    /// Compare safety words with a contact.
    Verify(On<VerifyArgs>),
    /// Bind contacts to their OpenPGP keys.
    #[command(subcommand)]
    Identity(IdentityCommand),
    /// Give a contact or group another name (only you see it).
    Name(On<NameArgs>),
    /// Choose which routes a conversation may use from here.
    Floor(On<FloorArgs>),
    /// Let messages of a conversation disappear after a time.
    Timer(On<TimerArgs>),
    /// Leave a conversation; the others are told.
    Leave(On<LeaveArgs>),
    /// Remove a conversation and its history from this profile.
    Forget(On<ForgetArgs>),
    /// Send a message or a file.
    Send(On<SendArgs>),
    /// Print new messages.
    Recv(On<RecvArgs>),
    /// Talk with a contact or group, live.
    Talk(On<TalkArgs>),
    /// Print what was said in a conversation.
    History(On<HistoryArgs>),
    /// Find messages that hold all these words.
    Search(On<SearchArgs>),
    /// Give a message of yours another text.
    Edit(On<EditArgs>),
    /// Delete a message: yours everywhere, others' here.
    Delete(On<MessageArgs>),
    /// Add a reaction to a message, or take it away.
    React(On<ReactArgs>),
    /// Take a message back that has not left.
    Cancel(On<MessageArgs>),
    /// Tell why a message of yours is not delivered yet.
    Why(On<MessageArgs>),
    /// Found and change groups.
    #[command(subcommand)]
    Group(GroupCommand),
    /// List file transfers.
    Files(On<ListArgs>),
    /// Fetch a file that somebody offers.
    Fetch(On<FetchArgs>),
    /// Refuse a file, or stop a transfer for good.
    Refuse(On<TransferArgs>),
    /// Write a conversation to a file that other programs read.
    Export(On<ExportArgs>),
    /// Write contacts, settings and history into one encrypted file.
    Backup(On<FileArgs>),
    /// Fill a new profile from a backup.
    Restore(On<RestoreArgs>),
    /// Show neighbours on the local network and what is carried for them; or stay and carry.
    Mesh(On<MeshArgs>),
    /// Meet people on the local network: show yourself, see who is there, knock, open.
    Nearby(On<NearbyArgs>),
    /// Take messages out of or into a file, to carry them on a stick.
    #[command(subcommand)]
    Bundle(BundleCommand),
    /// Show or change the profile's settings.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Remove a profile for good.
    Wipe(On<WipeArgs>),
    /// Open the profile in a browser, on this machine or on your phone.
    Web(On<super::args_web::WebArgs>),
    /// Run the profile for all your windows and scripts: other commands attach to it.
    Daemon(On<DaemonArgs>),
    /// Speak JSON-RPC 2.0 on stdin and stdout, for scripts and bots.
    Rpc(On<RpcArgs>),
}

/// Settings of `daemon`.
#[derive(Debug, Clone, Args)]
pub struct DaemonArgs {
    /// Stop the one that runs, and wait until it is gone.
    #[arg(long)]
    pub stop: bool,
    /// Started by a face: the passphrase comes on stdin, and the end with the last face.
    #[arg(long, hide = true, conflicts_with = "stop")]
    pub on_demand: bool,
    /// How a new profile is locked.
    #[command(flatten)]
    pub create: CreateArgs,
}

/// Settings of `init`.
#[derive(Debug, Clone, Args)]
pub struct InitArgs {
    /// The name that your contacts see.
    #[arg(long)]
    pub name: Option<String>,
    /// A link of the network where you meet others; default: that of the first invite you use.
    #[arg(long, value_name = "LINK")]
    pub network: Option<String>,
    /// How it is locked.
    #[command(flatten)]
    pub create: CreateArgs,
}

/// Settings of `invite`.
#[derive(Debug, Clone, Args)]
pub struct InviteArgs {
    /// What you will call whoever uses it; default: their own name.
    #[arg(long = "as", value_name = "NAME")]
    pub contact: Option<String>,
    /// The name that this contact sees; default: the profile's.
    #[arg(long, value_name = "NAME")]
    pub name_for_me: Option<String>,
    /// How long it can be used, as in 12h or 7d.
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = duration)]
    pub expires: Duration,
    /// A link of the network where to meet; default: the profile's network.
    #[arg(long, value_name = "LINK")]
    pub network: Option<String>,
    /// Stay until it is used, and print the new contact's name.
    #[arg(long)]
    pub wait: bool,
    /// How long to wait until it works, as in 30s or 5m.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    pub timeout: Duration,
    /// How a new profile is locked.
    #[command(flatten)]
    pub create: CreateArgs,
}

/// Settings of `revoke`.
#[derive(Debug, Clone, Args)]
pub struct RevokeArgs {
    /// The invite's id, or its first digits, from `hushwing invites`.
    pub id: String,
    /// How long to wait.
    #[command(flatten)]
    pub patience: PatienceArgs,
}

/// Settings of `accept`.
#[derive(Debug, Clone, Args)]
pub struct AcceptArgs {
    /// The invite, or `-` to read it from stdin (keeps it out of the process list).
    #[arg(value_name = "LINK|-")]
    pub link: String,
    /// What you will call them; default: their own name.
    #[arg(long = "as", value_name = "NAME")]
    pub contact: Option<String>,
    /// How long to wait until it is done, as in 30s or 5m.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    pub timeout: Duration,
    /// How a new profile is locked.
    #[command(flatten)]
    pub create: CreateArgs,
}

/// Settings of `members`.
#[derive(Debug, Clone, Args)]
pub struct MembersArgs {
    /// The contact or group.
    pub conversation: String,
    /// Print JSON, one object a line.
    #[arg(long)]
    pub json: bool,
}

/// Settings of `verify`.
#[derive(Debug, Clone, Args)]
pub struct VerifyArgs {
    /// The contact.
    pub name: String,
    /// The words are the same on both sides.
    #[arg(long, conflicts_with = "no")]
    pub yes: bool,
    /// The words differ, or were never compared.
    #[arg(long)]
    pub no: bool,
}

/// Settings of `name`.
#[derive(Debug, Clone, Args)]
pub struct NameArgs {
    /// The name now.
    pub old: String,
    /// The new name.
    pub new: String,
}

/// Settings of `floor`.
#[derive(Debug, Clone, Args)]
pub struct FloorArgs {
    /// The contact or group.
    pub name: String,
    /// anywhere, hidden (no direct connection), onion, tor or lan.
    pub floor: String,
}

/// Settings of `timer`.
#[derive(Debug, Clone, Args)]
pub struct TimerArgs {
    /// The contact or group.
    pub name: String,
    /// As in 10m, 1d or 4w; off: messages stay.
    #[arg(value_name = "TIME|off")]
    pub time: String,
    /// How long to wait.
    #[command(flatten)]
    pub patience: PatienceArgs,
}

/// Settings of `leave`.
#[derive(Debug, Clone, Args)]
pub struct LeaveArgs {
    /// The contact or group.
    pub name: String,
    /// How long to wait.
    #[command(flatten)]
    pub patience: PatienceArgs,
}

/// Settings of `forget`.
#[derive(Debug, Clone, Args)]
pub struct ForgetArgs {
    /// The contact or group.
    pub name: String,
    /// You mean it: nothing brings it back.
    #[arg(long)]
    pub yes: bool,
}

/// A file on the command line.
#[derive(Debug, Clone, Args)]
pub struct FileArgs {
    /// The file. Its passphrase comes from HUSHWING_BACKUP_PASSPHRASE, else it is asked for.
    pub file: PathBuf,
}

/// Settings of `restore`.
#[derive(Debug, Clone, Args)]
pub struct RestoreArgs {
    /// The backup.
    #[command(flatten)]
    pub file: FileArgs,
    /// How the new profile is locked.
    #[command(flatten)]
    pub create: CreateArgs,
}

/// Commands about settings.
#[derive(Debug, Clone, Subcommand)]
pub enum ConfigCommand {
    /// Print the settings, with what each means.
    Show(On<ShowConfigArgs>),
    /// Change one setting; comments in the file stay.
    Set(On<SetConfigArgs>),
}

/// Settings of `config show`.
#[derive(Debug, Clone, Copy, Args)]
pub struct ShowConfigArgs {
    /// Print the defaults instead: no profile is needed.
    #[arg(long)]
    pub defaults: bool,
}

/// Settings of `config set`.
#[derive(Debug, Clone, Args)]
pub struct SetConfigArgs {
    /// Which, as in `send_delay`.
    pub key: String,
    /// Its new value, without quotes.
    pub value: String,
}

/// Settings of `wipe`.
#[derive(Debug, Clone, Args)]
pub struct WipeArgs {
    /// You mean it: nothing brings it back.
    #[arg(long)]
    pub yes: bool,
}

/// Settings of `rpc`.
#[derive(Debug, Clone, Args)]
pub struct RpcArgs {
    /// Print the JSON schema of commands, answers and events, and stop.
    #[arg(long)]
    pub schema: bool,
    /// How a new profile is locked.
    #[command(flatten)]
    pub create: CreateArgs,
}

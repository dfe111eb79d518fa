//! Every command of a profile.

use std::sync::Arc;

use api::{Failure, Profiles};
use clap::Subcommand;
use settings::On;

use crate::contact::{self, ContactCommand};
use crate::file::{self, FileCommand};
use crate::group::{self, GroupCommand};
use crate::history::{self, HistoryArgs, SearchArgs};
use crate::identity::{self, IdentityCommand};
use crate::invite::{self, AcceptArgs, InviteNoun};
use crate::lan::{self, LanCommand};
use crate::message::{self, MessageCommand};
use crate::old::{self, OldCommand};
use crate::profile::{self, ProfileCommand};
use crate::recv::{self, RecvArgs};
use crate::send::{self, SendArgs};
use crate::talk::{self, TalkArgs};

/// Commands of a profile, as the program's command line flattens them.
#[derive(Debug, Clone, Subcommand)]
pub enum Commands {
    /// Create a link for one new contact.
    Invite(Box<InviteNoun>),
    /// Accept an invite that somebody gave you.
    Accept(On<AcceptArgs>),
    /// Send a message or a file.
    Send(On<SendArgs>),
    /// Talk to a contact or group, line by line.
    Talk(On<TalkArgs>),
    /// Print new messages.
    Recv(On<RecvArgs>),
    /// Print the history of a conversation.
    History(On<HistoryArgs>),
    /// Find messages by the words in them.
    Search(On<SearchArgs>),
    /// Edit, delete, react to, cancel or export messages.
    #[command(subcommand)]
    Message(MessageCommand),
    /// List and download files.
    #[command(subcommand)]
    File(FileCommand),
    /// List, verify and manage contacts.
    #[command(subcommand)]
    Contact(ContactCommand),
    /// Create and manage groups.
    #[command(subcommand)]
    Group(GroupCommand),
    /// Link contacts to their OpenPGP keys.
    #[command(subcommand)]
    Identity(IdentityCommand),
    /// Use the local network, without internet: people nearby, neighbours, bundles.
    #[command(subcommand)]
    Lan(LanCommand),
    /// Create, configure, back up, restore or delete a profile.
    #[command(subcommand)]
    Profile(ProfileCommand),
    #[allow(missing_docs, reason = "each old spelling says what it is")]
    #[command(flatten)]
    Old(OldCommand),
}

/// Headings of the root help, with the commands under each, those of other crates too.
pub const HEADINGS: &[(&str, &[&str])] = &[
    ("Start here", &["web", "chat", "demo"]),
    ("Talk", &["send", "recv", "talk", "history", "search", "message", "file"]),
    ("People and groups", &["invite", "accept", "contact", "group", "identity", "lan"]),
    ("Your profile", &["profile"]),
    ("Run a network", &["up", "node", "primary", "room", "host", "guests", "onion-site", "tor"]),
    ("Check and set up", &["doctor", "trace", "bench", "self-check", "completions", "man"]),
];

/// Does what the command line asks.
///
/// # Errors
/// What the engine refuses, with a hint; what did not happen in time.
pub async fn run(commands: Commands, profiles: Arc<dyn Profiles>) -> Result<(), Failure> {
    let profiles = &profiles;
    match commands {
        Commands::Invite(noun) => invite::run(profiles, *noun).await,
        Commands::Accept(on) => invite::accept(profiles, &on.at, on.args).await,
        Commands::Send(on) => send::run(profiles, &on.at, on.args).await,
        Commands::Talk(on) => talk::run(profiles, &on.at, on.args).await,
        Commands::Recv(on) => recv::run(profiles, &on.at, on.args).await,
        Commands::History(on) => history::run(profiles, &on.at, on.args).await,
        Commands::Search(on) => history::search(profiles, &on.at, on.args).await,
        Commands::Message(command) => message::run(profiles, command).await,
        Commands::File(command) => file::run(profiles, command).await,
        Commands::Contact(command) => contact::run(profiles, command).await,
        Commands::Group(command) => group::run(profiles, command).await,
        Commands::Identity(command) => identity::run(profiles, command).await,
        Commands::Lan(command) => lan::run(profiles, command).await,
        Commands::Profile(command) => profile::run(profiles, command).await,
        Commands::Old(command) => old::run(profiles, command).await,
    }
}

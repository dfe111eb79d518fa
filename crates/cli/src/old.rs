//! Earlier spellings. They still work, are not listed, and say on stderr what replaced them.

use api::{ConversationKind, Failure, Scope};
use clap::Subcommand;
use settings::{ListArgs, On};
use text::note;

use crate::contact::{self, ContactCommand, VerifyArgs};
use crate::conversation::{
    self, ForgetArgs, LeaveArgs, MembersArgs, NameArgs, RoutesArgs, TimerArgs,
};
use crate::daemon::DaemonArgs;
use crate::file::{self, FetchArgs, FileCommand, TransferArgs};
use crate::invite::{self, InviteCommand, RevokeArgs};
use crate::lan::{self, BundleCommand, LanCommand, MeshArgs, NearbyArgs};
use crate::message::{self, EditArgs, ExportArgs, MessageArgs, MessageCommand, ReactArgs};
use crate::profile::{
    self, ConfigCommand, FileArgs, InitArgs, ProfileCommand, RestoreArgs, WipeArgs,
};
use crate::rpc::RpcArgs;
use crate::session::SharedProfiles;

/// Earlier spellings of commands of a profile.
#[derive(Debug, Clone, Subcommand)]
pub enum OldCommand {
    /// Now `profile init`.
    #[command(hide = true)]
    Init(On<InitArgs>),
    /// Now `invite list`.
    #[command(hide = true)]
    Invites(On<ListArgs>),
    /// Now `invite revoke`.
    #[command(hide = true)]
    Revoke(On<RevokeArgs>),
    /// Now `contact list`.
    #[command(hide = true)]
    Contacts(On<ListArgs>),
    /// Now `group list`.
    #[command(hide = true)]
    Groups(On<ListArgs>),
    /// Now `group members`.
    #[command(hide = true)]
    Members(On<MembersArgs>),
    /// Now `contact verify`.
    #[command(hide = true)]
    Verify(On<VerifyArgs>),
    /// Now `contact name` or `group name`.
    #[command(hide = true)]
    Name(On<NameArgs>),
    /// Now `contact routes` or `group routes`.
    #[command(hide = true)]
    Floor(On<RoutesArgs>),
    /// Now `contact timer` or `group timer`.
    #[command(hide = true)]
    Timer(On<TimerArgs>),
    /// Now `contact leave` or `group leave`.
    #[command(hide = true)]
    Leave(On<LeaveArgs>),
    /// Now `contact forget` or `group forget`.
    #[command(hide = true)]
    Forget(On<ForgetArgs>),
    /// Now `message edit`.
    #[command(hide = true)]
    Edit(On<EditArgs>),
    /// Now `message delete`.
    #[command(hide = true)]
    Delete(On<MessageArgs>),
    /// Now `message react`.
    #[command(hide = true)]
    React(On<ReactArgs>),
    /// Now `message cancel`.
    #[command(hide = true)]
    Cancel(On<MessageArgs>),
    /// Now `message why`.
    #[command(hide = true)]
    Why(On<MessageArgs>),
    /// Now `message export`.
    #[command(hide = true)]
    Export(On<ExportArgs>),
    /// Now `file list`.
    #[command(hide = true)]
    Files(On<ListArgs>),
    /// Now `file fetch`.
    #[command(hide = true)]
    Fetch(On<FetchArgs>),
    /// Now `file refuse`.
    #[command(hide = true)]
    Refuse(On<TransferArgs>),
    /// Now `profile backup`.
    #[command(hide = true)]
    Backup(On<FileArgs>),
    /// Now `profile restore`.
    #[command(hide = true)]
    Restore(On<RestoreArgs>),
    /// Now `lan mesh`.
    #[command(hide = true)]
    Mesh(On<MeshArgs>),
    /// Now `lan nearby`.
    #[command(hide = true)]
    Nearby(On<NearbyArgs>),
    /// Now `lan bundle`.
    #[command(subcommand, hide = true)]
    Bundle(BundleCommand),
    /// Now `profile config`.
    #[command(subcommand, hide = true)]
    Config(ConfigCommand),
    /// Now `profile wipe`.
    #[command(hide = true)]
    Wipe(On<WipeArgs>),
    /// Now `profile daemon`.
    #[command(hide = true)]
    Daemon(On<DaemonArgs>),
    /// Now `profile rpc`.
    #[command(hide = true)]
    Rpc(On<RpcArgs>),
}

/// Says what replaced a spelling.
pub(crate) fn tell(old: &str, new: &str) {
    note(&replaced(old, new));
}

fn replaced(old: &str, new: &str) -> String {
    match new.strip_prefix("contact/group ") {
        Some(verb) => format!(
            "note: `hushwing {old}` is now `hushwing contact {verb}`, for groups `hushwing group {verb}`"
        ),
        None => format!("note: `hushwing {old}` is now `hushwing {new}`"),
    }
}

impl OldCommand {
    /// The spelling, and what replaced it; `contact/group` where both nouns have the verb.
    pub(crate) const fn spelling(&self) -> (&'static str, &'static str) {
        match self {
            OldCommand::Init(_) => ("init", "profile init"),
            OldCommand::Invites(_) => ("invites", "invite list"),
            OldCommand::Revoke(_) => ("revoke", "invite revoke"),
            OldCommand::Contacts(_) => ("contacts", "contact list"),
            OldCommand::Groups(_) => ("groups", "group list"),
            OldCommand::Members(_) => ("members", "group members"),
            OldCommand::Verify(_) => ("verify", "contact verify"),
            OldCommand::Name(_) => ("name", "contact/group name"),
            OldCommand::Floor(_) => ("floor", "contact/group routes"),
            OldCommand::Timer(_) => ("timer", "contact/group timer"),
            OldCommand::Leave(_) => ("leave", "contact/group leave"),
            OldCommand::Forget(_) => ("forget", "contact/group forget"),
            OldCommand::Edit(_) => ("edit", "message edit"),
            OldCommand::Delete(_) => ("delete", "message delete"),
            OldCommand::React(_) => ("react", "message react"),
            OldCommand::Cancel(_) => ("cancel", "message cancel"),
            OldCommand::Why(_) => ("why", "message why"),
            OldCommand::Export(_) => ("export", "message export"),
            OldCommand::Files(_) => ("files", "file list"),
            OldCommand::Fetch(_) => ("fetch", "file fetch"),
            OldCommand::Refuse(_) => ("refuse", "file refuse"),
            OldCommand::Backup(_) => ("backup", "profile backup"),
            OldCommand::Restore(_) => ("restore", "profile restore"),
            OldCommand::Mesh(_) => ("mesh", "lan mesh"),
            OldCommand::Nearby(_) => ("nearby", "lan nearby"),
            OldCommand::Bundle(_) => ("bundle", "lan bundle"),
            OldCommand::Config(_) => ("config", "profile config"),
            OldCommand::Wipe(_) => ("wipe", "profile wipe"),
            OldCommand::Daemon(_) => ("daemon", "profile daemon"),
            OldCommand::Rpc(_) => ("rpc", "profile rpc"),
        }
    }
}

pub(crate) async fn run(profiles: &SharedProfiles, command: OldCommand) -> Result<(), Failure> {
    const ANY: Scope = Scope::Conversation;
    let (old, new) = command.spelling();
    tell(old, new);
    match command {
        OldCommand::Invites(on) => invite::existing_ones(profiles, InviteCommand::List(on)).await,
        OldCommand::Revoke(on) => invite::existing_ones(profiles, InviteCommand::Revoke(on)).await,
        OldCommand::Contacts(on) => {
            conversation::list(profiles, &on.at, ConversationKind::Contact, on.args).await
        }
        OldCommand::Groups(on) => {
            conversation::list(profiles, &on.at, ConversationKind::Group, on.args).await
        }
        OldCommand::Members(on) => conversation::members(profiles, &on.at, on.args).await,
        OldCommand::Verify(on) => contact::run(profiles, ContactCommand::Verify(on)).await,
        OldCommand::Name(on) => conversation::name(profiles, &on.at, ANY, on.args).await,
        OldCommand::Floor(on) => conversation::routes(profiles, &on.at, ANY, on.args).await,
        OldCommand::Timer(on) => conversation::timer(profiles, &on.at, ANY, on.args).await,
        OldCommand::Leave(on) => conversation::leave(profiles, &on.at, ANY, on.args).await,
        OldCommand::Forget(on) => conversation::forget(profiles, &on.at, ANY, on.args).await,
        OldCommand::Edit(on) => message::run(profiles, MessageCommand::Edit(on)).await,
        OldCommand::Delete(on) => message::run(profiles, MessageCommand::Delete(on)).await,
        OldCommand::React(on) => message::run(profiles, MessageCommand::React(on)).await,
        OldCommand::Cancel(on) => message::run(profiles, MessageCommand::Cancel(on)).await,
        OldCommand::Why(on) => message::run(profiles, MessageCommand::Why(on)).await,
        OldCommand::Export(on) => message::run(profiles, MessageCommand::Export(on)).await,
        OldCommand::Files(on) => file::run(profiles, FileCommand::List(on)).await,
        OldCommand::Fetch(on) => file::run(profiles, FileCommand::Fetch(on)).await,
        OldCommand::Refuse(on) => file::run(profiles, FileCommand::Refuse(on)).await,
        OldCommand::Mesh(on) => lan::run(profiles, LanCommand::Mesh(on)).await,
        OldCommand::Nearby(on) => lan::run(profiles, LanCommand::Nearby(on)).await,
        OldCommand::Bundle(command) => lan::run(profiles, LanCommand::Bundle(command)).await,
        OldCommand::Init(on) => profile::run(profiles, ProfileCommand::Init(on)).await,
        OldCommand::Backup(on) => profile::run(profiles, ProfileCommand::Backup(on)).await,
        OldCommand::Restore(on) => profile::run(profiles, ProfileCommand::Restore(on)).await,
        OldCommand::Config(command) => {
            profile::run(profiles, ProfileCommand::Config(command)).await
        }
        OldCommand::Wipe(on) => profile::run(profiles, ProfileCommand::Wipe(on)).await,
        OldCommand::Daemon(on) => profile::run(profiles, ProfileCommand::Daemon(on)).await,
        OldCommand::Rpc(on) => profile::run(profiles, ProfileCommand::Rpc(on)).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_note_says_what_to_type_now() {
        assert_eq!(
            replaced("contacts", "contact list"),
            "note: `hushwing contacts` is now `hushwing contact list`"
        );
        assert_eq!(
            replaced("leave", "contact/group leave"),
            "note: `hushwing leave` is now `hushwing contact leave`, for groups `hushwing group leave`"
        );
    }
}

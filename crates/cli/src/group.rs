//! `group …`.

use api::{
    AnswerGroupInvite, ConversationKind, CreateGroup, Failure, InviteToGroup, ListGroupInvites,
    Refresh, RemoveMember, RenameGroup, RestartGroup, Scope,
};
use clap::{Args, Subcommand};
use settings::{ListArgs, On, PatienceArgs, ProfileArgs};
use text::{Listed, OrFail, json, note, out};

use crate::conversation::{
    self, ForgetArgs, LeaveArgs, MembersArgs, NameArgs, RoutesArgs, TimerArgs,
};
use crate::session::{ProfileSession, SharedProfiles, existing, with};

/// Commands about groups.
#[derive(Debug, Clone, Subcommand)]
pub enum GroupCommand {
    /// List groups.
    List(On<ListArgs>),
    /// Create a group.
    Create(On<GroupCreateArgs>),
    /// Invite a contact to a group.
    Invite(On<GroupContactArgs>),
    /// List pending invitations to groups.
    Invites(On<ListArgs>),
    /// Accept an invitation to a group.
    Join(On<GroupJoinArgs>),
    /// Decline an invitation to a group.
    Decline(On<GroupInviteArgs>),
    /// List the members of a group.
    Members(On<MembersArgs>),
    /// Change a group's title for everyone.
    Rename(On<GroupRenameArgs>),
    /// Remove a member from a group.
    Remove(On<GroupMemberArgs>),
    /// Start a new group without a member who stalls this one.
    Restart(On<GroupMemberArgs>),
    /// Refresh the group's keys, so that stolen old keys cannot read new messages.
    Rekey(On<GroupArgs>),
    /// Rename a group (only you see the name).
    Name(On<NameArgs>),
    /// Set the allowed routes of a group (on your side).
    Routes(On<RoutesArgs>),
    /// Set disappearing messages in a group.
    Timer(On<TimerArgs>),
    /// Leave a group and tell its members.
    Leave(On<LeaveArgs>),
    /// Delete a group and its history from this profile.
    Forget(On<ForgetArgs>),
}

/// Arguments of `group create`.
#[derive(Debug, Clone, Args)]
pub struct GroupCreateArgs {
    /// Title, which all members see.
    pub title: String,
    /// How long to wait.
    #[command(flatten)]
    pub patience: PatienceArgs,
}

/// A group, and a contact.
#[derive(Debug, Clone, Args)]
pub struct GroupContactArgs {
    /// The group.
    pub group: String,
    /// The contact.
    pub contact: String,
    /// How long to wait.
    #[command(flatten)]
    pub patience: PatienceArgs,
}

/// A group, and a member.
#[derive(Debug, Clone, Args)]
pub struct GroupMemberArgs {
    /// The group.
    pub group: String,
    /// The member, as `hushwing group members` shows them.
    pub member: String,
    /// How long to wait.
    #[command(flatten)]
    pub patience: PatienceArgs,
}

/// Arguments of `group join`.
#[derive(Debug, Clone, Args)]
pub struct GroupJoinArgs {
    /// Which invitation.
    #[command(flatten)]
    pub invite: GroupInviteArgs,
    /// Decline the invitation.
    #[arg(long, hide = true)]
    pub decline: bool,
}

/// An invitation on the command line.
#[derive(Debug, Clone, Args)]
pub struct GroupInviteArgs {
    /// Id of the invitation (see `hushwing group invites`), or `last`.
    #[arg(value_name = "ID")]
    pub id: String,
    /// How long to wait.
    #[command(flatten)]
    pub patience: PatienceArgs,
}

/// Arguments of `group rename`.
#[derive(Debug, Clone, Args)]
pub struct GroupRenameArgs {
    /// The group.
    pub group: String,
    /// The new title, which all members see.
    pub title: String,
    /// How long to wait.
    #[command(flatten)]
    pub patience: PatienceArgs,
}

/// A group.
#[derive(Debug, Clone, Args)]
pub struct GroupArgs {
    /// The group.
    pub group: String,
    /// How long to wait.
    #[command(flatten)]
    pub patience: PatienceArgs,
}

pub(crate) async fn run(profiles: &SharedProfiles, command: GroupCommand) -> Result<(), Failure> {
    const SCOPE: Scope = Scope::Group;
    match command {
        GroupCommand::List(on) => {
            conversation::list(profiles, &on.at, ConversationKind::Group, on.args).await
        }
        GroupCommand::Create(on) => create(profiles, &on.at, on.args).await,
        GroupCommand::Invite(on) => invite(profiles, &on.at, on.args).await,
        GroupCommand::Invites(on) => invites(profiles, &on.at, on.args).await,
        GroupCommand::Join(On { at, args }) => {
            if args.decline {
                crate::old::tell("group join --decline", "group decline");
            }
            answer(profiles, &at, args.invite, !args.decline).await
        }
        GroupCommand::Decline(on) => answer(profiles, &on.at, on.args, false).await,
        GroupCommand::Members(on) => conversation::members(profiles, &on.at, on.args).await,
        GroupCommand::Rename(on) => rename(profiles, &on.at, on.args).await,
        GroupCommand::Remove(on) => remove(profiles, &on.at, on.args).await,
        GroupCommand::Restart(on) => restart(profiles, &on.at, on.args).await,
        GroupCommand::Rekey(on) => rekey(profiles, &on.at, on.args).await,
        GroupCommand::Name(on) => conversation::name(profiles, &on.at, SCOPE, on.args).await,
        GroupCommand::Routes(on) => conversation::routes(profiles, &on.at, SCOPE, on.args).await,
        GroupCommand::Timer(on) => conversation::timer(profiles, &on.at, SCOPE, on.args).await,
        GroupCommand::Leave(on) => conversation::leave(profiles, &on.at, SCOPE, on.args).await,
        GroupCommand::Forget(on) => conversation::forget(profiles, &on.at, SCOPE, on.args).await,
    }
}

async fn create(
    profiles: &SharedProfiles,
    at: &ProfileArgs,
    args: GroupCreateArgs,
) -> Result<(), Failure> {
    with(profiles, &existing(at), async |session| {
        let made = session.ask(CreateGroup { title: args.title }).await?;
        out(&made.label)?;
        session.settled(&[made.conversation], args.patience.timeout).await
    })
    .await
}

async fn invite(
    profiles: &SharedProfiles,
    at: &ProfileArgs,
    args: GroupContactArgs,
) -> Result<(), Failure> {
    with(profiles, &existing(at), async |session| {
        let group = session.conversation(&args.group, Scope::Group).await?.id;
        let contact = session.conversation(&args.contact, Scope::Contact).await?;
        session.ask(InviteToGroup { group, contact: contact.id }).await?;
        session.settled(&[group], args.patience.timeout).await?;
        note(&format!(
            "{} joins once they accept and this profile is running, for example with `hushwing recv --follow`",
            contact.label
        ));
        Ok(())
    })
    .await
}

async fn invites(
    profiles: &SharedProfiles,
    at: &ProfileArgs,
    args: ListArgs,
) -> Result<(), Failure> {
    with(profiles, &existing(at), async |session| {
        for invite in session.ask(ListGroupInvites {}).await? {
            if args.json { json(&invite)? } else { out(&invite.line())? }
        }
        Ok(())
    })
    .await
}

async fn answer(
    profiles: &SharedProfiles,
    at: &ProfileArgs,
    args: GroupInviteArgs,
    accept: bool,
) -> Result<(), Failure> {
    with(profiles, &existing(at), async |session| {
        let all = session.ask(ListGroupInvites {}).await?;
        let found = text::meant(&args.id, all).or_fail()?;
        session.ask(AnswerGroupInvite { invite: found.id, accept }).await?;
        session.settled(&[], args.patience.timeout).await?;
        if accept {
            note(&format!(
                "you join once {} adds you; check with `hushwing group list`",
                found.from.label
            ));
        }
        Ok(())
    })
    .await
}

async fn rename(
    profiles: &SharedProfiles,
    at: &ProfileArgs,
    args: GroupRenameArgs,
) -> Result<(), Failure> {
    with(profiles, &existing(at), async |session| {
        let group = session.conversation(&args.group, Scope::Group).await?.id;
        session.ask(RenameGroup { group, title: args.title }).await?;
        session.settled(&[group], args.patience.timeout).await
    })
    .await
}

async fn remove(
    profiles: &SharedProfiles,
    at: &ProfileArgs,
    args: GroupMemberArgs,
) -> Result<(), Failure> {
    with(profiles, &existing(at), async |session| {
        let group = session.conversation(&args.group, Scope::Group).await?.id;
        let member = session.member(group, &args.member).await?;
        session.ask(RemoveMember { group, member }).await?;
        session.settled(&[group], args.patience.timeout).await
    })
    .await
}

async fn restart(
    profiles: &SharedProfiles,
    at: &ProfileArgs,
    args: GroupMemberArgs,
) -> Result<(), Failure> {
    with(profiles, &existing(at), async |session: &mut ProfileSession| {
        let group = session.conversation(&args.group, Scope::Group).await?.id;
        let without = session.member(group, &args.member).await?;
        let made = session.ask(RestartGroup { group, without }).await?;
        out(&made.label)?;
        session.settled(&[made.conversation], args.patience.timeout).await
    })
    .await
}

async fn rekey(
    profiles: &SharedProfiles,
    at: &ProfileArgs,
    args: GroupArgs,
) -> Result<(), Failure> {
    with(profiles, &existing(at), async |session| {
        // A direct chat can refresh its keys, too.
        let conversation = session.conversation(&args.group, Scope::Conversation).await?.id;
        session.ask(Refresh { conversation }).await?;
        session.settled(&[conversation], args.patience.timeout).await
    })
    .await
}

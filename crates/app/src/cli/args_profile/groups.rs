//! Groups on the command line.

use clap::{Args, Subcommand};
use settings::{ListArgs, On, PatienceArgs};

/// What is done with groups.
#[derive(Debug, Clone, Subcommand)]
pub enum GroupCommand {
    /// Found a group.
    Create(On<GroupCreateArgs>),
    /// Invite a contact into a group.
    Invite(On<GroupMemberArgs>),
    /// List invitations into groups that wait for your answer.
    Invites(On<ListArgs>),
    /// Answer an invitation into a group.
    Join(On<GroupJoinArgs>),
    /// Remove a member of a group.
    Remove(On<GroupMemberArgs>),
    /// Give a group another title, for all.
    Rename(On<GroupRenameArgs>),
    /// Draw new keys: whoever stole the old ones reads nothing more.
    Rekey(On<GroupArgs>),
    /// Go on without a member who holds the group up, in a new group.
    Restart(On<GroupMemberArgs>),
}

/// Settings of `group create`.
#[derive(Debug, Clone, Args)]
pub struct GroupCreateArgs {
    /// Its title.
    pub title: String,
    /// How long to wait.
    #[command(flatten)]
    pub patience: PatienceArgs,
}

/// A group, and somebody.
#[derive(Debug, Clone, Args)]
pub struct GroupMemberArgs {
    /// The group.
    pub group: String,
    /// The contact to invite, or the member.
    pub member: String,
    /// How long to wait.
    #[command(flatten)]
    pub patience: PatienceArgs,
}

/// Settings of `group join`.
#[derive(Debug, Clone, Args)]
pub struct GroupJoinArgs {
    /// The invitation's token, or its first digits, from `hushwing group invites`.
    pub token: String,
    /// Say no.
    #[arg(long)]
    pub decline: bool,
    /// How long to wait.
    #[command(flatten)]
    pub patience: PatienceArgs,
}

/// Settings of `group rename`.
#[derive(Debug, Clone, Args)]
pub struct GroupRenameArgs {
    /// The group.
    pub group: String,
    /// The new title.
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

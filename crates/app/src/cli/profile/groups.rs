//! `group …`.

use settings::{CreatePolicy, ProfileArgs};

use super::here::{Here, by_prefix, with};
use super::show::{json, note, out, short};
use crate::cli::args_profile::{
    GroupArgs, GroupCommand, GroupCreateArgs, GroupJoinArgs, GroupMemberArgs, GroupRenameArgs,
};
use crate::engine::profile::{Command, GroupInviteView, Reply};
use crate::exit::Failure;

pub async fn run(command: GroupCommand) -> Result<(), Failure> {
    match command {
        GroupCommand::Create(on) => create(&on.at, on.args).await,
        GroupCommand::Invite(on) => invite(&on.at, on.args).await,
        GroupCommand::Invites(on) => invites(&on.at, on.args.json).await,
        GroupCommand::Join(on) => join(&on.at, on.args).await,
        GroupCommand::Remove(on) => remove(&on.at, on.args).await,
        GroupCommand::Rename(on) => rename(&on.at, on.args).await,
        GroupCommand::Rekey(on) => rekey(&on.at, on.args).await,
        GroupCommand::Restart(on) => restart(&on.at, on.args).await,
    }
}

/// Prints the name of what was made.
async fn made(here: &mut Here, command: Command) -> Result<String, Failure> {
    match here.ask(command).await? {
        Reply::Contact { name } => {
            out(&name)?;
            Ok(name)
        }
        _ => Ok(String::new()),
    }
}

async fn create(at: &ProfileArgs, args: GroupCreateArgs) -> Result<(), Failure> {
    with(at, CreatePolicy::Never, async |here| {
        let name = made(here, Command::CreateGroup { title: args.title.clone() }).await?;
        here.settled(&[&name], args.patience.timeout).await
    })
    .await
}

async fn invite(at: &ProfileArgs, args: GroupMemberArgs) -> Result<(), Failure> {
    with(at, CreatePolicy::Never, async |here| {
        let (group, contact) = (args.group.clone(), args.member.clone());
        here.do_it(Command::InviteToGroup { group, contact }).await?;
        here.settled(&[&args.group], args.patience.timeout).await?;
        note(&format!(
            "{} is in once they accept and this profile runs, as in `hushwing recv --follow`",
            args.member
        ));
        Ok(())
    })
    .await
}

async fn all_invites(here: &mut Here) -> Result<Vec<GroupInviteView>, Failure> {
    match here.ask(Command::GroupInvites {}).await? {
        Reply::GroupInvites { invites } => Ok(invites),
        _ => Ok(Vec::new()),
    }
}

async fn invites(at: &ProfileArgs, as_json: bool) -> Result<(), Failure> {
    with(at, CreatePolicy::Never, async |here| {
        for invite in all_invites(here).await? {
            if as_json {
                json(&invite)?;
            } else {
                out(&format!("{}  {}  from {}", short(&invite.token), invite.title, invite.from))?;
            }
        }
        Ok(())
    })
    .await
}

async fn join(at: &ProfileArgs, args: GroupJoinArgs) -> Result<(), Failure> {
    with(at, CreatePolicy::Never, async |here| {
        let all = all_invites(here).await?;
        let found = by_prefix(
            all,
            |i| &i.token,
            &args.token,
            "invitation",
            "`hushwing group invites` lists them",
        )?;
        here.do_it(Command::AnswerGroupInvite { token: found.token, accept: !args.decline })
            .await?;
        here.settled(&[], args.patience.timeout).await?;
        if !args.decline {
            note(&format!(
                "you are in once {} lets you in; `hushwing groups` shows it",
                found.from
            ));
        }
        Ok(())
    })
    .await
}

async fn remove(at: &ProfileArgs, args: GroupMemberArgs) -> Result<(), Failure> {
    with(at, CreatePolicy::Never, async |here| {
        here.do_it(Command::RemoveMember {
            group: args.group.clone(),
            member: args.member.clone(),
        })
        .await?;
        here.settled(&[&args.group], args.patience.timeout).await
    })
    .await
}

async fn rename(at: &ProfileArgs, args: GroupRenameArgs) -> Result<(), Failure> {
    with(at, CreatePolicy::Never, async |here| {
        here.do_it(Command::RenameGroup { group: args.group.clone(), title: args.title.clone() })
            .await?;
        // The group may go by either name while the change is under way.
        here.settled(&[&args.group, &args.title], args.patience.timeout).await
    })
    .await
}

async fn rekey(at: &ProfileArgs, args: GroupArgs) -> Result<(), Failure> {
    with(at, CreatePolicy::Never, async |here| {
        here.do_it(Command::Refresh { conversation: args.group.clone() }).await?;
        here.settled(&[&args.group], args.patience.timeout).await
    })
    .await
}

async fn restart(at: &ProfileArgs, args: GroupMemberArgs) -> Result<(), Failure> {
    with(at, CreatePolicy::Never, async |here| {
        let command =
            Command::RestartGroup { group: args.group.clone(), without: args.member.clone() };
        let name = made(here, command).await?;
        here.settled(&[&name], args.patience.timeout).await
    })
    .await
}

//! `invite`, `invites`, `revoke`, `accept`.

use std::io::{BufRead, IsTerminal};

use settings::{CreatePolicy, ProfileArgs};
use wire::ErrorKind;

use super::contacts::AFTERWARDS;
use super::here::{Here, by_prefix, with};
use super::show::{date_time, json, note, out, short};
use crate::cli::args_profile::{AcceptArgs, InviteArgs, RevokeArgs};
use crate::engine::profile::{Command, Event, InviteView, Reply};
use crate::exit::Failure;

pub async fn invite(at: &ProfileArgs, args: InviteArgs) -> Result<(), Failure> {
    with(at, args.create.into(), async |here| {
        let command = Command::Invite {
            name: args.contact.clone(),
            my_name: args.name_for_me.clone(),
            expires_s: Some(args.expires.as_secs()),
            network: args.network.clone(),
        };
        let Some(Reply::Invite(made)) = here.ask_within(command, args.timeout).await? else {
            let hint = "`hushwing invites` shows the link once the profile has been connected; or try again later";
            return Err(here.late("the invite is not at the hub yet", hint).await);
        };
        out(&made.link)?;
        if std::io::stderr().is_terminal() {
            crate::cli::show_qr(&made.link);
        }
        note(&format!("one person can use this link until {}; whoever holds it can", date_time(made.expires_ms)));
        if args.wait { used(here, &made).await } else { Ok(()) }
    })
    .await
}

/// Waits until an invite is used.
async fn used(here: &mut Here, made: &InviteView) -> Result<(), Failure> {
    let gone = || Failure::new(ErrorKind::Bug, "the engine has stopped", "start the program again");
    loop {
        match here.next().await.ok_or_else(gone)? {
            Event::InviteUsed { invite, conversation } if invite == made.id => {
                out(&conversation)?;
                note(&format!("compare the safety words: hushwing verify {conversation}"));
                return here.settled(&[], AFTERWARDS).await;
            }
            Event::InviteFailed { invite, text } if invite == made.id => {
                return Err(Failure::new(ErrorKind::LocalConfig, text, "make a new invite"));
            }
            _ => {}
        }
    }
}

async fn all_invites(here: &mut Here) -> Result<Vec<InviteView>, Failure> {
    match here.ask(Command::Invites {}).await? {
        Reply::Invites { invites } => Ok(invites),
        _ => Ok(Vec::new()),
    }
}

pub async fn invites(at: &ProfileArgs, as_json: bool) -> Result<(), Failure> {
    with(at, CreatePolicy::Never, async |here| {
        for invite in all_invites(here).await? {
            if as_json {
                json(&invite)?;
                continue;
            }
            let name = invite.name.as_deref().map(|n| format!("  for {n}")).unwrap_or_default();
            let link =
                if invite.state == "open" { format!("  {}", invite.link) } else { String::new() };
            out(&format!(
                "{}  {}  until {}{name}{link}",
                short(&invite.id),
                invite.state,
                date_time(invite.expires_ms)
            ))?;
        }
        Ok(())
    })
    .await
}

pub async fn revoke(at: &ProfileArgs, args: RevokeArgs) -> Result<(), Failure> {
    with(at, CreatePolicy::Never, async |here| {
        let all = all_invites(here).await?;
        let invite = by_prefix(all, |i| &i.id, &args.id, "invite", "`hushwing invites` lists them")?.id;
        here.do_it(Command::Revoke { invite: invite.clone() }).await?;
        let limit = args.patience.timeout;
        let done = here
            .until(limit, async |here| {
                let all = all_invites(here).await?;
                Ok((!all.iter().any(|i| i.id == invite && i.state == "revoking")).then_some(()))
            })
            .await?;
        match done {
            Some(()) => here.settled(&[], limit).await,
            None => {
                let hint =
                    "it is taken back the next time the profile runs, as in `hushwing recv`; until then the link works";
                Err(here.late("the hub has not been told yet", hint).await)
            }
        }
    })
    .await
}

pub async fn accept(at: &ProfileArgs, args: AcceptArgs) -> Result<(), Failure> {
    let link = given_link(&args.link, "hushwing accept - <FILE")?;
    with(at, args.create.into(), async |here| {
        let command = Command::Accept { link, name: args.contact.clone() };
        match here.ask_within(command, args.timeout).await? {
            Some(Reply::Contact { name }) => {
                out(&name)?;
                note(&format!("compare the safety words: hushwing verify {name}"));
                here.settled(&[], AFTERWARDS).await
            }
            _ => {
                let hint = "it goes on whenever the profile runs, as in `hushwing recv`; `hushwing contacts` shows when it is done";
                Err(here.late("the invite is not through yet", hint).await)
            }
        }
    })
    .await
}

/// A link of the command line; `-` stands for the first line of stdin.
///
/// # Errors
/// Nothing on stdin.
pub fn given_link(given: &str, hint: &str) -> Result<String, Failure> {
    if given != "-" {
        return Ok(given.to_owned());
    }
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    match read {
        Ok(n) if n > 0 => Ok(line.trim().to_owned()),
        _ => Err(Failure::new(ErrorKind::LocalConfig, "stdin holds no link", hint)),
    }
}

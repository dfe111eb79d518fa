//! `invite …` and `accept`: how two people become contacts.

use std::io::{BufRead, IsTerminal};
use std::time::Duration;

use api::{
    Accept, Event, Failure, Invite, InviteState, InviteView, ListInvites, Opened, Refusal, Revoke,
};
use clap::{Args, Subcommand};
use settings::{CreateArgs, ListArgs, On, PatienceArgs, ProfileArgs, duration};
use text::{OrFail, date_time, json, note, out};
use wire::ErrorKind;

use crate::qr;
use crate::queries::word;
use crate::session::{AFTERWARDS, ProfileSession, SharedProfiles, existing, options, with};

/// `invite`, which creates a link unless a command follows.
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct InviteNoun {
    /// What to do with invites instead.
    #[command(subcommand)]
    pub command: Option<InviteCommand>,
    /// The invite to create.
    #[command(flatten)]
    pub create: On<InviteArgs>,
}

/// Commands about invites that exist.
#[derive(Debug, Clone, Subcommand)]
pub enum InviteCommand {
    /// List the invites you created.
    List(On<ListArgs>),
    /// Revoke an invite.
    Revoke(On<RevokeArgs>),
}

/// Arguments of `invite`.
#[derive(Debug, Clone, Args)]
pub struct InviteArgs {
    /// Your name for the new contact [default: the name they chose].
    #[arg(long = "as", value_name = "NAME")]
    pub contact: Option<String>,
    /// The name this contact sees [default: the profile's].
    #[arg(long, value_name = "NAME")]
    pub name_for_me: Option<String>,
    /// How long the invite is valid, such as 12h or 7d.
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = duration)]
    pub expires: Duration,
    /// Link to the network to meet in [default: the profile's network].
    #[arg(long, value_name = "LINK")]
    pub network: Option<String>,
    /// Wait until the invite is used, then print the new contact's name.
    #[arg(long)]
    pub wait: bool,
    /// How long to wait until the invite is usable, such as 30s or 5m.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    pub timeout: Duration,
    /// How a new profile is protected.
    #[command(flatten)]
    pub create: CreateArgs,
}

/// Arguments of `invite revoke`.
#[derive(Debug, Clone, Args)]
pub struct RevokeArgs {
    /// Id of the invite (see `hushwing invite list`).
    pub id: String,
    /// How long to wait.
    #[command(flatten)]
    pub patience: PatienceArgs,
}

/// Arguments of `accept`.
#[derive(Debug, Clone, Args)]
pub struct AcceptArgs {
    /// The invite, or `-` to read it from stdin (keeps it out of the process list).
    #[arg(value_name = "LINK|-")]
    pub link: String,
    /// Your name for them [default: the name they chose].
    #[arg(long = "as", value_name = "NAME")]
    pub contact: Option<String>,
    /// How long to wait for completion, such as 30s or 5m.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    pub timeout: Duration,
    /// How a new profile is protected.
    #[command(flatten)]
    pub create: CreateArgs,
}

pub(crate) async fn run(profiles: &SharedProfiles, noun: InviteNoun) -> Result<(), Failure> {
    match noun.command {
        Some(command) => existing_ones(profiles, command).await,
        None => create(profiles, &noun.create.at, noun.create.args).await,
    }
}

pub(crate) async fn existing_ones(
    profiles: &SharedProfiles,
    command: InviteCommand,
) -> Result<(), Failure> {
    match command {
        InviteCommand::List(on) => list(profiles, &on.at, on.args).await,
        InviteCommand::Revoke(on) => revoke(profiles, &on.at, on.args).await,
    }
}

async fn create(
    profiles: &SharedProfiles,
    at: &ProfileArgs,
    args: InviteArgs,
) -> Result<(), Failure> {
    with(profiles, &options(at, args.create.into()), async |session| {
        let request = Invite {
            name: args.contact,
            my_name: args.name_for_me,
            expires_s: Some(args.expires.as_secs()),
            network: args.network,
        };
        let Some(made) = session.ask_within(request, args.timeout).await? else {
            let hint = "`hushwing invite list` shows the link once the profile has been connected; or try again later";
            return Err(session.late("the invite is not at the hub yet", hint).await);
        };
        out(&made.link)?;
        if std::io::stderr().is_terminal() {
            qr::show(&made.link);
        }
        let until = date_time(made.expires_ms);
        note(&format!("one person can use this link until {until}: anyone who has it"));
        if args.wait { used(session, &made).await } else { Ok(()) }
    })
    .await
}

/// Waits until an invite is used.
async fn used(session: &mut ProfileSession, made: &InviteView) -> Result<(), Failure> {
    loop {
        let next = session.next().await.ok_or_else(Refusal::stopped);
        match next.or_fail()? {
            Event::InviteUsed { invite, conversation, label } if invite == made.id => {
                return met(session, Opened { conversation, label }).await;
            }
            Event::InviteFailed { invite, text } if invite == made.id => {
                return Err(Failure::new(ErrorKind::LocalConfig, text, "create a new invite"));
            }
            _ => {}
        }
    }
}

/// Says who the new contact is, and what to do next.
pub(crate) async fn met(session: &mut ProfileSession, opened: Opened) -> Result<(), Failure> {
    out(&opened.label)?;
    let word = word(&opened.label, opened.conversation);
    note(&format!("compare the safety words: hushwing contact verify {word}"));
    session.settled(&[], AFTERWARDS).await
}

async fn list(profiles: &SharedProfiles, at: &ProfileArgs, args: ListArgs) -> Result<(), Failure> {
    with(profiles, &existing(at), async |session| {
        for invite in session.ask(ListInvites {}).await? {
            if args.json { json(&invite)? } else { out(&line_of(&invite))? }
        }
        Ok(())
    })
    .await
}

/// An invite in a list; its link while it works.
fn line_of(invite: &InviteView) -> String {
    let (id, until) = (invite.id.short(), date_time(invite.expires_ms));
    let name = invite.name.as_deref().map(|n| format!("  for {n}")).unwrap_or_default();
    let open = invite.state == InviteState::Open;
    let link = if open { format!("  {}", invite.link) } else { String::new() };
    format!("{id}  {}  until {until}{name}{link}", invite.state)
}

async fn revoke(
    profiles: &SharedProfiles,
    at: &ProfileArgs,
    args: RevokeArgs,
) -> Result<(), Failure> {
    with(profiles, &existing(at), async |session| {
        let all = session.ask(ListInvites {}).await?;
        let invite = text::meant(&args.id, all).or_fail()?.id;
        session.ask(Revoke { invite }).await?;
        let limit = args.patience.timeout;
        let done = session
            .until(limit, async |session| {
                let all = session.ask(ListInvites {}).await?;
                let revoking =
                    all.iter().any(|i| i.id == invite && i.state == InviteState::Revoking);
                Ok((!revoking).then_some(()))
            })
            .await?;
        if done.is_some() {
            return session.settled(&[], limit).await;
        }
        let hint = "it will be revoked the next time the profile runs, for example with `hushwing recv`; until then the link works";
        Err(session.late("the hub has not been told yet", hint).await)
    })
    .await
}

pub(crate) async fn accept(
    profiles: &SharedProfiles,
    at: &ProfileArgs,
    args: AcceptArgs,
) -> Result<(), Failure> {
    let link = given_link(&args.link, "run hushwing accept - <FILE")?;
    with(profiles, &options(at, args.create.into()), async |session| {
        match session.ask_within(Accept { link, name: args.contact }, args.timeout).await? {
            Some(opened) => met(session, opened).await,
            None => {
                let hint = "it continues whenever the profile runs, for example with `hushwing recv`; `hushwing contact list` shows when it is done";
                Err(session.late("the invite is not accepted yet", hint).await)
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
    match std::io::stdin().lock().read_line(&mut line) {
        Ok(n) if n > 0 => Ok(line.trim().to_owned()),
        _ => Err(Failure::new(ErrorKind::LocalConfig, "no link on stdin", hint)),
    }
}

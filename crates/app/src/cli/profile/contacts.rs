//! What is done with contacts and groups from outside.

use std::io::{BufRead, IsTerminal, Write};
use std::time::Duration;

use settings::{CreatePolicy, ProfileArgs};
use wire::ErrorKind;

use super::here::with;
use super::show::{json, note, out};
use crate::cli::args_profile::{
    FloorArgs, ForgetArgs, LeaveArgs, MembersArgs, NameArgs, TimerArgs, VerifyArgs,
};
use crate::engine::profile::{Command, ConversationView, Reply};
use crate::exit::Failure;

/// How long what a finished command has left behind may take to reach the hub.
pub const AFTERWARDS: Duration = Duration::from_secs(10);

pub async fn list(at: &ProfileArgs, kind: &str, as_json: bool) -> Result<(), Failure> {
    with(at, CreatePolicy::Never, async |here| {
        for one in here.conversations().await?.iter().filter(|c| c.kind == kind) {
            if as_json { json(one)? } else { out(&line_of(one))? }
        }
        Ok(())
    })
    .await
}

fn line_of(c: &ConversationView) -> String {
    let mut marks = Vec::new();
    match c.kind.as_str() {
        "contact" if !c.verified => marks.push("unverified".to_owned()),
        "contact" => marks.push("verified".to_owned()),
        _ => marks.push(format!("{} members", c.members)),
    }
    if let Some(fingerprint) = &c.pgp {
        marks.push(format!("pgp:{fingerprint}"));
    }
    if c.unseen > 0 {
        marks.push(format!("{} new", c.unseen));
    }
    if c.unacknowledged > 0 {
        marks.push(format!("{} on the way", c.unacknowledged));
    }
    if let Some(seconds) = c.timer_s.filter(|s| *s > 0) {
        marks.push(format!(
            "messages disappear after {}",
            vault::units::show_duration(u64::from(seconds) * 1_000)
        ));
    }
    if c.changing {
        marks.push("a change is under way".to_owned());
    }
    if !c.open {
        marks.push("closed".to_owned());
    }
    format!("{}  {}  ({})", c.name, c.floor, marks.join(", "))
}

pub async fn members(at: &ProfileArgs, args: MembersArgs) -> Result<(), Failure> {
    with(at, CreatePolicy::Never, async |here| {
        let Reply::Members { members } =
            here.ask(Command::Members { conversation: args.conversation }).await?
        else {
            return Ok(());
        };
        for member in members {
            if args.json {
                json(&member)?;
                continue;
            }
            let mark = match (&member.contact, member.you, member.verified) {
                (_, true, _) => " (you)".to_owned(),
                (Some(contact), _, true) if *contact != member.name => {
                    format!(" ({contact}, verified)")
                }
                (Some(contact), _, false) if *contact != member.name => {
                    format!(" ({contact}, unverified)")
                }
                (_, _, true) => " (verified)".to_owned(),
                _ => " (unverified)".to_owned(),
            };
            out(&format!("{}{mark}", member.name))?;
        }
        Ok(())
    })
    .await
}

pub async fn verify(at: &ProfileArgs, args: VerifyArgs) -> Result<(), Failure> {
    with(at, CreatePolicy::Never, async |here| {
        let conversation = args.name.clone();
        let Reply::Words { words, verified } = here.ask(Command::SafetyWords { conversation }).await? else {
            return Ok(());
        };
        out(&words)?;
        let answer = match (args.yes, args.no) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            _ if std::io::stdin().is_terminal() && std::io::stderr().is_terminal() => ask_whether(&args.name),
            _ => None,
        };
        match answer {
            Some(verified) => {
                here.do_it(Command::Verify { conversation: args.name.clone(), verified }).await?;
                note(&format!("{} is {} now", args.name, if verified { "verified" } else { "unverified" }));
                here.settled(&[], AFTERWARDS).await
            }
            None if verified => {
                note(&format!("{} is verified", args.name));
                Ok(())
            }
            None => {
                note(&format!(
                    "{} is unverified: compare these words face to face or on the phone, then: hushwing verify {} --yes",
                    args.name, args.name
                ));
                Ok(())
            }
        }
    })
    .await
}

/// Asks a person; `None` when they do not know.
fn ask_whether(name: &str) -> Option<bool> {
    eprint!("Does {name} see the same words? (yes/no/later): ");
    let _ = std::io::stderr().flush();
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).ok()?;
    match line.trim().to_ascii_lowercase().as_str() {
        "yes" | "y" => Some(true),
        "no" | "n" => Some(false),
        _ => None,
    }
}

pub async fn name(at: &ProfileArgs, args: NameArgs) -> Result<(), Failure> {
    with(at, CreatePolicy::Never, async |here| {
        here.do_it(Command::Name { conversation: args.old, name: args.new }).await
    })
    .await
}

pub async fn floor(at: &ProfileArgs, args: FloorArgs) -> Result<(), Failure> {
    with(at, CreatePolicy::Never, async |here| {
        here.do_it(Command::Floor { conversation: args.name, floor: args.floor }).await?;
        here.settled(&[], AFTERWARDS).await
    })
    .await
}

/// Seconds of a timer; 0: off.
///
/// # Errors
/// When the text is no time.
pub fn timer_seconds(text: &str) -> Result<u32, Failure> {
    if text == "off" {
        return Ok(0);
    }
    let ms = vault::units::parse_duration(text);
    ms.and_then(|ms| u32::try_from(ms / 1_000).ok()).ok_or_else(|| {
        Failure::new(
            ErrorKind::LocalConfig,
            "this is no time for a timer",
            "as in 10m, 12h, 1d or 4w; or off",
        )
    })
}

pub async fn timer(at: &ProfileArgs, args: TimerArgs) -> Result<(), Failure> {
    let seconds = timer_seconds(&args.time)?;
    with(at, CreatePolicy::Never, async |here| {
        here.do_it(Command::SetTimer { conversation: args.name.clone(), seconds }).await?;
        here.settled(&[&args.name], args.patience.timeout).await
    })
    .await
}

pub async fn leave(at: &ProfileArgs, args: LeaveArgs) -> Result<(), Failure> {
    with(at, CreatePolicy::Never, async |here| {
        here.do_it(Command::Leave { conversation: args.name }).await?;
        here.settled(&[], args.patience.timeout).await
    })
    .await
}

pub async fn forget(at: &ProfileArgs, args: ForgetArgs) -> Result<(), Failure> {
    with(at, CreatePolicy::Never, async |here| {
        let found = here.conversation(&args.name).await?;
        if !args.yes {
            let text = format!("nothing brings {} and its history back", found.name);
            return Err(Failure::new(ErrorKind::LocalConfig, text, "say --yes if you mean it"));
        }
        here.do_it(Command::Forget { conversation: found.name }).await
    })
    .await
}

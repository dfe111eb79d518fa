//! `contact …`.

use std::io::{BufRead, IsTerminal, Write};

use api::{ConversationKind, Failure, GetSafetyWords, Scope, Verify};
use clap::{Args, Subcommand};
use settings::{ListArgs, On, ProfileArgs};
use text::{note, out};

use crate::conversation::{self, ForgetArgs, LeaveArgs, NameArgs, RoutesArgs, TimerArgs, verified};
use crate::session::{AFTERWARDS, SharedProfiles, existing, with};

/// Commands about contacts.
#[derive(Debug, Clone, Subcommand)]
pub enum ContactCommand {
    /// List contacts.
    List(On<ListArgs>),
    /// Compare safety words with a contact.
    Verify(On<VerifyArgs>),
    /// Rename a contact (only you see the name).
    Name(On<NameArgs>),
    /// Set the allowed routes to a contact (on your side).
    Routes(On<RoutesArgs>),
    /// Set disappearing messages with a contact.
    Timer(On<TimerArgs>),
    /// Leave the conversation with a contact and tell them.
    Leave(On<LeaveArgs>),
    /// Delete a contact and their history from this profile.
    Forget(On<ForgetArgs>),
}

/// Arguments of `contact verify`.
#[derive(Debug, Clone, Args)]
pub struct VerifyArgs {
    /// The contact.
    pub name: String,
    /// The words match on both sides.
    #[arg(long, conflicts_with = "no")]
    pub yes: bool,
    /// The words differ or were never compared.
    #[arg(long)]
    pub no: bool,
}

pub(crate) async fn run(profiles: &SharedProfiles, command: ContactCommand) -> Result<(), Failure> {
    const SCOPE: Scope = Scope::Contact;
    match command {
        ContactCommand::List(on) => {
            conversation::list(profiles, &on.at, ConversationKind::Contact, on.args).await
        }
        ContactCommand::Verify(on) => verify(profiles, &on.at, on.args).await,
        ContactCommand::Name(on) => conversation::name(profiles, &on.at, SCOPE, on.args).await,
        ContactCommand::Routes(on) => conversation::routes(profiles, &on.at, SCOPE, on.args).await,
        ContactCommand::Timer(on) => conversation::timer(profiles, &on.at, SCOPE, on.args).await,
        ContactCommand::Leave(on) => conversation::leave(profiles, &on.at, SCOPE, on.args).await,
        ContactCommand::Forget(on) => conversation::forget(profiles, &on.at, SCOPE, on.args).await,
    }
}

async fn verify(
    profiles: &SharedProfiles,
    at: &ProfileArgs,
    args: VerifyArgs,
) -> Result<(), Failure> {
    with(profiles, &existing(at), async |session| {
        let contact = session.conversation(&args.name, Scope::Contact).await?;
        let conversation = contact.id;
        let words = session.ask(GetSafetyWords { conversation }).await?;
        out(&words.words)?;
        let on_a_terminal = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
        let answer = match (args.yes, args.no) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            _ if on_a_terminal => ask_whether(&contact.label),
            _ => None,
        };
        if let Some(yes) = answer {
            session.ask(Verify { conversation, verified: yes }).await?;
            note(&format!("{} is now {}", contact.label, verified(yes)));
            return session.settled(&[], AFTERWARDS).await;
        }
        if words.verified {
            note(&format!("{} is verified", contact.label));
        } else {
            note(&format!(
                "{} is not verified: compare these words in person or by phone, then run: hushwing contact verify {} --yes",
                contact.label,
                contact.word()
            ));
        }
        Ok(())
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

//! `contact …`.

use std::io::{BufRead, IsTerminal, Write};

use api::{
    AcceptKeys, Block, ConversationId, ConversationKind, Failure, GetSafetyWords, Request, Resume,
    Scope, Verify,
};
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
    /// Use a contact's new keys without comparing words.
    AcceptKeys(On<ContactArgs>),
    /// Block a contact without telling them.
    Block(On<ContactArgs>),
    /// Unblock a contact, or resume a stopped conversation.
    Unblock(On<ContactArgs>),
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
    #[arg(long, conflicts_with_all = ["no", "words"])]
    pub yes: bool,
    /// These words match on both sides: refused if they have changed since you compared them.
    #[arg(long, conflicts_with = "no")]
    pub words: Option<String>,
    /// The words differ or were never compared.
    #[arg(long)]
    pub no: bool,
}

/// Arguments of commands about one contact.
#[derive(Debug, Clone, Args)]
pub struct ContactArgs {
    /// The contact; for `unblock` also a group.
    pub name: String,
}

pub(crate) async fn run(profiles: &SharedProfiles, command: ContactCommand) -> Result<(), Failure> {
    const SCOPE: Scope = Scope::Contact;
    match command {
        ContactCommand::List(on) => {
            conversation::list(profiles, &on.at, ConversationKind::Contact, on.args).await
        }
        ContactCommand::Verify(on) => verify(profiles, &on.at, on.args).await,
        ContactCommand::AcceptKeys(on) => {
            change(profiles, &on, "now uses the new keys", |c| AcceptKeys { conversation: c }).await
        }
        ContactCommand::Block(on) => {
            change(profiles, &on, "is blocked", |c| Block { conversation: c }).await
        }
        ContactCommand::Unblock(on) => {
            change(profiles, &on, "is open again", |c| Resume { conversation: c }).await
        }
        ContactCommand::Name(on) => conversation::name(profiles, &on.at, SCOPE, on.args).await,
        ContactCommand::Routes(on) => conversation::routes(profiles, &on.at, SCOPE, on.args).await,
        ContactCommand::Timer(on) => conversation::timer(profiles, &on.at, SCOPE, on.args).await,
        ContactCommand::Leave(on) => conversation::leave(profiles, &on.at, SCOPE, on.args).await,
        ContactCommand::Forget(on) => conversation::forget(profiles, &on.at, SCOPE, on.args).await,
    }
}

/// Asks for one change of a contact, and says what became of it.
async fn change<R: Request>(
    profiles: &SharedProfiles,
    on: &On<ContactArgs>,
    done: &str,
    request: impl Fn(ConversationId) -> R,
) -> Result<(), Failure> {
    with(profiles, &existing(&on.at), async |session| {
        // A stopped group is resumed here, too; whatever else is asked of a group is refused.
        let contact = session.conversation(&on.args.name, Scope::Conversation).await?;
        session.ask(request(contact.id)).await?;
        note(&format!("{} {done}", contact.label));
        session.settled(&[], AFTERWARDS).await
    })
    .await
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
        let answer = match (args.yes || args.words.is_some(), args.no) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            _ if on_a_terminal => ask_whether(&contact.label),
            _ => None,
        };
        if let Some(yes) = answer {
            let compared = args.words.unwrap_or_else(|| words.words.clone());
            let compared = compared.split_whitespace().collect::<Vec<_>>().join(" ");
            session.ask(Verify { conversation, words: yes.then_some(compared) }).await?;
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

//! `message …`: what is done with messages that are there.

use std::io::BufWriter;
use std::path::PathBuf;

use api::{
    Cancel, ConversationId, Delete, Edit, Failure, GetWhy, MessageView, React, Refusal, Scope,
};
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use settings::{On, PatienceArgs, ProfileArgs};
use text::{Entry, ExportError, Format, OrFail, Pages, note, out};
use wire::ErrorKind;

use crate::queries::PAGE;
use crate::send::text_of;
use crate::session::{ProfileSession, SharedProfiles, existing, with};

/// Commands about messages.
#[derive(Debug, Clone, Subcommand)]
pub enum MessageCommand {
    /// Edit one of your messages.
    Edit(On<EditArgs>),
    /// Delete a message: your own for everyone, others' only here.
    Delete(On<MessageArgs>),
    /// Add or remove a reaction.
    React(On<ReactArgs>),
    /// Cancel a message that has not left yet.
    Cancel(On<MessageArgs>),
    /// Explain why a message is not delivered yet.
    Why(On<MessageArgs>),
    /// Export a conversation to a file.
    Export(On<ExportArgs>),
}

/// A message on the command line.
#[derive(Debug, Clone, Args)]
pub struct MessageArgs {
    /// Id of the message, as `hushwing history` shows it.
    pub id: String,
    /// The contact or group that it belongs to [default: search in all].
    #[arg(long = "in", value_name = "NAME")]
    pub conversation: Option<String>,
    /// How long to wait.
    #[command(flatten)]
    pub patience: PatienceArgs,
}

/// Arguments of `message edit`.
#[derive(Debug, Clone, Args)]
pub struct EditArgs {
    /// Which message.
    #[command(flatten)]
    pub message: MessageArgs,
    /// New text; read from stdin if `-`, or if omitted in a pipe.
    #[arg(value_name = "TEXT|-")]
    pub text: Option<String>,
}

/// Arguments of `message react`.
#[derive(Debug, Clone, Args)]
pub struct ReactArgs {
    /// Which message.
    #[command(flatten)]
    pub message: MessageArgs,
    /// An emoji or other short text.
    pub emoji: String,
    /// Remove the reaction.
    #[arg(long)]
    pub remove: bool,
}

/// Arguments of `message export`.
#[derive(Debug, Clone, Args)]
pub struct ExportArgs {
    /// The contact or group.
    pub conversation: String,
    /// Output format.
    #[arg(long, default_value = "txt", value_parser = format_parser())]
    pub format: Format,
    /// Write to this file, readable only by you [default: stdout].
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Overwrite an existing file.
    #[arg(long)]
    pub force: bool,
}

fn format_parser() -> impl TypedValueParser<Value = Format> {
    let value = |format: Format| {
        PossibleValue::new(format.word()).help(match format {
            Format::Txt => "Plain text, one line per message",
            Format::Jsonl => "JSON Lines with all fields",
            Format::Html => "One page for a browser, without scripts",
        })
    };
    PossibleValuesParser::new(Format::ALL.map(value))
        .map(|word| Format::parse(&word).unwrap_or(Format::Txt))
}

pub(crate) async fn run(profiles: &SharedProfiles, command: MessageCommand) -> Result<(), Failure> {
    match command {
        MessageCommand::Edit(on) => edit(profiles, &on.at, on.args).await,
        MessageCommand::Delete(on) => delete(profiles, &on.at, on.args).await,
        MessageCommand::React(on) => react(profiles, &on.at, on.args).await,
        MessageCommand::Cancel(on) => cancel(profiles, &on.at, on.args).await,
        MessageCommand::Why(on) => why(profiles, &on.at, on.args).await,
        MessageCommand::Export(on) => export(profiles, &on.at, on.args).await,
    }
}

/// The message that the command line names.
async fn find(session: &mut ProfileSession, args: &MessageArgs) -> Result<MessageView, Failure> {
    let conversation = match &args.conversation {
        Some(name) => Some(session.conversation(name, Scope::Conversation).await?.id),
        None => None,
    };
    session.message(conversation, &args.id).await
}

/// Finds the message, does something with it, and waits until that is at the hub.
async fn change(
    profiles: &SharedProfiles,
    at: &ProfileArgs,
    args: &MessageArgs,
    act: impl AsyncFnOnce(&mut ProfileSession, MessageView) -> Result<(), Failure>,
) -> Result<(), Failure> {
    with(profiles, &existing(at), async |session| {
        let message = find(session, args).await?;
        act(session, message).await?;
        session.settled(&[], args.patience.timeout).await
    })
    .await
}

async fn edit(profiles: &SharedProfiles, at: &ProfileArgs, args: EditArgs) -> Result<(), Failure> {
    let text = text_of(args.text)?;
    change(profiles, at, &args.message, async |session, m| {
        session.ask(Edit { conversation: m.conversation, message: m.id, text }).await?;
        Ok(())
    })
    .await
}

async fn delete(
    profiles: &SharedProfiles,
    at: &ProfileArgs,
    args: MessageArgs,
) -> Result<(), Failure> {
    change(profiles, at, &args, async |session, m| {
        session.ask(Delete { conversation: m.conversation, message: m.id }).await?;
        Ok(())
    })
    .await
}

async fn react(
    profiles: &SharedProfiles,
    at: &ProfileArgs,
    args: ReactArgs,
) -> Result<(), Failure> {
    change(profiles, at, &args.message, async |session, m| {
        let (emoji, remove) = (args.emoji, args.remove);
        session.ask(React { conversation: m.conversation, message: m.id, emoji, remove }).await?;
        Ok(())
    })
    .await
}

async fn cancel(
    profiles: &SharedProfiles,
    at: &ProfileArgs,
    args: MessageArgs,
) -> Result<(), Failure> {
    with(profiles, &existing(at), async |session| {
        let m = find(session, &args).await?;
        session.ask(Cancel { conversation: m.conversation, message: m.id }).await?;
        Ok(())
    })
    .await
}

async fn why(
    profiles: &SharedProfiles,
    at: &ProfileArgs,
    args: MessageArgs,
) -> Result<(), Failure> {
    with(profiles, &existing(at), async |session| {
        let m = find(session, &args).await?;
        // The connections need a moment before they know how they stand.
        let _ = session
            .until(args.patience.timeout, async |session| {
                Ok(session.status().await?.online.then_some(()))
            })
            .await?;
        let why = session.ask(GetWhy { conversation: m.conversation, message: m.id }).await?;
        out(why.text.as_deref().unwrap_or("it is delivered"))
    })
    .await
}

/// The history of a conversation, for an export.
pub(crate) struct History<'a>(pub(crate) &'a mut ProfileSession, pub(crate) ConversationId);

impl Pages for History<'_> {
    async fn page(&mut self, after: i64) -> Result<Vec<Entry>, Refusal> {
        let request = api::GetHistoryAfter { conversation: Some(self.1), after, limit: Some(PAGE) };
        let page = self.0.try_ask(request).await?;
        Ok(page.into_iter().map(|m| Entry::Message(Box::new(m))).collect())
    }
}

/// An export that failed, as the end of a command.
pub(crate) fn not_exported(error: ExportError) -> Failure {
    match error {
        ExportError::Refused(refusal) => text::failure(refusal),
        ExportError::Exists(_) => Failure::new(
            ErrorKind::LocalConfig,
            error,
            "choose another file, or add --force to overwrite it",
        ),
        ExportError::Write(_) => {
            Failure::new(ErrorKind::LocalStorage, error, "choose a directory you can write to")
        }
    }
}

async fn export(
    profiles: &SharedProfiles,
    at: &ProfileArgs,
    args: ExportArgs,
) -> Result<(), Failure> {
    with(profiles, &existing(at), async |session| {
        let named = session.conversation(&args.conversation, Scope::Conversation).await?;
        let (mut pages, title) = (History(session, named.id), named.label);
        match &args.out {
            Some(file) => {
                let done = text::to_file(&mut pages, &title, args.format, file, args.force).await;
                let count = done.map_err(not_exported)?;
                note(&format!("{count} messages written to {}", file.display()));
                Ok(())
            }
            None => {
                // Not locked: the engine is asked between pages.
                let mut stdout = BufWriter::new(std::io::stdout());
                match text::write(&mut pages, &title, args.format, &mut stdout).await {
                    Ok(_) => Ok(()),
                    Err(ExportError::Write(e)) => Err(Failure::stdout(e)),
                    Err(ExportError::Refused(refusal)) => Err(refusal).or_fail(),
                    Err(other) => Err(not_exported(other)),
                }
            }
        }
    })
    .await
}

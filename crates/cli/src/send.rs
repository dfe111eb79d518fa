//! `send`: a text or a file, until it is at the hub.

use std::io::{IsTerminal, Read};
use std::path::PathBuf;
use std::time::Duration;

use api::{
    ConversationId, Event, Failure, FileState, GetWhy, LocalPath, MessageId, MessageState, Scope,
    SendFile, SendText, TransferId,
};
use clap::Args;
use settings::{ProfileArgs, duration};
use text::{json, note};
use tokio::time::Instant;
use wire::ErrorKind;

use crate::file::Progress;
use crate::session::{ProfileSession, SharedProfiles, existing, with};

const TEXT_PATIENCE: Duration = Duration::from_secs(30);
const FILE_PATIENCE: Duration = Duration::from_secs(600);
/// Longest text that is read from stdin, bytes: more than any message may have, so that the engine
/// says what is wrong.
const MAX_STDIN: u64 = 1 << 20;
const SENT_LATER: &str = "it stays queued and will be sent the next time the profile runs, for example with `hushwing recv`; `hushwing message cancel ID` cancels it";

/// Arguments of `send`.
#[derive(Debug, Clone, Args)]
pub struct SendArgs {
    /// The contact or group.
    pub name: String,
    /// Message text; read from stdin if `-`, or if omitted in a pipe.
    #[arg(value_name = "TEXT|-", conflicts_with = "file")]
    pub text: Option<String>,
    /// Send this file.
    #[arg(long, value_name = "PATH", conflicts_with = "reply_to")]
    pub file: Option<PathBuf>,
    /// Reply to this message: its id, as `hushwing history` shows it.
    #[arg(long, value_name = "ID")]
    pub reply_to: Option<String>,
    /// Do not wait until the message is stored; it leaves the next time the profile runs.
    #[arg(long)]
    pub queue: bool,
    /// Print the message's id and state as JSON.
    #[arg(long)]
    pub json: bool,
    /// How long to wait until it is stored, such as 30s [default: 30s, for files 10m].
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub timeout: Option<Duration>,
}

/// A text from the command line or, for `-` and in pipes, from stdin.
pub(crate) fn text_of(given: Option<String>) -> Result<String, Failure> {
    let hint = "give it on the command line, or pipe it to stdin";
    match given {
        Some(text) if text != "-" => return Ok(text),
        None if std::io::stdin().is_terminal() => {
            return Err(Failure::new(ErrorKind::LocalConfig, "no text given", hint));
        }
        _ => {}
    }
    let mut text = String::new();
    let read = std::io::stdin().lock().take(MAX_STDIN).read_to_string(&mut text);
    read.map_err(|e| {
        Failure::new(ErrorKind::LocalConfig, format!("cannot read text from stdin: {e}"), hint)
    })?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let text = line.strip_suffix('\r').unwrap_or(line).to_owned();
    if text.is_empty() {
        return Err(Failure::new(ErrorKind::LocalConfig, "no text on stdin", hint));
    }
    Ok(text)
}

pub(crate) async fn run(
    profiles: &SharedProfiles,
    at: &ProfileArgs,
    args: SendArgs,
) -> Result<(), Failure> {
    let text = if args.file.is_none() { text_of(args.text.clone())? } else { String::new() };
    with(profiles, &existing(at), async |session| {
        let to = session.conversation(&args.name, Scope::Conversation).await?.id;
        let queued = match &args.file {
            Some(path) => {
                session.ask(SendFile { conversation: to, path: LocalPath::new(path) }).await?
            }
            None => {
                let reply_to = match &args.reply_to {
                    Some(typed) => Some(session.message(Some(to), typed).await?.id),
                    None => None,
                };
                session.ask(SendText { conversation: to, text, reply_to }).await?
            }
        };
        if !args.queue {
            let usual = if args.file.is_some() { FILE_PATIENCE } else { TEXT_PATIENCE };
            let end = Instant::now() + args.timeout.unwrap_or(usual);
            stored(session, to, queued.message, end).await?;
            if args.file.is_some() {
                uploaded(session, to, queued.message, end).await?;
            }
        }
        report(session, &args, to, queued.message).await
    })
    .await
}

async fn report(
    session: &mut ProfileSession,
    args: &SendArgs,
    to: ConversationId,
    id: MessageId,
) -> Result<(), Failure> {
    if args.json {
        let state = session.newest(to, |m| m.id == id).await?.map(|m| m.state);
        return json(&serde_json::json!({ "id": id, "state": state }));
    }
    if args.queue {
        note("queued: it leaves the next time the profile runs");
    }
    Ok(())
}

/// Waits until a message of this profile is at the hub.
async fn stored(
    session: &mut ProfileSession,
    conversation: ConversationId,
    message: MessageId,
    end: Instant,
) -> Result<(), Failure> {
    let limit = end.saturating_duration_since(Instant::now());
    let there = session
        .until(limit, async |session| {
            let found = session.newest(conversation, |m| m.id == message).await?;
            let at_the_hub = |state| {
                matches!(state, MessageState::Stored | MessageState::Delivered | MessageState::Read)
            };
            Ok(found.filter(|m| at_the_hub(m.state)))
        })
        .await?;
    if there.is_some() {
        return Ok(());
    }
    let why = session.ask(GetWhy { conversation, message }).await?.text;
    let why = why.unwrap_or_else(|| "timed out".to_owned());
    let text = format!("message {} is not stored yet: {why}", message.short());
    Err(Failure::new(ErrorKind::Network, text, SENT_LATER))
}

/// Waits until a file of this profile is at the hub.
async fn uploaded(
    session: &mut ProfileSession,
    to: ConversationId,
    id: MessageId,
    end: Instant,
) -> Result<(), Failure> {
    let found = session.newest(to, |m| m.id == id).await?.and_then(|m| m.file);
    let Some(first) = found else { return Ok(()) };
    let progress = Progress::new(&first.name, first.size);
    loop {
        let all = session.files().await?;
        let Some(file) = all.into_iter().find(|f| f.transfer == first.transfer) else {
            return Ok(());
        };
        progress.at(file.done);
        match file.state {
            FileState::Moving | FileState::Offered => {}
            FileState::Done => return Ok(()),
            FileState::Failed | FileState::Cancelled => {
                let text = format!("the transfer was not completed: {}", file.state);
                let hint = "check whether the file was changed or removed, then send it again";
                return Err(Failure::new(ErrorKind::LocalConfig, text, hint));
            }
        }
        if Instant::now() >= end {
            return Err(session.late("the file is not at the hub yet", SENT_LATER).await);
        }
        wait_for_file(session, first.transfer, end).await;
    }
}

/// Waits for news of a transfer, or a moment.
pub(crate) async fn wait_for_file(
    session: &mut ProfileSession,
    transfer: TransferId,
    end: Instant,
) {
    let moment = end.min(Instant::now() + Duration::from_millis(500));
    while let Some(event) = session.next_until(moment).await {
        if matches!(&event, Event::File { file } if file.transfer == transfer) {
            return;
        }
    }
}

//! `send`: a text or a file, until it is at the hub.

use std::io::{IsTerminal, Read};
use std::time::Duration;

use settings::{CreatePolicy, ProfileArgs};
use tokio::time::Instant;
use wire::ErrorKind;

use super::files::Progress;
use super::here::{Here, with};
use super::show::{json, note};
use crate::cli::args_profile::SendArgs;
use crate::engine::profile::{Command, Event, MessageView, Reply};
use crate::exit::Failure;

const TEXT_PATIENCE: Duration = Duration::from_secs(30);
const FILE_PATIENCE: Duration = Duration::from_secs(600);
/// Longest text that is read from stdin, bytes: more than any message may have, so that the engine
/// says what is wrong.
const MAX_STDIN: u64 = 1 << 20;
const LEAVES_LATER: &str = "it stays queued, and leaves the next time the profile runs, as in `hushwing recv`; `hushwing cancel ID` takes it back";

/// A text from the command line or, for `-` and in pipes, from stdin.
///
/// # Errors
/// When there is none.
pub fn text_of(given: Option<String>) -> Result<String, Failure> {
    let hint = "name it after the contact, or write it to stdin";
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
        Failure::new(ErrorKind::LocalConfig, format!("stdin cannot be read as text: {e}"), hint)
    })?;
    let text = text
        .strip_suffix('\n')
        .map_or(text.as_str(), |t| t.strip_suffix('\r').unwrap_or(t))
        .to_owned();
    if text.is_empty() {
        return Err(Failure::new(ErrorKind::LocalConfig, "stdin holds no text", hint));
    }
    Ok(text)
}

pub async fn run(at: &ProfileArgs, args: SendArgs) -> Result<(), Failure> {
    let text = if args.file.is_none() { text_of(args.text.clone())? } else { String::new() };
    with(at, CreatePolicy::Never, async |here| {
        here.conversation(&args.name).await?;
        let command = match &args.file {
            Some(path) => Command::SendFile {
                to: args.name.clone(),
                path: path.to_string_lossy().into_owned(),
            },
            None => {
                let reply_to = match &args.reply_to {
                    Some(id) => Some(here.message(Some(&args.name), id).await?.id),
                    None => None,
                };
                Command::Send { to: args.name.clone(), text, reply_to }
            }
        };
        let id = here.ask_id(command).await?;
        if !args.queue {
            let patience = args.timeout.unwrap_or(if args.file.is_some() {
                FILE_PATIENCE
            } else {
                TEXT_PATIENCE
            });
            let end = Instant::now() + patience;
            stored(here, &args.name, &id, end).await?;
            if args.file.is_some() {
                uploaded(here, &args.name, &id, end).await?;
            }
        }
        report(here, &args, &id).await
    })
    .await
}

async fn report(here: &mut Here, args: &SendArgs, id: &str) -> Result<(), Failure> {
    let state = here.newest(&args.name, |m| m.id == id).await?.map(|m| m.state).unwrap_or_default();
    if args.json {
        return json(&serde_json::json!({ "id": id, "state": state }));
    }
    if args.queue {
        note("queued: it leaves the next time the profile runs");
    }
    Ok(())
}

/// Waits until a message of ours is at the hub.
async fn stored(here: &mut Here, to: &str, id: &str, end: Instant) -> Result<(), Failure> {
    let limit = end.saturating_duration_since(Instant::now());
    let there = here
        .until(limit, async |here| {
            let found = here.newest(to, |m| m.id == id).await?;
            Ok(found.filter(|m| matches!(m.state.as_str(), "stored" | "delivered" | "read")))
        })
        .await?;
    match there {
        Some(_) => Ok(()),
        None => {
            let command = Command::Why { conversation: to.to_owned(), message: id.to_owned() };
            let why = match here.ask(command).await? {
                Reply::Why { text: Some(text), .. } => text,
                _ => "the time is over".to_owned(),
            };
            Err(Failure::new(
                ErrorKind::Network,
                format!("message {id} is not stored yet: {why}"),
                LEAVES_LATER,
            ))
        }
    }
}

/// Waits until a file of ours is at the hub.
async fn uploaded(here: &mut Here, to: &str, id: &str, end: Instant) -> Result<(), Failure> {
    let find = |m: &MessageView| m.id == id;
    let Some(first) = here.newest(to, find).await?.and_then(|m| m.file) else { return Ok(()) };
    let progress = Progress::new(&first.name, first.size);
    loop {
        let Some(file) = here.files().await?.into_iter().find(|f| f.transfer == first.transfer)
        else {
            return Ok(());
        };
        progress.at(file.done);
        match file.state.as_str() {
            "moving" | "offered" => {}
            "done" => return Ok(()),
            state => {
                let hint = "look whether the file was changed or removed, and send it again";
                return Err(Failure::new(
                    ErrorKind::LocalConfig,
                    format!("the transfer has {state}"),
                    hint,
                ));
            }
        }
        if Instant::now() >= end {
            return Err(here.late("the file is not at the hub yet", LEAVES_LATER).await);
        }
        wait_for_file(here, &first.transfer, end).await;
    }
}

/// Waits for news of a transfer, or a moment.
pub async fn wait_for_file(here: &mut Here, transfer: &str, end: Instant) {
    let moment = end.min(Instant::now() + Duration::from_millis(500));
    while let Some(event) = here.next_until(moment).await {
        if matches!(&event, Event::File { file } if file.transfer == transfer) {
            return;
        }
    }
}

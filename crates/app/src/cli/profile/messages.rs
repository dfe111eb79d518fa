//! What is done with messages that are there.

use settings::{CreatePolicy, ProfileArgs};

use super::here::{Here, with};
use super::look::PAGE;
use super::send::text_of;
use super::show::{dated, json, out};
use crate::cli::args_profile::{EditArgs, HistoryArgs, MessageArgs, ReactArgs, SearchArgs};
use crate::engine::profile::{Command, MessageView, Reply};
use crate::exit::Failure;

pub async fn history(at: &ProfileArgs, args: HistoryArgs) -> Result<(), Failure> {
    with(at, CreatePolicy::Never, async |here| {
        let (mut all, mut before) = (Vec::new(), args.before);
        // Newest page first, as far back as was asked for.
        while all.len() < args.limit {
            let limit = Some(PAGE.min(args.limit - all.len()));
            let command = Command::History { conversation: args.name.clone(), before, limit };
            let mut page = here.ask_messages(command).await?;
            let Some(first) = page.first() else { break };
            before = Some(first.number);
            page.append(&mut all);
            all = page;
        }
        show(&all, args.json)
    })
    .await
}

pub async fn search(at: &ProfileArgs, args: SearchArgs) -> Result<(), Failure> {
    with(at, CreatePolicy::Never, async |here| {
        let command = Command::Search {
            query: args.words.join(" "),
            conversation: args.conversation.clone(),
            limit: Some(args.limit),
        };
        let found = here.ask_messages(command).await?;
        if args.json || args.conversation.is_some() {
            return show(&found, args.json);
        }
        found.iter().try_for_each(|m| out(&format!("[{}] {}", m.conversation, dated(m))))
    })
    .await
}

fn show(messages: &[MessageView], as_json: bool) -> Result<(), Failure> {
    messages.iter().try_for_each(|m| if as_json { json(m) } else { out(&dated(m)) })
}

/// Finds the message, does something with it, and waits until that is at the hub.
async fn change(
    at: &ProfileArgs,
    args: &MessageArgs,
    command: impl AsyncFnOnce(&mut Here, MessageView) -> Result<(), Failure>,
) -> Result<(), Failure> {
    with(at, CreatePolicy::Never, async |here| {
        let message = here.message(None, &args.id).await?;
        command(here, message).await?;
        here.settled(&[], args.patience.timeout).await
    })
    .await
}

pub async fn edit(at: &ProfileArgs, args: EditArgs) -> Result<(), Failure> {
    let text = text_of(args.text)?;
    change(at, &args.message, async |here, m| {
        here.do_it(Command::Edit { conversation: m.conversation, message: m.id, text }).await
    })
    .await
}

pub async fn delete(at: &ProfileArgs, args: MessageArgs) -> Result<(), Failure> {
    change(at, &args, async |here, m| {
        here.do_it(Command::Delete { conversation: m.conversation, message: m.id }).await
    })
    .await
}

pub async fn react(at: &ProfileArgs, args: ReactArgs) -> Result<(), Failure> {
    change(at, &args.message, async |here, m| {
        let (emoji, remove) = (args.emoji, args.remove);
        here.do_it(Command::React { conversation: m.conversation, message: m.id, emoji, remove })
            .await
    })
    .await
}

pub async fn cancel(at: &ProfileArgs, args: MessageArgs) -> Result<(), Failure> {
    with(at, CreatePolicy::Never, async |here| {
        let m = here.message(None, &args.id).await?;
        here.do_it(Command::Cancel { conversation: m.conversation, message: m.id }).await
    })
    .await
}

pub async fn why(at: &ProfileArgs, args: MessageArgs) -> Result<(), Failure> {
    with(at, CreatePolicy::Never, async |here| {
        let m = here.message(None, &args.id).await?;
        // The connections need a moment before they know how they stand.
        let _ = here
            .until(args.patience.timeout, async |here| {
                Ok(here.status().await?.online.then_some(()))
            })
            .await?;
        let command = Command::Why { conversation: m.conversation, message: m.id };
        match here.ask(command).await? {
            Reply::Why { text: Some(text), .. } => out(&text),
            _ => out("it is delivered"),
        }
    })
    .await
}

//! `history` and `search`.

use api::{Failure, GetHistory, MessageView, Scope, Search};
use clap::Args;
use settings::ProfileArgs;
use text::{dated, json, out};

use crate::queries::PAGE;
use crate::session::{SharedProfiles, existing, with};

/// Arguments of `history`.
#[derive(Debug, Clone, Args)]
pub struct HistoryArgs {
    /// The contact or group.
    pub name: String,
    /// Maximum number of messages.
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub limit: usize,
    /// Only messages with a number below this, as --json shows it.
    #[arg(long, value_name = "N")]
    pub before: Option<i64>,
    /// Print JSON, one message per line.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `search`.
#[derive(Debug, Clone, Args)]
pub struct SearchArgs {
    /// Words to search for; messages must contain all of them.
    #[arg(required = true)]
    pub words: Vec<String>,
    /// Only messages of this contact or group.
    #[arg(long = "in", value_name = "NAME")]
    pub conversation: Option<String>,
    /// Maximum number of messages.
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub limit: usize,
    /// Print JSON, one message per line.
    #[arg(long)]
    pub json: bool,
}

pub(crate) async fn run(
    profiles: &SharedProfiles,
    at: &ProfileArgs,
    args: HistoryArgs,
) -> Result<(), Failure> {
    with(profiles, &existing(at), async |session| {
        let conversation = session.conversation(&args.name, Scope::Conversation).await?.id;
        let (mut all, mut before) = (Vec::new(), args.before);
        // Newest page first, as far back as was asked for.
        while all.len() < args.limit {
            let limit = Some(PAGE.min(args.limit - all.len()));
            let mut page = session.ask(GetHistory { conversation, before, limit }).await?;
            let Some(first) = page.first() else { break };
            before = Some(first.number);
            page.append(&mut all);
            all = page;
        }
        show(&all, args.json)
    })
    .await
}

pub(crate) async fn search(
    profiles: &SharedProfiles,
    at: &ProfileArgs,
    args: SearchArgs,
) -> Result<(), Failure> {
    with(profiles, &existing(at), async |session| {
        let conversation = match &args.conversation {
            Some(name) => Some(session.conversation(name, Scope::Conversation).await?.id),
            None => None,
        };
        let (query, limit) = (args.words.join(" "), Some(args.limit));
        let found = session.ask(Search { query, conversation, limit }).await?;
        if args.json || conversation.is_some() {
            return show(&found, args.json);
        }
        found.iter().try_for_each(|m| out(&format!("[{}] {}", m.label, dated(m))))
    })
    .await
}

fn show(messages: &[MessageView], as_json: bool) -> Result<(), Failure> {
    messages.iter().try_for_each(|m| if as_json { json(m) } else { out(&dated(m)) })
}

//! Tells each open page that something happened. The page then fetches itself again, so that what
//! it shows is made in one place. Notices and knocks are kept for pages that open later.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use api::{Event, KnockId, MessageKind, MessageState};
use serde::Serialize;
use tokio::sync::{broadcast, mpsc};

use crate::outgoing;

/// Words that a page may be behind; then it is told to fetch everything.
const BEHIND: usize = 256;
/// Pages that listen at one time.
const LISTENERS: usize = 128;
/// Notices that are kept for pages to come; the oldest goes.
const NOTICES: usize = 8;
/// People who knock at one time; the oldest goes.
const KNOCKS: usize = 16;

/// Somebody on the local network who knocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Knocker {
    pub(crate) knock: KnockId,
    pub(crate) name: String,
    pub(crate) words: String,
}

/// What a page is told. It says nothing about where: a page fetches what it shows itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default)]
struct Word {
    /// Somebody else has sent something.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    news: bool,
    /// To be shown for a moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

#[derive(Debug, Default)]
struct Recent {
    notices: VecDeque<String>,
    knocks: VecDeque<Knocker>,
    /// The words that the person we knock at should see too.
    knocking: Option<String>,
}

/// What goes to open pages, and what happened recently.
#[derive(Debug)]
pub(crate) struct Live {
    words: broadcast::Sender<String>,
    ended: Arc<tokio::sync::Notify>,
    recent: Arc<Mutex<Recent>>,
}

impl Live {
    pub(crate) fn new() -> Self {
        Live { words: broadcast::channel(BEHIND).0, ended: Arc::default(), recent: Arc::default() }
    }

    /// Passes events on to pages until the engine stops.
    pub(crate) fn follow(&self, mut events: mpsc::Receiver<Event>, outgoing: PathBuf) {
        let (words, recent, ended) = (self.words.clone(), self.recent.clone(), self.ended.clone());
        tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                if let Event::File { file } = &event {
                    outgoing::tidy(&outgoing, file);
                }
                note(&mut recent.lock().unwrap_or_else(PoisonError::into_inner), &event);
                let line = serde_json::to_string(&word(&event)).unwrap_or_default();
                // Nobody may be listening.
                let _ = words.send(line);
            }
            ended.notify_one();
        });
    }

    /// The words from now on, for one more page; none when too many listen.
    pub(crate) fn listen(&self) -> Option<broadcast::Receiver<String>> {
        (self.words.receiver_count() < LISTENERS).then(|| self.words.subscribe())
    }

    /// Waits until the engine has stopped.
    pub(crate) async fn ended(&self) {
        self.ended.notified().await;
    }

    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn notices(&self) -> Vec<String> {
        self.recent().notices.iter().cloned().collect()
    }

    pub(crate) fn knocks(&self) -> Vec<Knocker> {
        self.recent().knocks.iter().cloned().collect()
    }

    pub(crate) fn knocking(&self) -> Option<String> {
        self.recent().knocking.clone()
    }

    pub(crate) fn answered(&self, knock: KnockId) {
        self.recent().knocks.retain(|k| k.knock != knock);
    }

    pub(crate) fn clear_notices(&self) {
        self.recent().notices.clear();
    }
}

fn note(recent: &mut Recent, event: &Event) {
    match event {
        Event::Knock { knock, name, words } => {
            recent.knocks.truncate(KNOCKS - 1);
            recent.knocks.push_front(Knocker {
                knock: *knock,
                name: name.clone(),
                words: words.clone(),
            });
        }
        Event::Knocking { words } => recent.knocking = Some(words.clone()),
        event => {
            if let Some(text) = said(event) {
                recent.notices.truncate(NOTICES - 1);
                recent.notices.push_front(text);
            }
        }
    }
}

/// What a person should read even if no page was open.
fn said(event: &Event) -> Option<String> {
    match event {
        Event::Notice { text } => Some(text.clone()),
        Event::Renamed { was, label, .. } => Some(format!("{was} is now called {label}")),
        Event::InviteUsed { label, .. } => {
            Some(format!("{label} has used your invite: compare the safety words"))
        }
        Event::InviteTriedAgain { .. } => Some(
            "someone else tried an invite that was already used: compare the safety words with \
             the contact who used it first"
                .to_owned(),
        ),
        Event::InviteFailed { text, .. } => Some(format!("an invite has failed: {text}")),
        Event::HeldUp { label, name, .. } => Some(format!(
            "{label} is stalled by {name}: you can continue in a new group without them"
        )),
        Event::Stopped { label, .. } => Some(format!(
            "{label} was stopped: something in it is damaged, or was sent to break it; see About"
        )),
        Event::Forked { label, .. } => {
            Some(format!("{label}: members see different histories; ask them"))
        }
        _ => None,
    }
}

/// Whether somebody else has sent something that can be read now.
fn is_news(event: &Event) -> bool {
    match event {
        Event::Message { message } => !message.you && message.kind != MessageKind::Notice,
        Event::RoomLine { line, .. } => {
            !line.you && line.kind == MessageKind::Text && line.state == MessageState::Received
        }
        Event::Knock { .. } | Event::GroupInvite { .. } => true,
        _ => false,
    }
}

fn word(event: &Event) -> Word {
    Word { news: is_news(event), text: said(event) }
}

#[cfg(test)]
mod tests {
    use api::ConversationId;

    use super::*;

    fn renamed(n: usize) -> Event {
        let conversation = ConversationId::new([7; 16]);
        Event::Renamed { conversation, was: "family".to_owned(), label: format!("kin {n}") }
    }

    #[test]
    fn a_rename_by_others_is_told_and_kept_for_later() {
        let told = word(&renamed(0));
        assert_eq!(told.text.as_deref(), Some("family is now called kin 0"));
        assert!(!told.news, "nobody has sent anything");
        let mut recent = Recent::default();
        for n in 0..NOTICES + 2 {
            note(&mut recent, &renamed(n));
        }
        assert_eq!(recent.notices.len(), NOTICES);
        assert_eq!(recent.notices.front().map(String::as_str), Some("family is now called kin 9"));
    }

    #[test]
    fn what_pages_are_told_names_nobody_unless_it_is_to_be_read() {
        let conversation = ConversationId::new([7; 16]);
        let near = Event::Neighbour { conversation, label: "bob".to_owned(), here: true };
        assert_eq!(serde_json::to_string(&word(&near)).unwrap(), "{}");
    }
}

//! Word of what happens, to each page that is open. A page then fetches itself again: what is shown
//! is made in one place.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event as Sse, KeepAlive};
use axum::response::{IntoResponse, Response, Sse as Stream};
use futures::stream;
use serde::Serialize;
use tokio::sync::{broadcast, mpsc};

use super::door::Visitor;
use super::trouble::Trouble;
use super::{Web, files};
use crate::engine::profile::Event;

/// Words that a page may be behind; then it is told to look at everything.
const BEHIND: usize = 256;
/// Pages that listen at one time.
const LISTENERS: usize = 128;
/// How often an open page hears that we are still there.
const ALIVE: Duration = Duration::from_secs(20);
/// Notices that are kept for pages to come.
const NOTICES: usize = 8;
/// People at the door at one time.
const KNOCKS: usize = 16;

/// Somebody who knocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AtTheDoor {
    pub(super) knock: String,
    pub(super) name: String,
    pub(super) words: String,
}

/// What a page is told.
#[derive(Debug, Clone, Serialize, Default)]
struct Word {
    /// The contact, group or room that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<String>,
    /// Something new from somebody else is there to be read.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    news: bool,
    /// To be said in passing.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

#[derive(Debug, Default)]
struct Lately {
    notices: VecDeque<String>,
    knocks: VecDeque<AtTheDoor>,
    /// The words that whoever we knock at sees too.
    knocking: Option<String>,
}

/// What goes to open pages, and what was said lately.
#[derive(Debug)]
pub(super) struct Live {
    words: broadcast::Sender<String>,
    ended: Arc<tokio::sync::Notify>,
    lately: Arc<Mutex<Lately>>,
}

impl Live {
    pub(super) fn new() -> Self {
        Live { words: broadcast::channel(BEHIND).0, ended: Arc::default(), lately: Arc::default() }
    }

    /// Hands on what the engine tells, until it stops.
    pub(super) fn follow(&self, mut events: mpsc::Receiver<Event>, outgoing: PathBuf) {
        let (words, lately, ended) = (self.words.clone(), self.lately.clone(), self.ended.clone());
        tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                if let Event::File { file } = &event {
                    files::tidy(&outgoing, file);
                }
                note(&mut lately.lock().unwrap_or_else(PoisonError::into_inner), &event);
                let line = serde_json::to_string(&word(event)).unwrap_or_default();
                // Nobody may be listening.
                let _ = words.send(line);
            }
            ended.notify_one();
        });
    }

    /// When the engine has stopped.
    pub(super) async fn ended(&self) {
        self.ended.notified().await;
    }

    fn lately(&self) -> std::sync::MutexGuard<'_, Lately> {
        self.lately.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn notices(&self) -> Vec<String> {
        self.lately().notices.iter().cloned().collect()
    }

    pub(super) fn knocks(&self) -> Vec<AtTheDoor> {
        self.lately().knocks.iter().cloned().collect()
    }

    pub(super) fn knocking(&self) -> Option<String> {
        self.lately().knocking.clone()
    }

    pub(super) fn answered(&self, knock: &str) {
        self.lately().knocks.retain(|k| k.knock != knock);
    }

    pub(super) fn clear_notices(&self) {
        self.lately().notices.clear();
    }
}

fn note(lately: &mut Lately, event: &Event) {
    match event {
        Event::Knock { knock, name, words } => {
            lately.knocks.truncate(KNOCKS - 1);
            lately.knocks.push_front(AtTheDoor {
                knock: knock.clone(),
                name: name.clone(),
                words: words.clone(),
            });
        }
        Event::Knocking { words } => lately.knocking = Some(words.clone()),
        event => {
            if let Some(text) = said(event) {
                lately.notices.truncate(NOTICES - 1);
                lately.notices.push_front(text);
            }
        }
    }
}

/// What a person should read even if no page was open.
fn said(event: &Event) -> Option<String> {
    match event {
        Event::Notice { text } => Some(text.clone()),
        Event::InviteUsed { conversation, .. } => {
            Some(format!("{conversation} has used your invite: compare the safety words"))
        }
        Event::InviteTriedAgain { .. } => Some(
            "somebody else has tried an invite of yours that was used already: compare safety words with whoever was first"
                .to_owned(),
        ),
        Event::InviteFailed { text, .. } => Some(format!("an invite came to nothing: {text}")),
        Event::HeldUp { conversation, by } => {
            Some(format!("{conversation} is held up by {by}: a new group without them can go on"))
        }
        Event::Forked { conversation } => {
            Some(format!("{conversation}: the members see different histories; ask them"))
        }
        _ => None,
    }
}

fn word(event: Event) -> Word {
    let text = said(&event);
    let (place, news) = match event {
        Event::Message { message } => {
            (Some(message.conversation), !message.you && message.kind != "notice")
        }
        Event::Changed { message } => (Some(message.conversation), false),
        Event::State { conversation, .. }
        | Event::Expired { conversation, .. }
        | Event::Opened { conversation }
        | Event::Conversation { conversation, .. }
        | Event::Neighbour { conversation, .. } => (Some(conversation), false),
        Event::File { file } => (Some(file.conversation), false),
        Event::RoomLine { room, line } => {
            (Some(room), !line.you && line.kind == "text" && line.state == "received")
        }
        Event::Room { room } => (Some(room.name), false),
        Event::Knock { .. } | Event::GroupInvite { .. } => (None, true),
        _ => (None, false),
    };
    Word { place, news, text }
}

/// `GET events`: server-sent events for one page.
pub(super) async fn events(State(web): State<Arc<Web>>, _in: Visitor) -> Result<Response, Trouble> {
    if web.live.words.receiver_count() >= LISTENERS {
        return Err(Trouble::wrong("too many pages are open"));
    }
    let words = stream::unfold(web.live.words.subscribe(), |mut words| async move {
        let line = match words.recv().await {
            Ok(line) => line,
            Err(broadcast::error::RecvError::Lagged(_)) => "{}".to_owned(),
            Err(broadcast::error::RecvError::Closed) => return None,
        };
        Some((Ok::<_, Infallible>(Sse::default().data(line)), words))
    });
    Ok(Stream::new(words).keep_alive(KeepAlive::new().interval(ALIVE)).into_response())
}

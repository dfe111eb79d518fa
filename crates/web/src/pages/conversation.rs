//! A conversation with a contact or a group.

use api::{
    AllowedRoutes, ConversationKind, ConversationView, GetHistory, MarkSeen, MessageId,
    MessageKind, MessageView, Standing,
};
use axum::extract::{Path, Query};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use serde::Deserialize;
use text::{Asked, ExportError, Format, Source};

use super::frame::{Here, PageParts};
use super::{PageContext, PageResult, about, messages};
use crate::error::PageError;
use crate::files::attachment;
use crate::place::Place;

/// Messages of a page.
const PAGE: usize = 60;

/// What of a conversation is shown.
#[derive(Deserialize)]
pub(super) struct Shown {
    /// Messages with a smaller number.
    before: Option<i64>,
    /// The message that is being answered.
    reply: Option<String>,
    /// The message that is being edited.
    edit: Option<String>,
}

/// `GET c/ID`
pub(super) async fn conversation(
    cx: PageContext,
    Path(id): Path<String>,
    Query(shown): Query<Shown>,
) -> PageResult {
    let c = cx.conversation(&id)?;
    let place = Place::from(c.id);
    let (before, limit) = (shown.before, Some(PAGE));
    let history = cx.ask(GetHistory { conversation: c.id, before, limit }).await?;
    let newest = history.last().filter(|_| cx.looked_at && c.unseen > 0 && before.is_none());
    if let Some(newest) = newest {
        cx.ask(MarkSeen { conversation: c.id, up_to: newest.number }).await?;
    }
    let earlier = history.first().filter(|_| history.len() == PAGE).map(|m| m.number);
    let group = c.kind == ConversationKind::Group;
    let main = html! {
        (head(c, place))
        ol.log #log data-live tabindex="0" aria-label="Messages" {
            @if let Some(before) = earlier {
                li.earlier id=(format!("e{before}")) {
                    a href=(format!("{place}?before={before}")) { "Earlier messages" }
                }
            }
            @if history.is_empty() { li.notice #m-none { "No messages yet." } }
            (messages::messages(&cx, &history, group))
        }
        @if before.is_some() { p.row { a.button href=(place.end()) { "To the newest message" } } }
        @else { (composer(&cx, c, &shown, &history)) }
    };
    let panel = about::panel(&cx, c).await?;
    let aside = html! {
        @if !group { (safety_words(c, place)) }
        (panel)
    };
    let title = if group { "Group" } else { "Conversation" };
    cx.page(&PageParts { title, here: Here::At(place), main, aside: Some(aside) })
}

fn safety_words(c: &ConversationView, place: Place) -> Markup {
    html! {
        section {
            h2 { "Safety words" }
            @if c.verified { p { span.ok { "✓ You have compared them." } } }
            a.button.plain href=(format!("{}#words", place.about())) {
                (if c.verified { "See them" } else { "Compare them" })
            }
        }
    }
}

fn head(c: &ConversationView, place: Place) -> Markup {
    let hidden = c.allowed_routes != AllowedRoutes::Anywhere;
    html! {
        div.head {
            a.back href="./" aria-label="Back to the list" { "‹" }
            // Live: others may rename it while this page is open.
            h1 #label data-live { (c.label) }
            div.badges #badges data-live {
                span.badge .off[c.route.is_none()] title="The route messages take now" {
                    (c.route.map_or("no route", api::Route::word))
                }
                span.badge title="Allowed routes" {
                    (if hidden { "Hidden routes only" } else { "Any route" })
                }
                @if c.kind == ConversationKind::Contact {
                    @if c.verified { span.badge.ok { "verified" } }
                    @else {
                        a.badge.warn href=(format!("{}#words", place.about())) { "not verified" }
                    }
                }
                @match c.standing {
                    Standing::Normal => {}
                    Standing::KeysChanged => {
                        a.badge.warn href=(format!("{}#words", place.about())) { "keys changed" }
                    }
                    Standing::Stopped => { a.badge.warn href=(place.about()) { "stopped" } }
                    Standing::Blocked => { a.badge.warn href=(place.about()) { "blocked" } }
                }
                @if let Some(s) = c.timer_s { span.badge { "⏳ " (about::timer(s)) } }
            }
            a.button.plain.about href=(place.about()) { "About" }
        }
    }
}

fn composer(cx: &PageContext, c: &ConversationView, shown: &Shown, all: &[MessageView]) -> Markup {
    let place = Place::from(c.id);
    let find = |text: &Option<String>| {
        let wanted: MessageId = text.as_deref()?.parse().ok()?;
        all.iter().find(|m| m.id == wanted)
    };
    let reply = find(&shown.reply);
    let edit = find(&shown.edit).filter(|m| m.you && m.kind == MessageKind::Text);
    let draft = cx.draft(place);
    let text = if draft.is_empty() { edit.map_or("", |m| m.text.as_str()) } else { &draft };
    let body = html! {
        @if let Some(m) = reply {
            p.answering {
                "Replying to " strong { (m.from) } ": " (messages::quote(m)) " "
                a href=(place.end()) { "Cancel" }
            }
            input type="hidden" name="reply_to" value=(m.id);
        }
        @if let Some(m) = edit {
            p.answering { "Editing your message. " a href=(place.end()) { "Cancel" } }
            input type="hidden" name="edit" value=(m.id);
        }
        label.vh for="text" { "Message" }
        textarea #text name="text" rows="2" maxlength="65536" required placeholder="Message"
            data-keep=(place) autofocus[reply.is_some() || edit.is_some()] { (text) }
        button { (if edit.is_some() { "Save" } else { "Send" }) }
    };
    html! {
        div.composer #end {
            @if c.open {
                form.say method="post" action=(place.form("send")) data-say { (cx.token()) (body) }
                form.attach method="post" action=(place.form("file")) enctype="multipart/form-data"
                    data-drop {
                    (cx.token())
                    label.vh for="file" { "Files to send" }
                    input #file type="file" name="file" multiple required;
                    button.plain { "Send file" }
                }
            } @else {
                p.hint {
                    "You cannot write here: the conversation has ended, or is waiting to be "
                    "resumed."
                }
            }
        }
    }
}

/// An export as a download.
pub(super) async fn exported(
    cx: &PageContext,
    source: Source,
    title: &str,
    format: Format,
) -> Result<Response, PageError> {
    let kind = match format {
        Format::Txt => "text/plain; charset=utf-8",
        Format::Jsonl => "application/jsonl",
        Format::Html => "text/html; charset=utf-8",
    };
    let place = match source {
        Source::Conversation(id) => Place::from(id),
        Source::Room(id) => Place::from(id),
    };
    let mut bytes = Vec::new();
    let mut pages = Asked { client: &cx.web.client, source };
    text::write(&mut pages, title, format, &mut bytes).await.map_err(|e| match e {
        ExportError::Refused(refusal) => refusal.into(),
        // Memory is written to: neither a file nor a stream is in the way.
        _ => PageError::bug("the export cannot be written"),
    })?;
    let name = attachment(&place.file_name(format.word()));
    let headers = [(CONTENT_TYPE, kind.to_owned()), (CONTENT_DISPOSITION, name)];
    Ok((headers, bytes).into_response())
}

/// `GET c/ID/export/FORMAT`
pub(super) async fn export(
    cx: PageContext,
    Path((id, format)): Path<(String, String)>,
) -> Result<Response, PageError> {
    let c = cx.conversation(&id)?;
    let format = Format::parse(&format).ok_or(PageError::NotFound)?;
    exported(&cx, Source::Conversation(c.id), &c.label, format).await
}

//! A conversation with a contact or a group.

use axum::extract::{Path, Query};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use serde::Deserialize;

use super::frame::{Here, Parts};
use super::{Cx, Page, about, at, bug, log};
use crate::cli::args_profile::Format;
use crate::cli::export::{self, Asked, Of};
use crate::engine::profile::{Command, ConversationView, MessageView, Reply};
use crate::web::files::attachment;
use crate::web::trouble::Trouble;

/// Messages of a page.
const PAGE: usize = 60;

/// What of a conversation is shown.
#[derive(Deserialize)]
pub(super) struct Shown {
    /// Messages with a smaller number.
    before: Option<i64>,
    /// The message that is being answered.
    reply: Option<String>,
    /// The message that is being changed.
    edit: Option<String>,
}

/// `GET c/NAME`
pub(super) async fn talk(cx: Cx, Path(name): Path<String>, Query(shown): Query<Shown>) -> Page {
    let c = cx.conversation(&name)?.clone();
    let command =
        Command::History { conversation: name.clone(), before: shown.before, limit: Some(PAGE) };
    let Reply::Messages { messages } = cx.ask(command).await? else { return Err(bug()) };
    if let Some(last) =
        messages.last().filter(|_| cx.looked_at && c.unseen > 0 && shown.before.is_none())
    {
        cx.ask(Command::Seen { conversation: name.clone(), up_to: last.number }).await?;
    }
    let here = at("c", &name);
    let earlier = messages.first().filter(|_| messages.len() == PAGE).map(|m| m.number);
    let main = html! {
        (head(&c, &here))
        ol.log #log data-live tabindex="0" aria-label="Messages" {
            @if let Some(before) = earlier { li.earlier id=(format!("e{before}")) { a href=(format!("{here}?before={before}")) { "Earlier messages" } } }
            @if messages.is_empty() { li.notice id="m-none" { "Nothing has been said yet." } }
            (log::messages(&cx, &messages, c.kind == "group"))
        }
        @if shown.before.is_some() { p.row { a.button href=(format!("{here}#end")) { "To the newest message" } } }
        @else { (composer(&cx, &c, &here, &shown, &messages)) }
    };
    let panel = about::panel(&cx, &c).await?;
    let aside = html! {
        @if c.kind == "contact" {
            section {
                h2 { "Safety words" }
                @if c.verified { p { span.ok { "✓ You have compared them." } } }
                a.button.plain href=(format!("{here}/about#words")) { (if c.verified { "See them" } else { "Compare them" }) }
            }
        }
        (panel)
    };
    cx.page(&Parts { title: &name, here: Here::Talk(&name), main, aside: Some(aside) })
}

fn head(c: &ConversationView, here: &str) -> Markup {
    let route = c.route.as_deref().unwrap_or("no way");
    let hidden = c.floor != "anywhere";
    html! {
        div.head {
            a.back href="./" aria-label="Back to the list" { "‹" }
            h1 { (c.name) }
            div.badges #badges data-live {
                span.badge .off[c.route.is_none()] title="The way that messages take from here now" { (route) }
                span.badge title="The ways that are allowed" { (if hidden { "Safety: on" } else { "Safety: off" }) }
                @if c.kind == "contact" {
                    @if c.verified { span.badge.ok { "verified" } }
                    @else { a.badge.warn href=(format!("{here}/about#words")) { "not verified" } }
                }
                @if let Some(s) = c.timer_s { span.badge { "⏳ " (about::span(s)) } }
            }
            a.button.plain.about href=(format!("{here}/about")) { "About" }
        }
    }
}

fn composer(
    cx: &Cx,
    c: &ConversationView,
    here: &str,
    shown: &Shown,
    all: &[MessageView],
) -> Markup {
    let find = |id: &Option<String>| id.as_deref().and_then(|id| all.iter().find(|m| m.id == id));
    let (reply, edit) =
        (find(&shown.reply), find(&shown.edit).filter(|m| m.you && m.kind == "text"));
    let draft = cx.session.take_draft(here);
    let text = if draft.is_empty() { edit.map_or("", |m| m.text.as_str()) } else { draft.as_str() };
    let body = html! {
        @if let Some(m) = reply {
            p.answering { "Answering " strong { (m.from) } ": " (m.text.chars().take(80).collect::<String>()) " " a href=(format!("{here}#end")) { "no" } }
            input type="hidden" name="reply_to" value=(m.id);
        }
        @if let Some(m) = edit {
            p.answering { "Changing a message of yours. " a href=(format!("{here}#end")) { "no" } }
            input type="hidden" name="edit" value=(m.id);
        }
        label.vh for="text" { "Message to " (c.name) }
        textarea #text name="text" rows="2" maxlength="65536" required placeholder="Message" data-keep=(here)
            autofocus[reply.is_some() || edit.is_some()] { (text) }
        button { (if edit.is_some() { "Change" } else { "Send" }) }
    };
    html! {
        div.composer #end {
            @if c.open {
                form method="post" action=(format!("{here}/send")) class="say" data-say { (cx.token()) (body) }
                form.attach method="post" action=(format!("{here}/file")) enctype="multipart/form-data" data-drop {
                    (cx.token())
                    label.vh for="file" { "Files to send" }
                    input #file type="file" name="file" multiple required;
                    button.plain { "Send file" }
                }
            } @else { p.hint { "Nobody can be written to here: the conversation is over, or waits to be opened again." } }
        }
    }
}

/// `GET c/NAME/export/FORMAT`
pub(super) async fn export(
    cx: Cx,
    Path((name, format)): Path<(String, String)>,
) -> Result<Response, Trouble> {
    cx.conversation(&name)?;
    let (format, kind) = match format.as_str() {
        "txt" => (Format::Txt, "text/plain; charset=utf-8"),
        "jsonl" => (Format::Jsonl, "application/jsonl"),
        "html" => (Format::Html, "text/html; charset=utf-8"),
        _ => return Err(Trouble::none("txt, jsonl or html")),
    };
    let mut bytes = Vec::new();
    let mut pages = Asked { client: &cx.web.client, of: Of::Conversation(&name) };
    export::write(&mut pages, &name, format, &mut bytes).await?.map_err(|_| bug())?;
    let ending = match format {
        Format::Txt => "txt",
        Format::Jsonl => "jsonl",
        Format::Html => "html",
    };
    let headers = [
        (CONTENT_TYPE, kind.to_owned()),
        (CONTENT_DISPOSITION, attachment(&format!("{name}.{ending}"))),
    ];
    Ok((headers, bytes).into_response())
}

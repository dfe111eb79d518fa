//! What is shown. Each page asks the engine for what it needs and is made whole: a page that a
//! script refreshes and one that is loaded anew are the same.

mod about;
mod door;
mod frame;
mod lists;
mod log;
mod near;
mod new;
mod room;
mod settings;
mod talk;

use std::sync::Arc;

use axum::Router;
use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::response::Html;
use axum::routing::get;
use maud::{Markup, html};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

pub(super) use self::door::{login, login_page};
pub(super) use self::frame::bare;
pub(super) use self::lists::home;
pub(super) use self::log::lines;
pub(super) use self::settings::another;
use super::Web;
use super::door::{Session, Visitor, cookie};
use super::form::TOKEN;
use super::trouble::Trouble;
use crate::engine::profile::{Command, ConversationView, GroupInviteView, Reply, RoomView, Status};

pub(super) type Page = Result<Html<String>, Trouble>;

/// Themes: the browser's choice, and four of ours.
pub(super) const THEMES: &[(&str, &str)] = &[
    ("auto", "As the system says"),
    ("light", "Light"),
    ("dark", "Dark"),
    ("nord", "Nord"),
    ("black", "High contrast"),
];

/// What a part of a path must not hold as it is.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'~');

/// The path of something with a name, from the base.
pub(super) fn at(kind: &str, name: &str) -> String {
    format!("{kind}/{}", utf8_percent_encode(name, SEGMENT))
}

pub(super) fn routes() -> Router<Arc<Web>> {
    Router::new()
        .route("/c/{name}", get(talk::talk))
        .route("/c/{name}/about", get(about::about))
        .route("/c/{name}/why/{message}", get(about::why))
        .route("/c/{name}/export/{format}", get(talk::export))
        .route("/r/{name}", get(room::room))
        .route("/r/{name}/about", get(room::about))
        .route("/r/{name}/export", get(room::export))
        .route("/new", get(new::new))
        .route("/search", get(lists::search))
        .route("/files", get(lists::files))
        .route("/news", get(lists::news))
        .route("/near", get(near::near))
        .route("/network", get(settings::network))
        .route("/settings", get(settings::settings))
        .route("/help", get(settings::help))
}

/// The theme that a browser keeps.
pub(super) fn theme_of(headers: &HeaderMap) -> String {
    let kept = cookie(headers, "theme").unwrap_or("auto");
    THEMES.iter().find(|(name, _)| *name == kept).map_or("auto", |(name, _)| name).to_owned()
}

/// What every page shows, and what its forms need.
pub(super) struct Cx {
    web: Arc<Web>,
    session: Arc<Session>,
    theme: String,
    status: Status,
    conversations: Vec<ConversationView>,
    rooms: Vec<RoomView>,
    group_invites: Vec<GroupInviteView>,
    /// A script asks, for a page that is open; and whether a person looks at it.
    script: bool,
    looked_at: bool,
}

impl FromRequestParts<Arc<Web>> for Cx {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, web: &Arc<Web>) -> Result<Self, Trouble> {
        let visitor = Visitor::from_request_parts(parts, web).await?;
        let asked = parts.headers.get("x-live").map(axum::http::HeaderValue::as_bytes);
        let Reply::Status(status) = web.ask(Command::Status {}).await? else { return Err(bug()) };
        let Reply::Conversations { mut conversations } = web.ask(Command::Conversations {}).await?
        else {
            return Err(bug());
        };
        // Whoever wrote last stands first.
        conversations.sort_by_key(|c| std::cmp::Reverse(c.newest.as_ref().map_or(0, |m| m.number)));
        let Reply::Rooms { rooms } = web.ask(Command::Rooms {}).await? else { return Err(bug()) };
        let Reply::GroupInvites { invites } = web.ask(Command::GroupInvites {}).await? else {
            return Err(bug());
        };
        Ok(Cx {
            web: web.clone(),
            session: visitor.session,
            theme: visitor.theme,
            status,
            conversations,
            rooms,
            group_invites: invites,
            script: asked.is_some(),
            looked_at: asked.is_none_or(|a| a == b"visible"),
        })
    }
}

pub(super) fn bug() -> Trouble {
    Trouble::wrong("the engine has answered something else")
}

impl Cx {
    async fn ask(&self, command: Command) -> Result<Reply, Trouble> {
        self.web.ask(command).await
    }

    fn conversation(&self, name: &str) -> Result<&ConversationView, Trouble> {
        self.conversations
            .iter()
            .find(|c| c.name == name)
            .ok_or_else(|| Trouble::none("nobody here is called so"))
    }

    fn room(&self, name: &str) -> Result<&RoomView, Trouble> {
        self.rooms
            .iter()
            .find(|r| r.name == name)
            .ok_or_else(|| Trouble::none("there is no such room"))
    }

    /// Everything unread.
    fn unseen(&self) -> u64 {
        let talks: u64 = self.conversations.iter().map(|c| c.unseen).sum();
        talks + self.rooms.iter().map(|r| r.unseen).sum::<u64>() + self.group_invites.len() as u64
    }

    /// A form that does something, with its proof.
    fn form(&self, action: &str, class: &str, body: &Markup) -> Markup {
        html! {
            form method="post" action=(action) class=(class) {
                (self.token())
                (body)
            }
        }
    }

    /// A form of one button.
    fn button(&self, action: &str, class: &str, fields: &[(&str, &str)], label: &str) -> Markup {
        let body = html! {
            @for (name, value) in fields { input type="hidden" name=(name) value=(value); }
            button class=(class) { (label) }
        };
        self.form(action, "inline", &body)
    }

    fn token(&self) -> Markup {
        html! { input type="hidden" name=(TOKEN) value=(self.session.token); }
    }
}

/// A link as a QR code that a camera reads on any theme.
pub(super) fn qr(text: &str) -> Markup {
    let Ok(code) = qrcode::QrCode::with_error_correction_level(text, qrcode::EcLevel::L) else {
        return html! {};
    };
    let (width, quiet) = (code.width(), 4);
    let mut path = String::new();
    for (at, colour) in code.to_colors().into_iter().enumerate() {
        if colour == qrcode::Color::Dark {
            path.push_str(&format!("M{} {}h1v1h-1z", at % width + quiet, at / width + quiet));
        }
    }
    let side = width + 2 * quiet;
    html! {
        svg.qr viewBox=(format!("0 0 {side} {side}")) role="img" aria-label="The link as a QR code"
            shape-rendering="crispEdges" {
            rect width=(side) height=(side) fill="#fff" {}
            path d=(path) fill="#000" {}
        }
    }
}

/// A time that scripts turn into the reader's own.
pub(super) fn time(ms: u64) -> Markup {
    let text = crate::cli::profile::show::date_time(ms);
    let clock = text.get(11..).unwrap_or_default();
    html! { time datetime=(format!("{}Z", text.replace(' ', "T"))) title=(format!("{text} UTC")) { (clock) } }
}

/// The day of a time.
pub(super) fn day(ms: u64) -> String {
    crate::cli::profile::show::date_time(ms).get(..10).unwrap_or_default().to_owned()
}

//! A page for guests of one open room, who have nothing but a browser. The host's program talks in
//! their place: it sees what they write, and the page says so before anything else.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::{LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::response::sse::{Event as Sse, KeepAlive};
use axum::response::{Html, IntoResponse, Response, Sse as Stream};
use axum::routing::{get, post};
use e2ee::Nick;
use futures::stream;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use tokio::sync::{mpsc, watch};

use super::door::{COOKIE_NAME, cookie, key_of, secret};
use super::form::{Fields, TOKEN, is_ours};
use super::guard::{Hosts, guard};
use super::pages;
use super::trouble::{Trouble, nothing_here};
use super::{MAX_FORM, assets};
use crate::engine::{Command, Heard, Options, RoomLog, Session, now_ms};

/// Guests at one time; further ones are asked to come later.
const GUESTS: usize = 32;
/// A guest that did nothing for this long has gone.
const IDLE: Duration = Duration::from_secs(1_800);
/// How often that is looked at.
const LOOK: Duration = Duration::from_secs(30);
/// Lines of a page.
const PAGE: usize = 200;
/// How often a page without scripts loads again, s.
const AGAIN: u32 = 15;
/// How often an open page hears that we are still there.
const ALIVE: Duration = Duration::from_secs(20);

struct Guest {
    token: String,
    commands: mpsc::Sender<Command>,
    log: Arc<Mutex<RoomLog>>,
    /// Counts what has happened.
    news: watch::Receiver<u64>,
    used: Mutex<Instant>,
}

/// One open room for browsers.
pub struct Guests {
    room: Options,
    name: String,
    here: Mutex<HashMap<[u8; 32], Arc<Guest>>>,
}

impl Guests {
    /// For this room: guests enter as its options say, under their own names. `name` is shown as
    /// the page's title.
    #[must_use]
    pub fn new(room: Options, name: String) -> Arc<Self> {
        let guests = Arc::new(Guests { room, name, here: Mutex::default() });
        let weak = Arc::downgrade(&guests);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(LOOK).await;
                let Some(guests) = weak.upgrade() else { return };
                let used = |g: &Guest| *g.used.lock().unwrap_or_else(PoisonError::into_inner);
                // Whoever is dropped leaves the room.
                guests.here().retain(|_, g| used(g).elapsed() < IDLE && !g.commands.is_closed());
            }
        });
        guests
    }

    fn here(&self) -> std::sync::MutexGuard<'_, HashMap<[u8; 32], Arc<Guest>>> {
        self.here.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn guest(&self, headers: &HeaderMap) -> Option<Arc<Guest>> {
        let guest = self.here().get(&key_of(cookie(headers, COOKIE_NAME)?)).cloned()?;
        *guest.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        Some(guest)
    }

    /// Lets somebody in: a session in the room, and the cookie for it.
    fn let_in(&self, nick: Nick) -> Result<String, Trouble> {
        let full =
            || Trouble::wrong("there is no place for another guest at the moment: try again later");
        if self.here().len() >= GUESTS {
            return Err(full());
        }
        let (commands, mut events) = Session::start(Options { nick, ..self.room.clone() })
            .map_err(|_| Trouble::wrong("the room cannot be entered"))?;
        let log =
            Arc::new(Mutex::new(RoomLog::new(self.name.clone(), false, self.room.route.name())));
        let (told, news) = watch::channel(0);
        let (kept, asking) = (log.clone(), commands.downgrade());
        tokio::spawn(async move {
            while let Some(said) = events.recv().await {
                let heard =
                    kept.lock().unwrap_or_else(PoisonError::into_inner).take(said, now_ms());
                if let Heard::Changed { who: true } | Heard::Line { who: true, .. } = heard
                    && let Some(commands) = asking.upgrade()
                {
                    let _ = commands.try_send(Command::Who);
                }
                told.send_modify(|n| *n += 1);
            }
        });
        let cookie = secret(32);
        let used = Mutex::new(Instant::now());
        let guest = Guest { token: secret(20), commands, log, news, used };
        self.here().insert(key_of(&cookie), Arc::new(guest));
        Ok(cookie)
    }
}

/// The guests' page, for browsers that ask for one of these hosts.
pub fn router(guests: Arc<Guests>, hosts: Vec<String>) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/enter", post(enter))
        .route("/say", post(say))
        .route("/leave", post(leave))
        .route("/events", get(events))
        .route("/a/{name}", get(assets::asset))
        .fallback(nothing_here)
        .layer(DefaultBodyLimit::max(MAX_FORM))
        .layer(from_fn_with_state(Hosts::new(hosts), guard))
        .with_state(guests)
}

const SEES: &str = "Whoever runs this page sees what you write here and which address you come from, as with any website. \
    What the others in the room write is theirs: whoever holds the room's link reads it. \
    If that is not enough for you, get Hushwing and enter the room by its link.";

fn frame(title: &str, again: Option<u32>, body: &Markup) -> Html<String> {
    let page = html! {
        (DOCTYPE)
        html lang="en" data-theme="auto" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " – Hushwing" }
                base href="/";
                link rel="stylesheet" href="/a/app.css";
                link rel="icon" type="image/svg+xml" href="/a/icon.svg";
                script type="module" src="/a/app.js" {}
                @if let Some(s) = again {
                    (PreEscaped("<noscript>"))
                    meta http-equiv="refresh" content=(s);
                    (PreEscaped("</noscript>"))
                }
            }
            body.guest { (body) div #toasts role="status" aria-live="polite" {} }
        }
    };
    Html(page.into_string())
}

/// `GET /`
async fn page(State(guests): State<Arc<Guests>>, headers: HeaderMap) -> Html<String> {
    let Some(guest) = guests.guest(&headers) else {
        let body = html! {
            main {
                img src="/a/icon.svg" alt="" width="72" height="72";
                h1 { (guests.name) }
                p { "An open room: a conversation for everybody who comes." }
                p.flash.error role="note" { (SEES) }
                form.stack method="post" action="/enter" {
                    label for="nick" { "Your name in this room" }
                    input #nick name="nick" required maxlength="32" autocomplete="off" autofocus;
                    button { "Come in as a guest" }
                }
            }
        };
        return frame(&guests.name, None, &body);
    };
    let log = guest.log.lock().unwrap_or_else(PoisonError::into_inner);
    let (lines, view) = (log.lines(None, PAGE), &log.view);
    let here = view.people.iter().filter(|p| !p.left).count();
    let token = html! { input type="hidden" name=(TOKEN) value=(guest.token); };
    let body = html! {
        main {
            div.head {
                h1 { (guests.name) }
                div.badges #list data-live {
                    span.badge .off[!view.online] title=(view.connection) { "open room" }
                    span.badge { "Online (" (here) ")" }
                    span.badge.warn title=(SEES) { "the host sees what you write" }
                }
                form.inline.about method="post" action="/leave" { (token) button.plain { "Leave" } }
            }
            ol.log #log data-live tabindex="0" aria-label="Messages" {
                @if lines.is_empty() { li.notice id="l0" { (view.connection) } }
                (pages::lines(&lines))
            }
            div.composer #end {
                form.say method="post" action="/say" data-say {
                    (token)
                    label.vh for="text" { "Message to everybody" }
                    textarea #text name="text" rows="2" maxlength="65536" required data-keep="guest"
                        placeholder=(format!("Message to everybody, as {}", view.you)) {}
                    button { "Send" }
                }
            }
        }
    };
    frame(&guests.name, Some(AGAIN), &body)
}

fn home() -> Response {
    (StatusCode::SEE_OTHER, [(LOCATION, "/")]).into_response()
}

async fn enter(State(guests): State<Arc<Guests>>, fields: Fields) -> Result<Response, Trouble> {
    let nick = Nick::new(fields.get("nick").trim())
        .map_err(|_| Trouble::wrong("this is no name: 1 to 32 visible characters"))?;
    let cookie =
        format!("{COOKIE_NAME}={}; Path=/; HttpOnly; SameSite=Strict", guests.let_in(nick)?);
    Ok(([(SET_COOKIE, cookie)], home()).into_response())
}

/// The guest whose form this is.
fn proven(guests: &Guests, headers: &HeaderMap, fields: &Fields) -> Result<Arc<Guest>, Trouble> {
    let guest = guests.guest(headers).ok_or(Trouble::NotIn)?;
    if !is_ours(&guest.token, fields.get(TOKEN)) {
        return Err(Trouble::forbidden("this form is not from a page of this session"));
    }
    Ok(guest)
}

async fn say(
    State(guests): State<Arc<Guests>>,
    headers: HeaderMap,
    fields: Fields,
) -> Result<Response, Trouble> {
    let guest = proven(&guests, &headers, &fields)?;
    let text = fields.get("text").to_owned();
    if !text.trim().is_empty() {
        let mut news = guest.news.clone();
        news.mark_unchanged();
        let full = |_| Trouble::wrong("too much waits to be said: try again in a moment");
        guest.commands.try_send(Command::Say(text)).map_err(full)?;
        // So that the page that follows shows it.
        let _ = tokio::time::timeout(Duration::from_secs(1), news.changed()).await;
    }
    Ok(home())
}

async fn leave(
    State(guests): State<Arc<Guests>>,
    headers: HeaderMap,
    fields: Fields,
) -> Result<Response, Trouble> {
    proven(&guests, &headers, &fields)?;
    if let Some(cookie) = cookie(&headers, COOKIE_NAME) {
        guests.here().remove(&key_of(cookie));
    }
    Ok(([(SET_COOKIE, format!("{COOKIE_NAME}=; Path=/; Max-Age=0"))], home()).into_response())
}

async fn events(
    State(guests): State<Arc<Guests>>,
    headers: HeaderMap,
) -> Result<Response, Trouble> {
    let guest = guests.guest(&headers).ok_or(Trouble::NotIn)?;
    let news = guest.news.clone();
    drop(guest);
    let words = stream::unfold(news, |mut news| async move {
        news.changed().await.ok()?;
        Some((Ok::<_, Infallible>(Sse::default().data("{}")), news))
    });
    Ok(Stream::new(words).keep_alive(KeepAlive::new().interval(ALIVE)).into_response())
}

//! A page for guests of one open room, who have nothing but a browser. The host's program talks in
//! their place: it sees what they write, and the page says so before anything else.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use api::{Heard, Reason, Refusal, RoomCommand, RoomEvent, RoomId, RoomLog, Route};
use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::{LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::response::sse::{Event as Sse, KeepAlive};
use axum::response::{Html, IntoResponse, Response, Sse as Stream};
use axum::routing::{get, post};
use futures::stream;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use tokio::sync::{mpsc, watch};

use crate::error::{PageError, not_found};
use crate::form::{Fields, MAX_FORM, TOKEN, is_ours, not_ours};
use crate::guard::{Hosts, guard};
use crate::session::{COOKIE_NAME, cookie, key_of, secret};
use crate::{assets, pages};

/// Guests at one time; further ones are asked to come later.
const GUESTS: usize = 32;
/// A guest that did nothing for this long has gone.
const IDLE: Duration = Duration::from_secs(1_800);
/// How often idle guests are looked for.
const LOOK: Duration = Duration::from_secs(30);
/// Lines of a page.
const PAGE: usize = 200;
/// How often a page without scripts reloads, s.
const RELOAD: u32 = 15;
/// How often an open page is told that the server is still there.
const ALIVE: Duration = Duration::from_secs(20);

/// A guest's session in the room: what it is asked, and what it tells. It ends when the sender is
/// dropped.
pub type Entered = Result<(mpsc::Sender<RoomCommand>, mpsc::Receiver<RoomEvent>), Refusal>;

struct Guest {
    token: String,
    commands: mpsc::Sender<RoomCommand>,
    log: Arc<Mutex<RoomLog>>,
    /// Counts what has happened.
    news: watch::Receiver<u64>,
    used: Mutex<Instant>,
}

impl Guest {
    fn used(&self) -> Instant {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One open room, for browsers.
pub struct Guests {
    title: String,
    route: Route,
    enter: Box<dyn Fn(&str) -> Entered + Send + Sync>,
    present: Mutex<HashMap<[u8; 32], Arc<Guest>>>,
}

impl Guests {
    /// A page with this title. `enter` starts a session in the room under a name that a guest has
    /// typed, by this route; it refuses what is no name as [`Reason::BadName`]. To be called within
    /// a tokio runtime.
    #[must_use]
    pub fn new(
        title: String,
        route: Route,
        enter: impl Fn(&str) -> Entered + Send + Sync + 'static,
    ) -> Arc<Self> {
        let (enter, present) = (Box::new(enter), Mutex::default());
        let guests = Arc::new(Guests { title, route, enter, present });
        let weak = Arc::downgrade(&guests);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(LOOK).await;
                let Some(guests) = weak.upgrade() else { return };
                // A guest that is dropped leaves the room.
                let stays = |g: &Guest| g.used().elapsed() < IDLE && !g.commands.is_closed();
                guests.present().retain(|_, guest| stays(guest));
            }
        });
        guests
    }

    fn present(&self) -> MutexGuard<'_, HashMap<[u8; 32], Arc<Guest>>> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn guest(&self, headers: &HeaderMap) -> Option<Arc<Guest>> {
        let guest = self.present().get(&key_of(cookie(headers, COOKIE_NAME)?)).cloned()?;
        *guest.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        Some(guest)
    }

    /// A guest's session in the room, and the cookie for it.
    fn admit(&self, nick: &str) -> Result<String, PageError> {
        let mut present = self.present();
        if present.len() >= GUESTS {
            return Err(PageError::wrong("the page is full: try again later"));
        }
        let (commands, events) = (self.enter)(nick).map_err(|refusal| match refusal.reason {
            Reason::BadName => PageError::wrong("invalid name: use 1 to 32 visible characters"),
            _ => PageError::wrong("cannot join the room"),
        })?;
        // No profile holds this room: the id is never looked at.
        let mut log = RoomLog::new(RoomId::new([0; 16]), self.title.clone(), false, self.route);
        // The page is shown before the room has answered.
        nick.clone_into(&mut log.view.you);
        let log = Arc::new(Mutex::new(log));
        let news = follow(events, log.clone(), commands.downgrade());
        let used = Mutex::new(Instant::now());
        let guest = Guest { token: secret(20), commands, log, news, used };
        let cookie = secret(32);
        present.insert(key_of(&cookie), Arc::new(guest));
        Ok(cookie)
    }
}

/// Keeps what a session tells, and counts it.
fn follow(
    mut events: mpsc::Receiver<RoomEvent>,
    log: Arc<Mutex<RoomLog>>,
    commands: mpsc::WeakSender<RoomCommand>,
) -> watch::Receiver<u64> {
    let (told, news) = watch::channel(0);
    tokio::spawn(async move {
        while let Some(event) = events.recv().await {
            let heard = log.lock().unwrap_or_else(PoisonError::into_inner).take(event, now_ms());
            if let Heard::Changed { who: true } | Heard::Line { who: true, .. } = heard
                && let Some(commands) = commands.upgrade()
            {
                let _ = commands.try_send(RoomCommand::Who);
            }
            told.send_modify(|n| *n += 1);
        }
    });
    news
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The guests' page, for browsers that ask for one of these hosts (with its port).
pub fn router(guests: Arc<Guests>, hosts: Vec<String>) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/enter", post(enter))
        .route("/say", post(say))
        .route("/leave", post(leave))
        .route("/events", get(events))
        .route("/a/{name}", get(assets::asset))
        .fallback(not_found)
        .layer(DefaultBodyLimit::max(MAX_FORM))
        .layer(from_fn_with_state(Hosts::new(hosts), guard))
        .with_state(guests)
}

const SEES: &str = "As with any website, the person who runs this page can see what you write here \
    and your IP address. Anyone with the room's link can read the room. For more protection, \
    install Hushwing and join with the room's link.";

fn frame(title: &str, reload: Option<u32>, body: &Markup) -> Html<String> {
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
                @if let Some(s) = reload {
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
    match guests.guest(&headers) {
        Some(guest) => frame(&guests.title, Some(RELOAD), &room(&guests, &guest)),
        None => frame(&guests.title, None, &entrance(&guests)),
    }
}

fn entrance(guests: &Guests) -> Markup {
    html! {
        main {
            img src="/a/icon.svg" alt="" width="72" height="72";
            h1 { (guests.title) }
            p { "An open room: anyone can join the conversation." }
            p.flash.error role="note" { (SEES) }
            form.stack method="post" action="/enter" {
                label for="nick" { "Your name in this room" }
                input #nick name="nick" required maxlength="32" autocomplete="off" autofocus;
                button { "Join as a guest" }
            }
        }
    }
}

fn room(guests: &Guests, guest: &Guest) -> Markup {
    let log = guest.log.lock().unwrap_or_else(PoisonError::into_inner);
    let (lines, view) = (log.lines(None, PAGE), &log.view);
    let online = view.people.iter().filter(|p| !p.left).count();
    let token = html! { input type="hidden" name=(TOKEN) value=(guest.token); };
    html! {
        main {
            div.head {
                h1 { (guests.title) }
                div.badges #list data-live {
                    span.badge .off[!view.online] title=(view.connection) { "open room" }
                    span.badge { "Online (" (online) ")" }
                    span.badge.warn title=(SEES) { "the host sees what you write" }
                }
                form.inline.about method="post" action="/leave" {
                    (token)
                    button.plain { "Leave" }
                }
            }
            ol.log #log data-live tabindex="0" aria-label="Messages" {
                @if lines.is_empty() { li.notice #l0 { (view.connection) } }
                (pages::lines(&lines))
            }
            div.composer #end {
                form.say method="post" action="/say" data-say {
                    (token)
                    label.vh for="text" { "Message to everyone" }
                    textarea #text name="text" rows="2" maxlength="65536" required data-keep="guest"
                        placeholder=(format!("Message to everyone, as {}", view.you)) {}
                    button { "Send" }
                }
            }
        }
    }
}

fn to_page() -> Response {
    (StatusCode::SEE_OTHER, [(LOCATION, "/")]).into_response()
}

async fn enter(State(guests): State<Arc<Guests>>, fields: Fields) -> Result<Response, PageError> {
    let cookie = guests.admit(fields.get("nick").trim())?;
    let cookie = format!("{COOKIE_NAME}={cookie}; Path=/; HttpOnly; SameSite=Strict");
    Ok(([(SET_COOKIE, cookie)], to_page()).into_response())
}

/// The guest whose form this is.
fn proven(guests: &Guests, headers: &HeaderMap, fields: &Fields) -> Result<Arc<Guest>, PageError> {
    let guest = guests.guest(headers).ok_or(PageError::NotLoggedIn)?;
    if is_ours(&guest.token, fields.get(TOKEN)) { Ok(guest) } else { Err(not_ours()) }
}

async fn say(
    State(guests): State<Arc<Guests>>,
    headers: HeaderMap,
    fields: Fields,
) -> Result<Response, PageError> {
    let guest = proven(&guests, &headers, &fields)?;
    let text = fields.get("text").to_owned();
    if !text.trim().is_empty() {
        let mut news = guest.news.clone();
        news.mark_unchanged();
        let full = |_| PageError::wrong("too many messages are waiting: try again in a moment");
        guest.commands.try_send(RoomCommand::Say(text)).map_err(full)?;
        // So that the page that follows shows it.
        let _ = tokio::time::timeout(Duration::from_secs(1), news.changed()).await;
    }
    Ok(to_page())
}

async fn leave(
    State(guests): State<Arc<Guests>>,
    headers: HeaderMap,
    fields: Fields,
) -> Result<Response, PageError> {
    proven(&guests, &headers, &fields)?;
    if let Some(cookie) = cookie(&headers, COOKIE_NAME) {
        guests.present().remove(&key_of(cookie));
    }
    let gone = format!("{COOKIE_NAME}=; Path=/; Max-Age=0");
    Ok(([(SET_COOKIE, gone)], to_page()).into_response())
}

async fn events(
    State(guests): State<Arc<Guests>>,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let guest = guests.guest(&headers).ok_or(PageError::NotLoggedIn)?;
    let news = guest.news.clone();
    drop(guest);
    let words = stream::unfold(news, |mut news| async move {
        news.changed().await.ok()?;
        Some((Ok::<_, Infallible>(Sse::default().data("{}")), news))
    });
    Ok(Stream::new(words).keep_alive(KeepAlive::new().interval(ALIVE)).into_response())
}

//! The face for browsers: pages made here, forms that work without scripts, and a stream of events
//! for those with.
//!
//! # In this module
//! - `door`: who may come in: one-time codes, a passphrase, sessions; `guard`: which requests are
//!   looked at at all
//! - `pages`: what is shown; `acts`: what forms do; `files`: what goes up and down
//! - `live`: word of what happens, to each open page
//! - `guests`: a page for guests of one open room
//! - `assets`: style, script and icon, which are parts of the program
//!
//! # Not in this module
//! Sockets: a router comes out, and `roles::web` opens doors to it. Protocol: the engine's commands
//! and events are all it knows.
//!
//! # Invariants
//! - Nothing is shown, and nothing is done, without a session; no request of another site or
//!   another local page is one.
//! - All text goes through `maud`, which escapes it. No page asks any other server for anything.

mod acts;
mod assets;
mod door;
mod files;
mod form;
mod guard;
mod guests;
mod live;
mod pages;
mod trouble;

use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use tokio::sync::mpsc;

pub use self::door::{Doors, Passphrase};
pub use self::guests::{Guests, router as guest_router};
use self::live::Live;
use self::trouble::Trouble;
use crate::engine::profile::{Client, Command, Event, Reply};

/// Largest form, bytes: a text of 64 KiB in which each byte is escaped, and the rest.
const MAX_FORM: usize = 256 * 1024;

/// What the pages need.
pub struct Web {
    client: Client,
    /// The profile's directory: what is sent waits there.
    dir: PathBuf,
    /// The path below which everything lies. Cookies do not tell ports apart, paths nobody can
    /// guess they do: a server on another port of this machine never sees the session.
    base: String,
    doors: Doors,
    live: Live,
}

impl Web {
    /// A face of this profile. `path` is a word that nobody can guess, the same at each start.
    #[must_use]
    pub fn new(
        client: Client,
        events: mpsc::Receiver<Event>,
        dir: PathBuf,
        path: &str,
        doors: Doors,
    ) -> Arc<Self> {
        let outgoing = dir.join(files::OUTGOING);
        let (live, base) = (Live::new(), format!("/{path}/"));
        live.follow(events, outgoing);
        Arc::new(Web { client, dir, base, doors, live })
    }

    /// A code that lets one browser in, once.
    #[must_use]
    pub fn code(&self) -> String {
        self.doors.code()
    }

    /// When a browser has come in, the person has asked for the end, or the engine has stopped.
    pub async fn happened(&self) -> Happened {
        tokio::select! {
            happened = self.doors.happened() => happened,
            () = self.live.ended() => Happened::Stopped,
        }
    }

    async fn ask(&self, command: Command) -> Result<Reply, Trouble> {
        Ok(self.client.ask(command).await?)
    }
}

/// What whoever started the face should know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happened {
    /// A code was used.
    CameIn,
    /// Somebody who is in wants the face to end.
    Quit,
    /// There is no engine any more.
    Stopped,
}

/// All of it, for browsers that ask for one of these hosts.
pub fn router(web: Arc<Web>, hosts: Vec<String>) -> Router {
    let inside = Router::new()
        .merge(pages::routes())
        .merge(acts::routes())
        .merge(files::routes())
        .route("/events", get(live::events))
        .route("/manifest.webmanifest", get(assets::manifest));
    Router::new()
        .nest(web.base.trim_end_matches('/'), inside)
        // A nested router does not see its own root with a slash at the end.
        .route(&web.base, get(pages::home))
        .route("/", get(pages::login))
        .route("/login", post(door::login))
        .route("/a/{name}", get(assets::asset))
        .fallback(trouble::nothing_here)
        .layer(DefaultBodyLimit::max(MAX_FORM))
        .layer(from_fn_with_state(guard::Hosts::new(hosts), guard::guard))
        .with_state(web)
}

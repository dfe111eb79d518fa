//! The whole site: the profile behind it, and one router for everything.

use std::path::PathBuf;
use std::sync::Arc;

use api::{Client, Event, Request};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use tokio::sync::mpsc;

use crate::error::{self, PageError};
use crate::live::{self, Live};
use crate::login::{self, Logins};
use crate::{assets, files, forms, guard, pages};

/// Largest form, bytes: a text of 64 KiB in which each byte is escaped, and the rest.
pub(crate) const MAX_FORM: usize = 256 * 1024;

/// A profile, for browsers.
pub struct Web {
    pub(crate) client: Client,
    /// The profile's directory: uploads wait there until they are sent.
    pub(crate) dir: PathBuf,
    /// The path below which everything lies. Cookies do not tell ports apart; a path that nobody
    /// can guess does: a server on another port of this machine never sees the session.
    pub(crate) base: String,
    pub(crate) logins: Logins,
    pub(crate) live: Live,
}

impl Web {
    /// Serves this profile, whose directory is `dir`. `path` is a word that nobody can guess, the
    /// same at each start. To be called within a tokio runtime.
    #[must_use]
    pub fn new(
        client: Client,
        events: mpsc::Receiver<Event>,
        dir: PathBuf,
        path: &str,
        logins: Logins,
    ) -> Arc<Self> {
        let outgoing = dir.join(files::OUTGOING);
        let (live, base) = (Live::new(), format!("/{path}/"));
        live.follow(events, outgoing);
        Arc::new(Web { client, dir, base, logins, live })
    }

    /// A code that one browser can log in with, once, within 15 minutes.
    #[must_use]
    pub fn code(&self) -> String {
        self.logins.code()
    }

    /// Waits until the program that serves this should do something.
    pub async fn happened(&self) -> Happened {
        tokio::select! {
            happened = self.logins.happened() => happened,
            () = self.live.ended() => Happened::Stopped,
        }
    }

    pub(crate) async fn ask<R: Request>(&self, request: R) -> Result<R::Reply, PageError> {
        Ok(self.client.ask(request).await?)
    }
}

/// What concerns the program that serves the site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happened {
    /// A browser has logged in with a code.
    LoggedIn,
    /// Somebody who is logged in wants the site to end.
    Quit,
    /// The engine has stopped.
    Stopped,
}

/// The site, for browsers that ask for one of these hosts (with its port).
pub fn router(web: Arc<Web>, hosts: Vec<String>) -> Router {
    let inside = Router::new()
        .merge(pages::routes())
        .merge(forms::routes())
        .merge(files::routes())
        .route("/events", get(live::events))
        .route("/manifest.webmanifest", get(assets::manifest));
    Router::new()
        .nest(web.base.trim_end_matches('/'), inside)
        // A nested router does not see its own root with a slash at the end.
        .route(&web.base, get(pages::home))
        .route("/", get(pages::login))
        .route("/login", post(login::login))
        .route("/a/{name}", get(assets::asset))
        .fallback(error::not_found)
        .layer(DefaultBodyLimit::max(MAX_FORM))
        .layer(from_fn_with_state(guard::Hosts::new(hosts), guard::guard))
        .with_state(web)
}

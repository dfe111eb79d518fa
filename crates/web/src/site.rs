//! The profile behind the site, and what the handlers share.

use std::path::PathBuf;
use std::sync::Arc;

use api::{Client, Event, Request};
use tokio::sync::mpsc;

use crate::error::PageError;
use crate::live::Live;
use crate::logins::{Happened, Logins};
use crate::outgoing::OUTGOING;

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
        let outgoing = dir.join(OUTGOING);
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

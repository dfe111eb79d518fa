//! What is known of one browser that has logged in, and its cookie.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use axum::http::HeaderMap;
use axum::http::header::COOKIE;
use rand::Rng;
use rand::rand_core::UnwrapErr;
use rand::rngs::SysRng;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::place::Place;

/// Name of the session's cookie.
pub(crate) const COOKIE_NAME: &str = "hushwing";
/// Lines that wait for the next page; the oldest goes.
const FLASHES: usize = 8;

/// Random bytes as base32 in lower case: easy to type, and no padding.
pub(crate) fn secret(bytes: usize) -> String {
    let mut random = Zeroizing::new(vec![0; bytes]);
    UnwrapErr(SysRng).fill_bytes(&mut random);
    data_encoding::BASE32_NOPAD.encode(&random).to_ascii_lowercase()
}

/// A line for the next page.
#[derive(Debug, Clone)]
pub(crate) struct Flash {
    pub(crate) text: String,
    pub(crate) error: bool,
}

#[derive(Debug, Default)]
struct Kept {
    flashes: VecDeque<Flash>,
    /// Texts that could not be sent. Bounded by the conversations that this profile has.
    drafts: HashMap<Place, String>,
    /// What was searched for last: kept here, so that it stands in no URL.
    query: String,
}

/// A browser that has logged in.
#[derive(Debug)]
pub(crate) struct Session {
    /// What each form of this session bears.
    pub(crate) token: String,
    used: Mutex<Instant>,
    kept: Mutex<Kept>,
}

impl Session {
    pub(crate) fn new() -> Self {
        Session { token: secret(20), used: Mutex::new(Instant::now()), kept: Mutex::default() }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When it was last used.
    pub(crate) fn used(&self) -> Instant {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn touch(&self, now: Instant) {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }

    /// Shows a line on the next page.
    pub(crate) fn say(&self, text: impl Into<String>) {
        self.flash(Flash { text: text.into(), error: false });
    }

    pub(crate) fn flash(&self, flash: Flash) {
        let mut kept = self.kept();
        if kept.flashes.len() == FLASHES {
            kept.flashes.pop_front();
        }
        kept.flashes.push_back(flash);
    }

    pub(crate) fn take_flashes(&self) -> Vec<Flash> {
        self.kept().flashes.drain(..).collect()
    }

    /// Keeps a text that could not be sent, for the page of that very conversation.
    pub(crate) fn keep_draft(&self, place: Place, text: &str) {
        self.kept().drafts.insert(place, text.to_owned());
    }

    pub(crate) fn take_draft(&self, place: Place) -> String {
        self.kept().drafts.remove(&place).unwrap_or_default()
    }

    pub(crate) fn set_query(&self, query: String) {
        self.kept().query = query;
    }

    pub(crate) fn query(&self) -> String {
        self.kept().query.clone()
    }
}

/// What a session is found by: the SHA-256 of its cookie, so that the time of a look-up tells
/// nothing about the cookie.
pub(crate) fn key_of(cookie: &str) -> [u8; 32] {
    Sha256::digest(cookie.as_bytes()).into()
}

/// A cookie that the browser sent.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, wanted: &str) -> Option<&'a str> {
    let all = headers.get_all(COOKIE).into_iter().filter_map(|v| v.to_str().ok());
    let mut pairs =
        all.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == wanted).map(|(_, value)| value)
}

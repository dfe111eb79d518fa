//! Who may come in: whoever has a code that was printed where the program runs, or knows the
//! passphrase of this face.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use argon2::{Algorithm, Argon2, Params, Version};
use axum::extract::{FromRequestParts, State};
use axum::http::header::{COOKIE, LOCATION, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio::sync::Notify;
use zeroize::Zeroizing;

use super::form::Fields;
use super::trouble::Trouble;
use super::{Happened, Web, pages};

/// Name of the session's cookie.
pub(super) const COOKIE_NAME: &str = "hushwing";
/// How long a code is good for.
const CODE_LIFE: Duration = Duration::from_secs(15 * 60);
/// Codes that wait to be used.
const CODES: usize = 8;
/// Sessions at one time; the one that was idle longest goes.
const SESSIONS: usize = 32;
/// A session that nobody used for this long is over.
const IDLE: Duration = Duration::from_secs(24 * 3_600);
/// Wrong tries before each further one has to wait, twice as long each time.
const FREE_TRIES: u32 = 5;
const FIRST_WAIT: Duration = Duration::from_secs(10);
const LONGEST_WAIT: Duration = Duration::from_secs(300);
/// Argon2id of the passphrase: 64 MiB, three passes (RFC 9106, second recommended option, one
/// lane).
const MEMORY_KIB: u32 = 64 * 1_024;
const PASSES: u32 = 3;

/// Random bytes as base32 in lower case: easy to type, and no padding.
pub(super) fn secret(bytes: usize) -> String {
    let mut random = Zeroizing::new(vec![0; bytes]);
    rand::Rng::fill_bytes(&mut rand::rng(), &mut random);
    data_encoding::BASE32_NOPAD.encode(&random).to_ascii_lowercase()
}

/// What is kept of a passphrase.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
pub struct Passphrase {
    salt: [u8; 16],
    hash: [u8; 32],
}

impl Passphrase {
    /// Of this text.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let salt = rand::random();
        Some(Passphrase { salt, hash: hash(text, &salt)? })
    }

    fn fits(&self, text: &str) -> bool {
        hash(text, &self.salt).is_some_and(|h| bool::from(h.ct_eq(&self.hash)))
    }
}

fn hash(text: &str, salt: &[u8; 16]) -> Option<[u8; 32]> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, Some(32)).ok()?;
    let mut out = [0; 32];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(text.as_bytes(), salt, &mut out)
        .ok()?;
    Some(out)
}

/// Something to tell a person on the next page.
#[derive(Debug, Clone)]
pub(super) struct Flash {
    pub(super) text: String,
    pub(super) error: bool,
}

/// What is known of one browser.
#[derive(Debug, Default)]
struct Kept {
    flashes: VecDeque<Flash>,
    /// Texts that could not be sent, by where.
    drafts: HashMap<String, String>,
}

/// A browser that was let in.
#[derive(Debug)]
pub(super) struct Session {
    /// What each form of this session bears.
    pub(super) token: String,
    used: Mutex<Instant>,
    kept: Mutex<Kept>,
}

impl Session {
    pub(super) fn say(&self, text: impl Into<String>) {
        self.flash(Flash { text: text.into(), error: false });
    }

    pub(super) fn flash(&self, flash: Flash) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.flashes.truncate(7);
        kept.flashes.push_back(flash);
    }

    pub(super) fn take_flashes(&self) -> Vec<Flash> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).flashes.drain(..).collect()
    }

    pub(super) fn keep_draft(&self, place: &str, text: &str) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.drafts.insert(place.to_owned(), text.to_owned());
    }

    pub(super) fn take_draft(&self, place: &str) -> String {
        self.kept
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .drafts
            .remove(place)
            .unwrap_or_default()
    }
}

#[derive(Default)]
struct Inside {
    codes: VecDeque<(String, Instant)>,
    /// By the SHA-256 of the cookie, so that a look-up's time tells nothing of it.
    sessions: HashMap<[u8; 32], Arc<Session>>,
    wrong: u32,
    wait_until: Option<Instant>,
}

/// Codes, sessions, and the passphrase if there is one.
pub struct Doors {
    inside: Mutex<Inside>,
    passphrase: Option<Passphrase>,
    trying: tokio::sync::Mutex<()>,
    came_in: Notify,
    quit: Notify,
}

impl std::fmt::Debug for Doors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Doors")
    }
}

impl Doors {
    /// Closed doors; with a passphrase one that opens to it.
    #[must_use]
    pub fn new(passphrase: Option<Passphrase>) -> Self {
        Doors {
            inside: Mutex::default(),
            passphrase,
            trying: tokio::sync::Mutex::default(),
            came_in: Notify::new(),
            quit: Notify::new(),
        }
    }

    pub(super) const fn has_passphrase(&self) -> bool {
        self.passphrase.is_some()
    }

    fn inside(&self) -> std::sync::MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn code(&self) -> String {
        // 80 bits in four groups.
        let text = secret(10);
        let groups: Vec<&str> = (0..4).filter_map(|i| text.get(i * 4..i * 4 + 4)).collect();
        let code = groups.join("-");
        let mut inside = self.inside();
        inside.codes.truncate(CODES - 1);
        inside.codes.push_front((code.clone(), Instant::now()));
        code
    }

    pub(super) async fn happened(&self) -> Happened {
        tokio::select! {
            () = self.came_in.notified() => Happened::CameIn,
            () = self.quit.notified() => Happened::Quit,
        }
    }

    pub(super) fn quit(&self) {
        self.quit.notify_one();
    }

    /// Whether another try may be made now; if not, how long to wait.
    fn may_try(&self) -> Result<(), Duration> {
        let now = Instant::now();
        match self.inside().wait_until {
            Some(until) if until > now => Err(until - now),
            _ => Ok(()),
        }
    }

    fn was_wrong(&self) {
        let mut inside = self.inside();
        inside.wrong = inside.wrong.saturating_add(1);
        if inside.wrong >= FREE_TRIES {
            let wait = FIRST_WAIT
                .saturating_mul(1 << (inside.wrong - FREE_TRIES).min(9))
                .min(LONGEST_WAIT);
            inside.wait_until = Some(Instant::now() + wait);
        }
    }

    /// Takes a code, once.
    fn take_code(&self, code: &str) -> bool {
        let typed: String = code
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .collect::<String>()
            .to_ascii_lowercase();
        let mut inside = self.inside();
        inside.codes.retain(|(_, made)| made.elapsed() < CODE_LIFE);
        let fits = |(c, _): &(String, Instant)| {
            bool::from(c.replace('-', "").as_bytes().ct_eq(typed.as_bytes()))
        };
        match inside.codes.iter().position(fits) {
            Some(at) => inside.codes.remove(at).is_some(),
            None => false,
        }
    }

    /// Lets a browser in: its cookie.
    fn let_in(&self) -> String {
        let cookie = secret(32);
        let now = Instant::now();
        let session = Session { token: secret(20), used: Mutex::new(now), kept: Mutex::default() };
        let mut inside = self.inside();
        inside.wrong = 0;
        inside.wait_until = None;
        let used = |s: &Arc<Session>| *s.used.lock().unwrap_or_else(PoisonError::into_inner);
        inside.sessions.retain(|_, s| now.duration_since(used(s)) < IDLE);
        if inside.sessions.len() >= SESSIONS
            && let Some(oldest) =
                inside.sessions.iter().min_by_key(|(_, s)| used(s)).map(|(key, _)| *key)
        {
            inside.sessions.remove(&oldest);
        }
        inside.sessions.insert(key_of(&cookie), Arc::new(session));
        cookie
    }

    fn session(&self, headers: &HeaderMap) -> Option<Arc<Session>> {
        let cookie = cookie(headers, COOKIE_NAME)?;
        let session = self.inside().sessions.get(&key_of(cookie)).cloned()?;
        let mut used = session.used.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if now.duration_since(*used) >= IDLE {
            return None;
        }
        *used = now;
        drop(used);
        Some(session)
    }

    pub(super) fn leave(&self, headers: &HeaderMap) {
        if let Some(cookie) = cookie(headers, COOKIE_NAME) {
            self.inside().sessions.remove(&key_of(cookie));
        }
    }
}

pub(super) fn key_of(cookie: &str) -> [u8; 32] {
    Sha256::digest(cookie.as_bytes()).into()
}

/// What a browser keeps for us under a name.
pub(super) fn cookie<'a>(headers: &'a HeaderMap, wanted: &str) -> Option<&'a str> {
    let all = headers.get_all(COOKIE).into_iter().filter_map(|v| v.to_str().ok());
    let mut pairs =
        all.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == wanted).map(|(_, value)| value)
}

/// What is sent to a browser to keep.
pub(super) fn set_cookie(web: &Web, value: &str, max_age: Option<u32>) -> String {
    let age = max_age.map(|s| format!("; Max-Age={s}")).unwrap_or_default();
    format!("{COOKIE_NAME}={value}; Path={}; HttpOnly; SameSite=Strict{age}", web.base)
}

/// `POST /login`: a code or the passphrase.
pub(super) async fn login(State(web): State<Arc<Web>>, fields: Fields) -> Response {
    let typed = Zeroizing::new(fields.get("code").trim().to_owned());
    // Nobody guesses a code: whoever has one need not wait for those who guess.
    let mut fits = web.doors.take_code(&typed);
    if !fits && let Err(wait) = web.doors.may_try() {
        let text = format!("too many wrong tries: wait {} s", wait.as_secs() + 1);
        let wait = [("retry-after", (wait.as_secs() + 1).to_string())];
        return (StatusCode::TOO_MANY_REQUESTS, wait, pages::login_page(&web, Some(&text)))
            .into_response();
    }
    if fits {
        web.doors.came_in.notify_one();
    } else if let Some(passphrase) = web.doors.passphrase.clone() {
        // Argon2id takes its time and memory: one try after the other.
        let _one = web.doors.trying.lock().await;
        if web.doors.may_try().is_err() {
            return (
                StatusCode::TOO_MANY_REQUESTS,
                pages::login_page(&web, Some("too many wrong tries")),
            )
                .into_response();
        }
        fits = tokio::task::spawn_blocking(move || passphrase.fits(&typed)).await.unwrap_or(false);
    }
    if !fits {
        web.doors.was_wrong();
        return (StatusCode::FORBIDDEN, pages::login_page(&web, Some("that was not it")))
            .into_response();
    }
    let cookie = set_cookie(&web, &web.doors.let_in(), None);
    (StatusCode::SEE_OTHER, [(SET_COOKIE, cookie), (LOCATION, web.base.clone())]).into_response()
}

/// A request of somebody who is in.
pub(super) struct Visitor {
    pub(super) session: Arc<Session>,
    /// The theme that the browser keeps.
    pub(super) theme: String,
}

impl FromRequestParts<Arc<Web>> for Visitor {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, web: &Arc<Web>) -> Result<Self, Trouble> {
        let session = web.doors.session(&parts.headers).ok_or(Trouble::NotIn)?;
        Ok(Visitor { session, theme: pages::theme_of(&parts.headers) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_good_once_however_it_is_typed() {
        let doors = Doors::new(None);
        let code = doors.code();
        assert_eq!(code.len(), 19);
        assert!(!doors.take_code(""));
        assert!(!doors.take_code(&code[1..]));
        assert!(doors.take_code(&format!(" {} ", code.to_uppercase().replace('-', " "))));
        assert!(!doors.take_code(&code));
        let (old, new) = (doors.code(), doors.code());
        assert!(doors.take_code(&new) && doors.take_code(&old));
        for _ in 0..CODES {
            doors.code();
        }
        assert_eq!(doors.inside().codes.len(), CODES);
    }

    #[test]
    fn guessing_is_slowed_down_until_somebody_comes_in() {
        let doors = Doors::new(None);
        for _ in 1..FREE_TRIES {
            doors.was_wrong();
            assert!(doors.may_try().is_ok());
        }
        let mut last = Duration::ZERO;
        for _ in 0..12 {
            doors.was_wrong();
            let wait = doors.may_try().unwrap_err();
            assert!(
                wait >= last.saturating_sub(Duration::from_secs(1)) && wait <= LONGEST_WAIT,
                "{wait:?}"
            );
            last = wait;
        }
        assert!(last > Duration::from_secs(200));
        doors.let_in();
        assert!(doors.may_try().is_ok());
    }

    #[test]
    fn sessions_are_known_by_their_cookie_and_bounded() {
        let doors = Doors::new(None);
        let with = |cookie: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(COOKIE, format!("theme=dark; {COOKIE_NAME}={cookie}").parse().unwrap());
            headers
        };
        let first = doors.let_in();
        assert!(doors.session(&with(&first)).is_some());
        assert!(doors.session(&with("")).is_none());
        assert!(doors.session(&HeaderMap::new()).is_none());
        let tokens: std::collections::HashSet<String> = (0..SESSIONS)
            .map(|_| doors.let_in())
            .map(|cookie| doors.session(&with(&cookie)).unwrap().token.clone())
            .collect();
        assert_eq!(tokens.len(), SESSIONS);
        assert_eq!(doors.inside().sessions.len(), SESSIONS);
        // Whoever was idle longest had to go.
        assert!(doors.session(&with(&first)).is_none());
        let last = doors.let_in();
        doors.leave(&with(&last));
        assert!(doors.session(&with(&last)).is_none());
    }

    #[test]
    fn a_passphrase_is_kept_as_a_hash_with_its_salt() {
        let (one, two) =
            (Passphrase::new("correct horse").unwrap(), Passphrase::new("correct horse").unwrap());
        assert!(one.fits("correct horse") && two.fits("correct horse"));
        assert!(!one.fits("correct horsf") && !one.fits(""));
        assert_ne!(one.hash, two.hash);
        assert!(!serde_json::to_string(&one).unwrap().contains("horse"));
    }
}

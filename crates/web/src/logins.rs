//! Who may log in: a browser with a code that was printed where the program runs, or a person who
//! knows the passphrase of this site.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use argon2::{Algorithm, Argon2, Params, Version};
use axum::http::HeaderMap;
use subtle::ConstantTimeEq;
use tokio::sync::Notify;

use crate::session::{COOKIE_NAME, Session, cookie, key_of, secret};

/// How long a code is good for.
const CODE_LIFE: Duration = Duration::from_secs(15 * 60);
/// Codes that wait to be used; the oldest goes.
const CODES: usize = 8;
/// Sessions at one time; the one that was idle longest goes.
const SESSIONS: usize = 32;
/// A session that nobody used for this long is over.
const IDLE: Duration = Duration::from_secs(24 * 3_600);
/// Failed attempts before each further one has to wait, twice as long each time.
const FREE_TRIES: u32 = 5;
const FIRST_WAIT: Duration = Duration::from_secs(10);
const LONGEST_WAIT: Duration = Duration::from_secs(300);
/// Argon2id of the passphrase: 64 MiB, three passes (RFC 9106, second recommended option, one
/// lane).
const MEMORY_KIB: u32 = 64 * 1_024;
const PASSES: u32 = 3;

/// What is kept of a passphrase: a salt, and its hash with that.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
pub struct Passphrase {
    salt: [u8; 16],
    hash: [u8; 32],
}

impl Passphrase {
    /// Of this text; none when there is no memory to hash it.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let salt = rand::random();
        Some(Passphrase { salt, hash: hash(text, &salt)? })
    }

    pub(crate) fn fits(&self, text: &str) -> bool {
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

#[derive(Default)]
struct LoginState {
    codes: VecDeque<(String, Instant)>,
    /// By [`key_of`] their cookie.
    sessions: HashMap<[u8; 32], Arc<Session>>,
    wrong: u32,
    wait_until: Option<Instant>,
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

/// Codes, sessions, and the passphrase if there is one.
pub struct Logins {
    state: Mutex<LoginState>,
    pub(crate) passphrase: Option<Passphrase>,
    pub(crate) trying: tokio::sync::Mutex<()>,
    pub(crate) logged_in: Notify,
    quit: Notify,
}

impl std::fmt::Debug for Logins {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Logins")
    }
}

impl Logins {
    /// By codes, and by the passphrase if there is one.
    #[must_use]
    pub fn new(passphrase: Option<Passphrase>) -> Self {
        Logins {
            state: Mutex::default(),
            passphrase,
            trying: tokio::sync::Mutex::default(),
            logged_in: Notify::new(),
            quit: Notify::new(),
        }
    }

    pub(crate) const fn has_passphrase(&self) -> bool {
        self.passphrase.is_some()
    }

    fn state(&self) -> std::sync::MutexGuard<'_, LoginState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new code.
    pub(crate) fn code(&self) -> String {
        // 80 bits in four groups.
        let text = secret(10);
        let groups: Vec<&str> = (0..4).filter_map(|i| text.get(i * 4..i * 4 + 4)).collect();
        let code = groups.join("-");
        let mut state = self.state();
        state.codes.truncate(CODES - 1);
        state.codes.push_front((code.clone(), Instant::now()));
        code
    }

    pub(crate) async fn happened(&self) -> Happened {
        tokio::select! {
            () = self.logged_in.notified() => Happened::LoggedIn,
            () = self.quit.notified() => Happened::Quit,
        }
    }

    pub(crate) fn quit(&self) {
        self.quit.notify_one();
    }

    /// Whether another try may be made now; if not, how long to wait.
    pub(crate) fn may_try(&self) -> Result<(), Duration> {
        let now = Instant::now();
        match self.state().wait_until {
            Some(until) if until > now => Err(until - now),
            _ => Ok(()),
        }
    }

    pub(crate) fn was_wrong(&self) {
        let mut state = self.state();
        state.wrong = state.wrong.saturating_add(1);
        if state.wrong >= FREE_TRIES {
            let wait =
                FIRST_WAIT.saturating_mul(1 << (state.wrong - FREE_TRIES).min(9)).min(LONGEST_WAIT);
            state.wait_until = Some(Instant::now() + wait);
        }
    }

    /// Takes a code, once.
    pub(crate) fn take_code(&self, code: &str) -> bool {
        let typed: String = code
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .collect::<String>()
            .to_ascii_lowercase();
        let mut state = self.state();
        state.codes.retain(|(_, made)| made.elapsed() < CODE_LIFE);
        let fits = |(c, _): &(String, Instant)| {
            bool::from(c.replace('-', "").as_bytes().ct_eq(typed.as_bytes()))
        };
        match state.codes.iter().position(fits) {
            Some(at) => state.codes.remove(at).is_some(),
            None => false,
        }
    }

    /// A new session: its cookie.
    pub(crate) fn admit(&self) -> String {
        let cookie = secret(32);
        let now = Instant::now();
        let mut state = self.state();
        state.wrong = 0;
        state.wait_until = None;
        state.sessions.retain(|_, s| now.duration_since(s.used()) < IDLE);
        if state.sessions.len() >= SESSIONS
            && let Some(oldest) =
                state.sessions.iter().min_by_key(|(_, s)| s.used()).map(|(key, _)| *key)
        {
            state.sessions.remove(&oldest);
        }
        state.sessions.insert(key_of(&cookie), Arc::new(Session::new()));
        cookie
    }

    pub(crate) fn session(&self, headers: &HeaderMap) -> Option<Arc<Session>> {
        let cookie = cookie(headers, COOKIE_NAME)?;
        let session = self.state().sessions.get(&key_of(cookie)).cloned()?;
        let now = Instant::now();
        if now.duration_since(session.used()) >= IDLE {
            return None;
        }
        session.touch(now);
        Some(session)
    }

    pub(crate) fn log_out(&self, headers: &HeaderMap) {
        if let Some(cookie) = cookie(headers, COOKIE_NAME) {
            self.state().sessions.remove(&key_of(cookie));
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::header::COOKIE;

    use super::*;

    #[test]
    fn a_code_is_good_once_however_it_is_typed() {
        let logins = Logins::new(None);
        let code = logins.code();
        assert_eq!(code.len(), 19);
        assert!(!logins.take_code(""));
        assert!(!logins.take_code(&code[1..]));
        assert!(logins.take_code(&format!(" {} ", code.to_uppercase().replace('-', " "))));
        assert!(!logins.take_code(&code));
        let (old, new) = (logins.code(), logins.code());
        assert!(logins.take_code(&new) && logins.take_code(&old));
        for _ in 0..CODES {
            logins.code();
        }
        assert_eq!(logins.state().codes.len(), CODES);
    }

    #[test]
    fn guessing_is_slowed_down_until_somebody_logs_in() {
        let logins = Logins::new(None);
        for _ in 1..FREE_TRIES {
            logins.was_wrong();
            assert!(logins.may_try().is_ok());
        }
        let mut last = Duration::ZERO;
        for _ in 0..12 {
            logins.was_wrong();
            let wait = logins.may_try().unwrap_err();
            assert!(
                wait >= last.saturating_sub(Duration::from_secs(1)) && wait <= LONGEST_WAIT,
                "{wait:?}"
            );
            last = wait;
        }
        assert!(last > Duration::from_secs(200));
        logins.admit();
        assert!(logins.may_try().is_ok());
    }

    #[test]
    fn sessions_are_known_by_their_cookie_and_bounded() {
        let logins = Logins::new(None);
        let with = |cookie: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(COOKIE, format!("theme=dark; {COOKIE_NAME}={cookie}").parse().unwrap());
            headers
        };
        let first = logins.admit();
        assert!(logins.session(&with(&first)).is_some());
        assert!(logins.session(&with("")).is_none());
        assert!(logins.session(&HeaderMap::new()).is_none());
        let tokens: std::collections::HashSet<String> = (0..SESSIONS)
            .map(|_| logins.admit())
            .map(|cookie| logins.session(&with(&cookie)).unwrap().token.clone())
            .collect();
        assert_eq!(tokens.len(), SESSIONS);
        assert_eq!(logins.state().sessions.len(), SESSIONS);
        // The session that was idle longest had to go.
        assert!(logins.session(&with(&first)).is_none());
        let last = logins.admit();
        logins.log_out(&with(&last));
        assert!(logins.session(&with(&last)).is_none());
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

//! Logging in with a code or a passphrase, and the cookie that comes of it.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{LOCATION, SET_COOKIE};
use axum::response::{IntoResponse, Response};
use zeroize::Zeroizing;

use crate::form::Fields;
use crate::pages;
use crate::session::COOKIE_NAME;
use crate::site::Web;

/// The session's cookie, as a header says it.
pub(crate) fn set_cookie(web: &Web, value: &str, max_age: Option<u32>) -> String {
    let age = max_age.map(|s| format!("; Max-Age={s}")).unwrap_or_default();
    format!("{COOKIE_NAME}={value}; Path={}; HttpOnly; SameSite=Strict{age}", web.base)
}

/// `POST /login`: a code or the passphrase.
pub(crate) async fn login(State(web): State<Arc<Web>>, fields: Fields) -> Response {
    let typed = Zeroizing::new(fields.get("code").trim().to_owned());
    // Nobody guesses a code: a person who has one need not wait for those who guess.
    let mut fits = web.logins.take_code(&typed);
    if !fits && let Err(wait) = web.logins.may_try() {
        let text = format!("too many failed attempts: wait {} s", wait.as_secs() + 1);
        let wait = [("retry-after", (wait.as_secs() + 1).to_string())];
        return (StatusCode::TOO_MANY_REQUESTS, wait, pages::login_page(&web, Some(&text)))
            .into_response();
    }
    if fits {
        web.logins.logged_in.notify_one();
    } else if let Some(passphrase) = web.logins.passphrase.clone() {
        // Argon2id takes its time and memory: one try after the other.
        let _one = web.logins.trying.lock().await;
        if web.logins.may_try().is_err() {
            return (
                StatusCode::TOO_MANY_REQUESTS,
                pages::login_page(&web, Some("too many failed attempts")),
            )
                .into_response();
        }
        fits = tokio::task::spawn_blocking(move || passphrase.fits(&typed)).await.unwrap_or(false);
    }
    if !fits {
        web.logins.was_wrong();
        return (StatusCode::FORBIDDEN, pages::login_page(&web, Some("wrong code or passphrase")))
            .into_response();
    }
    let cookie = set_cookie(&web, &web.logins.admit(), None);
    (StatusCode::SEE_OTHER, [(SET_COOKIE, cookie), (LOCATION, web.base.clone())]).into_response()
}

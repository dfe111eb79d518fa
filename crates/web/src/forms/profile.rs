//! Forms about the profile, this browser, and the site itself.

use std::sync::Arc;

use api::{SetName, SetSetting};
use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Redirect};

use super::{FormResult, tell};
use crate::error::PageError;
use crate::form::Sent;
use crate::layout;
use crate::login::set_cookie;
use crate::pages::{self, PageContext};
use crate::site::Web;

pub(super) async fn name(State(web): State<Arc<Web>>, form: Sent) -> FormResult {
    let name = form.fields.get("name").trim().to_owned();
    web.act(&form.session, SetName { name }, "saved", "settings").await
}

/// The session keeps what is searched for: a URL would put it into the browser's history.
pub(super) async fn search(State(web): State<Arc<Web>>, form: Sent) -> FormResult {
    form.session.set_query(form.fields.get("q").trim().to_owned());
    Ok(web.to("search"))
}

pub(super) async fn set(State(web): State<Arc<Web>>, form: Sent) -> FormResult {
    let key = form.fields.get("key").to_owned();
    let value = form.fields.get("value").trim().to_owned();
    let saved = web.ask(SetSetting { key: key.clone(), value }).await;
    let said = saved.map(|saved| match saved.restart {
        true => "saved; takes effect after a restart",
        false => "saved",
    });
    tell(&form.session, said);
    Ok(web.to(&format!("settings#set-{key}")))
}

/// The theme is this browser's own: it keeps it in a cookie.
pub(super) async fn theme(State(web): State<Arc<Web>>, form: Sent) -> FormResult {
    let known = layout::THEMES.iter().find(|(name, _)| *name == form.fields.get("theme"));
    let (theme, _) = known.ok_or_else(|| PageError::wrong("unknown theme"))?;
    let cookie =
        format!("theme={theme}; Path={}; HttpOnly; SameSite=Strict; Max-Age=31536000", web.base);
    Ok(([(SET_COOKIE, cookie)], web.to("settings")).into_response())
}

pub(super) async fn clear(State(web): State<Arc<Web>>, _form: Sent) -> FormResult {
    web.live.clear_notices();
    Ok(web.to(""))
}

/// A code for another browser, shown once.
pub(super) async fn another(
    cx: PageContext,
    State(web): State<Arc<Web>>,
    headers: HeaderMap,
    _form: Sent,
) -> Result<Html<String>, PageError> {
    let host = headers.get("host").and_then(|h| h.to_str().ok()).unwrap_or_default();
    let code = web.code();
    pages::another(&cx, &format!("http://{host}/#{code}"), &code)
}

pub(super) async fn log_out(
    State(web): State<Arc<Web>>,
    headers: HeaderMap,
    _form: Sent,
) -> FormResult {
    web.logins.log_out(&headers);
    let gone = set_cookie(&web, "", Some(0));
    Ok(([(SET_COOKIE, gone)], Redirect::to("/")).into_response())
}

pub(super) async fn quit(State(web): State<Arc<Web>>, _form: Sent) -> FormResult {
    web.logins.quit();
    let body = maud::html! {
        h1 { "Hushwing has stopped serving this browser" }
        p { "You can close this window." }
    };
    Ok((StatusCode::OK, layout::bare("Stopped", &body)).into_response())
}

//! The page of a browser that is not logged in.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Html;
use maud::html;

use crate::layout::bare;
use crate::site::Web;

/// `GET /`
pub(crate) async fn login(State(web): State<Arc<Web>>) -> Html<String> {
    login_page(&web, None)
}

/// The page, with what went wrong.
pub(crate) fn login_page(web: &Web, wrong: Option<&str>) -> Html<String> {
    let what = if web.logins.has_passphrase() { "Code or passphrase" } else { "Code" };
    let body = html! {
        img src="/a/icon.svg" alt="" width="72" height="72";
        h1 { "Hushwing" }
        p {
            "This is a private messenger. Its owner can see a link and a code in the terminal "
            "where it runs."
        }
        @if let Some(text) = wrong { p.flash.error role="alert" { (text) } }
        form #login method="post" action="/login" {
            label for="code" { (what) }
            input #code name="code" type="password" autocomplete="current-password" required
                autofocus;
            button { "Log in" }
        }
    };
    bare("Log in", &body)
}

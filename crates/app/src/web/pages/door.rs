//! The page of whoever is not in yet.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Html;
use maud::html;

use super::bare;
use crate::web::Web;

/// `GET /`
pub(in crate::web) async fn login(State(web): State<Arc<Web>>) -> Html<String> {
    login_page(&web, None)
}

/// The page, with what went wrong.
pub(in crate::web) fn login_page(web: &Web, wrong: Option<&str>) -> Html<String> {
    let what = if web.doors.has_passphrase() { "Code or passphrase" } else { "Code" };
    let body = html! {
        img src="/a/icon.svg" alt="" width="72" height="72";
        h1 { "Hushwing" }
        p { "This is somebody's own messenger. Whoever runs it sees a link and a code in the window where it runs." }
        @if let Some(text) = wrong { p.flash.error role="alert" { (text) } }
        form #login method="post" action="/login" {
            label for="code" { (what) }
            input #code name="code" type="password" autocomplete="current-password" required autofocus;
            button { "Come in" }
        }
    };
    bare("Come in", &body)
}

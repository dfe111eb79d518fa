//! Style, script, icon and manifest, compiled in.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::error::PageError;
use crate::site::Web;
use crate::visitor::Visitor;

const ASSETS: &[(&str, &str, &str)] = &[
    ("app.css", "text/css; charset=utf-8", include_str!("assets/app.css")),
    ("app.js", "text/javascript; charset=utf-8", include_str!("assets/app.js")),
    ("icon.svg", "image/svg+xml", include_str!("assets/icon.svg")),
];

/// `GET /a/NAME`
pub(crate) async fn asset(Path(name): Path<String>) -> Result<Response, PageError> {
    let found = ASSETS.iter().find(|(known, ..)| *known == name);
    let (_, kind, text) = found.ok_or(PageError::NotFound)?;
    Ok(([(CONTENT_TYPE, *kind), (CACHE_CONTROL, "no-cache")], *text).into_response())
}

/// `GET manifest.webmanifest`: what a browser needs to install the site as an app.
pub(crate) async fn manifest(State(web): State<Arc<Web>>, _in: Visitor) -> Response {
    let manifest = json!({
        "name": "Hushwing",
        "short_name": "Hushwing",
        "start_url": web.base,
        "scope": web.base,
        "display": "standalone",
        "background_color": "#14171c",
        "theme_color": "#14171c",
        "icons": [
            { "src": "/a/icon.svg", "sizes": "any", "type": "image/svg+xml", "purpose": "any" },
        ],
    });
    ([(CONTENT_TYPE, "application/manifest+json")], Json(manifest)).into_response()
}

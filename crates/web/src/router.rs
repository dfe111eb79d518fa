//! Every path of the site.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};

use crate::form::MAX_FORM;
use crate::site::Web;
use crate::{assets, error, events, files, forms, guard, login, pages};

/// The site, for browsers that ask for one of these hosts (with its port).
pub fn router(web: Arc<Web>, hosts: Vec<String>) -> Router {
    let inside = Router::new()
        .merge(pages::routes())
        .merge(forms::routes())
        .merge(files::routes())
        .route("/events", get(events::events))
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

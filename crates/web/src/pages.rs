//! What is shown. Each page asks the engine for what it needs and is made whole: a page that a
//! script refreshes and one that is loaded again are the same.

mod about;
mod context;
mod conversation;
mod frame;
mod lists;
mod login;
mod messages;
mod near;
mod new;
mod parts;
mod room;
mod settings;

use std::sync::Arc;

use axum::Router;
use axum::response::Html;
use axum::routing::get;

pub(crate) use self::context::PageContext;
pub(crate) use self::lists::home;
pub(crate) use self::login::{login, login_page};
pub(crate) use self::messages::lines;
pub(crate) use self::settings::another;
use crate::error::PageError;
use crate::site::Web;

pub(crate) type PageResult = Result<Html<String>, PageError>;

pub(crate) fn routes() -> Router<Arc<Web>> {
    Router::new()
        .route("/c/{id}", get(conversation::conversation))
        .route("/c/{id}/about", get(about::about))
        .route("/c/{id}/why/{message}", get(about::why))
        .route("/c/{id}/export/{format}", get(conversation::export))
        .route("/r/{id}", get(room::room))
        .route("/r/{id}/about", get(room::about))
        .route("/r/{id}/export", get(room::export))
        .route("/new", get(new::new))
        .route("/search", get(lists::search))
        .route("/files", get(lists::files))
        .route("/news", get(lists::news))
        .route("/near", get(near::near))
        .route("/network", get(settings::network))
        .route("/settings", get(settings::settings))
        .route("/help", get(settings::help))
}

//! A browser that has logged in.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::error::PageError;
use crate::layout::theme_of;
use crate::session::Session;
use crate::site::Web;

/// A request from a browser that has logged in.
pub(crate) struct Visitor {
    pub(crate) session: Arc<Session>,
    /// The theme that the browser keeps.
    pub(crate) theme: String,
}

impl FromRequestParts<Arc<Web>> for Visitor {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, web: &Arc<Web>) -> Result<Self, PageError> {
        let session = web.logins.session(&parts.headers).ok_or(PageError::NotLoggedIn)?;
        Ok(Visitor { session, theme: theme_of(&parts.headers) })
    }
}

//! Forms: their fields, and the proof that they are from a page of this site.

use std::str::FromStr;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use subtle::ConstantTimeEq;

use crate::error::PageError;
use crate::session::Session;
use crate::site::Web;
use crate::visitor::Visitor;

/// Largest form, bytes: a text of 64 KiB in which each byte is escaped, and the rest.
pub(crate) const MAX_FORM: usize = 256 * 1024;

/// Name of the field with the proof.
pub(crate) const TOKEN: &str = "t";

/// The fields of a form, by their names.
#[derive(Debug, Default)]
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    /// A field's text; empty when there is none.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value)
    }

    /// A field that is not empty, trimmed.
    pub(crate) fn some(&self, name: &str) -> Option<String> {
        Some(self.get(name).trim()).filter(|v| !v.is_empty()).map(str::to_owned)
    }

    /// A field that holds an id or a number.
    pub(crate) fn parse<T: FromStr>(&self, name: &str) -> Result<T, PageError> {
        parse(self.get(name))
    }

    /// The ids in all fields of this name.
    pub(crate) fn parse_all<T: FromStr>(&self, name: &str) -> Result<Vec<T>, PageError> {
        self.0.iter().filter(|(n, _)| n == name).map(|(_, value)| parse(value)).collect()
    }

    /// Whether a field says yes.
    pub(crate) fn yes(&self, name: &str) -> bool {
        self.get(name) == "1"
    }
}

fn parse<T: FromStr>(value: &str) -> Result<T, PageError> {
    value.parse().map_err(|_| PageError::wrong("this form is damaged"))
}

impl<S: Send + Sync> FromRequest<S> for Fields {
    type Rejection = PageError;

    async fn from_request(request: Request, state: &S) -> Result<Self, PageError> {
        let body = Bytes::from_request(request, state)
            .await
            .map_err(|_| PageError::wrong("this form is too long"))?;
        // Browsers send line ends as CR LF.
        let pairs = form_urlencoded::parse(&body);
        Ok(Fields(pairs.map(|(n, v)| (n.into_owned(), v.replace("\r\n", "\n"))).collect()))
    }
}

/// A form of a page that this very browser was given.
pub(crate) struct Sent {
    pub(crate) session: Arc<Session>,
    pub(crate) fields: Fields,
}

/// Whether a form bears the token that its session was given.
pub(crate) fn is_ours(token: &str, sent: &str) -> bool {
    token.as_bytes().ct_eq(sent.as_bytes()).into()
}

/// A form that another session, or nobody, was given.
pub(crate) fn not_ours() -> PageError {
    PageError::forbidden("this form is from another session: reload the page")
}

impl FromRequest<Arc<Web>> for Sent {
    type Rejection = PageError;

    async fn from_request(request: Request, web: &Arc<Web>) -> Result<Self, PageError> {
        let (mut parts, body) = request.into_parts();
        let visitor = Visitor::from_request_parts(&mut parts, web).await?;
        let fields = Fields::from_request(Request::from_parts(parts, body), web).await?;
        if !is_ours(&visitor.session.token, fields.get(TOKEN)) {
            return Err(not_ours());
        }
        Ok(Sent { session: visitor.session, fields })
    }
}

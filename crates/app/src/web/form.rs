//! Forms: their fields, and the proof that they are ours.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use subtle::ConstantTimeEq;

use super::Web;
use super::door::{Session, Visitor};
use super::trouble::Trouble;

/// Name of the field that proves it.
pub(super) const TOKEN: &str = "t";

/// The fields of a form, by their names.
#[derive(Debug, Default)]
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    /// A field's text; empty when there is none.
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value)
    }

    /// The texts of all fields of this name.
    pub(super) fn all(&self, name: &str) -> Vec<String> {
        self.0.iter().filter(|(n, _)| n == name).map(|(_, value)| value.clone()).collect()
    }

    /// A field that says something.
    pub(super) fn some(&self, name: &str) -> Option<String> {
        Some(self.get(name).trim()).filter(|v| !v.is_empty()).map(str::to_owned)
    }
}

impl<S: Send + Sync> FromRequest<S> for Fields {
    type Rejection = Trouble;

    async fn from_request(request: Request, state: &S) -> Result<Self, Trouble> {
        let body = Bytes::from_request(request, state)
            .await
            .map_err(|_| Trouble::wrong("this form is too long"))?;
        // Browsers send line ends as CR LF.
        let pairs = form_urlencoded::parse(&body);
        Ok(Fields(pairs.map(|(n, v)| (n.into_owned(), v.replace("\r\n", "\n"))).collect()))
    }
}

/// A form of a page that we gave to this very browser.
pub(super) struct Sent {
    pub(super) session: Arc<Session>,
    pub(super) fields: Fields,
}

impl Sent {
    pub(super) fn get(&self, name: &str) -> &str {
        self.fields.get(name)
    }

    pub(super) fn some(&self, name: &str) -> Option<String> {
        self.fields.some(name)
    }
}

/// Whether a form bears the token that its session was given.
pub(super) fn is_ours(token: &str, sent: &str) -> bool {
    token.as_bytes().ct_eq(sent.as_bytes()).into()
}

impl FromRequest<Arc<Web>> for Sent {
    type Rejection = Trouble;

    async fn from_request(request: Request, web: &Arc<Web>) -> Result<Self, Trouble> {
        let (mut parts, body) = request.into_parts();
        let visitor =
            <Visitor as axum::extract::FromRequestParts<_>>::from_request_parts(&mut parts, web)
                .await?;
        let fields = Fields::from_request(Request::from_parts(parts, body), web).await?;
        if !is_ours(&visitor.session.token, fields.get(TOKEN)) {
            return Err(Trouble::forbidden(
                "this form is not from a page of this session: load it again",
            ));
        }
        Ok(Sent { session: visitor.session, fields })
    }
}

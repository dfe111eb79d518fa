//! How a request ends badly: one sentence, one hint.

use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use maud::html;
use wire::ErrorKind;

use super::pages;
use crate::engine::profile::Refusal;
use crate::exit::Failure;

/// Why there is no page.
#[derive(Debug)]
pub(super) enum Trouble {
    /// There is no session: the way leads to the door.
    NotIn,
    /// A sentence, a hint, and the status that says whose fault it is.
    Said(StatusCode, String, String),
}

impl Trouble {
    pub(super) fn wrong(text: &str) -> Self {
        Trouble::Said(StatusCode::BAD_REQUEST, text.to_owned(), "go back and try again".to_owned())
    }

    pub(super) fn forbidden(text: &str) -> Self {
        let hint = "open Hushwing in a window of its own".to_owned();
        Trouble::Said(StatusCode::FORBIDDEN, text.to_owned(), hint)
    }

    pub(super) fn none(text: &str) -> Self {
        Trouble::Said(StatusCode::NOT_FOUND, text.to_owned(), "look in the list".to_owned())
    }

    pub(super) fn misdirected() -> Self {
        let hint = "use the address that `hushwing web` has printed".to_owned();
        Trouble::Said(
            StatusCode::MISDIRECTED_REQUEST,
            "Hushwing does not answer to this name".to_owned(),
            hint,
        )
    }

    /// In words, for a line on the next page.
    pub(super) fn line(&self) -> String {
        match self {
            Trouble::NotIn => "the session is over".to_owned(),
            Trouble::Said(_, text, hint) => format!("{text} ({hint})"),
        }
    }
}

impl From<Refusal> for Trouble {
    fn from(refusal: Refusal) -> Self {
        let status = match refusal.kind {
            ErrorKind::LocalConfig => StatusCode::BAD_REQUEST,
            ErrorKind::Network => StatusCode::BAD_GATEWAY,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Trouble::Said(status, refusal.text, refusal.hint)
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Trouble::Said(
            StatusCode::INTERNAL_SERVER_ERROR,
            failure.to_string(),
            "try it again".to_owned(),
        )
    }
}

impl IntoResponse for Trouble {
    fn into_response(self) -> Response {
        match self {
            Trouble::NotIn => (StatusCode::SEE_OTHER, [(LOCATION, "/")]).into_response(),
            Trouble::Said(status, text, hint) => {
                let body = html! {
                    h1 { "That did not work" }
                    p role="alert" { (text) }
                    p { "Hint: " (hint) }
                };
                (status, pages::bare("That did not work", &body)).into_response()
            }
        }
    }
}

/// For paths that lead nowhere.
pub(super) async fn nothing_here() -> Trouble {
    Trouble::none("there is nothing here")
}

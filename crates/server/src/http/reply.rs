//! Answers in JSON. Each that is no success has an `error` and a `hint`.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// Seconds after which a client that was too fast may come again.
const RETRY_AFTER: &str = "1";

/// What goes wrong with a request before the hub sees it, or instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// What is wrong with it. Holds nothing of the request itself.
    BadRequest(String),
    NoKey,
    WrongKey,
    NotFound,
    NoSuchBox,
    MethodNotAllowed,
    BodyTooSlow,
    TooLarge,
    MediaType,
    SlowDown,
    Stopping,
}

impl Trouble {
    fn parts(&self) -> (StatusCode, &str, &'static str) {
        match self {
            Trouble::BadRequest(what) => (
                StatusCode::BAD_REQUEST,
                what,
                "a box is {\"id\": hex or base64url, \"ciphertext\": base64, \"signature\": base64}, or CBOR",
            ),
            Trouble::NoKey => (
                StatusCode::UNAUTHORIZED,
                "no access key",
                "send `Authorization: Bearer KEY` with the 32 hexadecimal digits that the hub's owner gave you",
            ),
            Trouble::WrongKey => (
                StatusCode::UNAUTHORIZED,
                "this access key opens nothing here",
                "ask the hub's owner for the key of this hub",
            ),
            Trouble::NotFound => (
                StatusCode::NOT_FOUND,
                "nothing is here",
                "there are /ping, /onion, /boxes and /boxes/ID",
            ),
            Trouble::NoSuchBox => (
                StatusCode::NOT_FOUND,
                "no such box",
                "add ?wait=SECONDS (up to 120) to be answered when it arrives",
            ),
            Trouble::MethodNotAllowed => (
                StatusCode::METHOD_NOT_ALLOWED,
                "not with this method",
                "POST to /boxes; GET everything else",
            ),
            Trouble::BodyTooSlow => (
                StatusCode::REQUEST_TIMEOUT,
                "the body took too long",
                "send fewer boxes at a time",
            ),
            Trouble::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "the body is too large",
                "send at most 64 boxes and 256 KiB at a time",
            ),
            Trouble::MediaType => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "the body is neither JSON nor CBOR",
                "say `Content-Type: application/json`, or `application/cbor` for one box in CBOR",
            ),
            Trouble::SlowDown => {
                (StatusCode::TOO_MANY_REQUESTS, "too many requests", "try again a little later")
            }
            Trouble::Stopping => {
                (StatusCode::SERVICE_UNAVAILABLE, "the hub is stopping", "try again in a minute")
            }
        }
    }
}

impl IntoResponse for Trouble {
    fn into_response(self) -> Response {
        let (status, error, hint) = self.parts();
        with_headers(
            status,
            (status, Json(json!({ "error": error, "hint": hint }))).into_response(),
        )
    }
}

/// What some statuses owe their reader.
pub(crate) fn with_headers(status: StatusCode, mut response: Response) -> Response {
    let headers = response.headers_mut();
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER));
    }
    response
}

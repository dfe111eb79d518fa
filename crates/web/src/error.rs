//! How a request ends badly: one sentence, and one hint in the words of this front end.

use api::{Reason, Refusal, Thing, Value};
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use maud::html;
use wire::ErrorKind;

use crate::layout;

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PageError {
    /// There is no session: the browser is sent to the login page.
    #[error("you are logged out")]
    NotLoggedIn,
    /// The path leads nowhere, or to a conversation or room that this profile does not have.
    #[error("not found (check the list)")]
    NotFound,
    /// A sentence, a hint, and the status that says whose fault it is.
    #[error("{1} ({2})")]
    Said(StatusCode, String, String),
}

impl PageError {
    /// The browser sent something wrong.
    pub(crate) fn wrong(text: &str) -> Self {
        let hint = "go back and try again".to_owned();
        PageError::Said(StatusCode::BAD_REQUEST, text.to_owned(), hint)
    }

    /// No page of this session asked for it.
    pub(crate) fn forbidden(text: &str) -> Self {
        let hint = "open Hushwing in a window of its own".to_owned();
        PageError::Said(StatusCode::FORBIDDEN, text.to_owned(), hint)
    }

    /// Something on a page is gone.
    pub(crate) fn gone(text: &str) -> Self {
        PageError::Said(StatusCode::NOT_FOUND, text.to_owned(), "check the list".to_owned())
    }

    /// A file on this machine cannot be written or read.
    pub(crate) fn disk(text: String) -> Self {
        let hint = "check free space and permissions".to_owned();
        PageError::Said(StatusCode::INTERNAL_SERVER_ERROR, text, hint)
    }

    /// A mistake of the program itself.
    pub(crate) fn bug(text: &str) -> Self {
        let hint = "please report this".to_owned();
        PageError::Said(StatusCode::INTERNAL_SERVER_ERROR, text.to_owned(), hint)
    }

    /// The browser asked for a host name that is not served.
    pub(crate) fn misdirected() -> Self {
        let hint = "use the address that `hushwing web` has printed".to_owned();
        let text = "Hushwing does not serve this host name".to_owned();
        PageError::Said(StatusCode::MISDIRECTED_REQUEST, text, hint)
    }
}

/// What to do about a refusal, with what a browser shows.
fn hint(reason: &Reason) -> &'static str {
    match reason {
        Reason::NoSuch { .. } => "reload the page: it may have been deleted",
        Reason::Ambiguous { .. } | Reason::Renamed { .. } => "choose it in the list",
        Reason::BadName => "choose another name",
        Reason::BadValue { what } => match what {
            Value::InviteLink | Value::RoomLink | Value::NetworkLink => {
                "copy the whole link, from \u{201c}hushwing:\u{201d} to its end"
            }
            Value::Route => "choose one of the routes in the list",
            Value::Setting => "the text below the setting says what it can be",
            Value::Path => "choose another file",
            Value::Key | Value::OpenPgp => "reload the page and try again",
        },
        Reason::TooLarge { .. } => "send less at once",
        Reason::QueueFull => "wait until some of your messages have left, then try again",
        Reason::NoNetwork => {
            "accept an invite first, or set \u{201c}network\u{201d} under Settings"
        }
        Reason::NoRoute => "allow more routes under About, or see Settings",
        Reason::LanOff => "turn the local network on under Nearby",
        Reason::TorOff => "turn Tor on under Settings",
        Reason::NotNow => "see About for how it stands, or try again later",
        Reason::NotYours => "ask the owner of the room, or the person who created the group",
        Reason::InviteOver => "ask for a new link",
        Reason::NoAnswer => "check that the other side is online, then try again",
        Reason::Disk => "check free space and permissions on the machine that runs Hushwing",
        Reason::Profile { .. } => "see the terminal where Hushwing runs",
        Reason::OtherVersion { .. } => "install the same version everywhere, then restart Hushwing",
        Reason::OtherProxy => "see the terminal where Hushwing runs",
        Reason::Stopped => "start Hushwing again in its terminal",
        Reason::NotBuilt => "install a build of Hushwing that includes it",
        _ => "try again",
    }
}

fn status(refusal: &Refusal) -> StatusCode {
    match (&refusal.reason, refusal.kind) {
        (Reason::NoSuch { .. }, _) => StatusCode::NOT_FOUND,
        (Reason::TooLarge { .. }, _) => StatusCode::PAYLOAD_TOO_LARGE,
        (_, ErrorKind::LocalConfig) => StatusCode::BAD_REQUEST,
        (_, ErrorKind::Network) => StatusCode::BAD_GATEWAY,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl From<Refusal> for PageError {
    fn from(refusal: Refusal) -> Self {
        if let Reason::NoSuch { what: Thing::Conversation | Thing::Room } = refusal.reason {
            return PageError::NotFound;
        }
        let hint = hint(&refusal.reason).to_owned();
        PageError::Said(status(&refusal), refusal.text, hint)
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let (status, text, hint) = match self {
            PageError::NotLoggedIn => {
                return (StatusCode::SEE_OTHER, [(LOCATION, "/")]).into_response();
            }
            PageError::NotFound => {
                (StatusCode::NOT_FOUND, "not found".to_owned(), "check the list".to_owned())
            }
            PageError::Said(status, text, hint) => (status, text, hint),
        };
        let body = html! {
            h1 { "That did not work" }
            p role="alert" { (text) }
            p { "Hint: " (hint) }
        };
        (status, layout::bare("That did not work", &body)).into_response()
    }
}

/// For paths that lead nowhere.
pub(crate) async fn not_found() -> PageError {
    PageError::NotFound
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_a_sentence_with_a_hint_for_browsers() {
        let refused = Refusal::wrong(Reason::InviteOver, "this invite was used already");
        let error = PageError::from(refused);
        assert_eq!(error.to_string(), "this invite was used already (ask for a new link)");
        // Command lines are for other front ends.
        for reason in [Reason::NoNetwork, Reason::LanOff, Reason::Stopped, Reason::Other] {
            assert!(!hint(&reason).contains("hushwing "), "{reason:?}");
        }
    }

    #[test]
    fn what_this_profile_does_not_have_is_a_page_that_is_not_there() {
        for what in [Thing::Conversation, Thing::Room] {
            assert!(matches!(Refusal::no_such(what).into(), PageError::NotFound));
        }
        let message = PageError::from(Refusal::no_such(Thing::Message));
        assert!(matches!(message, PageError::Said(StatusCode::NOT_FOUND, ..)));
    }
}

//! Links and names that a person typed.

use api::Failure;
use e2ee::{NetworkPlace, Nick, OwnerLink, RoomLink};
use wire::ErrorKind;

/// Returns the network place in a room's link, whether it is a guest's link or the owner's.
///
/// # Errors
/// A text that is not a room link.
pub fn room_place(text: &str) -> Result<NetworkPlace, Failure> {
    let text = text.trim();
    let place = if text.starts_with(e2ee::link::OWNER_SCHEME) {
        OwnerLink::parse(text).map(|owner| owner.link().place().clone())
    } else {
        RoomLink::parse(text).map(|link| link.place().clone())
    };
    place.map_err(|e| no_room_link(&e))
}

/// The failure for a text that is not a room link.
#[must_use]
pub fn no_room_link(error: &e2ee::Error) -> Failure {
    Failure::new(
        ErrorKind::LocalConfig,
        format!("invalid room link: {error}"),
        "a room link starts with hushwing:room#; copy all of it, and quote it because the shell treats # as a comment",
    )
}

/// Checks a nick that a person typed, or draws a random one.
///
/// # Errors
/// A nick that is empty, too long or has invisible characters.
pub fn nick(name: Option<&str>) -> Result<Nick, Failure> {
    let Some(name) = name else { return Ok(Nick::random(&mut rand::rng())) };
    Nick::new(name).map_err(|e| {
        Failure::new(
            ErrorKind::LocalConfig,
            format!("invalid name: {e}"),
            "choose 1 to 32 visible characters, such as --nick alice",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_links_and_names_are_refused_with_a_hint() {
        for text in ["", "hushwing:room#", "hushwing:invite#abc", "nonsense"] {
            let failure = room_place(text).unwrap_err().to_string();
            assert!(
                failure.contains("invalid room link") && failure.contains("hint:"),
                "{failure}"
            );
        }
        assert!(nick(Some("")).is_err());
        assert!(nick(Some("alice")).is_ok_and(|nick| nick.as_str() == "alice"));
        assert_ne!(nick(None).ok(), nick(None).ok(), "random nicks differ");
    }
}

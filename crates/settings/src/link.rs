//! Links and names that a person gives.

use api::Failure;
use e2ee::{NetworkPlace, Nick, OwnerLink, RoomLink};
use wire::ErrorKind;

/// The place that a room's link leads to, whether it is a guest's or the owner's.
///
/// # Errors
/// When it is no room link.
pub fn room_place(text: &str) -> Result<NetworkPlace, Failure> {
    let text = text.trim();
    let place = if text.starts_with(e2ee::link::OWNER_SCHEME) {
        OwnerLink::parse(text).map(|owner| owner.link().place().clone())
    } else {
        RoomLink::parse(text).map(|link| link.place().clone())
    };
    place.map_err(|e| no_room_link(&e))
}

/// What to say of a text that is no room link.
#[must_use]
pub fn no_room_link(error: &e2ee::Error) -> Failure {
    Failure::new(
        ErrorKind::LocalConfig,
        format!("this is no room link: {error}"),
        "a link begins with hushwing:room# and must be copied whole; quote it, for the shell takes # for a comment",
    )
}

/// A nick that a person gave, or a random one.
///
/// # Errors
/// A name that is none.
pub fn nick(name: Option<&str>) -> Result<Nick, Failure> {
    let Some(name) = name else { return Ok(Nick::random(&mut rand::rng())) };
    Nick::new(name).map_err(|e| {
        Failure::new(
            ErrorKind::LocalConfig,
            format!("this is no name: {e}"),
            "1 to 32 visible characters, as in --nick alice",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_link_or_name_is_refused_with_a_hint() {
        for text in ["", "hushwing:room#", "hushwing:invite#abc", "nonsense"] {
            let failure = room_place(text).unwrap_err().to_string();
            assert!(failure.contains("no room link") && failure.contains("hint:"), "{failure}");
        }
        assert!(nick(Some("")).is_err());
        assert!(nick(Some("alice")).is_ok_and(|nick| nick.as_str() == "alice"));
        assert_ne!(nick(None).ok(), nick(None).ok(), "random nicks differ");
    }
}

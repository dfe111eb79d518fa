//! What to do about a refusal, in the words of this screen.

use api::{Obstacle, Reason, Refusal, Thing, Value};

/// What to do about a refusal, if there is something: one clause, without a full stop.
#[must_use]
pub(crate) fn hint(refusal: &Refusal) -> Option<&'static str> {
    Some(match &refusal.reason {
        Reason::NoSuch { what } => no_such(*what)?,
        Reason::Ambiguous { .. } => "type the id of the one that you mean",
        Reason::Renamed { .. } => "type the name as it is now, or the id",
        Reason::BadName => "use 1 to 32 visible characters that nothing else here is called",
        Reason::BadValue { what } => bad_value(*what),
        // A small limit counts things, a great one bytes.
        Reason::TooLarge { limit: 0..1_000 } => "leave or remove one first",
        Reason::TooLarge { .. } => "send less, or send it as a file",
        Reason::QueueFull => "wait until some of it has left",
        Reason::NoNetwork => "accept an invite or join a room first",
        Reason::NoRoute => {
            "change the allowed routes (F4), or `tor` and `lan` in the settings (F8)"
        }
        Reason::LanOff => "set `lan` to `on` in the settings (F8)",
        Reason::TorOff => "set `tor` to `arti` in the settings (F8), and restart the program",
        Reason::NotNow => "try again later",
        Reason::NotYours => "ask the person who created it",
        Reason::InviteOver => "ask for a new invite",
        Reason::NoAnswer => "ask them whether they are online, and try again",
        Reason::Disk => "choose a file or directory that you can use, on a disk with room",
        Reason::Profile { obstacle } => profile(*obstacle)?,
        Reason::OtherVersion { .. } => "restart all programs that use this profile",
        Reason::OtherProxy => "close all programs that use this profile, then start this one again",
        Reason::Stopped => "restart the program",
        Reason::NotBuilt => "install a build that has it",
        _ => return None,
    })
}

const fn no_such(what: Thing) -> Option<&'static str> {
    Some(match what {
        Thing::Message => "select it with Alt+↑ instead",
        Thing::Transfer => "F7 shows the file transfers",
        Thing::Talker | Thing::Member => "F3 shows who is here",
        Thing::Knock | Thing::Person => "F6 shows who is nearby",
        Thing::Setting => "F8 shows the settings",
        Thing::Conversation | Thing::Room | Thing::Invite | Thing::GroupInvite => return None,
    })
}

const fn bad_value(what: Value) -> &'static str {
    match what {
        Value::InviteLink => "copy all of the link, from hushwing:invite# on",
        Value::RoomLink => "copy all of the link, from hushwing:room# on",
        Value::NetworkLink => "copy all of the link",
        Value::Route => "type onion, tor, tor+onion or direct",
        Value::Path => "choose another file",
        Value::Key => "copy all of the key",
        Value::OpenPgp => "export the key or sign the statement again",
        Value::Setting => "F8 shows the settings and their values",
    }
}

const fn profile(obstacle: Obstacle) -> Option<&'static str> {
    match obstacle {
        Obstacle::Settings => Some("correct that line of config.toml"),
        Obstacle::InUse => Some("close the other program that uses the profile"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_are_in_the_words_of_this_screen() {
        let reasons = [
            Reason::NoSuch { what: Thing::Message },
            Reason::BadValue { what: Value::InviteLink },
            Reason::TooLarge { limit: 65_536 },
            Reason::TooLarge { limit: 32 },
            Reason::NoNetwork,
            Reason::NoRoute,
            Reason::LanOff,
            Reason::Profile { obstacle: Obstacle::Settings },
            Reason::Stopped,
        ];
        for reason in reasons {
            let refusal = Refusal::wrong(reason, "it cannot be done");
            let hint = hint(&refusal).expect("there is something to do");
            assert!(!hint.contains("hushwing ") && !hint.contains("--"), "{hint}");
        }
        assert_eq!(hint(&Refusal::bug("it broke")), None);
    }
}

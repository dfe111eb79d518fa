//! What a line typed into an open room means.

use api::Route;

/// What a typed line means.
#[derive(Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "ROOM_COMMANDS says what each does")]
pub enum RoomLine {
    Blank,
    Say(String),
    Nick(String),
    Who,
    Link,
    Mute(String),
    Unmute(String),
    Rekey(Vec<String>),
    Route(Route),
    /// On: hidden routes only. Off: any.
    Safety(bool),
    Circuits,
    Export(Option<String>),
    Help,
    Quit,
    /// A command that does not exist, or that lacks something.
    Unknown(String),
}

/// Every command: drives the help, and a test of the parser.
pub const ROOM_COMMANDS: &[(&str, &str)] = &[
    ("/nick NAME", "change your name"),
    ("/who", "list who talks here"),
    ("/link", "show a link that starts at this hour"),
    ("/export [FILE]", "write what you have seen to a file"),
    ("/mute NAME, /unmute NAME", "owner: hide or show a talker for everyone"),
    ("/rekey NAME...", "owner: new keys for these talkers; all other links stop working"),
    ("/route ROUTE", "switch the route: onion, tor, tor+onion or direct"),
    ("/safety on|off", "on: hidden routes only; off: directly to the hub, which sees your address"),
    ("/circuits", "switch to new Tor circuits now"),
    ("/help", "show this list"),
    ("/quit, /exit, quit, exit", "leave once everything is stored"),
    ("//text", "send text that starts with a slash"),
];

/// Reads one typed line.
#[must_use]
pub fn room_line(line: &str) -> RoomLine {
    let line = line.trim_end_matches(['\r', '\n']);
    let trimmed = line.trim();
    if trimmed.is_empty() {
        return RoomLine::Blank;
    }
    if matches!(trimmed.to_ascii_lowercase().as_str(), "quit" | "exit" | "/quit" | "/exit") {
        return RoomLine::Quit;
    }
    if let Some(text) = line.strip_prefix("//") {
        return RoomLine::Say(format!("/{text}"));
    }
    let Some(command) = trimmed.strip_prefix('/') else {
        return RoomLine::Say(line.to_owned());
    };
    let (word, rest) = command.split_once(char::is_whitespace).unwrap_or((command, ""));
    let rest = rest.trim();
    let named = || rest.to_owned();
    match (word.to_ascii_lowercase().as_str(), rest.is_empty()) {
        ("nick", false) => RoomLine::Nick(named()),
        ("who", _) => RoomLine::Who,
        ("link", _) => RoomLine::Link,
        ("mute", false) => RoomLine::Mute(named()),
        ("unmute", false) => RoomLine::Unmute(named()),
        ("rekey", _) => RoomLine::Rekey(rest.split_whitespace().map(str::to_owned).collect()),
        ("route", false) => match Route::parse(rest) {
            Some(route) if route != Route::Lan => RoomLine::Route(route),
            _ => RoomLine::Unknown(word.to_owned()),
        },
        ("safety", _) if matches!(rest, "on" | "off") => RoomLine::Safety(rest == "on"),
        ("circuits", _) => RoomLine::Circuits,
        ("export", _) => RoomLine::Export(Some(named()).filter(|f| !f.is_empty())),
        ("help" | "?", _) => RoomLine::Help,
        _ => RoomLine::Unknown(word.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_command_is_understood() {
        for (usage, _) in ROOM_COMMANDS {
            for one in usage.split(", ") {
                let line = one
                    .replace("NAME...", "x")
                    .replace("NAME", "x")
                    .replace(" [FILE]", "")
                    .replace("ROUTE", "tor+onion")
                    .replace("on|off", "off");
                assert!(
                    !matches!(room_line(&line), RoomLine::Unknown(_) | RoomLine::Blank),
                    "{one}"
                );
            }
        }
    }

    #[test]
    fn what_is_no_command_is_said_or_unknown() {
        assert_eq!(room_line("hello there"), RoomLine::Say("hello there".into()));
        assert_eq!(room_line("//etc"), RoomLine::Say("/etc".into()));
        assert_eq!(room_line("  indented\n"), RoomLine::Say("  indented".into()));
        assert_eq!(room_line(" \r\n"), RoomLine::Blank);
        for quit in ["quit", "EXIT", "/quit", " /Exit "] {
            assert_eq!(room_line(quit), RoomLine::Quit, "{quit}");
        }
        assert_eq!(room_line("/nick bob 42"), RoomLine::Nick("bob 42".into()));
        assert_eq!(room_line("/mute bob 42"), RoomLine::Mute("bob 42".into()));
        assert_eq!(room_line("/rekey a b"), RoomLine::Rekey(vec!["a".into(), "b".into()]));
        assert_eq!(room_line("/export"), RoomLine::Export(None));
        for wrong in ["/nick", "/mute", "/route lan", "/route", "/safety maybe", "/wat 1"] {
            assert!(matches!(room_line(wrong), RoomLine::Unknown(_)), "{wrong}");
        }
    }
}

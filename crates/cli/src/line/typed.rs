//! What a line typed into an open room means.

use api::{RoomCommand, Route, TalkerId, TalkerView};
use text::printable;

/// Between a nick and the suffix that tells it from others that look like it. No nick holds it.
const SUFFIX_MARK: char = '~';

/// What a typed line means.
#[derive(Debug)]
pub(super) enum Typed {
    /// Nothing.
    Blank,
    /// For the engine.
    Command(RoomCommand),
    /// Hide the talker with this name from all.
    Mute(String),
    /// Show the talker with this name again.
    Unmute(String),
    /// New keys for the talkers with these names.
    Rekey(Vec<String>),
    /// Show the commands.
    Help,
    /// Write what was shown to a file.
    Export(Option<String>),
    /// A command that does not exist.
    Unknown(String),
}

/// Every command of the line mode: drives the parser's tests and `/help`.
pub(super) const COMMANDS: &[(&str, &str)] = &[
    ("/nick NAME", "change your name"),
    ("/who", "list who talks here"),
    ("/link", "print a link that starts at this hour"),
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
pub(super) fn parse(line: &str) -> Typed {
    let line = line.trim_end_matches(['\r', '\n']);
    let trimmed = line.trim();
    if trimmed.is_empty() {
        return Typed::Blank;
    }
    if matches!(trimmed.to_ascii_lowercase().as_str(), "quit" | "exit" | "/quit" | "/exit") {
        return Typed::Command(RoomCommand::Leave);
    }
    if let Some(text) = line.strip_prefix("//") {
        return Typed::Command(RoomCommand::Say(format!("/{text}")));
    }
    let Some(command) = trimmed.strip_prefix('/') else {
        return Typed::Command(RoomCommand::Say(line.to_owned()));
    };
    let (word, rest) = command.split_once(char::is_whitespace).unwrap_or((command, ""));
    let rest = rest.trim();
    match word.to_ascii_lowercase().as_str() {
        "nick" if !rest.is_empty() => Typed::Command(RoomCommand::Nick(rest.to_owned())),
        "who" => Typed::Command(RoomCommand::Who),
        "link" => Typed::Command(RoomCommand::Link),
        "mute" if !rest.is_empty() => Typed::Mute(rest.to_owned()),
        "unmute" if !rest.is_empty() => Typed::Unmute(rest.to_owned()),
        "route" => match Route::parse(rest).filter(|route| *route != Route::Lan) {
            Some(route) => Typed::Command(RoomCommand::Route(route)),
            None => Typed::Unknown("route".to_owned()),
        },
        "circuits" => Typed::Command(RoomCommand::Renew),
        "safety" if matches!(rest, "on" | "off") => {
            Typed::Command(RoomCommand::Safety(rest == "on"))
        }
        "rekey" => Typed::Rekey(rest.split_whitespace().map(str::to_owned).collect()),
        "help" | "?" => Typed::Help,
        "export" => Typed::Export((!rest.is_empty()).then(|| rest.to_owned())),
        _ => Typed::Unknown(word.to_owned()),
    }
}

/// A talker in a list: name, short id, and what is special.
pub(super) fn line_of(person: &TalkerView) -> String {
    let marks = [(person.you, " (you)"), (person.left, " (left)"), (person.muted, " (muted)")];
    let marks: String = marks.iter().filter(|(on, _)| *on).map(|(_, mark)| *mark).collect();
    format!("{}  {}{marks}", person.name, person.id.short())
}

/// The one other talker with this name as shown, or with this id. A nick that several show is
/// refused without its suffix: anybody can take any nick.
///
/// # Errors
/// In words: nobody, or more than one.
pub(super) fn talker(people: &[TalkerView], typed: &str) -> Result<TalkerId, String> {
    let others = || people.iter().filter(|p| !p.you);
    let exact: Vec<_> = others().filter(|p| p.name == typed || p.id.is_meant_by(typed)).collect();
    if let [one] = exact.as_slice() {
        return Ok(one.id);
    }
    let nick =
        |p: &&TalkerView| p.name.split_once(SUFFIX_MARK).is_some_and(|(nick, _)| nick == typed);
    let fits: Vec<_> = if exact.is_empty() { others().filter(nick).collect() } else { exact };
    let typed = printable(typed);
    if fits.is_empty() {
        return Err(format!("nobody here is named {typed}; /who lists who talks here"));
    }
    let lines: Vec<String> = fits.iter().map(|p| format!("\n  {}", line_of(p))).collect();
    Err(format!("{typed} could be several; type the whole name or the id:{}", lines.concat()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &str) -> String {
        format!("{:?}", parse(line))
    }

    #[test]
    fn lines_are_commands_or_texts() {
        assert_eq!(shown("hello there"), "Command(Say(\"hello there\"))");
        assert_eq!(shown("  indented\n"), "Command(Say(\"  indented\"))");
        assert_eq!(shown("//etc is a path"), "Command(Say(\"/etc is a path\"))");
        assert_eq!(shown(" \r\n"), "Blank");
        for quit in ["quit", "EXIT", "/quit", " /Exit "] {
            assert_eq!(shown(quit), "Command(Leave)", "{quit}");
        }
        assert_eq!(shown("/nick bob 42"), "Command(Nick(\"bob 42\"))");
        assert_eq!(shown("/nick"), "Unknown(\"nick\")");
        assert_eq!(shown("/rekey a b"), "Rekey([\"a\", \"b\"])");
        assert_eq!(shown("/mute bob 42"), "Mute(\"bob 42\")");
        assert_eq!(shown("/route lan"), "Unknown(\"route\")");
        assert_eq!(shown("/export"), "Export(None)");
        assert_eq!(shown("/wat 1"), "Unknown(\"wat\")");
    }

    #[test]
    fn every_listed_command_is_understood() {
        for (usage, _) in COMMANDS {
            for one in usage.split(", ") {
                let line = one
                    .replace("NAME...", "x")
                    .replace("NAME", "x")
                    .replace(" [FILE]", "")
                    .replace("ROUTE", "tor+onion")
                    .replace("on|off", "off");
                assert!(!matches!(parse(&line), Typed::Unknown(_) | Typed::Blank), "{one}");
            }
        }
    }

    #[test]
    fn a_name_that_could_be_several_is_refused() {
        let person = |seed: u8, name: &str, you: bool| TalkerView {
            id: TalkerId::new([seed; 16]),
            name: name.to_owned(),
            you,
            left: false,
            muted: false,
        };
        let people = [
            person(1, "eve~abc", false),
            person(2, "eve~def", false),
            person(3, "bob", false),
            person(4, "me", true),
            person(5, "zoe", false),
            person(6, "zoe", false),
        ];
        let id = |seed: u8| Ok(TalkerId::new([seed; 16]));
        assert_eq!(talker(&people, "bob"), id(3));
        assert_eq!(talker(&people, "eve~def"), id(2));
        assert_eq!(talker(&people, &TalkerId::new([1; 16]).short()), id(1));
        let refused = talker(&people, "eve").unwrap_err();
        assert!(refused.contains("eve~abc") && refused.contains("eve~def"), "{refused}");
        let refused = talker(&people, "zoe").unwrap_err();
        assert!(refused.contains(&TalkerId::new([6; 16]).short()), "{refused}");
        assert!(talker(&people, "me").is_err() && talker(&people, "").is_err());
    }
}

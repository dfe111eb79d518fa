//! What a line typed into a conversation means.

use api::AllowedRoutes;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::mpsc;

use crate::export::Format;
use crate::listed::LAST;

/// What a typed line means. Messages and files are named as [`meant`](crate::meant) reads it.
#[derive(Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "COMMANDS says what each does")]
pub enum Typed {
    Blank,
    Say(String),
    Reply(String, String),
    React(String, String),
    Edit(String, String),
    Delete(String),
    Why(String),
    File(String),
    Accept(String),
    Who,
    Nearby,
    Words,
    Verify,
    AcceptKeys,
    Block,
    Unblock,
    Timer(String),
    Routes(AllowedRoutes),
    Safety(bool),
    Export(Option<String>, Format),
    Help,
    Quit,
    /// A command that does not exist, or that lacks something.
    Unknown(String),
}

/// Every command: drives `/help`, and a test of the parser.
pub const COMMANDS: &[(&str, &str)] = &[
    ("/reply ID TEXT", "reply to a message; ID: its id, or `last`"),
    ("/react ID EMOJI", "react to a message"),
    ("/edit ID TEXT", "edit one of your messages"),
    ("/delete ID", "delete a message: your own for everyone, others' only here"),
    ("/why [ID]", "why one of your messages is not delivered yet"),
    ("/file PATH", "send a file"),
    ("/accept [ID]", "download an offered file (default: the latest)"),
    ("/who", "list who is here"),
    ("/nearby", "which contacts and other people are near on the local network"),
    ("/words", "show the safety words: compare them face to face or on the phone"),
    ("/verify", "mark this contact as verified: the words that you were shown match"),
    ("/accept-keys", "use the new keys of this contact without comparing words"),
    ("/block", "block this contact: they are not told"),
    ("/unblock", "unblock this contact, or resume a stopped conversation"),
    ("/timer 1d|off", "set disappearing messages"),
    ("/routes ROUTES", "set the allowed routes: anywhere, hidden, onion, tor or lan"),
    ("/safety on|off", "on: hidden routes only; off: any route"),
    ("/export [FILE] [txt|jsonl|html]", "write this conversation to a file"),
    ("/help", "show this list"),
    ("/quit", "leave once everything is stored (also: /exit, quit, exit)"),
    ("//text", "send text that starts with a slash"),
];

/// Reads one typed line.
#[must_use]
pub fn parse(line: &str) -> Typed {
    let line = line.trim_end_matches(['\r', '\n']);
    let trimmed = line.trim();
    if trimmed.is_empty() {
        return Typed::Blank;
    }
    if matches!(trimmed.to_ascii_lowercase().as_str(), "quit" | "exit" | "/quit" | "/exit") {
        return Typed::Quit;
    }
    if let Some(text) = line.strip_prefix("//") {
        return Typed::Say(format!("/{text}"));
    }
    let Some(command) = trimmed.strip_prefix('/') else { return Typed::Say(line.to_owned()) };
    let (word, rest) = split(command);
    let (first, second) = split(rest);
    let one = || first.to_owned();
    match (word.to_ascii_lowercase().as_str(), first.is_empty(), second.is_empty()) {
        ("reply", false, false) => Typed::Reply(one(), second.to_owned()),
        ("react", false, false) => Typed::React(one(), second.to_owned()),
        ("edit", false, false) => Typed::Edit(one(), second.to_owned()),
        ("delete", false, true) => Typed::Delete(one()),
        ("why", _, true) => Typed::Why(or_last(first)),
        ("file", false, _) => Typed::File(rest.to_owned()),
        ("accept", _, true) => Typed::Accept(or_last(first)),
        ("who", true, _) => Typed::Who,
        ("nearby", true, _) => Typed::Nearby,
        ("words", true, _) => Typed::Words,
        ("verify", true, _) => Typed::Verify,
        ("accept-keys", true, _) => Typed::AcceptKeys,
        ("block", true, _) => Typed::Block,
        ("unblock" | "resume", true, _) => Typed::Unblock,
        ("timer", false, true) => Typed::Timer(one()),
        ("routes" | "floor", false, true) => AllowedRoutes::parse(first)
            .map_or_else(|| Typed::Unknown(word.to_owned()), Typed::Routes),
        ("safety", false, true) if matches!(first, "on" | "off") => Typed::Safety(first == "on"),
        ("export", ..) => export(rest),
        ("help" | "?", true, _) => Typed::Help,
        _ => Typed::Unknown(word.to_owned()),
    }
}

fn or_last(typed: &str) -> String {
    if typed.is_empty() { LAST.to_owned() } else { typed.to_owned() }
}

/// The first word, and what comes after it.
fn split(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (word, rest.trim())
}

/// A file, a format, both or none; a file's ending says its format.
fn export(rest: &str) -> Typed {
    let (file, last) = rest.rsplit_once(char::is_whitespace).unwrap_or(("", rest));
    if let Some(format) = Format::parse(last) {
        return Typed::Export(Some(file.trim().to_owned()).filter(|f| !f.is_empty()), format);
    }
    let ending = rest.rsplit_once('.').and_then(|(_, ending)| Format::parse(ending));
    Typed::Export(Some(rest.to_owned()).filter(|f| !f.is_empty()), ending.unwrap_or(Format::Txt))
}

/// Lines of stdin, read by a task of its own: a person who types holds up nothing.
#[must_use]
pub fn read_stdin() -> mpsc::Receiver<String> {
    let (to, lines) = mpsc::channel(16);
    tokio::spawn(async move {
        let mut stdin = BufReader::new(tokio::io::stdin()).lines();
        while let Ok(Some(line)) = stdin.next_line().await {
            if to.send(line).await.is_err() {
                return;
            }
        }
    });
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_commands_or_texts() {
        let say = |t: &str| Typed::Say(t.to_owned());
        assert_eq!(parse("hello there"), say("hello there"));
        assert_eq!(parse("  indented\n"), say("  indented"));
        assert_eq!(parse("//etc is a path"), say("/etc is a path"));
        assert_eq!(parse(" \r\n"), Typed::Blank);
        for quit in ["quit", "EXIT", "/quit", " /Exit "] {
            assert_eq!(parse(quit), Typed::Quit, "{quit}");
        }
        assert_eq!(
            parse("/reply 12ab  yes, of course"),
            Typed::Reply("12ab".into(), "yes, of course".into())
        );
        assert_eq!(parse("/file my picture.png"), Typed::File("my picture.png".into()));
        assert_eq!(parse("/accept"), Typed::Accept("last".into()));
        assert_eq!(parse("/safety off"), Typed::Safety(false));
        for wrong in
            ["/reply 12ab", "/edit", "/safety maybe", "/wat 1", "/delete", "/timer", "/routes all"]
        {
            assert!(matches!(parse(wrong), Typed::Unknown(_)), "{wrong}");
        }
    }

    #[test]
    fn an_export_has_a_file_and_a_format() {
        assert_eq!(parse("/export"), Typed::Export(None, Format::Txt));
        assert_eq!(parse("/export html"), Typed::Export(None, Format::Html));
        assert_eq!(
            parse("/export a b.txt jsonl"),
            Typed::Export(Some("a b.txt".into()), Format::Jsonl)
        );
        assert_eq!(parse("/export a.html"), Typed::Export(Some("a.html".into()), Format::Html));
    }

    #[test]
    fn every_listed_command_is_understood() {
        for (usage, _) in COMMANDS {
            let line =
                usage.replace("1d|off", "1d").replace("on|off", "on").replace(['[', ']'], "");
            let line = line.replace("txt|jsonl|html", "txt").replace("ROUTES", "hidden");
            assert!(!matches!(parse(&line), Typed::Unknown(_) | Typed::Blank), "{usage}");
        }
    }
}

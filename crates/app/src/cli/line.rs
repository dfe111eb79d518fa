//! The line mode: complete by itself, for a terminal, for pipes and for screen readers.
//!
//! Without a TTY each incoming message is one line `nick: text` on stdout and everything else goes
//! to stderr.

use std::io::{IsTerminal, Write};

use routes::Route;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::mpsc;

use crate::engine::{Command, Event, Person, State};
use crate::exit::Failure;

/// How the line mode prints.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// Both ends are a terminal: prompt, colours, own messages not repeated.
    pub tty: bool,
    /// Colours.
    pub colour: bool,
    /// Every event as JSON on stdout.
    pub json: bool,
    /// States of own messages on stderr.
    pub states: bool,
    /// Paths on stderr.
    pub verbose: bool,
}

impl Style {
    /// What the environment and the flags ask for.
    #[must_use]
    pub fn detect(json: bool, states: bool, verbose: bool) -> Self {
        let tty = std::io::stdin().is_terminal() && std::io::stdout().is_terminal() && !json;
        Style { tty, colour: colours(tty), json, states, verbose }
    }
}

/// Whether to colour what goes to a terminal (<https://no-color.org>).
#[must_use]
pub fn colours(tty: bool) -> bool {
    tty && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
}

/// What a typed line means.
#[derive(Debug, PartialEq, Eq)]
pub enum Typed {
    /// Nothing.
    Blank,
    /// For the engine.
    Engine(TypedCommand),
    /// Show the commands.
    Help,
    /// Write what was shown to a file.
    Export(Option<String>),
    /// A command that does not exist.
    Unknown(String),
}

/// The comparable part of [`Command`].
#[derive(Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "see engine::Command")]
pub enum TypedCommand {
    Say(String),
    Nick(String),
    Who,
    Link,
    Mute(String),
    Unmute(String),
    Rekey(Vec<String>),
    Route(Route),
    Safety(bool),
    Renew,
    Leave,
}

impl From<TypedCommand> for Command {
    fn from(typed: TypedCommand) -> Self {
        match typed {
            TypedCommand::Say(text) => Command::Say(text),
            TypedCommand::Nick(name) => Command::Nick(name),
            TypedCommand::Who => Command::Who,
            TypedCommand::Link => Command::Link,
            TypedCommand::Mute(name) => Command::Mute(name),
            TypedCommand::Unmute(name) => Command::Unmute(name),
            TypedCommand::Rekey(names) => Command::Rekey(names),
            TypedCommand::Route(route) => Command::Route(route),
            TypedCommand::Safety(on) => Command::Safety(on),
            TypedCommand::Renew => Command::Renew,
            TypedCommand::Leave => Command::Leave,
        }
    }
}

/// Every command of the line mode: drives the parser's help and `/help`.
pub const COMMANDS: &[(&str, &str)] = &[
    ("/nick NAME", "take another name"),
    ("/who", "list who talks here"),
    ("/link", "print a link that starts at this hour"),
    ("/export [FILE]", "write what you have seen to a file"),
    ("/mute NAME, /unmute NAME", "owner: hide or show a talker for all"),
    ("/rekey NAME...", "owner: new keys for these talkers; all other links die"),
    ("/route ROUTE", "travel by onion, tor, tor+onion or direct from now on"),
    (
        "/safety on|off",
        "on: hidden routes only; off: straight to the hub, which then sees your address",
    ),
    ("/circuits", "move to new circuits of Tor now"),
    ("/help", "this list"),
    ("/quit, /exit, quit, exit", "leave when everything is stored"),
    ("//text", "say a text that begins with a slash"),
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
        return Typed::Engine(TypedCommand::Leave);
    }
    if let Some(text) = line.strip_prefix("//") {
        return Typed::Engine(TypedCommand::Say(format!("/{text}")));
    }
    let Some(command) = trimmed.strip_prefix('/') else {
        return Typed::Engine(TypedCommand::Say(line.to_owned()));
    };
    let (word, rest) = command.split_once(char::is_whitespace).unwrap_or((command, ""));
    let rest = rest.trim();
    match word.to_ascii_lowercase().as_str() {
        "nick" if !rest.is_empty() => Typed::Engine(TypedCommand::Nick(rest.to_owned())),
        "who" => Typed::Engine(TypedCommand::Who),
        "link" => Typed::Engine(TypedCommand::Link),
        "mute" if !rest.is_empty() => Typed::Engine(TypedCommand::Mute(rest.to_owned())),
        "unmute" if !rest.is_empty() => Typed::Engine(TypedCommand::Unmute(rest.to_owned())),
        "route" => match Route::parse(rest) {
            Some(route) => Typed::Engine(TypedCommand::Route(route)),
            None => Typed::Unknown("route".to_owned()),
        },
        "circuits" => Typed::Engine(TypedCommand::Renew),
        "safety" if matches!(rest, "on" | "off") => {
            Typed::Engine(TypedCommand::Safety(rest == "on"))
        }
        "rekey" => {
            Typed::Engine(TypedCommand::Rekey(rest.split_whitespace().map(str::to_owned).collect()))
        }
        "help" | "?" => Typed::Help,
        "export" => Typed::Export((!rest.is_empty()).then(|| rest.to_owned())),
        _ => Typed::Unknown(word.to_owned()),
    }
}

/// Runs a chat until it closes. Lines come from stdin, events from the engine.
///
/// # Errors
/// When stdout cannot be written.
pub async fn run(
    commands: mpsc::Sender<Command>,
    mut events: mpsc::Receiver<Event>,
    style: Style,
) -> Result<(), Failure> {
    let mut screen = Screen { style, shown: Vec::new(), you: String::new() };
    let (asked, mut asks) = mpsc::channel(16);
    tokio::spawn(read(commands, asked));
    screen.welcome();
    let stop = settings::stopped();
    tokio::pin!(stop);
    loop {
        tokio::select! {
            event = events.recv() => match event {
                None | Some(Event::Closed) => return Ok(()),
                Some(event) => screen.show(&event)?,
            },
            Some(typed) = asks.recv() => match typed {
                Typed::Help => screen.help(),
                Typed::Export(file) => screen.export(file),
                Typed::Unknown(word) => screen.note(&format!("no command /{word}; /help lists them")),
                Typed::Blank | Typed::Engine(_) => screen.prompt(),
            },
            () = &mut stop => {
                screen.note("leaving at once; what is not stored yet is lost");
                return Ok(());
            }
        }
    }
}

/// Reads stdin until it ends or asks to leave. A task of its own: when the engine takes no more for
/// a while, stdin waits and the screen does not.
async fn read(commands: mpsc::Sender<Command>, asked: mpsc::Sender<Typed>) {
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let typed = parse(&line);
        let leaving = typed == Typed::Engine(TypedCommand::Leave);
        let sent = match typed {
            Typed::Engine(command) => {
                commands.send(command.into()).await.is_ok()
                    && asked.send(Typed::Blank).await.is_ok()
            }
            other => asked.send(other).await.is_ok(),
        };
        if leaving || !sent {
            return;
        }
    }
    // The end of input leaves after the last message is stored.
    let _ = commands.send(Command::Leave).await;
}

struct Screen {
    style: Style,
    /// What `/export` writes: only what this person was entitled to see.
    shown: Vec<String>,
    you: String,
}

impl Screen {
    fn welcome(&self) {
        if self.style.tty {
            self.note("joining the room …  /help lists the commands");
        }
    }

    fn show(&mut self, event: &Event) -> Result<(), Failure> {
        if self.style.json {
            let line = serde_json::to_string(event).unwrap_or_default();
            return self.out(&line);
        }
        match event {
            Event::Joined { you } => {
                self.you.clone_from(you);
                self.note(&format!("[You are {you}]"));
                if self.style.tty {
                    self.note("Type your messages:");
                }
                self.prompt();
            }
            Event::Message { from, text, at_ms, you } => {
                let text = text.replace('\n', "\n    ");
                self.shown.push(format!("{} {from}: {text}", time_of_day(*at_ms)));
                if !you {
                    self.clear_prompt();
                    let name = self.coloured(from);
                    self.out(&format!("{name}: {text}"))?;
                    self.prompt();
                }
            }
            Event::State { message, state, after_ms } => {
                if self.style.states {
                    self.note(&format!("message {message}: {state} after {after_ms} ms"));
                } else if self.style.tty && *state == State::Stored && *after_ms > 5_000 {
                    self.note(&format!("message {message} is stored now"));
                }
            }
            Event::Here { name } => self.note(&format!("{name} is here")),
            Event::Left { name } => self.note(&format!("{name} has left the chat")),
            Event::Renamed { from, to } => self.note(&format!("{from} is now {to}")),
            Event::Gap { name, boxes } => {
                self.note(&format!("[{boxes} message part(s) of {name} never came]"))
            }
            Event::Network { text, .. } | Event::Notice { text } => self.note(text),
            Event::Who { people } => self.who(people),
            Event::Link { link } => {
                self.note("whoever holds this link reads everything from this hour on:");
                self.out(link)?;
            }
            Event::Path { text, .. } if self.style.verbose => eprintln!("[debug] {text}"),
            Event::Answered { ms } if self.style.verbose => {
                eprintln!("[debug] answered after {ms} ms")
            }
            Event::Path { .. } | Event::Answered { .. } | Event::Closed => {}
        }
        Ok(())
    }

    fn who(&self, people: &[Person]) {
        let here = people.iter().filter(|p| !p.left).count();
        self.note(&format!("Talking here ({here}); readers announce nothing:"));
        for person in people {
            let mut marks = String::new();
            for (on, mark) in
                [(person.you, " (you)"), (person.left, " (left)"), (person.muted, " (muted)")]
            {
                if on {
                    marks.push_str(mark);
                }
            }
            self.note(&format!("  {}{marks}", person.name));
        }
    }

    fn help(&self) {
        for (command, what) in COMMANDS {
            self.note(&format!("  {command:<26} {what}"));
        }
    }

    fn export(&self, file: Option<String>) {
        let name = file.unwrap_or_else(|| "hushwing-chat.txt".to_owned());
        let mut text = self.shown.join("\n");
        text.push('\n');
        match write_new(&name, text.as_bytes()) {
            Ok(()) => self.note(&format!("{} messages written to {name}", self.shown.len())),
            Err(error) => {
                self.note(&format!("cannot write {name}: {error}; hint: /export OTHER-FILE"))
            }
        }
    }

    fn out(&self, line: &str) -> Result<(), Failure> {
        let mut stdout = std::io::stdout().lock();
        writeln!(stdout, "{line}").and_then(|()| stdout.flush()).map_err(Failure::stdout)
    }

    fn note(&self, text: &str) {
        self.clear_prompt();
        if self.style.colour {
            eprintln!("\x1b[2m{text}\x1b[0m");
        } else {
            eprintln!("{text}");
        }
        self.prompt();
    }

    fn prompt(&self) {
        if self.style.tty && !self.you.is_empty() {
            print!("> ");
            let _ = std::io::stdout().flush();
        }
    }

    fn clear_prompt(&self) {
        if self.style.tty {
            print!("\r\x1b[K");
            let _ = std::io::stdout().flush();
        }
    }

    fn coloured(&self, name: &str) -> String {
        if !self.style.colour {
            return name.to_owned();
        }
        let sum = name.bytes().fold(0u32, |s, b| s.wrapping_mul(31).wrapping_add(u32::from(b)));
        format!("\x1b[1;{}m{name}\x1b[0m", 31 + sum % 6)
    }
}

/// Never overwrites: an export must not cost a person another file.
fn write_new(name: &str, bytes: &[u8]) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(name)?.write_all(bytes)
}

/// `HH:MM` of a time in ms since the Unix epoch, UTC.
fn time_of_day(ms: u64) -> String {
    let minutes = ms / 60_000 % (24 * 60);
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_commands_or_texts() {
        let say = |t: &str| Typed::Engine(TypedCommand::Say(t.to_owned()));
        assert_eq!(parse("hello there"), say("hello there"));
        assert_eq!(parse("  indented\n"), say("  indented"));
        assert_eq!(parse("DUMMY: not a dummy"), say("DUMMY: not a dummy"));
        assert_eq!(parse("//etc is a path"), say("/etc is a path"));
        assert_eq!(parse("   \n"), Typed::Blank);
        for quit in ["quit", "EXIT", "/quit", "/Exit", " quit "] {
            assert_eq!(parse(quit), Typed::Engine(TypedCommand::Leave), "{quit}");
        }
        assert_eq!(parse("/nick bob 42"), Typed::Engine(TypedCommand::Nick("bob 42".into())));
        assert_eq!(parse("/nick"), Typed::Unknown("nick".into()));
        assert_eq!(
            parse("/rekey a b"),
            Typed::Engine(TypedCommand::Rekey(vec!["a".into(), "b".into()]))
        );
        assert_eq!(parse("/export"), Typed::Export(None));
        assert_eq!(parse("/wat 1"), Typed::Unknown("wat".into()));
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
    fn an_export_never_overwrites() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("chat.txt");
        let name = file.to_str().unwrap();
        write_new(name, b"one").unwrap();
        assert!(write_new(name, b"two").is_err());
        assert_eq!(std::fs::read(&file).unwrap(), b"one");
    }
}

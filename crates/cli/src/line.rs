//! The line mode of an open room: complete by itself, for a terminal, for pipes and for screen
//! readers.
//!
//! Without a TTY each incoming message is one line `nick: text` on stdout and everything else goes
//! to stderr.
//!
//! Names are for people: `/mute NAME` finds the talker in the newest list of who talks here, and
//! hands the engine an id. That list is asked for whenever people come, go or take another name.

mod talkers;

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use api::{Failure, MessageState, RoomCommand, RoomEvent, TalkerView};
use text::{ROOM_COMMANDS, RoomLine, colours, room_line};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::{mpsc, watch};

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

/// Runs a chat until it closes. Lines come from stdin, events from the engine.
///
/// # Errors
/// When stdout cannot be written.
pub async fn run(
    commands: mpsc::Sender<RoomCommand>,
    mut events: mpsc::Receiver<RoomEvent>,
    style: Style,
) -> Result<(), Failure> {
    let (people, known) = watch::channel(Vec::new());
    let show_who = Arc::new(AtomicBool::new(false));
    let mut screen = Screen {
        style,
        shown: Vec::new(),
        you: String::new(),
        people,
        show_who: Arc::clone(&show_who),
        commands: commands.downgrade(),
    };
    let (asked, mut asks) = mpsc::channel(16);
    let reader = Reader { commands, people: known, show_who, asked };
    tokio::spawn(reader.run(BufReader::new(tokio::io::stdin()).lines()));
    screen.welcome();
    let stop = settings::stopped();
    tokio::pin!(stop);
    loop {
        tokio::select! {
            event = events.recv() => match event {
                None | Some(RoomEvent::Closed) => return Ok(()),
                Some(event) => screen.show(event)?,
            },
            Some(asked) = asks.recv() => match asked {
                Asked::Help => screen.help(),
                Asked::Export(file) => screen.export(file),
                Asked::Note(text) => screen.note(&text),
                Asked::Nothing => screen.prompt(),
            },
            () = &mut stop => {
                screen.note("leaving now; messages not stored yet are lost");
                return Ok(());
            }
        }
    }
}

/// What the reader asks of the screen.
#[derive(Debug)]
enum Asked {
    Help,
    Export(Option<String>),
    Note(String),
    /// The prompt again.
    Nothing,
}

/// Reads stdin until it ends or asks to leave. A task of its own: when the engine takes no more for
/// a while, stdin waits and the screen does not.
struct Reader {
    commands: mpsc::Sender<RoomCommand>,
    /// Who talks here, as last heard.
    people: watch::Receiver<Vec<TalkerView>>,
    /// Whether a person wants to see the next list of who talks here.
    show_who: Arc<AtomicBool>,
    asked: mpsc::Sender<Asked>,
}

impl Reader {
    async fn run<R: tokio::io::AsyncBufRead + Unpin>(self, mut lines: tokio::io::Lines<R>) {
        while let Ok(Some(line)) = lines.next_line().await {
            let (command, asked) = self.understand(room_line(&line));
            let leaving = matches!(command, Some(RoomCommand::Leave));
            if let Some(command) = command
                && self.commands.send(command).await.is_err()
            {
                return;
            }
            if self.asked.send(asked).await.is_err() || leaving {
                return;
            }
        }
        // The end of input leaves after the last message is stored.
        let _ = self.commands.send(RoomCommand::Leave).await;
    }

    /// What to tell the engine, and what the screen.
    fn understand(&self, typed: RoomLine) -> (Option<RoomCommand>, Asked) {
        let found = match typed {
            RoomLine::Blank => return (None, Asked::Nothing),
            RoomLine::Help => return (None, Asked::Help),
            RoomLine::Export(file) => return (None, Asked::Export(file)),
            RoomLine::Unknown(word) => {
                let word = text::printable(&word);
                let note = format!("unknown command /{word}; /help lists all commands");
                return (None, Asked::Note(note));
            }
            RoomLine::Who => {
                self.show_who.store(true, Ordering::Relaxed);
                Ok(RoomCommand::Who)
            }
            RoomLine::Say(text) => Ok(RoomCommand::Say(text)),
            RoomLine::Nick(name) => Ok(RoomCommand::Nick(name)),
            RoomLine::Link => Ok(RoomCommand::Link),
            RoomLine::Route(route) => Ok(RoomCommand::Route(route)),
            RoomLine::Safety(on) => Ok(RoomCommand::Safety(on)),
            RoomLine::Circuits => Ok(RoomCommand::Renew),
            RoomLine::Quit => Ok(RoomCommand::Leave),
            RoomLine::Mute(name) => self.talker(&name).map(RoomCommand::Mute),
            RoomLine::Unmute(name) => self.talker(&name).map(RoomCommand::Unmute),
            RoomLine::Rekey(names) => {
                let keep: Result<Vec<_>, _> = names.iter().map(|name| self.talker(name)).collect();
                keep.map(RoomCommand::Rekey)
            }
        };
        match found {
            Ok(command) => (Some(command), Asked::Nothing),
            Err(note) => (None, Asked::Note(note)),
        }
    }

    fn talker(&self, typed: &str) -> Result<api::TalkerId, String> {
        talkers::talker(&self.people.borrow(), typed)
    }
}

struct Screen {
    style: Style,
    /// What `/export` writes: only what this person was entitled to see.
    shown: Vec<String>,
    you: String,
    people: watch::Sender<Vec<TalkerView>>,
    show_who: Arc<AtomicBool>,
    /// Weak: the engine ends when the reader has ended.
    commands: mpsc::WeakSender<RoomCommand>,
}

impl Screen {
    fn welcome(&self) {
        if self.style.tty {
            self.note("joining the room …  /help lists the commands");
        }
    }

    fn show(&mut self, event: RoomEvent) -> Result<(), Failure> {
        if let RoomEvent::Who { people } = event {
            return self.who(people);
        }
        if matches!(
            event,
            RoomEvent::Joined { .. }
                | RoomEvent::Here { .. }
                | RoomEvent::Left { .. }
                | RoomEvent::Renamed { .. }
        ) {
            self.ask_who();
        }
        if self.style.json {
            return text::json(&event);
        }
        self.show_text(&event)
    }

    fn show_text(&mut self, event: &RoomEvent) -> Result<(), Failure> {
        match event {
            RoomEvent::Joined { you } => {
                self.you.clone_from(you);
                self.note(&format!("[You are {you}]"));
                if self.style.tty {
                    self.note("Type your messages:");
                }
                self.prompt();
            }
            RoomEvent::Message { from, text, at_ms, you, .. } => {
                let text = text::indented(text);
                self.shown.push(format!("{} {from}: {text}", time_of_day(*at_ms)));
                if !you {
                    self.clear_prompt();
                    let name = self.coloured(from);
                    text::out(&format!("{name}: {text}"))?;
                    self.prompt();
                }
            }
            RoomEvent::State { message, state, after_ms } => {
                if self.style.states {
                    self.note(&format!("message {message}: {state} after {after_ms} ms"));
                } else if self.style.tty && *state == MessageState::Stored && *after_ms > 5_000 {
                    self.note(&format!("message {message} is stored now"));
                }
            }
            RoomEvent::Here { name } => self.note(&format!("{name} is here")),
            RoomEvent::Left { name } => self.note(&format!("{name} has left the chat")),
            RoomEvent::Renamed { from, to } => self.note(&format!("{from} is now {to}")),
            RoomEvent::Gap { name, boxes } => {
                self.note(&format!("[{boxes} message part(s) from {name} were lost]"));
            }
            RoomEvent::Network { text, .. } | RoomEvent::Notice { text } => self.note(text),
            RoomEvent::Link { link } => {
                self.note("anyone with this link can read everything from this hour on:");
                text::out(link)?;
            }
            RoomEvent::Path { text, .. } if self.style.verbose => eprintln!("[debug] {text}"),
            RoomEvent::Answered { ms } if self.style.verbose => {
                eprintln!("[debug] answered after {ms} ms");
            }
            RoomEvent::Who { .. }
            | RoomEvent::Path { .. }
            | RoomEvent::Answered { .. }
            | RoomEvent::Closed => {}
        }
        Ok(())
    }

    /// Asks who talks here, for the names that a person may type. When the engine's queue is full
    /// the list stays as it is until the next who comes or goes.
    fn ask_who(&self) {
        if let Some(commands) = self.commands.upgrade() {
            let _ = commands.try_send(RoomCommand::Who);
        }
    }

    /// Takes the list of who talks here, and shows it if a person asked for it.
    fn who(&self, people: Vec<TalkerView>) -> Result<(), Failure> {
        let wanted = self.show_who.swap(false, Ordering::Relaxed);
        if wanted && self.style.json {
            text::json(&RoomEvent::Who { people: people.clone() })?;
        } else if wanted {
            let here = people.iter().filter(|p| !p.left).count();
            self.note(&format!("Talking here ({here}); readers announce nothing:"));
            for person in &people {
                self.note(&format!("  {}", talkers::line_of(person)));
            }
        }
        self.people.send_replace(people);
        Ok(())
    }

    fn help(&self) {
        for (command, what) in ROOM_COMMANDS {
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
                self.note(&format!("cannot write {name}: {error}; hint: /export OTHER-FILE"));
            }
        }
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
    use api::TalkerId;

    use super::*;

    const PLAIN: Style =
        Style { tty: false, colour: false, json: false, states: false, verbose: false };

    fn person(seed: u8, name: &str) -> TalkerView {
        let id = TalkerId::new([seed; 16]);
        TalkerView { id, name: name.to_owned(), you: false, left: false, muted: false }
    }

    #[tokio::test]
    async fn a_mute_goes_to_the_talker_who_has_the_name_now() {
        let (commands, mut asked_of_engine) = mpsc::channel(8);
        let (people, known) = watch::channel(Vec::new());
        let show_who = Arc::new(AtomicBool::new(false));
        let mut screen = Screen {
            style: PLAIN,
            shown: Vec::new(),
            you: String::new(),
            people,
            show_who: Arc::clone(&show_who),
            commands: commands.downgrade(),
        };
        let (asked, mut asks) = mpsc::channel(8);
        let reader = Reader { commands, people: known, show_who, asked };

        // Somebody is here: the list is asked for, without a person's asking.
        screen.show(RoomEvent::Here { name: "eve".into() }).unwrap();
        assert!(matches!(asked_of_engine.recv().await, Some(RoomCommand::Who)));
        screen.show(RoomEvent::Who { people: vec![person(1, "eve"), person(2, "bob")] }).unwrap();

        let lines = b"/mute eve\n/mute zoe\n/unmute bob\n".as_slice();
        reader.run(lines.lines()).await;
        let mut sent = Vec::new();
        while let Some(command) = asked_of_engine.recv().await {
            sent.push(match command {
                RoomCommand::Mute(talker) => ("mute", Some(talker)),
                RoomCommand::Unmute(talker) => ("unmute", Some(talker)),
                RoomCommand::Leave => ("leave", None),
                other => panic!("{other:?}"),
            });
        }
        let [eve, bob] = [1, 2].map(|seed| Some(TalkerId::new([seed; 16])));
        assert_eq!(sent, [("mute", eve), ("unmute", bob), ("leave", None)]);
        let mut notes = Vec::new();
        while let Some(asked) = asks.recv().await {
            if let Asked::Note(text) = asked {
                notes.push(text);
            }
        }
        assert!(notes.len() == 1 && notes[0].contains("zoe"), "{notes:?}");
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

//! `talk`: a conversation in line mode, for a terminal, for pipes and for screen readers.
//!
//! Without a TTY each message of others is one line `name: text` on stdout and everything else goes
//! to stderr.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::time::Duration;

use settings::{CreatePolicy, ProfileArgs};
use wire::ErrorKind;

use super::contacts::timer_seconds;
use super::here::{Here, with};
use super::recv::{Follower, tell};
use super::show::{self, note, said, short};
use super::typed::{COMMANDS, Typed, parse, read_stdin};
use crate::cli::export;
use crate::cli::line::colours;
use crate::engine::profile::{Command, Event, FileView, MessageView, Reply};
use crate::exit::Failure;

/// Messages from before that a terminal shows.
const BEFORE: usize = 10;
/// How long leaving may take.
const PATIENCE: Duration = Duration::from_secs(30);

pub async fn run(at: &ProfileArgs, name: String) -> Result<(), Failure> {
    with(at, CreatePolicy::Never, async |here| {
        let tty = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
        let (follower, unseen) = Follower::start(here, Some(&name)).await?;
        let mut talk = Talk { name, tty, colour: colours(tty), follower };
        talk.begin(here, unseen).await?;
        talk.go_on(here).await?;
        talk.end(here).await
    })
    .await
}

struct Talk {
    name: String,
    tty: bool,
    colour: bool,
    follower: Follower,
}

impl Talk {
    async fn begin(&mut self, here: &mut Here, unseen: Vec<MessageView>) -> Result<(), Failure> {
        if !self.tty {
            return self.show(here, unseen).await;
        }
        let limit = Some(BEFORE.max(unseen.len()));
        let command = Command::History { conversation: self.name.clone(), before: None, limit };
        let before = here.ask_messages(command).await?;
        self.show(here, before).await?;
        let with = here.conversation(&self.name).await?;
        if with.kind == "contact" && !with.verified {
            self.note(&format!("{} is unverified: /words, then /verify", self.name));
        }
        self.note("Type your messages; /help lists the commands");
        Ok(())
    }

    async fn go_on(&mut self, here: &mut Here) -> Result<(), Failure> {
        let mut lines = read_stdin();
        let interrupted = settings::stopped();
        tokio::pin!(interrupted);
        loop {
            tokio::select! {
                event = here.next() => match event {
                    Some(event) => self.event(here, event).await?,
                    None => return Ok(()),
                },
                line = lines.recv() => {
                    let Some(typed) = line.map(|l| parse(&l)) else { return Ok(()) };
                    if typed == Typed::Quit {
                        return Ok(());
                    }
                    // What was typed wrong ends nothing.
                    if let Err(failure) = self.typed(here, typed).await {
                        self.note(&failure.to_string());
                    }
                    self.prompt();
                }
                () = &mut interrupted => return Ok(()),
            }
        }
    }

    async fn end(&mut self, here: &mut Here) -> Result<(), Failure> {
        let done = here.settled(&[], PATIENCE).await;
        let on_the_way = here.status().await?.unacknowledged;
        if on_the_way > 0 {
            self.note(&format!(
                "{on_the_way} message(s) are not confirmed by everybody yet: if one is lost on the way, only this profile can send it again"
            ));
        }
        done
    }

    async fn nearby(&mut self, here: &mut Here) -> Result<(), Failure> {
        let Reply::Mesh(mesh) = here.ask(Command::Mesh {}).await? else { return Ok(()) };
        if mesh.lan == "off" {
            self.note("the local network is not used: start with --lan on");
            return Ok(());
        }
        for neighbour in &mesh.neighbours {
            self.note(&format!("  {} is near", neighbour.name));
        }
        if let Reply::Nearby { people } = here.ask(Command::Nearby {}).await? {
            for person in people {
                self.note(&format!(
                    "  {} shows themselves: hushwing nearby --knock {}",
                    person.name, person.name
                ));
            }
        }
        if mesh.neighbours.is_empty() {
            self.note("nobody you know is near");
        }
        Ok(())
    }

    async fn event(&mut self, here: &mut Here, event: Event) -> Result<(), Failure> {
        match &event {
            Event::Message { .. } | Event::Notice { .. } => {
                if let Event::Notice { text } = &event {
                    self.note(text);
                }
                let new = self.follower.more(here).await?;
                self.show(here, new).await?;
            }
            Event::Changed { message } if message.conversation == self.name => {
                self.note(&format!("changed: {}", show::dated(message)));
            }
            Event::File { file } if file.conversation == self.name && file.state != "moving" => {
                self.note(&show::file(file));
            }
            Event::Network { text, .. } if self.tty => self.note(text),
            Event::Network { .. } | Event::Expired { .. } => {}
            other => {
                self.clear_prompt();
                tell(other);
            }
        }
        self.prompt();
        Ok(())
    }

    /// Shows messages, and marks them as seen. Own ones only on a terminal: whoever writes into a
    /// pipe knows what.
    async fn show(&mut self, here: &mut Here, messages: Vec<MessageView>) -> Result<(), Failure> {
        let newest = messages.iter().filter(|m| !m.you).map(|m| m.number).max();
        for message in messages {
            match (message.kind == "notice", message.you && !self.tty) {
                (true, _) => self.note(&format!("* {}", message.text)),
                (_, true) => {}
                (_, false) if self.tty => self.show_dated(&message)?,
                (_, false) => show::out(&self.follower.line(here, &message).await?)?,
            }
        }
        if let Some(up_to) = newest {
            here.do_it(Command::Seen { conversation: self.name.clone(), up_to }).await?;
        }
        Ok(())
    }

    /// On a terminal: time, the id's digits for /reply and the like, name, text.
    fn show_dated(&self, message: &MessageView) -> Result<(), Failure> {
        self.clear_prompt();
        let when = show::date_time(message.sent_ms);
        let (time, id) =
            (when.get(11..).unwrap_or_default(), message.id.get(..4).unwrap_or_default());
        let (dim, bold, off) =
            if self.colour { ("\x1b[2m", "\x1b[1m", "\x1b[0m") } else { ("", "", "") };
        show::out(&format!("{dim}{time} {id}{off} {bold}{}{off}: {}", message.from, said(message)))
    }

    async fn typed(&mut self, here: &mut Here, typed: Typed) -> Result<(), Failure> {
        let conversation = self.name.clone();
        match typed {
            Typed::Blank | Typed::Quit => Ok(()),
            Typed::Say(text) => self.say(here, text, None).await,
            Typed::Reply(id, text) => {
                let to = self.find(here, &id, |m| m.kind != "notice").await?;
                self.say(here, text, Some(to)).await
            }
            Typed::React(id, emoji) => {
                let message = self.find(here, &id, |m| !m.you && m.kind != "notice").await?;
                here.do_it(Command::React { conversation, message, emoji, remove: false }).await
            }
            Typed::Edit(id, text) => {
                let message = self.find(here, &id, |m| m.you).await?;
                here.do_it(Command::Edit { conversation, message, text }).await
            }
            Typed::Delete(id) => {
                let message = self.find(here, &id, |m| m.you).await?;
                here.do_it(Command::Delete { conversation, message }).await
            }
            Typed::Why(id) => {
                let message = self.find(here, &id, |m| m.you).await?;
                if let Reply::Why { text, .. } =
                    here.ask(Command::Why { conversation, message }).await?
                {
                    self.note(text.as_deref().unwrap_or("it is delivered"));
                }
                Ok(())
            }
            Typed::File(path) => {
                here.ask_id(Command::SendFile { to: conversation, path }).await.map(|_| ())
            }
            Typed::Accept(id) => self.accept(here, &id).await,
            Typed::Timer(time) => {
                let seconds = timer_seconds(&time)?;
                here.do_it(Command::SetTimer { conversation, seconds }).await
            }
            Typed::Floor(floor) => here.do_it(Command::Floor { conversation, floor }).await,
            Typed::Safety(on) => {
                let floor = if on { "hidden" } else { "anywhere" }.to_owned();
                here.do_it(Command::Floor { conversation, floor }).await?;
                self.note(if on {
                    "hidden routes only"
                } else {
                    "any route: the hub may see this machine's address"
                });
                Ok(())
            }
            Typed::Verify => {
                here.do_it(Command::Verify { conversation, verified: true }).await?;
                self.note("verified");
                Ok(())
            }
            looking => self.look(here, looking).await,
        }
    }

    /// Commands that only look.
    async fn look(&mut self, here: &mut Here, typed: Typed) -> Result<(), Failure> {
        let conversation = self.name.clone();
        match typed {
            Typed::Who => {
                if let Reply::Members { members } =
                    here.ask(Command::Members { conversation }).await?
                {
                    for member in members {
                        let mark = match (member.you, member.verified) {
                            (true, _) => " (you)",
                            (_, true) => " (verified)",
                            _ => " (unverified)",
                        };
                        self.note(&format!("  {}{mark}", member.name));
                    }
                }
            }
            Typed::Nearby => self.nearby(here).await?,
            Typed::Words => {
                if let Reply::Words { words, verified } =
                    here.ask(Command::SafetyWords { conversation }).await?
                {
                    self.note(&format!(
                        "{words}  ({})",
                        if verified { "verified" } else { "unverified" }
                    ));
                }
            }
            Typed::Export(file, format) => {
                let ending = format!("{format:?}").to_lowercase();
                let file = file.unwrap_or_else(|| format!("hushwing-talk.{ending}"));
                let count = export::to_file(
                    &mut export::In(here, &conversation),
                    &conversation,
                    format,
                    Path::new(&file),
                    false,
                )
                .await?;
                self.note(&format!("{count} messages written to {file}"));
            }
            Typed::Help => {
                for (command, what) in COMMANDS {
                    self.note(&format!("  {command:<32} {what}"));
                }
            }
            Typed::Unknown(word) => {
                self.note(&format!(
                    "no such command, or something is missing: /{word}; /help lists them"
                ));
            }
            _ => {}
        }
        Ok(())
    }

    async fn say(
        &mut self,
        here: &mut Here,
        text: String,
        reply_to: Option<String>,
    ) -> Result<(), Failure> {
        here.ask_id(Command::Send { to: self.name.clone(), text, reply_to }).await.map(|_| ())
    }

    async fn accept(&mut self, here: &mut Here, id: &str) -> Result<(), Failure> {
        let mine = |f: &FileView| f.conversation == self.name && !f.ours && f.state == "offered";
        let found = here
            .files()
            .await?
            .into_iter()
            .rfind(|f| mine(f) && (id == "last" || f.transfer.starts_with(id)));
        match found {
            None => {
                self.note("no such file is offered");
                Ok(())
            }
            Some(file) => {
                self.note(&format!("fetching {} ({})", file.name, short(&file.transfer)));
                here.do_it(Command::AcceptFile { transfer: file.transfer, directory: None }).await
            }
        }
    }

    /// The id of a message: the newest one that fits, or that whose id begins so.
    async fn find(
        &self,
        here: &mut Here,
        id: &str,
        fits: impl Fn(&MessageView) -> bool,
    ) -> Result<String, Failure> {
        if id == "last" {
            let found = here.newest(&self.name, fits).await?;
            let none = || {
                Failure::new(
                    ErrorKind::LocalConfig,
                    "there is no such message yet",
                    "name it by its id",
                )
            };
            return found.map(|m| m.id).ok_or_else(none);
        }
        Ok(here.message(Some(&self.name), id).await?.id)
    }

    fn note(&self, text: &str) {
        self.clear_prompt();
        note(text);
    }

    fn prompt(&self) {
        if self.tty {
            print!("> ");
            let _ = std::io::stdout().flush();
        }
    }

    fn clear_prompt(&self) {
        if self.tty {
            print!("\r\x1b[K");
            let _ = std::io::stdout().flush();
        }
    }
}

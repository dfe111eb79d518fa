//! `talk`: a conversation in line mode, for a terminal, for pipes and for screen readers.
//!
//! Without a TTY each message of others is one line `name: text` on stdout and everything else goes
//! to stderr. The name that was typed is resolved once: whatever others rename meanwhile, all that
//! is typed goes to the same conversation.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::time::Duration;

use api::{
    AcceptFile, AcceptKeys, AllowRoutes, AllowedRoutes, Block, ConversationKind, Delete, Edit,
    Event, Failure, FileState, FileView, GetHistory, GetMesh, GetSafetyWords, GetWhy, LanMode,
    ListMembers, ListNearby, LocalPath, MarkSeen, MessageId, MessageKind, MessageView, React,
    Refusal, Resume, Scope, SendFile, SendText, SetTimer, Thing, Verify,
};
use clap::Args;
use settings::ProfileArgs;
use text::{
    COMMANDS, Format, LAST, OrFail, Typed, colours, date_time, note, parse, read_stdin, said,
};

use crate::conversation::{mark, verified};
use crate::follow::{Follower, tell};
use crate::message::{History, not_exported};
use crate::queries::Named;
use crate::session::{ProfileSession, SharedProfiles, existing, with};

/// Messages from before that a terminal shows.
const BEFORE: usize = 10;
/// How long leaving may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Arguments of `talk`.
#[derive(Debug, Clone, Args)]
pub struct TalkArgs {
    /// The contact or group.
    pub name: String,
}

pub(crate) async fn run(
    profiles: &SharedProfiles,
    at: &ProfileArgs,
    args: TalkArgs,
) -> Result<(), Failure> {
    with(profiles, &existing(at), async |session| {
        let with = session.conversation(&args.name, Scope::Conversation).await?;
        let tty = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
        let (follower, unseen) = Follower::start(session, Some(with.id)).await?;
        let mut talk = Talk { with, tty, colour: colours(tty), follower, shown: None };
        talk.begin(session, unseen).await?;
        talk.go_on(session).await?;
        talk.end(session).await
    })
    .await
}

struct Talk {
    with: Named,
    tty: bool,
    colour: bool,
    follower: Follower,
    /// The safety words that this person was shown.
    shown: Option<String>,
}

impl Talk {
    /// Marks the contact as verified by the words that were shown here.
    async fn verify(&mut self, session: &mut ProfileSession) -> Result<(), Failure> {
        let conversation = self.with.id;
        let Some(words) = self.shown.clone() else {
            self.note("type /words first, and compare them");
            return Ok(());
        };
        session.ask(Verify { conversation, words: Some(words) }).await?;
        self.note("verified");
        Ok(())
    }

    async fn begin(
        &mut self,
        session: &mut ProfileSession,
        unseen: Vec<MessageView>,
    ) -> Result<(), Failure> {
        if !self.tty {
            return self.show(session, unseen).await;
        }
        let (conversation, limit) = (self.with.id, Some(BEFORE.max(unseen.len())));
        let before = session.ask(GetHistory { conversation, before: None, limit }).await?;
        self.show(session, before).await?;
        let all = session.conversations().await?;
        let with = all.iter().find(|c| c.id == conversation);
        if with.is_some_and(|c| c.kind == ConversationKind::Contact && !c.verified) {
            let name = &self.with.label;
            self.note(&format!("{name} is not verified: type /words, compare, then /verify"));
        }
        self.note("Type your messages; /help lists the commands");
        Ok(())
    }

    async fn go_on(&mut self, session: &mut ProfileSession) -> Result<(), Failure> {
        let mut lines = read_stdin();
        let interrupted = settings::stopped();
        tokio::pin!(interrupted);
        loop {
            tokio::select! {
                event = session.next() => match event {
                    Some(event) => self.event(session, event).await?,
                    None => return Ok(()),
                },
                line = lines.recv() => {
                    let Some(typed) = line.map(|l| parse(&l)) else { return Ok(()) };
                    if typed == Typed::Quit {
                        return Ok(());
                    }
                    // What was typed wrong ends nothing.
                    if let Err(failure) = self.typed(session, typed).await {
                        self.note(&failure.to_string());
                    }
                    self.prompt();
                }
                () = &mut interrupted => return Ok(()),
            }
        }
    }

    async fn end(&mut self, session: &mut ProfileSession) -> Result<(), Failure> {
        let done = session.settled(&[], PATIENCE).await;
        let in_transit = session.status().await?.unacknowledged;
        if in_transit > 0 {
            self.note(&format!(
                "{in_transit} message(s) are not confirmed by everyone yet; if one is lost, only this profile can resend it"
            ));
        }
        done
    }

    async fn event(&mut self, session: &mut ProfileSession, event: Event) -> Result<(), Failure> {
        match &event {
            Event::Message { .. } | Event::Notice { .. } => {
                if let Event::Notice { text } = &event {
                    self.note(text);
                }
                let new = self.follower.more(session).await?;
                self.show(session, new).await?;
            }
            Event::Changed { message } if message.conversation == self.with.id => {
                self.note(&format!("changed: {}", text::dated(message)));
            }
            Event::File { file }
                if file.conversation == self.with.id && file.state != FileState::Moving =>
            {
                self.note(&text::file(file));
            }
            Event::Renamed { conversation, label, .. } => {
                if *conversation == self.with.id {
                    self.with.label.clone_from(label);
                }
                self.clear_prompt();
                tell(&event);
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

    /// Shows messages, and marks them as seen. Own ones only on a terminal: a program that writes
    /// into a pipe knows what it wrote.
    async fn show(
        &mut self,
        session: &mut ProfileSession,
        messages: Vec<MessageView>,
    ) -> Result<(), Failure> {
        let newest = messages.iter().filter(|m| !m.you).map(|m| m.number).max();
        for message in messages {
            match (message.kind == MessageKind::Notice, message.you && !self.tty) {
                (true, _) => self.note(&format!("* {}", message.text)),
                (_, true) => {}
                (_, false) if self.tty => self.show_dated(&message)?,
                (_, false) => text::out(&self.follower.line(session, &message).await?)?,
            }
        }
        if let Some(up_to) = newest {
            session.ask(MarkSeen { conversation: self.with.id, up_to }).await?;
        }
        Ok(())
    }

    /// On a terminal: time, the short id for /reply and the like, name, text.
    fn show_dated(&self, message: &MessageView) -> Result<(), Failure> {
        self.clear_prompt();
        let when = date_time(message.sent_ms);
        let (time, id) = (when.get(11..).unwrap_or_default(), message.id.short());
        let (dim, bold, off) =
            if self.colour { ("\x1b[2m", "\x1b[1m", "\x1b[0m") } else { ("", "", "") };
        text::out(&format!("{dim}{time} {id}{off} {bold}{}{off}: {}", message.from, said(message)))
    }

    async fn typed(&mut self, session: &mut ProfileSession, typed: Typed) -> Result<(), Failure> {
        let conversation = self.with.id;
        match typed {
            Typed::Blank | Typed::Quit => {}
            Typed::Say(text) => {
                session.ask(SendText { conversation, text, reply_to: None }).await?;
            }
            Typed::Reply(id, text) => {
                let to = self.find(session, &id, |m| m.kind != MessageKind::Notice).await?;
                session.ask(SendText { conversation, text, reply_to: Some(to) }).await?;
            }
            Typed::React(id, emoji) => {
                let theirs = |m: &MessageView| !m.you && m.kind != MessageKind::Notice;
                let message = self.find(session, &id, theirs).await?;
                session.ask(React { conversation, message, emoji, remove: false }).await?;
            }
            Typed::Edit(id, text) => {
                let message = self.find(session, &id, |m| m.you).await?;
                session.ask(Edit { conversation, message, text }).await?;
            }
            Typed::Delete(id) => {
                let message = self.find(session, &id, |m| m.you).await?;
                session.ask(Delete { conversation, message }).await?;
            }
            Typed::File(path) => {
                session.ask(SendFile { conversation, path: LocalPath::new(path) }).await?;
            }
            Typed::Accept(id) => self.accept(session, &id).await?,
            Typed::Timer(time) => {
                let seconds = text::timer_seconds(&time).or_fail()?;
                session.ask(SetTimer { conversation, seconds }).await?;
            }
            Typed::Routes(routes) => {
                session.ask(AllowRoutes { conversation, routes }).await?;
            }
            Typed::Safety(on) => self.safety(session, on).await?,
            Typed::Verify => self.verify(session).await?,
            Typed::AcceptKeys => {
                session.ask(AcceptKeys { conversation }).await?;
                self.note("the new keys are in use");
            }
            Typed::Block => {
                session.ask(Block { conversation }).await?;
                self.note("blocked; they are not told");
            }
            Typed::Unblock => {
                session.ask(Resume { conversation }).await?;
                self.note("resumed");
            }
            looking => self.look(session, looking).await?,
        }
        Ok(())
    }

    /// Commands that only look.
    async fn look(&mut self, session: &mut ProfileSession, typed: Typed) -> Result<(), Failure> {
        let conversation = self.with.id;
        match typed {
            Typed::Why(id) => {
                let message = self.find(session, &id, |m| m.you).await?;
                let why = session.ask(GetWhy { conversation, message }).await?;
                self.note(why.text.as_deref().unwrap_or("it is delivered"));
            }
            Typed::Who => {
                for member in session.ask(ListMembers { conversation }).await? {
                    self.note(&format!("  {}{}", member.name, mark(&member)));
                }
            }
            Typed::Nearby => self.nearby(session).await?,
            Typed::Words => {
                let words = session.ask(GetSafetyWords { conversation }).await?;
                self.note(&format!("{}  ({})", words.words, verified(words.verified)));
                self.shown = Some(words.words);
            }
            Typed::Export(file, format) => self.export(session, file, format).await?,
            Typed::Help => {
                for (command, what) in COMMANDS {
                    self.note(&format!("  {command:<32} {what}"));
                }
            }
            Typed::Unknown(word) => {
                let word = text::printable(&word);
                self.note(&format!(
                    "unknown or incomplete command /{word}; /help lists all commands"
                ));
            }
            _ => {}
        }
        Ok(())
    }

    async fn safety(&mut self, session: &mut ProfileSession, on: bool) -> Result<(), Failure> {
        let (routes, said) = if on {
            (AllowedRoutes::Hidden, "hidden routes only")
        } else {
            (AllowedRoutes::Anywhere, "any route; the hub may see your IP address")
        };
        session.ask(AllowRoutes { conversation: self.with.id, routes }).await?;
        self.note(said);
        Ok(())
    }

    async fn nearby(&mut self, session: &mut ProfileSession) -> Result<(), Failure> {
        let mesh = session.ask(GetMesh {}).await?;
        if mesh.lan == LanMode::Off {
            self.note("the local network is off: start with --lan on");
            return Ok(());
        }
        for neighbour in &mesh.neighbours {
            self.note(&format!("  {} is nearby", neighbour.label));
        }
        for person in session.ask(ListNearby {}).await? {
            self.note(&format!("  {} is visible: hushwing lan nearby --knock", person.name));
        }
        if mesh.neighbours.is_empty() {
            self.note("none of your contacts is nearby");
        }
        Ok(())
    }

    async fn export(
        &mut self,
        session: &mut ProfileSession,
        file: Option<String>,
        format: Format,
    ) -> Result<(), Failure> {
        let file = file.unwrap_or_else(|| format!("hushwing-talk.{}", format.word()));
        let mut pages = History(session, self.with.id);
        let title = &self.with.label;
        let done = text::to_file(&mut pages, title, format, Path::new(&file), false).await;
        let count = done.map_err(not_exported)?;
        self.note(&format!("{count} messages written to {file}"));
        Ok(())
    }

    async fn accept(&mut self, session: &mut ProfileSession, id: &str) -> Result<(), Failure> {
        let offered = |f: &FileView| {
            f.conversation == self.with.id && !f.ours && f.state == FileState::Offered
        };
        let all = session.files().await?.into_iter().filter(offered);
        let file = text::meant(id, all).or_fail()?;
        self.note(&format!("fetching {} ({})", file.name, file.transfer.short()));
        session.ask(AcceptFile { transfer: file.transfer, directory: None }).await?;
        Ok(())
    }

    /// The id of a message: the newest one that fits, or the one that a typed id stands for.
    async fn find(
        &self,
        session: &mut ProfileSession,
        id: &str,
        fits: impl Fn(&MessageView) -> bool,
    ) -> Result<MessageId, Failure> {
        if id == LAST {
            let found = session.newest(self.with.id, fits).await?;
            return found.map(|m| m.id).ok_or_else(|| Refusal::no_such(Thing::Message)).or_fail();
        }
        Ok(session.message(Some(self.with.id), id).await?.id)
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

#[cfg(test)]
mod tests {
    use crate::tests::{Fake, FakeConversation};

    use super::*;

    #[tokio::test]
    async fn what_is_typed_after_a_rename_goes_where_the_talk_began() {
        let (family, work) =
            (FakeConversation::group(1, "family"), FakeConversation::group(2, "work"));
        let (id, fake) = (family.id, Fake::new([family, work]));
        let options = api::ProfileOptions {
            profile: "alice".into(),
            unlock: api::Unlock::KeyFile,
            create: false,
            lan: None,
        };
        with(&fake.profiles(), &options, async |session| {
            let with = session.conversation("family", Scope::Conversation).await?;
            let (follower, _) = Follower::start(session, Some(with.id)).await?;
            let mut talk = Talk { with, tty: false, colour: false, follower, shown: None };
            // mallory swaps the titles: what was `family` is `work` now, and the other way round.
            fake.rename(0, "work");
            fake.rename(1, "family");
            let (was, label) = ("family".to_owned(), "work".to_owned());
            talk.event(session, Event::Renamed { conversation: id, was, label }).await?;
            assert_eq!(talk.with.label, "work", "it is shown by its name now");
            talk.typed(session, parse("still for you")).await?;
            talk.typed(session, parse("/timer 1d")).await.unwrap_err();
            Ok(())
        })
        .await
        .unwrap();
        let sent = fake.asked("send");
        assert_eq!(sent.len(), 1);
        assert_eq!(sent[0]["conversation"], id.to_string());
        assert_eq!(fake.asked("set_timer").len(), 1);
        assert_eq!(fake.asked("resolve").len(), 1, "the name was resolved once");
    }
}

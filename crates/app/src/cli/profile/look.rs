//! What a command wants to know of the engine, by kind of answer.

use wire::ErrorKind;

use super::here::{Here, printable};
use crate::engine::profile::{Command, ConversationView, FileView, MessageView, Reply, Status};
use crate::exit::Failure;

/// Messages that are asked for at once.
pub const PAGE: usize = 500;

/// An answer of another kind than the command has.
fn confused() -> Failure {
    Failure::new(
        ErrorKind::Bug,
        "the engine gave an answer to something else",
        "please report this",
    )
}

impl Here {
    /// For commands that answer `Done`.
    ///
    /// # Errors
    /// Whatever the engine refuses.
    pub async fn do_it(&mut self, command: Command) -> Result<(), Failure> {
        match self.ask(command).await? {
            Reply::Done => Ok(()),
            _ => Err(confused()),
        }
    }

    /// For commands that answer with an id.
    ///
    /// # Errors
    /// Whatever the engine refuses.
    pub async fn ask_id(&mut self, command: Command) -> Result<String, Failure> {
        match self.ask(command).await? {
            Reply::Id { id } => Ok(id),
            _ => Err(confused()),
        }
    }

    /// For commands that answer with messages.
    ///
    /// # Errors
    /// Whatever the engine refuses.
    pub async fn ask_messages(&mut self, command: Command) -> Result<Vec<MessageView>, Failure> {
        match self.ask(command).await? {
            Reply::Messages { messages } => Ok(messages),
            _ => Err(confused()),
        }
    }

    /// How the profile stands.
    ///
    /// # Errors
    /// Whatever the engine refuses.
    pub async fn status(&mut self) -> Result<Status, Failure> {
        match self.ask(Command::Status {}).await? {
            Reply::Status(status) => Ok(status),
            _ => Err(confused()),
        }
    }

    /// All contacts and groups.
    ///
    /// # Errors
    /// Whatever the engine refuses.
    pub async fn conversations(&mut self) -> Result<Vec<ConversationView>, Failure> {
        match self.ask(Command::Conversations {}).await? {
            Reply::Conversations { conversations } => Ok(conversations),
            _ => Err(confused()),
        }
    }

    /// All file transfers.
    ///
    /// # Errors
    /// Whatever the engine refuses.
    pub async fn files(&mut self) -> Result<Vec<FileView>, Failure> {
        match self.ask(Command::Files {}).await? {
            Reply::Files { files } => Ok(files),
            _ => Err(confused()),
        }
    }

    /// A contact or group, to find out at once whether it is there.
    ///
    /// # Errors
    /// When it is not.
    pub async fn conversation(&mut self, name: &str) -> Result<ConversationView, Failure> {
        let found = self.conversations().await?.into_iter().find(|c| c.name == name);
        found.ok_or_else(|| {
            let hint = "`hushwing contacts` and `hushwing groups` list what there is";
            Failure::new(
                ErrorKind::LocalConfig,
                format!("nobody here is called {}", printable(name)),
                hint,
            )
        })
    }

    /// A page of messages after a number, oldest first.
    ///
    /// # Errors
    /// Whatever the engine refuses.
    pub async fn page(
        &mut self,
        conversation: Option<&str>,
        after: i64,
    ) -> Result<Vec<MessageView>, Failure> {
        let conversation = conversation.map(str::to_owned);
        self.ask_messages(Command::HistoryAfter { conversation, after, limit: Some(PAGE) }).await
    }

    /// The newest message of a conversation that fits.
    ///
    /// # Errors
    /// Whatever the engine refuses.
    pub async fn newest(
        &mut self,
        conversation: &str,
        fits: impl Fn(&MessageView) -> bool,
    ) -> Result<Option<MessageView>, Failure> {
        let newest = Command::History {
            conversation: conversation.to_owned(),
            before: None,
            limit: Some(PAGE),
        };
        Ok(self.ask_messages(newest).await?.into_iter().rev().find(fits))
    }

    /// The one message whose id begins so, in one or all conversations.
    ///
    /// # Errors
    /// When there is none, or more than one.
    pub async fn message(
        &mut self,
        conversation: Option<&str>,
        id: &str,
    ) -> Result<MessageView, Failure> {
        let hint =
            "`hushwing history NAME` shows the ids; 4 digits or more, until it is clear which one";
        if id.len() < 4 {
            return Err(Failure::new(ErrorKind::LocalConfig, "an id has 4 digits or more", hint));
        }
        let (id, mut after, mut found) = (id.to_ascii_lowercase(), 0, None);
        loop {
            let page = self.page(conversation, after).await?;
            let Some(last) = page.last() else { break };
            after = last.number;
            for message in page.into_iter().filter(|m| m.id.starts_with(&id)) {
                if found.is_some() {
                    return Err(Failure::new(
                        ErrorKind::LocalConfig,
                        "more than one message has such an id",
                        hint,
                    ));
                }
                found = Some(message);
            }
        }
        found.ok_or_else(|| Failure::new(ErrorKind::LocalConfig, "no message has such an id", hint))
    }
}

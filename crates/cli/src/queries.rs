//! What commands look up: the things that typed names and ids stand for.

use api::{
    ConversationId, Failure, FileView, GetHistory, GetHistoryAfter, ListFiles, MemberId,
    MessageView, Refusal, Resolve, ResolveMember, Scope, Target, Thing,
};
use text::OrFail;

use crate::session::ProfileSession;

/// Messages that are asked for in one request.
pub(crate) const PAGE: usize = 500;
/// Messages with a fitting id that are collected before the search is called ambiguous.
const ENOUGH: usize = 16;

/// What a typed name stands for, and how it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) id: ConversationId,
    pub(crate) label: String,
}

impl Named {
    /// A word that stands for it in a command to be copied: see [`word`].
    pub(crate) fn word(&self) -> String {
        word(&self.label, self.id)
    }
}

/// A label as it can be typed in a shell, or the short id. Others choose titles and nicks: one with
/// a `;` or a `$` must not become part of a command that a person copies.
pub(crate) fn word(label: &str, id: ConversationId) -> String {
    let harmless = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | '~');
    let plain = label.starts_with(char::is_alphanumeric) && label.chars().all(harmless);
    if plain { label.to_owned() } else { id.short() }
}

impl ProfileSession {
    /// The contact or group that a typed name stands for.
    pub(crate) async fn conversation(
        &mut self,
        name: &str,
        scope: Scope,
    ) -> Result<Named, Failure> {
        let found = self.ask(Resolve { name: name.to_owned(), scope }).await?;
        match found.target {
            Target::Conversation(id) => Ok(Named { id, label: found.label }),
            Target::Room(_) | Target::Member(_) | Target::Talker(_) => {
                Err(text::failure(Refusal::no_such(Thing::Conversation)))
            }
        }
    }

    /// The member that a typed name stands for.
    pub(crate) async fn member(
        &mut self,
        conversation: ConversationId,
        name: &str,
    ) -> Result<MemberId, Failure> {
        self.ask(ResolveMember { conversation, name: name.to_owned() }).await
    }

    /// All file transfers.
    pub(crate) async fn files(&mut self) -> Result<Vec<FileView>, Failure> {
        self.ask(ListFiles {}).await
    }

    /// A page of messages after a number, oldest first.
    pub(crate) async fn page(
        &mut self,
        conversation: Option<ConversationId>,
        after: i64,
    ) -> Result<Vec<MessageView>, Failure> {
        self.ask(GetHistoryAfter { conversation, after, limit: Some(PAGE) }).await
    }

    /// The newest message of a conversation that fits, among the last page.
    pub(crate) async fn newest(
        &mut self,
        conversation: ConversationId,
        fits: impl Fn(&MessageView) -> bool,
    ) -> Result<Option<MessageView>, Failure> {
        let newest = GetHistory { conversation, before: None, limit: Some(PAGE) };
        Ok(self.ask(newest).await?.into_iter().rev().find(fits))
    }

    /// The one message that a typed id stands for, in one or all conversations.
    pub(crate) async fn message(
        &mut self,
        conversation: Option<ConversationId>,
        typed: &str,
    ) -> Result<MessageView, Failure> {
        let (mut after, mut fits) = (0, Vec::new());
        while fits.len() < ENOUGH {
            let page = self.page(conversation, after).await?;
            let Some(last) = page.last() else { break };
            after = last.number;
            fits.extend(page.into_iter().filter(|m| m.id.is_meant_by(typed)));
        }
        text::meant(typed, fits).or_fail()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_a_shell_would_read_otherwise_is_shown_by_its_id() {
        let id = ConversationId::new([3; 16]);
        for plain in ["bob", "bob-2", "жук", "family~k3q9f2m"] {
            assert_eq!(word(plain, id), plain);
        }
        for odd in ["", "-rf", "~", "a b", "$(id)", "x;y", "`x`", "a|b", "..", "a\nb", "#x"] {
            assert_eq!(word(odd, id), id.short(), "{odd:?}");
        }
    }
}

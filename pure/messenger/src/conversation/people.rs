//! Who is in a conversation and under which name, and what it is called (`docs/spec/names.md`).

use std::collections::BTreeMap;

use e2ee::id::{ConversationId, MemberId, MessageId};
use e2ee::mls::Member;
use e2ee::{Newlines, Nick, sanitize};

use super::Conversation;
use super::saved::{Card, Known};
use crate::Error;
use crate::context::StepContext;
use crate::event::Event;
use crate::names::{self, Named};
use crate::store::{Author, Kind, NewMessage, State};

// What is in them must not reach a log: `Debug` shows the kind alone.
wire::kind_debug!(struct Participant);

/// A member of a conversation, to be shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Participant {
    /// Their id in this conversation; the same person has others elsewhere.
    pub id: MemberId,
    /// Name as shown, unique in the conversation.
    pub name: String,
    /// Whether it is us.
    pub me: bool,
    /// The direct chat with them, if this profile has added them to the group.
    pub contact: Option<ConversationId>,
}

impl Conversation {
    /// Everybody, us included, under unique names.
    pub(crate) fn participants(&self, my_name: &str) -> Vec<Participant> {
        let me =
            Participant { id: self.card.me, name: my_name.to_owned(), me: true, contact: None };
        let others = self.card.members.iter().map(|(id, known)| Participant {
            id: *id,
            name: self.name_of(*id),
            me: false,
            contact: known.contact,
        });
        std::iter::once(me).chain(others).collect()
    }

    /// A member's name as shown: in a direct chat the contact's, in a group the nick, with a tag
    /// where two could be taken for one.
    pub(crate) fn name_of(&self, member: MemberId) -> String {
        if self.card.direct {
            return self.card.bare().to_owned();
        }
        let name = self.member_names.get(&member);
        name.map_or_else(|| "somebody who left".to_owned(), Clone::clone)
    }

    /// Puts a line about the conversation into its history.
    pub(crate) fn notice(&self, cx: &mut StepContext<'_>, text: &str) -> Result<(), Error> {
        Self::write_notice(cx, self.id, text)
    }

    /// As [`Conversation::notice`], for one that does not run.
    pub(crate) fn write_notice(
        cx: &mut StepContext<'_>,
        id: ConversationId,
        text: &str,
    ) -> Result<(), Error> {
        let message = NewMessage {
            conversation: id,
            id: MessageId::random(cx.rng),
            author: Author::Me,
            author_name: String::new(),
            sent_at: cx.now,
            received_at: cx.now,
            kind: Kind::Notice,
            text: sanitize(text, Newlines::Fold),
            reply_to: None,
            state: State::Received,
            expires_at: None,
            route: String::new(),
        };
        cx.store.add_message(&message)?;
        cx.event(Event::Conversation { conversation: id, text: message.text });
        Ok(())
    }

    /// Takes up who is in the group now; gives the members of a group who changed their nicks, old
    /// and new.
    pub(super) fn note_members(&mut self, members: &[Member]) -> Vec<(String, String)> {
        let old = std::mem::take(&mut self.card.members);
        let mut renamed = Vec::new();
        for member in members.iter().filter(|m| m.id != self.card.me) {
            let before = old.get(&member.id);
            let known = Known {
                name: member.card.name.as_str().to_owned(),
                rescue: member.card.rescue.to_bytes().to_vec(),
                contact: before.and_then(|k| k.contact),
            };
            if let Some(before) = before.filter(|k| k.name != known.name)
                && !self.card.direct
            {
                renamed.push((before.name.clone(), known.name.clone()));
            }
            self.card.members.insert(member.id, known);
        }
        self.member_names = names_of_members(&self.card);
        renamed
    }

    /// Cards of earlier versions have one name only (`NAME-011`).
    pub(super) fn read_old_name(&mut self, cx: &StepContext<'_>) -> Result<(), Error> {
        let given = self.given_now();
        if self.card.split_old_name(given) { self.save_card(cx) } else { Ok(()) }
    }

    /// What others call this conversation: the charter's title, or the nick of the contact.
    fn given_now(&self) -> Option<String> {
        if self.card.direct {
            self.card.members.values().next().map(|known| known.name.clone())
        } else {
            self.charter().map(|charter| charter.title)
        }
    }

    /// Takes up the title or nick that others have set, and tells: by whom, if that is known.
    /// Our own name stays what it is (`NAME-001`).
    pub(super) fn follow_given_name(
        &mut self,
        cx: &mut StepContext<'_>,
        by: Option<&str>,
    ) -> Result<(), Error> {
        let Some(new) = self.given_now().filter(|new| *new != self.card.given) else {
            return Ok(());
        };
        let old = self.card.given.clone();
        names::rename(&mut self.card.given, &mut self.card.formerly, &new);
        self.dirty = true;
        let text = match by {
            _ if self.card.direct => format!("“{old}” now goes by the name “{new}”"),
            Some(by) => format!("{by} changed the title from “{old}” to “{new}”"),
            None => format!("the title was changed from “{old}” to “{new}”"),
        };
        cx.event(Event::Renamed { conversation: self.id, from: old, to: new });
        self.notice(cx, &text)
    }
}

/// How the members of a group are shown. A nick that could be taken for the program's own voice,
/// such as `you`, always bears its tag (`NAME-004`).
pub(super) fn names_of_members(card: &Card) -> BTreeMap<MemberId, String> {
    let named = |(id, known): (&MemberId, &Known)| Named {
        key: *id,
        own: None,
        given: known.name.clone(),
        formerly: Vec::new(),
        tag: names::short(id.as_bytes()),
    };
    let all: Vec<_> = card.members.iter().map(named).collect();
    let mut shown = names::labels(&all);
    for named in all.iter().filter(|n| Nick::new(&n.given).is_ok_and(|nick| nick.is_reserved())) {
        if let Some(name) = shown.get_mut(&named.key).filter(|name| **name == named.given) {
            *name = format!("{name}~{}", named.tag);
        }
    }
    shown
}

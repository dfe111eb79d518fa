//! What is new in conversations, and what to say of events.

use std::collections::HashMap;

use api::{ConversationId, ConversationKind, Event, Failure, GetHistory, MessageKind, MessageView};
use text::{note, said};

use crate::queries::{PAGE, word};
use crate::session::ProfileSession;

/// Follows conversations by the numbers of their messages: nothing is missed, and nothing comes
/// twice.
pub(crate) struct Follower {
    /// The one conversation; none: all.
    from: Option<ConversationId>,
    last: i64,
    kinds: HashMap<ConversationId, ConversationKind>,
}

impl Follower {
    /// Starts after the newest message; returns it with those before that were not seen, oldest
    /// first.
    pub(crate) async fn start(
        session: &mut ProfileSession,
        from: Option<ConversationId>,
    ) -> Result<(Self, Vec<MessageView>), Failure> {
        let mut follower = Follower { from, last: 0, kinds: HashMap::new() };
        let mut unseen = Vec::new();
        for one in session.conversations().await? {
            follower.kinds.insert(one.id, one.kind);
            if from.is_none_or(|id| id == one.id) {
                follower.unseen(session, one.id, one.unseen, &mut unseen).await?;
            }
        }
        unseen.sort_by_key(|m| m.number);
        Ok((follower, unseen))
    }

    /// Collects the newest messages of others in a conversation, as many as were not seen.
    async fn unseen(
        &mut self,
        session: &mut ProfileSession,
        conversation: ConversationId,
        mut missing: u64,
        unseen: &mut Vec<MessageView>,
    ) -> Result<(), Failure> {
        let mut before = None;
        loop {
            let page = session.ask(GetHistory { conversation, before, limit: Some(PAGE) }).await?;
            let (Some(first), Some(newest)) = (page.first(), page.last()) else { return Ok(()) };
            self.last = self.last.max(newest.number);
            before = Some(first.number);
            for message in page.into_iter().rev().filter(from_others) {
                if missing > 0 {
                    missing -= 1;
                    unseen.push(message);
                }
            }
            if missing == 0 {
                return Ok(());
            }
        }
    }

    /// What is new since the last call, this profile's messages included.
    pub(crate) async fn more(
        &mut self,
        session: &mut ProfileSession,
    ) -> Result<Vec<MessageView>, Failure> {
        let page = session.page(self.from, self.last).await?;
        if let Some(newest) = page.last() {
            self.last = newest.number;
        }
        Ok(page)
    }

    /// `name: text`, for groups `title/name: text`.
    pub(crate) async fn line(
        &mut self,
        session: &mut ProfileSession,
        message: &MessageView,
    ) -> Result<String, Failure> {
        if !self.kinds.contains_key(&message.conversation) {
            let all = session.conversations().await?;
            self.kinds = all.into_iter().map(|c| (c.id, c.kind)).collect();
        }
        let kind = self.kinds.get(&message.conversation);
        Ok(match kind {
            Some(ConversationKind::Group) => {
                format!("{}/{}: {}", message.label, message.from, said(message))
            }
            Some(ConversationKind::Contact) | None => {
                format!("{}: {}", message.label, said(message))
            }
        })
    }
}

pub(crate) fn from_others(message: &MessageView) -> bool {
    !message.you && message.kind != MessageKind::Notice
}

/// Tells what is not a message, on stderr.
pub(crate) fn tell(event: &Event) {
    if let Some(text) = words(event) {
        note(&text);
    }
}

/// An event in words, if there is something to say about it.
fn words(event: &Event) -> Option<String> {
    Some(match event {
        Event::Opened { label, .. } => format!("{label} is ready"),
        Event::Conversation { label, text, .. } => format!("{label}: {text}"),
        Event::Renamed { was, label, .. } => format!("{was} is now shown as {label}"),
        Event::InviteUsed { conversation, label, .. } => format!(
            "your invite was used by {label}; compare the safety words: hushwing contact verify {}",
            word(label, *conversation)
        ),
        Event::InviteTriedAgain { .. } => "somebody tried to use one of your invites again: compare safety words with the person who used it first".to_owned(),
        Event::InviteFailed { text, .. } => format!("an invite failed: {text}"),
        Event::GroupInvite { invite, members } => format!(
            "{} invites you to {} ({members} members): hushwing group join {}",
            invite.from.label,
            invite.title,
            invite.id.short()
        ),
        Event::HeldUp { conversation, label, by, name } => format!(
            "{label} is stalled by {name}; to continue without them: hushwing group restart {} {}",
            word(label, *conversation),
            by.short()
        ),
        Event::Stopped { conversation, label } => format!(
            "{label} was stopped: something in it is damaged, or was sent to break it; to try again: hushwing contact unblock {}",
            word(label, *conversation)
        ),
        Event::Forked { label, .. } => {
            format!("{label}: members see different histories; ask them what they see")
        }
        Event::Notice { text } => text.clone(),
        Event::Neighbour { label, here: true, .. } => format!("{label} is nearby"),
        Event::Neighbour { label, here: false, .. } => format!("{label} is no longer nearby"),
        Event::Knock { name, .. } => {
            format!("{name} knocks on the local network: hushwing lan nearby --show")
        }
        Event::Knocking { words } => format!("they should see these words too: {words}"),
        Event::Forgotten { .. }
        | Event::PersonNearby {}
        | Event::Room { .. }
        | Event::RoomLine { .. }
        | Event::RoomLeft { .. }
        | Event::Network { .. }
        | Event::Message { .. }
        | Event::State { .. }
        | Event::Changed { .. }
        | Event::Expired { .. }
        | Event::File { .. } => return None,
    })
}

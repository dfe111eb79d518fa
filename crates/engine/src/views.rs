//! From the messenger's types to those that front ends see.

use api::{
    ConversationKind, ConversationView, FileView, GroupInviteView, InviteView, MemberView,
    MessageView, ReactionView, Refusal, Route,
};
use e2ee::id::{ConversationId, MessageId, TransferId};
use messenger::event::FileState;
use messenger::store::{Author, Kind, StoredMessage};
use messenger::transfer::Transfer;

use crate::core::Core;
use crate::id::{self, Shared};
use crate::words;

impl Core {
    pub(crate) fn file_view(&self, id: TransferId, transfer: &Transfer) -> FileView {
        let settled = transfer.ours || transfer.state == FileState::Done;
        FileView {
            transfer: id.other(),
            conversation: transfer.conversation.other(),
            label: self.label(transfer.conversation),
            name: transfer.name.clone(),
            size: transfer.size,
            done: transfer.done,
            ours: transfer.ours,
            state: words::file(transfer.state),
            path: Some(transfer.path.clone()).filter(|p| settled && !p.is_empty()),
        }
    }

    pub(crate) fn message_view(&self, stored: &StoredMessage) -> MessageView {
        let m = &stored.message;
        let offers =
            |t: &(TransferId, &Transfer)| t.1.message == m.id && t.1.conversation == m.conversation;
        let file = match m.kind {
            Kind::File => self.messenger.transfers().find(offers),
            Kind::Text | Kind::Notice => None,
        };
        let (you, member) = match m.author {
            Author::Me => (m.kind != Kind::Notice, None),
            Author::Member(member) => (false, Some(member.other())),
        };
        MessageView {
            conversation: m.conversation.other(),
            label: self.label(m.conversation),
            number: stored.number,
            id: m.id.other(),
            kind: words::kind(m.kind),
            member,
            from: m.author_name.clone(),
            you,
            text: m.text.clone(),
            sent_ms: m.sent_at.as_millis(),
            received_ms: m.received_at.as_millis(),
            state: words::state(m.state),
            route: Route::parse(&m.route),
            reply_to: m.reply_to.map(|id: MessageId| id.other()),
            edited: stored.edited,
            deleted: stored.deleted,
            reactions: stored.reactions.iter().map(reaction).collect(),
            expires_ms: m.expires_at.map(wire::Timestamp::as_millis),
            file: file.map(|(id, transfer)| self.file_view(id, transfer)),
        }
    }

    /// A message of a conversation, if it is (still) there.
    pub(crate) fn view_of(&self, c: ConversationId, id: MessageId) -> Option<MessageView> {
        let stored = self.read(|_, store| Ok(store.message(&c, &id)?)).ok().flatten()?;
        Some(self.message_view(&stored))
    }

    pub(crate) fn group_invite_view(
        &self,
        token: MessageId,
        title: String,
        via: ConversationId,
    ) -> GroupInviteView {
        GroupInviteView { id: id::group_invite(token), title, from: self.reference(via) }
    }

    /// All conversations, by their names as shown. `route`: the one that works now.
    pub(crate) fn conversation_views(
        &self,
        route: impl Fn(ConversationId) -> Option<Route>,
    ) -> Result<Vec<ConversationView>, Refusal> {
        let all = self.read(|m, store| m.overview(store))?;
        let newest = |id| {
            let found = self.read(|_, store| Ok(store.history(&id, None, 1)?));
            found.ok().and_then(|mut all| all.pop())
        };
        let view = |c: messenger::Overview| {
            let standing = words::standing(&c);
            ConversationView {
                id: c.id.other(),
                label: self.label(c.id),
                route: route(c.id),
                newest: newest(c.id).map(|m| Box::new(self.message_view(&m))),
                own_name: c.own,
                title: c.given,
                kind: if c.direct { ConversationKind::Contact } else { ConversationKind::Group },
                verified: c.verified,
                standing,
                pgp: c.pgp,
                allowed_routes: words::allowed(c.floor),
                open: c.open,
                timer_s: c.timer,
                members: c.members,
                unseen: c.unseen,
                unacknowledged: c.unacknowledged,
                changing: c.changing,
            }
        };
        let mut views: Vec<_> = all.into_iter().map(view).collect();
        views.sort_by_cached_key(|v| (v.label.to_lowercase(), v.id));
        Ok(views)
    }

    /// The members of a conversation.
    pub(crate) fn member_views(&self, id: ConversationId) -> Result<Vec<MemberView>, Refusal> {
        let all = self.read(|m, store| m.participants(store, id))?;
        let contacts = self.read(|m, store| m.overview(store))?;
        let direct = contacts.iter().any(|c| c.id == id && c.direct);
        let view = |p: messenger::Participant| {
            let contact = if direct && !p.me { Some(id) } else { p.contact };
            let known = contact.and_then(|c| contacts.iter().find(|o| o.id == c));
            MemberView {
                id: p.id.other(),
                name: p.name,
                you: p.me,
                contact: known.map(|c| self.reference(c.id)),
                verified: known.is_some_and(|c| c.verified),
            }
        };
        Ok(all.into_iter().map(view).collect())
    }
}

fn reaction(reaction: &messenger::store::Reaction) -> ReactionView {
    ReactionView {
        from: reaction.author_name.clone(),
        you: reaction.author == Author::Me,
        emoji: reaction.emoji.clone(),
    }
}

pub(crate) fn invite(invite: &messenger::InviteOverview) -> InviteView {
    InviteView {
        id: id::invite(invite.id),
        link: invite.link.to_string(),
        name: invite.name.clone(),
        state: words::invite(invite.state),
        expires_ms: invite.expires.as_millis(),
    }
}

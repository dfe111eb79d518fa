//! From the messenger's types to those that front ends see.

use e2ee::id::{ConversationId, MessageId, TransferId};
use messenger::Messenger;
use messenger::event::FileState;
use messenger::invite::InviteState;
use messenger::store::{Author, Kind, State, StoredMessage};
use messenger::transfer::Transfer;

use super::types::{FileView, InviteView, MessageView, ReactionView};

/// Sixteen bytes as 32 hexadecimal digits.
pub(super) fn hex(bytes: &[u8; 16]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

pub(super) fn unhex(text: &str) -> Option<[u8; 16]> {
    data_encoding::HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()?.try_into().ok()
}

pub(super) const fn state_word(state: State) -> &'static str {
    match state {
        State::Queued => "queued",
        State::Sent => "sent",
        State::Stored => "stored",
        State::Delivered => "delivered",
        State::Read => "read",
        State::Cancelled => "cancelled",
        State::Received => "received",
    }
}

const fn kind_word(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "text",
        Kind::File => "file",
        Kind::Notice => "notice",
    }
}

const fn file_word(state: FileState) -> &'static str {
    match state {
        FileState::Offered => "offered",
        FileState::Moving => "moving",
        FileState::Done => "done",
        FileState::Failed => "failed",
        FileState::Cancelled => "cancelled",
    }
}

const fn invite_word(state: InviteState) -> &'static str {
    match state {
        InviteState::Preparing => "preparing",
        InviteState::Open => "open",
        InviteState::Used => "used",
        InviteState::Revoking => "revoking",
        InviteState::Revoked => "revoked",
        InviteState::Expired => "expired",
    }
}

pub(super) fn name(messenger: &Messenger, id: ConversationId) -> String {
    messenger.name_of(id).unwrap_or_default().to_owned()
}

pub(super) fn file(messenger: &Messenger, id: TransferId, transfer: &Transfer) -> FileView {
    let settled = transfer.ours || transfer.state == FileState::Done;
    FileView {
        transfer: hex(id.as_bytes()),
        conversation: name(messenger, transfer.conversation),
        name: transfer.name.clone(),
        size: transfer.size,
        done: transfer.done,
        ours: transfer.ours,
        state: file_word(transfer.state).to_owned(),
        path: Some(transfer.path.clone()).filter(|p| settled && !p.is_empty()),
    }
}

pub(super) fn message(messenger: &Messenger, stored: &StoredMessage) -> MessageView {
    let m = &stored.message;
    let you = m.author == Author::Me;
    let offers =
        |t: &&(TransferId, &Transfer)| t.1.message == m.id && t.1.conversation == m.conversation;
    let found =
        (m.kind == Kind::File).then(|| messenger.transfers().find(|t| offers(&t))).flatten();
    MessageView {
        conversation: name(messenger, m.conversation),
        number: stored.number,
        id: hex(m.id.as_bytes()),
        kind: kind_word(m.kind).to_owned(),
        from: m.author_name.clone(),
        you: you && m.kind != Kind::Notice,
        text: m.text.clone(),
        sent_ms: m.sent_at.as_millis(),
        received_ms: m.received_at.as_millis(),
        state: state_word(m.state).to_owned(),
        route: m.route.clone(),
        reply_to: m.reply_to.map(|id: MessageId| hex(id.as_bytes())),
        edited: stored.edited,
        deleted: stored.deleted,
        reactions: stored
            .reactions
            .iter()
            .map(|r| ReactionView {
                from: r.author_name.clone(),
                you: r.author == Author::Me,
                emoji: r.emoji.clone(),
            })
            .collect(),
        expires_ms: m.expires_at.map(wire::Timestamp::as_millis),
        file: found.map(|(id, transfer)| file(messenger, id, transfer)),
    }
}

pub(super) fn invite(invite: &messenger::InviteOverview) -> InviteView {
    InviteView {
        id: hex(invite.id.as_bytes()),
        link: invite.link.to_string(),
        name: invite.name.clone(),
        state: invite_word(invite.state).to_owned(),
        expires_ms: invite.expires.as_millis(),
    }
}

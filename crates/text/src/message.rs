//! Messages and files as lines of text.

use api::{FileState, FileView, MessageKind, MessageState, MessageView, RoomLineView};

use crate::units::{bytes, date_time};

/// A text that may have several lines, with the further ones indented.
#[must_use]
pub fn indented(text: &str) -> String {
    text.replace('\n', "\n    ")
}

/// What a message says, without who and when.
#[must_use]
pub fn said(message: &MessageView) -> String {
    if message.deleted {
        return "(deleted)".to_owned();
    }
    match (&message.file, message.kind) {
        (Some(file), _) => {
            let state = match (file.ours, file.state) {
                (false, FileState::Offered) => format!("fetch {}", file.transfer.short()),
                (_, state) => state.word().to_owned(),
            };
            format!("(file) {}, {}, {state}", file.name, bytes(file.size))
        }
        (None, MessageKind::File) => format!("(file) {}", message.text),
        (None, MessageKind::Text | MessageKind::Notice) => indented(&message.text),
    }
}

/// A message as histories show it: when, short id, who, what.
#[must_use]
pub fn dated(message: &MessageView) -> String {
    let (when, id) = (date_time(message.sent_ms), message.id.short());
    if message.kind == MessageKind::Notice {
        return format!("{when} {id} * {}", indented(&message.text));
    }
    let mut line = format!("{when} {id} {}: {}", message.from, said(message));
    if message.edited && !message.deleted {
        line.push_str(" (edited)");
    }
    for reaction in &message.reactions {
        line.push_str(&format!(" [{}: {}]", reaction.from, reaction.emoji));
    }
    let arrived = matches!(
        message.state,
        MessageState::Delivered | MessageState::Read | MessageState::Received
    );
    if message.you && !arrived {
        line.push_str(&format!(" ({})", message.state));
    }
    line
}

/// A line of an open room: when, who, what.
#[must_use]
pub fn dated_line(line: &RoomLineView) -> String {
    let (when, text) = (date_time(line.at_ms), indented(&line.text));
    match line.kind {
        MessageKind::Notice => format!("{when} * {text}"),
        MessageKind::Text | MessageKind::File => format!("{when} {}: {text}", line.from),
    }
}

/// A file transfer as lists show it: short id, name, size, whose, how far, where.
#[must_use]
pub fn file(file: &FileView) -> String {
    let share = (file.done.min(file.size) * 100).checked_div(file.size).unwrap_or(100);
    let state = match file.state {
        FileState::Moving => format!("{share} %"),
        state => state.word().to_owned(),
    };
    let direction = if file.ours { "to" } else { "from" };
    let path = file.path.as_deref().map(|p| format!("  {p}")).unwrap_or_default();
    format!(
        "{}  {}  {}  {direction} {}  {state}{path}",
        file.transfer.short(),
        file.name,
        bytes(file.size),
        file.label
    )
}

#[cfg(test)]
mod tests {
    use api::{ConversationId, MessageId, ReactionView, TransferId};

    use super::*;

    fn message() -> MessageView {
        MessageView {
            conversation: ConversationId::new([1; 16]),
            label: "bob".into(),
            number: 7,
            id: MessageId::new([2; 16]),
            kind: MessageKind::Text,
            member: None,
            from: "alice".into(),
            you: true,
            text: "one\ntwo".into(),
            sent_ms: 1_709_251_140_000,
            received_ms: 1_709_251_141_000,
            state: MessageState::Stored,
            route: None,
            reply_to: None,
            edited: true,
            deleted: false,
            reactions: vec![ReactionView { from: "bob".into(), you: false, emoji: "+".into() }],
            expires_ms: None,
            file: None,
        }
    }

    #[test]
    fn a_message_shows_when_who_what_and_how_far_it_got() {
        let id = MessageId::new([2; 16]).short();
        let mut m = message();
        assert_eq!(
            dated(&m),
            format!("2024-02-29 23:59 {id} alice: one\n    two (edited) [bob: +] (stored)")
        );
        (m.state, m.deleted, m.reactions) = (MessageState::Delivered, true, Vec::new());
        assert_eq!(dated(&m), format!("2024-02-29 23:59 {id} alice: (deleted)"));
        (m.kind, m.deleted) = (MessageKind::Notice, false);
        assert_eq!(dated(&m), format!("2024-02-29 23:59 {id} * one\n    two"));
    }

    #[test]
    fn an_offered_file_says_how_it_is_fetched() {
        let transfer = TransferId::new([3; 16]);
        let offered = FileView {
            transfer,
            conversation: ConversationId::new([1; 16]),
            label: "bob".into(),
            name: "a.txt".into(),
            size: 2_000,
            done: 1_000,
            ours: false,
            state: FileState::Offered,
            path: None,
        };
        let m = MessageView { kind: MessageKind::File, file: Some(offered.clone()), ..message() };
        assert_eq!(said(&m), format!("(file) a.txt, 2 KiB, fetch {}", transfer.short()));
        let moving = FileView { state: FileState::Moving, ..offered };
        assert_eq!(file(&moving), format!("{}  a.txt  2 KiB  from bob  50 %", transfer.short()));
    }
}

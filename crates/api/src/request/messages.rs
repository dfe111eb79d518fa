//! Requests about messages, files and histories.

use super::requests;
use crate::id::{ConversationId, MessageId, TransferId};
use crate::path::LocalPath;
use crate::views::{Done, FileView, MessageView, Queued, WhyView};

requests! {
    /// Sends a text. Answered when it is queued durably.
    "send" SendText => Queued {
        /// Where to.
        conversation: ConversationId,
        /// The text, at most 64 KiB.
        text: String,
        /// The message that it answers.
        #[serde(default)]
        reply_to: Option<MessageId>,
    }

    /// Offers a file. Answered when the offer is queued durably.
    "send_file" SendFile => Queued {
        /// Where to.
        conversation: ConversationId,
        /// The file.
        path: LocalPath,
    }

    /// Lists file transfers.
    "files" ListFiles => Vec<FileView> {}

    /// Fetches a file that somebody offered.
    "accept_file" AcceptFile => Done {
        /// The transfer.
        transfer: TransferId,
        /// The directory to put it in; default: the profile's.
        #[serde(default)]
        directory: Option<LocalPath>,
    }

    /// Refuses a file, or stops its transfer for good.
    "cancel_file" CancelFile => Done {
        /// The transfer.
        transfer: TransferId,
    }

    /// Gives one of this profile's messages another text.
    "edit" Edit => Done {
        /// Where it stands.
        conversation: ConversationId,
        /// The message.
        message: MessageId,
        /// The new text.
        text: String,
    }

    /// Deletes a message: one's own for all, somebody else's here.
    "delete" Delete => Done {
        /// Where it stands.
        conversation: ConversationId,
        /// The message.
        message: MessageId,
    }

    /// Adds a reaction, or takes it away.
    "react" React => Done {
        /// Where the message stands.
        conversation: ConversationId,
        /// The message.
        message: MessageId,
        /// A short text, most often one emoji.
        emoji: String,
        /// Whether to take it away.
        #[serde(default)]
        remove: bool,
    }

    /// Takes a message back that has not left.
    "cancel" Cancel => Done {
        /// Where it stands.
        conversation: ConversationId,
        /// The message.
        message: MessageId,
    }

    /// Why one of this profile's messages is not delivered yet.
    "why" GetWhy => WhyView {
        /// Where it stands.
        conversation: ConversationId,
        /// The message.
        message: MessageId,
    }

    /// A person has seen messages up to this number.
    "seen" MarkSeen => Done {
        /// The conversation.
        conversation: ConversationId,
        /// The number in [`MessageView`].
        up_to: i64,
    }

    /// The newest messages of a conversation, oldest first.
    "history" GetHistory => Vec<MessageView> {
        /// The conversation.
        conversation: ConversationId,
        /// Only those with a number below.
        #[serde(default)]
        before: Option<i64>,
        /// How many at most, up to 1,000; default: 50.
        #[serde(default)]
        limit: Option<usize>,
    }

    /// The messages after a number, oldest first, of one conversation or of all.
    "history_after" GetHistoryAfter => Vec<MessageView> {
        /// The conversation; default: all.
        #[serde(default)]
        conversation: Option<ConversationId>,
        /// The number.
        after: i64,
        /// How many at most, up to 1,000; default: 50.
        #[serde(default)]
        limit: Option<usize>,
    }

    /// Messages that hold all these words, newest first.
    "search" Search => Vec<MessageView> {
        /// The words.
        query: String,
        /// The conversation; default: all.
        #[serde(default)]
        conversation: Option<ConversationId>,
        /// How many at most, up to 1,000; default: 50.
        #[serde(default)]
        limit: Option<usize>,
    }
}

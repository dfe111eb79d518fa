//! What an open room looks like from inside: who talks there, and what was said, for front ends
//! that come later.

use std::collections::{BTreeSet, HashMap, VecDeque};

use crate::id::{RoomId, TalkerId};
use crate::room::RoomEvent as Said;
use crate::views::{RoomLineView, RoomView};
use crate::words::{MessageKind, MessageState, Route};

// What is in them must not reach a log: `Debug` shows the kind alone.
wire::kind_debug!(
    enum Heard {
        Nothing,
        Changed,
        Line,
        Link,
        Closed,
    }
);

/// Lines of a room that are kept; older ones go.
const LINES: usize = 2_000;

/// A room's lines and its view. All in memory.
pub struct RoomLog {
    /// The room as it is now.
    pub view: RoomView,
    lines: VecDeque<RoomLineView>,
    /// Lines that others said and nobody has seen.
    unseen: BTreeSet<u64>,
    /// Our messages: the session's number → the line's.
    ours: HashMap<u64, u64>,
    /// Our lines that have no number of the session's yet.
    unnumbered: VecDeque<u64>,
}

/// What came of something that the session said.
#[derive(PartialEq, Eq)]
pub enum Heard {
    /// Nothing that a person sees.
    Nothing,
    /// The room is another now; whether it is time to ask who is there.
    Changed {
        /// Ask.
        who: bool,
    },
    /// A line is new, or another now; whether it is time to ask who is there.
    Line {
        /// The line.
        line: RoomLineView,
        /// Ask.
        who: bool,
    },
    /// The link that was asked for.
    Link(String),
    /// The session is over.
    Closed,
}

impl RoomLog {
    /// Of a room that is being entered.
    #[must_use]
    pub fn new(id: RoomId, label: String, owner: bool, route: Route) -> Self {
        let view = RoomView {
            id,
            label,
            you: String::new(),
            owner,
            online: false,
            connection: "connecting".to_owned(),
            route,
            people: Vec::new(),
            unseen: 0,
            newest: 0,
        };
        RoomLog {
            view,
            lines: VecDeque::new(),
            unseen: BTreeSet::new(),
            ours: HashMap::new(),
            unnumbered: VecDeque::new(),
        }
    }

    /// At most `limit` lines, oldest first: those that follow the number `after`, or the newest.
    #[must_use]
    pub fn lines(&self, after: Option<u64>, limit: usize) -> Vec<RoomLineView> {
        match after {
            Some(after) => {
                self.lines.iter().filter(|l| l.number > after).take(limit).cloned().collect()
            }
            None => {
                self.lines.iter().skip(self.lines.len().saturating_sub(limit)).cloned().collect()
            }
        }
    }

    /// A person has seen lines up to this number; whether that changes anything.
    pub fn seen(&mut self, up_to: u64) -> bool {
        let before = self.unseen.len();
        self.unseen.retain(|n| *n > up_to);
        self.view.unseen = self.unseen.len() as u64;
        self.unseen.len() != before
    }

    /// Takes what the session says at this time, ms since the Unix epoch.
    pub fn take(&mut self, said: Said, now_ms: u64) -> Heard {
        let text = match said {
            Said::Network { up, text } => {
                (self.view.online, self.view.connection) = (up, text);
                return Heard::Changed { who: false };
            }
            Said::Joined { you } => {
                self.view.you = you;
                return Heard::Changed { who: true };
            }
            Said::Who { people } => {
                self.view.people = people;
                return Heard::Changed { who: false };
            }
            Said::Message { talker, from, text, at_ms, you } => {
                let line = self.push(Some((talker, from)), text, at_ms, you);
                return Heard::Line { line, who: false };
            }
            Said::State { message, state, .. } => {
                return self
                    .state(message, state)
                    .map_or(Heard::Nothing, |line| Heard::Line { line, who: false });
            }
            Said::Link { link } => return Heard::Link(link),
            Said::Path { .. } | Said::Answered { .. } => return Heard::Nothing,
            Said::Closed => return Heard::Closed,
            Said::Here { name } => format!("{name} is here"),
            Said::Left { name } => format!("{name} has left the chat"),
            Said::Renamed { from, to } => format!("{from} is now {to}"),
            Said::Gap { name, boxes } => format!("{boxes} message part(s) of {name} never came"),
            Said::Notice { text } => text,
        };
        let line = self.push(None, text, now_ms, false);
        Heard::Line { line, who: true }
    }

    /// A line: of a talker, or a notice.
    fn push(
        &mut self,
        author: Option<(TalkerId, String)>,
        text: String,
        at_ms: u64,
        you: bool,
    ) -> RoomLineView {
        let number = self.view.newest.saturating_add(1);
        let kind = if author.is_some() { MessageKind::Text } else { MessageKind::Notice };
        let (talker, from) = author.map_or((None, String::new()), |(id, name)| (Some(id), name));
        let line = RoomLineView {
            number,
            kind,
            talker,
            from,
            you,
            text,
            at_ms,
            state: if you { MessageState::Queued } else { MessageState::Received },
            route: (!you && kind == MessageKind::Text).then_some(self.view.route),
        };
        self.view.newest = number;
        if you {
            self.unnumbered.push_back(number);
        } else if kind == MessageKind::Text {
            self.unseen.insert(number);
        }
        if self.lines.len() == LINES
            && let Some(old) = self.lines.pop_front()
        {
            self.unseen.remove(&old.number);
        }
        self.lines.push_back(line.clone());
        self.view.unseen = self.unseen.len() as u64;
        line
    }

    /// Our message got further; its line, if it is still here.
    fn state(&mut self, message: u64, state: MessageState) -> Option<RoomLineView> {
        if !self.ours.contains_key(&message) {
            let line = self.unnumbered.pop_front()?;
            self.ours.insert(message, line);
        }
        let number = self.ours.get(&message).copied()?;
        if state == MessageState::Stored {
            self.ours.remove(&message);
        }
        let line = self.lines.iter_mut().rfind(|l| l.number == number)?;
        line.state = state;
        if state != MessageState::Queued {
            line.route = Some(self.view.route);
        }
        Some(line.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(from: &str, you: bool) -> Said {
        let talker = TalkerId::new([7; 16]);
        Said::Message { talker, from: from.to_owned(), text: "x".to_owned(), at_ms: 1, you }
    }

    #[test]
    fn states_find_their_lines_and_what_was_seen_is_not_counted() {
        let mut log = RoomLog::new(RoomId::new([1; 16]), "table".to_owned(), false, Route::Onion);
        let number = |heard: Heard| match heard {
            Heard::Line { line, .. } => {
                (line.number, format!("{} {}", line.state, line.route.map_or("", Route::word)))
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(number(log.take(message("bob", false), 2)), (1, "received onion".to_owned()));
        // A name change has a number of its own in the session: ours need not begin with 1.
        assert_eq!(number(log.take(message("me", true), 2)), (2, "queued ".to_owned()));
        assert_eq!(number(log.take(message("me", true), 2)), (3, "queued ".to_owned()));
        let state = |message, state| Said::State { message, state, after_ms: 0 };
        assert_eq!(number(log.take(state(5, MessageState::Queued), 2)), (2, "queued ".to_owned()));
        assert_eq!(number(log.take(state(6, MessageState::Sent), 2)), (3, "sent onion".to_owned()));
        assert_eq!(
            number(log.take(state(5, MessageState::Stored), 2)),
            (2, "stored onion".to_owned())
        );
        assert_eq!(log.take(Said::Here { name: "eve".to_owned() }, 2), log_line(4));
        assert_eq!((log.view.unseen, log.view.newest), (1, 4));
        assert!(log.seen(4) && !log.seen(4));
        let numbers =
            |after, limit| log.lines(after, limit).iter().map(|l| l.number).collect::<Vec<_>>();
        assert_eq!(numbers(None, 3), [2, 3, 4]);
        assert_eq!(numbers(None, 10), [1, 2, 3, 4]);
        // Page by page nothing is left out.
        assert_eq!(
            [numbers(Some(0), 2), numbers(Some(2), 2), numbers(Some(4), 2)],
            [vec![1, 2], vec![3, 4], vec![]]
        );
    }

    fn log_line(number: u64) -> Heard {
        let line = RoomLineView {
            number,
            kind: MessageKind::Notice,
            talker: None,
            from: String::new(),
            you: false,
            text: "eve is here".to_owned(),
            at_ms: 2,
            state: MessageState::Received,
            route: None,
        };
        Heard::Line { line, who: true }
    }

    #[test]
    fn a_room_keeps_a_bounded_number_of_lines() {
        let mut log = RoomLog::new(RoomId::new([1; 16]), "table".to_owned(), false, Route::Onion);
        for _ in 0..LINES + 10 {
            log.take(message("bob", false), 2);
        }
        assert_eq!((log.lines.len(), log.unseen.len()), (LINES, LINES));
        assert_eq!(log.lines(None, usize::MAX).first().map(|l| l.number), Some(11));
    }
}

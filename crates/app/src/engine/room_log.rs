//! What an open room looks like from inside: who talks there, and what was said, for faces that
//! come later.

use std::collections::{BTreeSet, HashMap, VecDeque};

use super::profile::{RoomLineView, RoomView, TalkerView};
use super::{Event as Said, Person, State};

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
    /// Lines of ours that have no number of the session's yet.
    unnumbered: VecDeque<u64>,
}

/// What came of something that the session said.
#[derive(Debug, PartialEq, Eq)]
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
    pub fn new(name: String, owner: bool, route: &str) -> Self {
        let view = RoomView {
            name,
            you: String::new(),
            owner,
            online: false,
            connection: "connecting".to_owned(),
            route: route.to_owned(),
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
                self.view.people = people.into_iter().map(talker).collect();
                return Heard::Changed { who: false };
            }
            Said::Message { from, text, at_ms, you } => {
                let line = self.push("text", from, text, at_ms, you);
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
        let line = self.push("notice", String::new(), text, now_ms, false);
        Heard::Line { line, who: true }
    }

    fn push(
        &mut self,
        kind: &str,
        from: String,
        text: String,
        at_ms: u64,
        you: bool,
    ) -> RoomLineView {
        let number = self.view.newest.saturating_add(1);
        let state = if you { "queued" } else { "received" }.to_owned();
        let route = if you || kind == "notice" { String::new() } else { self.view.route.clone() };
        let line =
            RoomLineView { number, kind: kind.to_owned(), from, you, text, at_ms, state, route };
        self.view.newest = number;
        if you {
            self.unnumbered.push_back(number);
        } else if kind == "text" {
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

    /// A message of ours got further; its line, if it is still here.
    fn state(&mut self, message: u64, state: State) -> Option<RoomLineView> {
        if !self.ours.contains_key(&message) {
            let line = self.unnumbered.pop_front()?;
            self.ours.insert(message, line);
        }
        let number = self.ours.get(&message).copied()?;
        if state == State::Stored {
            self.ours.remove(&message);
        }
        let line = self.lines.iter_mut().rfind(|l| l.number == number)?;
        line.state = state.to_string();
        if state != State::Queued {
            line.route.clone_from(&self.view.route);
        }
        Some(line.clone())
    }
}

fn talker(person: Person) -> TalkerView {
    TalkerView { name: person.name, you: person.you, left: person.left, muted: person.muted }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(from: &str, you: bool) -> Said {
        Said::Message { from: from.to_owned(), text: "x".to_owned(), at_ms: 1, you }
    }

    #[test]
    fn states_find_their_lines_and_what_was_seen_is_not_counted() {
        let mut log = RoomLog::new("table".to_owned(), false, "onion");
        let number = |heard: Heard| match heard {
            Heard::Line { line, .. } => (line.number, format!("{} {}", line.state, line.route)),
            other => panic!("{other:?}"),
        };
        assert_eq!(number(log.take(message("bob", false), 2)), (1, "received onion".to_owned()));
        // A name change has a number of its own in the session: ours need not begin with 1.
        assert_eq!(number(log.take(message("me", true), 2)), (2, "queued ".to_owned()));
        assert_eq!(number(log.take(message("me", true), 2)), (3, "queued ".to_owned()));
        let state = |message, state| Said::State { message, state, after_ms: 0 };
        assert_eq!(number(log.take(state(5, State::Queued), 2)), (2, "queued ".to_owned()));
        assert_eq!(number(log.take(state(6, State::Sent), 2)), (3, "sent onion".to_owned()));
        assert_eq!(number(log.take(state(5, State::Stored), 2)), (2, "stored onion".to_owned()));
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
            kind: "notice".to_owned(),
            from: String::new(),
            you: false,
            text: "eve is here".to_owned(),
            at_ms: 2,
            state: "received".to_owned(),
            route: String::new(),
        };
        Heard::Line { line, who: true }
    }

    #[test]
    fn a_room_keeps_a_bounded_number_of_lines() {
        let mut log = RoomLog::new("table".to_owned(), false, "onion");
        for _ in 0..LINES + 10 {
            log.take(message("bob", false), 2);
        }
        assert_eq!((log.lines.len(), log.unseen.len()), (LINES, LINES));
        assert_eq!(log.lines(None, usize::MAX).first().map(|l| l.number), Some(11));
    }
}

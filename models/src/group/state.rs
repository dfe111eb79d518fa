//! The state of the whole: hub, rescue streams, and what each honest member has on its disk.

use std::collections::{BTreeMap, BTreeSet};

use super::history::History;
use super::setting::{Budget, Setting};
use super::who::{Each, Members, Who};

/// Which of its two orders the hub shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Face {
    /// The one that an honest hub has.
    One,
    /// The one that only a forking hub has.
    Two,
}

/// A box on a deciding stream.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Slot {
    /// Ends the epoch with the last commit of this history.
    Decision(History),
    /// Does not verify.
    Junk,
}

/// The deciding stream of one group state.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Stream {
    one: Vec<Slot>,
    two: Vec<Slot>,
}

impl Stream {
    /// The boxes that one face of the hub shows.
    pub const fn face(&self, face: Face) -> &Vec<Slot> {
        match face {
            Face::One => &self.one,
            Face::Two => &self.two,
        }
    }

    const fn face_mut(&mut self, face: Face) -> &mut Vec<Slot> {
        match face {
            Face::One => &mut self.one,
            Face::Two => &mut self.two,
        }
    }

    /// The lowest box that counts.
    pub fn first(&self, face: Face) -> Option<&History> {
        self.face(face).iter().find_map(|slot| match slot {
            Slot::Decision(made) => Some(made),
            Slot::Junk => None,
        })
    }
}

/// The hub.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Hub {
    /// It still shows two orders.
    pub forking: bool,
    /// Deciding streams that are not empty.
    pub streams: BTreeMap<History, Stream>,
    /// Bodies of commits that it has.
    pub bodies: BTreeSet<History>,
}

impl Hub {
    /// The boxes of a deciding stream.
    pub fn boxes(&self, of: &History, face: Face) -> &[Slot] {
        self.streams.get(of).map_or(&[], |stream| stream.face(face))
    }

    /// What has ended an epoch.
    pub fn first(&self, of: &History, face: Face) -> Option<&History> {
        self.streams.get(of)?.first(face)
    }

    /// Stores a box at the next index.
    pub fn push(&mut self, of: &History, face: Face, slot: Slot) {
        self.streams.entry(of.clone()).or_default().face_mut(face).push(slot);
    }

    /// Becomes honest. Where two orders were shown, this one stays.
    pub fn heal(&mut self, face: Face) {
        self.forking = false;
        for stream in self.streams.values_mut() {
            let two = std::mem::take(&mut stream.two);
            if stream.one.is_empty() || face == Face::Two && !two.is_empty() {
                stream.one = two;
            }
        }
    }

    /// The faces that somebody may see.
    pub const fn faces(&self) -> &'static [Face] {
        if self.forking { &[Face::One, Face::Two] } else { &[Face::One] }
    }
}

/// Where a member stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Place {
    /// In a group state.
    In(History),
    /// Lost; it may have asked to be re-added with the key of this stamp.
    Lost {
        /// The stamp of the key that it would come back with.
        stamp: u8,
        /// The request is on its rescue stream.
        asked: bool,
    },
    /// It has been removed.
    Out,
}

/// A commit of an honest member that waits for the decision.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pending {
    /// The group state that the commit leads to.
    pub made: History,
    /// The index for which the deciding box was sealed.
    pub at: Option<usize>,
}

/// The hub's answer to a deciding box, on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Answer {
    /// Stored, or the same box was there.
    Stored,
    /// Another box is there.
    Taken,
}

/// An honest member. What was read and heard is in memory only: a crash clears it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Member {
    /// Where it stands.
    pub place: Place,
    /// Who was a member when it looked last.
    pub known: Members,
    /// The epoch in which it came in.
    pub joined: usize,
    /// Its own commit under way.
    pub pending: Option<Pending>,
    /// What was decided by somebody else, and is not applied yet.
    pub decided: Option<History>,
    /// Welcomes that it has to send.
    pub owes: BTreeSet<History>,
    /// The stamp of its newest key.
    pub clock: u8,
    /// How often it has crashed with a commit that it had not kept.
    pub takes: u8,
    /// It has seen the deciding stream without a decision, up to this index.
    pub empty_to: Option<usize>,
    /// The answer of the hub on its way.
    pub answer: Option<Answer>,
}

impl Member {
    /// The group state that it is in.
    pub const fn at(&self) -> Option<&History> {
        match &self.place {
            Place::In(history) => Some(history),
            Place::Lost { .. } | Place::Out => None,
        }
    }

    /// Whether a request with this stamp is on its rescue stream.
    pub const fn has_asked(&self, stamp: u8) -> bool {
        let newest = match self.place {
            Place::Lost { stamp, asked: false } => stamp.saturating_sub(1),
            _ => self.clock,
        };
        stamp > 0 && stamp <= newest
    }
}

/// What a member's rescue stream says, apart from requests.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Board {
    /// Welcomes into these group states.
    pub welcomes: BTreeSet<History>,
    /// The newest head.
    pub head: Option<History>,
}

/// The state of the whole.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    /// The hub.
    pub hub: Hub,
    /// Disk and memory of each member; Mallory's is not used.
    pub members: Each<Member>,
    /// The rescue streams.
    pub boards: Each<Board>,
    /// What may still happen.
    pub budget: Budget,
    /// Somebody has lost its place because of a bare claim of the hub.
    pub groundless: bool,
}

impl State {
    /// Everybody in epoch 0.
    pub fn start(setting: &Setting) -> Self {
        let member = |_| Member {
            place: Place::In(History::start()),
            known: setting.members,
            joined: 0,
            pending: None,
            decided: None,
            owes: BTreeSet::new(),
            clock: 0,
            takes: 0,
            empty_to: None,
            answer: None,
        };
        State {
            hub: Hub { forking: setting.forks, ..Hub::default() },
            members: Each::new(member),
            boards: Each::default(),
            budget: setting.budget,
            groundless: false,
        }
    }

    /// Honest members who are in a group state, with that state.
    pub fn placed<'a>(
        &'a self,
        setting: &'a Setting,
    ) -> impl Iterator<Item = (Who, &'a History)> + 'a {
        setting.honest().filter_map(|who| Some((who, self.members.get(who).at()?)))
    }

    /// Forgets what has no bearing any more, so that states that differ in it alone are one: bodies
    /// that nobody will fetch, and welcomes for keys that nobody waits with.
    pub fn tidy(&mut self, setting: &Setting) {
        let waits = |made: &History| {
            setting.honest().map(|who| self.members.get(who)).any(|member| {
                member.pending.as_ref().is_some_and(|p| p.made == *made)
                    || member.decided.as_ref() == Some(made)
            })
        };
        let decided = |made: &History| {
            let before = made.split_last().map(|(before, _)| before);
            before.and_then(|b| self.hub.streams.get(&b)).is_some_and(|stream| {
                let slot = Slot::Decision(made.clone());
                stream.face(Face::One).contains(&slot) || stream.face(Face::Two).contains(&slot)
            })
        };
        let bodies = self.hub.bodies.iter().filter(|b| waits(b) || decided(b)).cloned().collect();
        self.hub.bodies = bodies;
        for who in Who::ALL {
            let members = &self.members;
            let useful = |into: &History| {
                let tree = into.tree(setting.members);
                setting.honest().any(|lost| match members.get(lost).place {
                    Place::Lost { stamp, .. } => {
                        tree.get(lost).is_some_and(|k| k.holder == lost && k.stamp == stamp)
                    }
                    Place::In(_) | Place::Out => false,
                })
            };
            self.boards.get_mut(who).welcomes.retain(|into| useful(into));
        }
    }
}

//! Group states: a group state is the sequence of commits that led to it.
//!
//! Two members have the same epoch authenticator exactly if they have applied the same commits, so
//! here the sequence itself stands for the authenticator and for all secrets of the epoch.

use std::fmt;
use std::sync::Arc;

use super::setting::Guards;
use super::who::{Each, Members, Who};

/// A leaf's signature key. In a model nobody can forge: only `holder` can sign with it, and a proof
/// over it by the rescue root of an id exists only if `holder` has that root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Who has the private half.
    pub holder: Who,
    /// The time stamp of the proof; 0 for keys of the start.
    pub stamp: u8,
}

/// What a commit changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Change {
    /// Nothing but the committer's own keys.
    Refresh,
    /// Removes a member.
    Remove(Who),
    /// Removes the leaf of a member and adds another under the same id.
    Readd(Who, Key),
}

/// A commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Commit {
    /// The id whose leaf has signed it.
    pub by: Who,
    /// What it changes.
    pub change: Change,
    /// Tells two commits with the same content: how often the committer had crashed.
    pub take: u8,
}

/// The leaves of a group state.
pub type Tree = Each<Option<Key>>;

/// A group state.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct History(Arc<[Commit]>);

impl History {
    /// The state in which the model starts.
    pub fn start() -> Self {
        History(Arc::from([]))
    }

    /// The state after one more commit.
    #[must_use]
    pub fn then(&self, commit: Commit) -> Self {
        History(self.0.iter().copied().chain([commit]).collect())
    }

    /// The number of the epoch.
    pub fn epoch(&self) -> usize {
        self.0.len()
    }

    /// The commits that led here.
    pub fn commits(&self) -> &[Commit] {
        &self.0
    }

    /// The state before, and the commit that ended it.
    pub fn split_last(&self) -> Option<(History, Commit)> {
        let (last, before) = self.0.split_last()?;
        Some((History(Arc::from(before)), *last))
    }

    /// The state of an earlier epoch.
    pub fn at(&self, epoch: usize) -> Option<History> {
        Some(History(Arc::from(self.0.get(..epoch)?)))
    }

    /// This state and all before it, newest first.
    pub fn back(&self) -> impl Iterator<Item = History> + '_ {
        (0..=self.epoch()).rev().filter_map(|epoch| self.at(epoch))
    }

    /// Whether one of two states came out of the other.
    pub fn agrees_with(&self, other: &History) -> bool {
        self.0.starts_with(&other.0) || other.0.starts_with(&self.0)
    }

    /// The leaves, if at the start there were these members.
    pub fn tree(&self, first: Members) -> Tree {
        let mut tree = Each::new(|who| first.has(who).then_some(Key { holder: who, stamp: 0 }));
        for commit in self.0.iter() {
            match commit.change {
                Change::Refresh => {}
                Change::Remove(who) => *tree.get_mut(who) = None,
                Change::Readd(who, key) => *tree.get_mut(who) = Some(key),
            }
        }
        tree
    }

    /// Whether the members of the state before accept the last commit.
    pub fn is_valid(&self, first: Members, guards: Guards) -> bool {
        let Some((before, commit)) = self.split_last() else { return true };
        let tree = before.tree(first);
        if tree.get(commit.by).is_none() {
            return false;
        }
        match commit.change {
            Change::Refresh => true,
            Change::Remove(who) => who != commit.by && tree.get(who).is_some(),
            Change::Readd(who, key) => {
                who != commit.by && tree.get(who).is_some_and(|old| guards.may_stand(who, key, old))
            }
        }
    }
}

impl Guards {
    /// Whether a new key may take the place of another under an id: there is a proof by the root of
    /// that id, and it is newer than that of the old key.
    fn may_stand(self, who: Who, new: Key, old: Key) -> bool {
        (!self.proof || new.holder == who) && (!self.newer || new.stamp > old.stamp)
    }
}

impl fmt::Display for Commit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = self.by;
        match self.change {
            Change::Refresh => write!(f, "{by:?} refreshes"),
            Change::Remove(who) => write!(f, "{by:?} removes {who:?}"),
            Change::Readd(who, key) if key.holder == who => {
                write!(f, "{by:?} re-adds {who:?} with key {}", key.stamp)
            }
            Change::Readd(who, key) => {
                write!(f, "{by:?} re-adds {who:?} with a key of {:?}", key.holder)
            }
        }
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "epoch {}", self.epoch())?;
        for (n, commit) in self.0.iter().enumerate() {
            write!(f, "{} {commit}", if n == 0 { ":" } else { "," })?;
        }
        Ok(())
    }
}

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{self}]")
    }
}

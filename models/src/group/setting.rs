//! What a run of the checker covers: who is there, what may go wrong, which protections are on.

use super::who::{Members, Who};

/// The protections of the protocol. A test takes each away and sees the checker find the attack.
#[derive(Debug, Clone, Copy)]
pub struct Guards {
    /// A lost member takes a welcome only from the creator or a verified contact. Without: from
    /// anyone who is a member as far as it knows.
    pub welcome: bool,
    /// A key stands under an id only with a proof by the rescue root of that id. Without: as MLS
    /// allows.
    pub proof: bool,
    /// The proof is newer than that of the key before.
    pub newer: bool,
    /// The hub's word that an index is taken counts only with the signed box that is there.
    pub taken: bool,
    /// A commit, its deciding box and its welcome are on the disk before anything of them goes out.
    pub kept: bool,
    /// The body is stored before the deciding box goes out.
    pub body_first: bool,
    /// A member held up by a decision that it cannot apply reads the deciding stream again: a hub
    /// that had shown two orders may show another decision by now.
    pub looks_again: bool,
    /// A lost member that is not answered asks again, with a newer key.
    pub asks_again: bool,
}

impl Guards {
    /// The protocol as it is meant.
    pub const ALL: Guards = Guards {
        welcome: true,
        proof: true,
        newer: true,
        taken: true,
        kept: true,
        body_first: true,
        looks_again: true,
        asks_again: true,
    };
}

/// When a head of another member shows a fork.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heads {
    /// Only if it is of the reader's current epoch (`GROUP-010` today).
    SameEpoch,
    /// Also if it is of an earlier epoch that the reader has been in.
    Remembered,
}

/// What may still happen in a run: each of these is spent by one action.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Budget {
    /// Key refreshes by honest members.
    pub refreshes: u8,
    /// Honest members that lose their place for a reason of their own.
    pub losses: u8,
    /// Crashes of honest members.
    pub crashes: u8,
    /// Requests that a lost member repeats, outside of the search for a way out.
    pub repeats: u8,
    /// What Mallory does.
    pub attacks: u8,
    /// Times that the hub says `Taken` without a box to show.
    pub claims: u8,
}

/// What a run of the checker covers.
#[derive(Debug, Clone)]
pub struct Setting {
    /// Members at the start.
    pub members: Members,
    /// Pairs of members who have each other as verified contacts.
    pub verified: Vec<(Who, Who)>,
    /// Honest members who would remove Mallory.
    pub removers: Members,
    /// Nobody makes a commit in this epoch or later, outside of the search for a way out.
    pub last_epoch: usize,
    /// What may happen how often.
    pub budget: Budget,
    /// The hub shows two orders, until it heals.
    pub forks: bool,
    /// What shows a fork.
    pub heads: Heads,
    /// A member that loses its place may fall back to the list of members of the start, as after
    /// restoring an old backup.
    pub backups: bool,
    /// Mallory also writes junk on deciding streams.
    pub junk: bool,
    /// The protections.
    pub guards: Guards,
}

impl Setting {
    /// A setting in which nothing happens yet.
    pub fn new(members: &[Who]) -> Self {
        Setting {
            members: Members::of(members),
            verified: Vec::new(),
            removers: Members::default(),
            last_epoch: 2,
            budget: Budget::default(),
            forks: false,
            heads: Heads::SameEpoch,
            backups: false,
            junk: false,
            guards: Guards::ALL,
        }
    }

    /// Whether a member re-adds another: the creator anyone, the others their verified contacts.
    pub fn helps(&self, helper: Who, lost: Who) -> bool {
        helper != lost && (helper == Who::Alice || self.are_verified(helper, lost))
    }

    /// Whether two members have compared safety words.
    pub fn are_verified(&self, a: Who, b: Who) -> bool {
        self.verified.iter().any(|pair| *pair == (a, b) || *pair == (b, a))
    }

    /// The honest members.
    pub fn honest(&self) -> impl Iterator<Item = Who> + use<> {
        let members = self.members;
        Who::HONEST.into_iter().filter(move |who| members.has(*who))
    }
}

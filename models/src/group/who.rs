//! The people of the model, and tables with one entry for each.

/// A person, and also the member id under which that person is in the group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Who {
    /// The creator of the group.
    Alice,
    /// An honest member.
    Bob,
    /// An honest member.
    Carol,
    /// The attacker: a member, until somebody removes her.
    Mallory,
}

use Who::{Alice, Bob, Carol, Mallory};

impl Who {
    /// Everybody, in order of id.
    pub const ALL: [Who; 4] = [Alice, Bob, Carol, Mallory];

    /// Those who keep to the protocol.
    pub const HONEST: [Who; 3] = [Alice, Bob, Carol];

    /// The bit in a set of members.
    const fn bit(self) -> u8 {
        match self {
            Alice => 1,
            Bob => 2,
            Carol => 4,
            Mallory => 8,
        }
    }
}

/// One entry for each person.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Each<T>([T; 4]);

impl<T> Each<T> {
    /// Makes an entry for each person.
    pub fn new(make: impl FnMut(Who) -> T) -> Self {
        Each(Who::ALL.map(make))
    }

    /// The entry of one person.
    pub const fn get(&self, who: Who) -> &T {
        let [a, b, c, m] = &self.0;
        match who {
            Alice => a,
            Bob => b,
            Carol => c,
            Mallory => m,
        }
    }

    /// The entry of one person, to change it.
    pub const fn get_mut(&mut self, who: Who) -> &mut T {
        let [a, b, c, m] = &mut self.0;
        match who {
            Alice => a,
            Bob => b,
            Carol => c,
            Mallory => m,
        }
    }
}

/// A set of members.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Members(u8);

impl Members {
    /// The set of these.
    pub fn of(them: &[Who]) -> Self {
        Members(them.iter().fold(0, |all, who| all | who.bit()))
    }

    /// Whether somebody is in the set.
    pub const fn has(self, who: Who) -> bool {
        self.0 & who.bit() != 0
    }

    /// The set with one more.
    #[must_use]
    pub const fn with(self, who: Who) -> Self {
        Members(self.0 | who.bit())
    }
}

//! Which routes a conversation may use.

use minicbor::{Decode, Encode};

/// The routes that a conversation may ever use (DESIGN 3).
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Encode,
    Decode,
    serde::Serialize,
    serde::Deserialize,
)]
#[cbor(index_only)]
#[serde(rename_all = "lowercase")]
pub enum Floor {
    /// Any route.
    #[n(0)]
    Anywhere,
    /// Onion, Tor or LAN.
    #[n(1)]
    Hidden,
    /// Onion routes only.
    #[n(2)]
    Onion,
    /// Tor only.
    #[n(3)]
    Tor,
    /// The LAN only.
    #[n(4)]
    Lan,
}

impl Floor {
    /// Whether TLS straight to the hub is allowed.
    #[must_use]
    pub const fn allows_direct(self) -> bool {
        matches!(self, Floor::Anywhere)
    }

    /// Whether the onion route is allowed.
    #[must_use]
    pub const fn allows_onion(self) -> bool {
        matches!(self, Floor::Anywhere | Floor::Hidden | Floor::Onion)
    }

    /// Whether Tor to the hub is allowed.
    #[must_use]
    pub const fn allows_tor(self) -> bool {
        matches!(self, Floor::Anywhere | Floor::Hidden | Floor::Tor)
    }

    /// Whether neighbours on a LAN may carry its boxes.
    #[must_use]
    pub const fn allows_lan(self) -> bool {
        matches!(self, Floor::Anywhere | Floor::Hidden | Floor::Lan)
    }

    /// The stricter of two floors, which both ends enforce. Check [`Floor::excludes`] first: this
    /// assumes that some route satisfies both.
    #[must_use]
    pub fn stricter(self, other: Floor) -> Floor {
        match (self, other) {
            (Floor::Anywhere, f) | (f, Floor::Anywhere) => f,
            (Floor::Hidden, f) | (f, Floor::Hidden) => f,
            (f, _) => f,
        }
    }

    /// Whether no route satisfies both floors.
    #[must_use]
    pub fn excludes(self, other: Floor) -> bool {
        let narrow = |f: Floor| matches!(f, Floor::Onion | Floor::Tor | Floor::Lan);
        narrow(self) && narrow(other) && self != other
    }

    /// The name in settings and badges.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Floor::Anywhere => "anywhere",
            Floor::Hidden => "hidden",
            Floor::Onion => "onion",
            Floor::Tor => "tor",
            Floor::Lan => "lan",
        }
    }

    /// Parses a name; `None` when it is unknown.
    #[must_use]
    pub fn parse(name: &str) -> Option<Floor> {
        [Floor::Anywhere, Floor::Hidden, Floor::Onion, Floor::Tor, Floor::Lan]
            .into_iter()
            .find(|f| f.name() == name)
    }
}

//! Settings with a fixed list of values, and the words for them in the file.

use crate::units;

macro_rules! choice {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            /// The words of all choices, in order.
            pub const WORDS: &'static [&'static str] = &[$($text),+];

            /// Parses a word of the file.
            #[must_use]
            pub fn parse(word: &str) -> Option<Self> {
                match word { $($text => Some($name::$variant),)+ _ => None }
            }

            /// The word in the file.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self { $($name::$variant => $text),+ }
            }
        }
    };
}

choice!(
    /// How messages travel.
    Route {
        /// Through relays.
        Onion = "onion",
        /// Directly to the hub.
        Direct = "direct",
        /// Through Tor to the hub.
        Tor = "tor",
        /// Through Tor to the first relay.
        TorOnion = "tor+onion",
    }
);
choice!(
    /// The engine that speaks Tor.
    TorEngine {
        /// The Tor inside the program.
        Arti = "arti",
        /// A tor that already runs on this machine.
        System = "system",
        /// A private tor that the program starts.
        Private = "private",
        /// None: routes through Tor are not used.
        Off = "off",
    }
);
choice!(
    /// Whether to look for neighbours on the local network.
    LanUse {
        /// No.
        Off = "off",
        /// Yes, in addition to other routes.
        On = "on",
        /// Yes, and use nothing else.
        Only = "only",
    }
);
choice!(
    /// How much cover traffic.
    Cover {
        /// The level in the network's document.
        Network = "network",
        /// None.
        Off = "off",
        /// Little.
        Low = "low",
        /// The recommended amount.
        Normal = "normal",
    }
);
choice!(
    /// Sizes of message boxes off the onion route.
    BoxSizes {
        /// One size for all.
        Uniform = "uniform",
        /// The smallest of four sizes that fits.
        Ladder = "ladder",
    }
);
choice!(
    /// How the entry relay is chosen.
    Entry {
        /// The same for 30 days.
        Pinned = "pinned",
        /// A different one at each start.
        Random = "random",
    }
);
choice!(
    /// The routes that new conversations may ever use.
    Floor {
        /// All.
        Anywhere = "anywhere",
        /// Onion, tor, lan.
        Hidden = "hidden",
        /// Onion only.
        Onion = "onion",
        /// Tor only.
        Tor = "tor",
        /// The local network only.
        Lan = "lan",
    }
);
choice!(
    /// What to do with a file that somebody offers.
    AcceptFiles {
        /// Ask.
        Ask = "ask",
        /// Fetch files of verified contacts, ask about others.
        Contacts = "contacts",
        /// Refuse.
        Never = "never",
    }
);

choice!(
    /// Colours of the full-screen interface.
    Theme {
        /// Light on dark.
        Dark = "dark",
        /// Dark on light.
        Light = "light",
        /// The palette of that name.
        Nord = "nord",
        /// The highest contrast.
        Contrast = "contrast",
        /// No colours.
        Plain = "plain",
    }
);

/// How long history is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Keep {
    /// Until it is deleted.
    Forever,
    /// Until the program ends: nothing is written to the disk.
    Session,
    /// This long, ms.
    For(u64),
}

impl Keep {
    /// Parses a word of the file.
    #[must_use]
    pub fn parse(word: &str) -> Option<Keep> {
        match word {
            "forever" => Some(Keep::Forever),
            "session" => Some(Keep::Session),
            duration => units::parse_duration(duration).map(Keep::For),
        }
    }
}

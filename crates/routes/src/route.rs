//! The routes that a conversation may travel by, and which of them its floor allows.

use e2ee::{Floor, NetworkPlace};

/// How messages travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Route {
    /// Through the relays.
    Onion,
    /// Straight to the hub.
    Direct,
    /// Through Tor to the hub.
    Tor,
    /// Through Tor to the entry relay, and on through the relays.
    TorOnion,
}

impl Route {
    /// All of them, by the names that people type.
    pub const NAMES: [(&'static str, Route); 4] = [
        ("onion", Route::Onion),
        ("tor", Route::Tor),
        ("tor+onion", Route::TorOnion),
        ("direct", Route::Direct),
    ];

    /// From its name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Route> {
        Route::NAMES.into_iter().find(|(known, _)| *known == name).map(|(_, route)| route)
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Route::NAMES.into_iter().find(|(_, route)| *route == self).map_or("", |(name, _)| name)
    }

    /// The hidden route that leads to a place: through the relays, or through Tor when only that
    /// reaches it.
    #[must_use]
    pub fn hidden(place: &NetworkPlace) -> Route {
        if place.directories.iter().all(|d| d.address.is_onion()) {
            Route::Tor
        } else {
            Route::Onion
        }
    }

    /// Whether it runs through Tor, and so opens no socket of its own.
    #[must_use]
    pub const fn needs_tor(self) -> bool {
        matches!(self, Route::Tor | Route::TorOnion)
    }

    /// Whether a conversation with this floor may travel so.
    #[must_use]
    pub const fn suits(self, floor: Floor) -> bool {
        match self {
            Route::Direct => floor.allows_direct(),
            Route::Onion => floor.allows_onion(),
            Route::Tor => floor.allows_tor(),
            // It hides what either of the two hides.
            Route::TorOnion => floor.allows_onion() || floor.allows_tor(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_known_by_its_name() {
        for (name, route) in Route::NAMES {
            assert_eq!(Route::parse(name), Some(route));
            assert_eq!(route.name(), name);
        }
        assert_eq!(Route::parse("lan"), None, "the LAN has no hub to lead to");
    }

    #[test]
    fn only_the_lowest_floor_goes_straight_to_the_hub_and_the_lan_floor_to_none() {
        let routes = |floor| {
            let suits = Route::NAMES.into_iter().filter(|(_, route)| route.suits(floor));
            suits.map(|(name, _)| name).collect::<Vec<_>>()
        };
        assert_eq!(routes(Floor::Anywhere), ["onion", "tor", "tor+onion", "direct"]);
        assert_eq!(routes(Floor::Hidden), ["onion", "tor", "tor+onion"]);
        assert_eq!(routes(Floor::Onion), ["onion", "tor+onion"]);
        assert_eq!(routes(Floor::Tor), ["tor", "tor+onion"]);
        assert!(routes(Floor::Lan).is_empty());
    }
}

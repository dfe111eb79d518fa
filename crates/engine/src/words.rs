//! Choices of the crates below as front ends know them, and back.

use api::{
    AllowedRoutes, FileState, InviteState, LanMode, MessageKind, MessageState, Route, Standing,
};
use e2ee::Floor;
use messenger::store::{Kind, State};
use vault::config::LanUse;

pub(crate) const fn route(route: routes::Route) -> Route {
    match route {
        routes::Route::Onion => Route::Onion,
        routes::Route::Tor => Route::Tor,
        routes::Route::TorOnion => Route::TorOnion,
        routes::Route::Direct => Route::Direct,
    }
}

/// A route that leads to a hub; none for the local network.
pub(crate) const fn hub_route(route: Route) -> Option<routes::Route> {
    match route {
        Route::Onion => Some(routes::Route::Onion),
        Route::Tor => Some(routes::Route::Tor),
        Route::TorOnion => Some(routes::Route::TorOnion),
        Route::Direct => Some(routes::Route::Direct),
        Route::Lan => None,
    }
}

pub(crate) const fn allowed(floor: Floor) -> AllowedRoutes {
    match floor {
        Floor::Anywhere => AllowedRoutes::Anywhere,
        Floor::Hidden => AllowedRoutes::Hidden,
        Floor::Onion => AllowedRoutes::Onion,
        Floor::Tor => AllowedRoutes::Tor,
        Floor::Lan => AllowedRoutes::Lan,
    }
}

pub(crate) const fn floor(routes: AllowedRoutes) -> Floor {
    match routes {
        AllowedRoutes::Anywhere => Floor::Anywhere,
        AllowedRoutes::Hidden => Floor::Hidden,
        AllowedRoutes::Onion => Floor::Onion,
        AllowedRoutes::Tor => Floor::Tor,
        AllowedRoutes::Lan => Floor::Lan,
    }
}

pub(crate) const fn lan(lan: LanUse) -> LanMode {
    match lan {
        LanUse::Off => LanMode::Off,
        LanUse::On => LanMode::On,
        LanUse::Only => LanMode::Only,
    }
}

pub(crate) const fn lan_use(mode: LanMode) -> LanUse {
    match mode {
        LanMode::Off => LanUse::Off,
        LanMode::On => LanUse::On,
        LanMode::Only => LanUse::Only,
    }
}

pub(crate) const fn state(state: State) -> MessageState {
    match state {
        State::Queued => MessageState::Queued,
        State::Sent => MessageState::Sent,
        State::Stored => MessageState::Stored,
        State::Delivered => MessageState::Delivered,
        State::Read => MessageState::Read,
        State::Cancelled => MessageState::Cancelled,
        State::Received => MessageState::Received,
    }
}

pub(crate) const fn kind(kind: Kind) -> MessageKind {
    match kind {
        Kind::Text => MessageKind::Text,
        Kind::File => MessageKind::File,
        Kind::Notice => MessageKind::Notice,
    }
}

pub(crate) const fn file(state: messenger::event::FileState) -> FileState {
    match state {
        messenger::event::FileState::Offered => FileState::Offered,
        messenger::event::FileState::Moving => FileState::Moving,
        messenger::event::FileState::Done => FileState::Done,
        messenger::event::FileState::Failed => FileState::Failed,
        messenger::event::FileState::Cancelled => FileState::Cancelled,
    }
}

pub(crate) const fn invite(state: messenger::invite::InviteState) -> InviteState {
    match state {
        messenger::invite::InviteState::Preparing => InviteState::Preparing,
        messenger::invite::InviteState::Open => InviteState::Open,
        messenger::invite::InviteState::Used => InviteState::Used,
        messenger::invite::InviteState::Revoking => InviteState::Revoking,
        messenger::invite::InviteState::Revoked => InviteState::Revoked,
        messenger::invite::InviteState::Expired => InviteState::Expired,
        messenger::invite::InviteState::Accepting => InviteState::Accepting,
    }
}

pub(crate) const fn standing(of: &messenger::Overview) -> Standing {
    match (of.blocked, of.stopped, of.changed) {
        (true, ..) => Standing::Blocked,
        (_, true, _) => Standing::Stopped,
        (.., true) => Standing::KeysChanged,
        _ => Standing::Normal,
    }
}

//! Drives the messenger over the network. Front ends see `Command` and `Event` and nothing else:
//! those of an open room here, those of a profile in [`profile`].

mod carrier;
mod direct;
mod documents;
mod error;
mod lan;
mod onion;
pub mod profile;
mod room_log;
mod route;
mod session;
mod shaping;
mod types;

pub use self::carrier::CarrierEvent;
pub use self::documents::read_client_key;
pub use self::error::Error;
pub use self::onion::{OnionCarrier, OnionOptions};
pub use self::room_log::{Heard, RoomLog};
pub use self::route::Route;
pub use self::session::{JoinAs, Options, Session, new_room};
pub use self::shaping::Shaping;
pub use self::types::{Command, Event, Person, State};

pub(crate) use self::carrier::{Carrier, CarrierOptions};
pub(crate) use self::documents::{NOT_ENROLLED, request as document_request};

/// The time of this machine, ms since the Unix epoch.
#[must_use]
pub fn now_ms() -> u64 {
    let since =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

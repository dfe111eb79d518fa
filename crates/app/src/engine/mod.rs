//! Drives the messenger over the network. Front ends see `Command` and `Event` and nothing else:
//! those of an open room here, those of a profile in [`profile`].

pub mod profile;
mod room_log;
mod session;
mod types;

pub use self::room_log::{Heard, RoomLog};
pub use self::session::{JoinAs, Options, Session};
pub use self::types::{Command, Event, Person, State};

/// The time of this machine, ms since the Unix epoch.
#[must_use]
pub fn now_ms() -> u64 {
    let since =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

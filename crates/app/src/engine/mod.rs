//! Drives the messenger over the network. Front ends see `Command` and `Event` and nothing else: those of an open room
//! here, those of a profile in [`profile`].

mod carrier;
mod direct;
mod documents;
mod onion;
pub mod profile;
mod session;
mod types;

pub use self::carrier::CarrierEvent;
pub use self::onion::{OnionCarrier, OnionOptions};
pub use self::session::{JoinAs, Options, Route, Session};
pub use self::types::{Command, Event, Person, State};

pub(crate) use self::carrier::Carrier;
